"""Looking ahead: the gatekeeper is asked about moments to come, follows what it holds, and tries the next channel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm_plugin import clock, contacts
from crm_plugin.contacts import Contact
from crm_plugin.merchant import Merchant
from crm_plugin.messaging import Outlook, Planned, Reason
from crm_plugin.models import SendingCount

pytestmark = pytest.mark.django_db

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)  # 21:00 in Seoul
HOUR = timedelta(hours=1)
Change = Callable[..., None]


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    with clock.travel(to=NOON):
        yield


@pytest.fixture
def change(us: Merchant) -> Change:
    """Change the merchant's settings."""

    def put(**fields: Any) -> None:
        for name, value in ({"time_zone": "UTC"} | fields).items():
            setattr(us, name, value)
        us.save()

    return put


@pytest.fixture
def kim(make_contact: Callable[..., Contact]) -> Contact:
    """A Korean who agreed to e-mail and text messages, and never to anything at night."""
    found = make_contact("kim@example.com", phone="+821012345678", country="KR")
    contacts.set_consent(found.pk, channel="sms", is_granted=True, source="test")
    return found


def planned(who: Contact, at: datetime = NOON, channel: str = "email", *fallbacks: str, **fields: Any) -> Planned:
    values: dict[str, Any] = {"message_class": "marketing", "stale_at": at + 48 * HOUR, "campaign_id": 7} | fields
    return Planned(contact_id=who.pk, channel=channel, at=at, fallbacks=fallbacks, **values)


def seen(*ahead: Planned) -> list[tuple[str, timedelta, Reason | None, Reason | None]]:
    """What becomes of each: over which channel, how long from now, why not, and what held it."""
    people = {one.contact_id for one in ahead}
    outlook = Outlook.over(people, channels={kind for one in ahead for kind in (one.channel, *one.fallbacks)})
    return [(one.channel, one.at - NOON, one.refusal, one.held_for) for one in outlook.foresee(ahead)]


def test_what_the_night_holds_goes_when_it_is_over(kim: Contact, change: Change):
    change()

    assert seen(planned(kim), planned(kim, channel="sms"), planned(kim, NOON + 12 * HOUR, "sms")) == [
        ("email", 0 * HOUR, None, None),
        ("sms", 11 * HOUR, None, Reason.NIGHT_BAN),
        ("sms", 12 * HOUR, None, None),
    ]


def test_one_hold_may_follow_another(kim: Contact, change: Change):
    change(quiet_from=time(22), quiet_to=time(1), time_zone="UTC")  # until 01:00 in Seoul's zone, which is the person's
    with_late_mornings = {"quiet_from": time(7), "quiet_to": time(10)}
    change(**with_late_mornings)

    assert seen(planned(kim, channel="sms")) == [("sms", 13 * HOUR, None, Reason.QUIET_HOURS)]


def test_what_is_held_too_long_is_foreseen_as_stale(kim: Contact, change: Change):
    change()

    assert seen(planned(kim, channel="sms", stale_at=NOON + 11 * HOUR)) == [("sms", 0 * HOUR, Reason.STALE, None)]


def test_caps_count_what_goes_out_before_in_order_of_time(kim: Contact, change: Change):
    change(caps=[{"channel": "", "count": 2, "hours": 24}, {"channel": "email", "count": 1, "days": 1}])
    mail = [planned(kim, NOON + hours * HOUR) for hours in (4, 0, 1)]  # 01:00, 21:00 and 22:00 in Seoul
    text = planned(kim, NOON - HOUR, "sms")

    assert seen(*mail, text) == [
        ("email", 4 * HOUR, Reason.FREQUENCY_CAP, None),  # the third of all
        ("email", 0 * HOUR, None, None),
        ("email", 1 * HOUR, Reason.FREQUENCY_CAP, None),  # the second of the day
        ("sms", -1 * HOUR, None, None),
    ]


