"""The law's night, as a table: by which clocks, on which channels, and what lifts it (features part 5)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from crm_plugin.messaging import Hold, Reason
from tests.messaging.gate_story import judge, merchant_of, person

SEOUL = "Asia/Seoul"
CHANNELS = ("email", "sms", "kakao", "web_push", "app_push", "inbox")


def clock_of(zone: str, shows: str, day: str = "2027-03-02") -> datetime:
    """The moment at which a clock of the zone shows a time on a day."""
    return datetime.fromisoformat(f"{day}T{shows}").replace(tzinfo=ZoneInfo(zone))


def ends(found: object, zone: str) -> str:
    """Until when a message is held, as a clock of the zone shows it; empty when it goes."""
    if found is None:
        return ""
    assert isinstance(found, Hold)
    assert found.reason is Reason.NIGHT_BAN
    return f"{found.until.astimezone(ZoneInfo(zone)):%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("shows", "held_until"),
    [
        ("20:59:59", ""),
        ("21:00:00", "03-03 08:00"),
        ("23:59:59", "03-03 08:00"),
        ("00:00:00", "03-02 08:00"),
        ("07:59:59", "03-02 08:00"),
        ("08:00:00", ""),
        ("12:00:00", ""),
    ],
)
@pytest.mark.parametrize("channel", ["sms", "kakao", "web_push", "app_push"])
def test_kr_night_from_21_to_8_holds_advertisements_unless_the_night_was_agreed_to(
    shows: str, held_until: str, channel: str
):
    at = clock_of(SEOUL, shows)
    asleep = person(country="KR")
    awake = person(country="KR", has_night_consent=True)

    assert ends(judge(asleep, at=at, channel=channel), SEOUL) == held_until
    assert judge(awake, at=at, channel=channel) is None
    assert judge(asleep, at=at, channel=channel, message_class="transactional") is None


@pytest.mark.parametrize("channel", ["email", "inbox"])
def test_kr_night_exempts_e_mail(channel: str):
    assert judge(person(country="KR"), at=clock_of(SEOUL, "23:00"), channel=channel) is None


@pytest.mark.parametrize("browser", ["America/New_York", "Europe/Berlin", "no/zone", ""])
def test_kr_night_is_always_koreas_own(browser: str):
    who = person(country="KR", time_zone=browser)

    assert ends(judge(who, at=clock_of(SEOUL, "21:30"), channel="sms"), SEOUL) == "03-03 08:00"
    assert judge(who, at=clock_of(SEOUL, "12:00"), channel="sms") is None


@pytest.mark.parametrize(
    ("us", "language"),
    [({"country": "KR"}, "en"), ({}, "ko"), ({"country": "US"}, "ko-KR"), ({"default_language": "ko"}, "")],
)
def test_kr_night_holds_for_who_lives_nowhere_known_when_shop_or_language_is_korean(us: dict[str, Any], language: str):
    who = person(country="", language=language)

    assert ends(judge(who, merchant_of(**us), at=clock_of(SEOUL, "03:00"), channel="app_push"), SEOUL) == "03-02 08:00"


def test_a_korean_abroad_is_written_to_by_the_law_of_where_they_live():
    who = person(country="FR", language="ko")

    assert judge(who, merchant_of(country="KR"), at=clock_of(SEOUL, "03:00"), channel="sms") is None


@pytest.mark.parametrize(
    ("shows", "held_until"),
    [("20:59:59", ""), ("21:00:00", "03-03 08:00"), ("07:59:59", "03-02 08:00"), ("08:00:00", "")],
)
@pytest.mark.parametrize("zone", ["America/New_York", "America/Los_Angeles", "Pacific/Honolulu"])
def test_us_text_messages_come_from_8_to_21_by_the_persons_own_clock(shows: str, held_until: str, zone: str):
    who = person(country="US", time_zone=zone, has_night_consent=True)  # it lifts nothing there
    at = clock_of(zone, shows)

    assert ends(judge(who, at=at, channel="sms"), zone) == held_until
    assert judge(who, at=at, channel="sms", message_class="transactional") is None


@pytest.mark.parametrize("channel", [channel for channel in CHANNELS if channel != "sms"])
def test_us_hours_are_about_text_messages_alone(channel: str):
    who = person(country="US", time_zone="America/New_York")

    assert judge(who, at=clock_of("America/New_York", "23:00"), channel=channel) is None


@pytest.mark.parametrize(
    ("shows", "held_until"),
    [
        ("20:59:59", ""),  # in New York; Honolulu has 15:59
        ("21:00:00", "03-03 13:00"),
        ("08:00:00", "03-02 13:00"),  # Honolulu has 03:00
        ("12:59:59", "03-02 13:00"),
        ("13:00:00", ""),  # 08:00 in Honolulu
    ],
)
def test_us_person_whose_zone_nobody_knows_gets_text_messages_while_it_is_day_in_all_of_the_country(
    shows: str, held_until: str
):
    at = clock_of("America/New_York", shows)

    assert ends(judge(person(country="US"), at=at, channel="sms"), "America/New_York") == held_until
    assert ends(judge(person(), merchant_of(country="US"), at=at, channel="sms"), "America/New_York") == held_until


def test_us_hours_of_a_country_with_one_zone_are_its_own():
    who = person(country="PR")  # Puerto Rico, under the same law

    assert ends(judge(who, at=clock_of("America/Puerto_Rico", "07:00"), channel="sms"), "America/Puerto_Rico") == (
        "03-02 08:00"
    )


def test_us_night_follows_the_clock_on_the_wall_when_it_is_changed():
    zone = "America/New_York"
    who = person(country="US", time_zone=zone)
    spring, autumn = clock_of(zone, "21:00", "2027-03-13"), clock_of(zone, "21:00", "2027-11-06")

    nights = [judge(who, at=at, channel="sms") for at in (spring, autumn)]

    assert [ends(found, zone) for found in nights] == ["03-14 08:00", "11-07 08:00"]
    lengths = [found.until - at for found, at in zip(nights, (spring, autumn), strict=True) if isinstance(found, Hold)]
    assert lengths == [timedelta(hours=10), timedelta(hours=12)]


@pytest.mark.parametrize("country", ["DE", "FR", "GB", "JP", ""])
def test_there_is_no_night_where_no_law_knows_one(country: str):
    for hour in range(24):
        assert judge(person(country=country), at=clock_of("UTC", f"{hour:02}:00"), channel="sms") is None
