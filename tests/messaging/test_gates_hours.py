"""The merchant's quiet hours: by the person's clocks, over midnight, on days when clocks are changed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from crm_plugin.messaging import Hold, Reason, Skip
from tests.fake_shop import FakeShop
from tests.messaging.gate_story import judge, merchant_of, person, quiet


def utc(text: str) -> datetime:
    """A moment, as a clock in UTC shows it."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("begins", "ends", "at", "until"),
    [
        ("22:00", "06:00", "2027-03-01T21:59:59", None),
        ("22:00", "06:00", "2027-03-01T22:00", "2027-03-02T06:00"),
        ("22:00", "06:00", "2027-03-02T05:30", "2027-03-02T06:00"),  # Braze's own example
        ("22:00", "06:00", "2027-03-02T06:00", None),
        ("12:00", "13:00", "2027-03-01T12:30", "2027-03-01T13:00"),
        ("12:00", "13:00", "2027-03-01T13:00", None),
        ("00:00", "08:00", "2027-03-01T00:00", "2027-03-01T08:00"),
        ("21:00", "00:00", "2027-03-01T23:59:59", "2027-03-02T00:00"),
    ],
)
def test_quiet_hours_hold_until_their_end(begins: str, ends: str, at: str, until: str | None):
    found = judge(person(), quiet(begins, ends), at=utc(at))

    assert found == (None if until is None else Hold(utc(until), Reason.QUIET_HOURS))


def test_quiet_hours_may_skip_instead_and_let_news_about_the_persons_own_business_pass():
    us = quiet("22:00", "06:00", quiet_action="skip")
    at = utc("2027-03-01T23:00")

    assert judge(person(), us, at=at) == Skip(Reason.QUIET_HOURS)
    assert judge(person(), us, at=at, message_class="transactional") is None


@pytest.mark.parametrize(
    ("fields", "until"),
    [
        ({"time_zone": "Asia/Tokyo"}, None),  # 07:00 there
        ({"time_zone": "Europe/London"}, "2027-03-02T06:00"),
        ({"country": "JP"}, None),  # a country with one zone
        ({"country": "US"}, "2027-03-02T05:00"),  # several: the shop's, Berlin
        ({"country": "JP", "time_zone": "no/zone"}, None),
        ({}, "2027-03-02T05:00"),
    ],
)
def test_quiet_hours_are_by_the_persons_clocks_else_the_shops(fields: dict[str, str], until: str | None):
    us = quiet("22:00", "06:00", time_zone="Europe/Berlin")

    found = judge(person(**fields), us, at=utc("2027-03-01T22:00"))

    assert found == (None if until is None else Hold(utc(until), Reason.QUIET_HOURS))


@pytest.mark.parametrize(
    ("at", "until"),
    [
        # The clock goes from 02:00 to 03:00: quiet until 02:30 is quiet until 03:30.
        ("2027-03-28T00:59", "2027-03-28T01:30"),
        ("2027-03-28T01:15", "2027-03-28T01:30"),
        ("2027-03-28T01:30", None),
        # The clock goes from 03:00 back to 02:00: the first 02:30 is meant, and quiet is over for the second.
        ("2027-10-31T00:15", "2027-10-31T00:30"),
        ("2027-10-31T00:30", None),
        ("2027-10-31T01:15", None),
        # Any other day.
        ("2027-05-02T00:15", "2027-05-02T00:30"),
    ],
)
def test_quiet_hours_on_days_when_clocks_are_changed(at: str, until: str | None):
    us = quiet("22:00", "02:30", time_zone="Europe/Berlin")

    assert judge(person(), us, at=utc(at)) == (None if until is None else Hold(utc(until), Reason.QUIET_HOURS))


@pytest.mark.django_db
def test_without_a_zone_of_the_merchants_the_shops_holds(fake_shop: FakeShop):
    us = quiet("22:00", "06:00", time_zone="")

    found = judge(person(), us, at=utc("2027-03-01T22:30"))

    zone = fake_shop.shop_identity.time_zone
    assert found == judge(person(time_zone=zone), us, at=utc("2027-03-01T22:30"))


def test_no_quiet_hours_no_waiting():
    assert all(judge(person(), merchant_of(), at=utc(f"2027-03-01T{hour:02}:00")) is None for hour in range(24))