def test_a_calendar_day_of_the_person_begins_anew(kim: Contact, change: Change):
    change(caps=[{"channel": "email", "count": 1, "days": 1}])

    assert [reason for *_, reason, _ in seen(planned(kim, NOON + 2 * HOUR), planned(kim, NOON + 4 * HOUR))] == [
        None
    ] * 2


def test_a_held_message_is_capped_as_of_the_moment_at_which_it_would_go(kim: Contact, change: Change):
    change(caps=[{"channel": "sms", "count": 1, "hours": 24}])

    assert seen(planned(kim, channel="sms"), planned(kim, NOON + 11 * HOUR - timedelta(seconds=1), "sms")) == [
        ("sms", 11 * HOUR, None, Reason.NIGHT_BAN),
        ("sms", 11 * HOUR, Reason.FREQUENCY_CAP, Reason.NIGHT_BAN),
    ]


@pytest.mark.feature(60)
def test_the_next_channel_is_foreseen_where_the_first_does_not_reach_the_person(kim: Contact, change: Change):
    change()
    morning = NOON + 12 * HOUR

    assert seen(
        planned(kim, morning, "kakao", "sms"),
        planned(kim, morning, "email", "sms"),
        planned(kim, NOON, "kakao", "sms"),
        planned(kim, morning, "kakao", "app_push"),
    ) == [
        ("sms", 12 * HOUR, None, None),  # no consent to the first
        ("email", 12 * HOUR, None, None),
        ("sms", 11 * HOUR, None, Reason.NIGHT_BAN),  # the next channel has a night of its own
        ("app_push", 12 * HOUR, Reason.NO_ADDRESS, None),
    ]


def test_what_only_puts_the_person_off_leads_to_no_other_channel(kim: Contact, change: Change):
    change(caps=[{"channel": "email", "count": 1, "hours": 24}])

    found = seen(planned(kim), planned(kim, NOON + HOUR, "email", "sms"))

    assert found[1] == ("email", HOUR, Reason.FREQUENCY_CAP, None)


def test_when_it_is_decided_whether_a_message_goes(kim: Contact, change: Change):
    change(caps=[{"channel": "email", "count": 1, "hours": 24}], quiet_from=time(20), quiet_to=time(9))
    outlook = Outlook.over({kim.pk}, channels={"email", "sms", "kakao"})
    nine = NOON + 12 * HOUR  # in Seoul

    assert outlook.settled_at(planned(kim)) == nine
    assert outlook.settled_at(planned(kim, NOON + HOUR)) == NOON + HOUR  # capped at once
    assert outlook.settled_at(planned(kim, NOON, "kakao", "sms")) == nine
    assert outlook.settled_at(planned(kim, NOON, "kakao")) == NOON
    assert outlook.settled_at(planned(kim, message_class="transactional")) == NOON
    assert outlook.foresee([planned(kim)])[0].refusal is None  # asked afresh


def test_throttles_are_left_out_and_nothing_is_written(kim: Contact, change: Change, settings: Any):
    settings.CRM_EMAIL_PER_MINUTE = 1
    change(warm_up_from=NOON.date(), warm_up_first=1, domain_limits={"example.com": 1})

    with CaptureQueriesContext(connection) as asked:
        assert [one[2:] for one in seen(*[planned(kim)] * 3)] == [(None, None)] * 3

    assert not [query["sql"] for query in asked if not query["sql"].startswith(("SELECT", "("))]
    assert not SendingCount.objects.exists()


def test_the_number_of_queries_grows_with_the_channels_alone(make_contact: Callable[..., Contact], change: Change):
    change(caps=[{"channel": "", "count": 3, "days": 7}])
    people = [make_contact(f"p{number}@example.com") for number in range(9)]

    def queries(count: int) -> int:
        with CaptureQueriesContext(connection) as asked:
            seen(*(planned(one, NOON + HOUR * n) for one in people[:count] for n in range(count)))
        return len(asked)

    assert queries(1) == queries(9)
