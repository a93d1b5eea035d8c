"""The next moment of a local clock, also on the two days of the year on which it is put on and back."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_plugin.automations.local_time import next_moment

ZONES = [ZoneInfo(name) for name in ("Europe/Berlin", "America/New_York", "Asia/Seoul")]
BERLIN = ZONES[0]
#: Around the days on which clocks change in Berlin and in New York, and any other day.
DAYS = st.one_of(
    st.datetimes(datetime(2026, 3, 6), datetime(2026, 3, 31)),  # noqa: DTZ001 - made aware below
    st.datetimes(datetime(2026, 10, 23), datetime(2026, 11, 4)),  # noqa: DTZ001
    st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1)),  # noqa: DTZ001
)
TIMES = st.times().map(lambda at: at.replace(microsecond=0))


def local(zone, *parts):
    return datetime(*parts, tzinfo=zone)


def wall(moment, zone):
    return moment.astimezone(zone).replace(tzinfo=None)


def exists(day, at, zone):
    """Whether the clock shows the time on the day."""
    moment = datetime.combine(day, at, zone)
    return wall(moment.astimezone(UTC), zone) == moment.replace(tzinfo=None)


@given(now=DAYS, at=TIMES, zone=st.sampled_from(ZONES), weekdays=st.sets(st.integers(0, 6)))
def test_it_is_the_first_moment_from_now_on_at_which_the_clock_says_so(now, at, zone, weekdays):
    now = now.replace(tzinfo=UTC)

    found = next_moment(now, at=at, zone=zone, weekdays=weekdays)

    assert now <= found <= now + timedelta(days=8)
    shown = wall(found, zone)
    assert not weekdays or shown.weekday() in weekdays
    if exists(shown.date(), at, zone):
        assert shown.time() == at
    else:
        assert timedelta() < shown - datetime.combine(shown.date(), at) <= timedelta(hours=1)
    # Nothing was passed over: a day earlier it was over already, or no such weekday.
    before = datetime.combine(shown.date() - timedelta(days=1), at, zone).astimezone(UTC)
    assert before < now or (weekdays and wall(before, zone).weekday() not in weekdays)


@given(now=DAYS, at=TIMES, to=TIMES, zone=st.sampled_from(ZONES), weekdays=st.sets(st.integers(0, 6)))
def test_within_the_stretch_it_is_now_and_else_its_next_beginning(now, at, to, zone, weekdays):
    now = now.replace(tzinfo=UTC)

    found = next_moment(now, at=at, to=to, zone=zone, weekdays=weekdays)

    assert now <= found <= now + timedelta(days=8)
    if found != now:
        assert found == next_moment(now, at=at, zone=zone, weekdays=weekdays)


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_exactly_then_counts_as_now_and_a_moment_later_is_tomorrow(zone):
    ten = local(zone, 2026, 6, 3, 10)

    assert next_moment(ten, at=time(10), zone=zone) == ten
    assert next_moment(ten + timedelta(microseconds=1), at=time(10), zone=zone) == local(zone, 2026, 6, 4, 10)


@pytest.mark.parametrize(
    ("zone", "now", "becomes"),
    [
        ("Europe/Berlin", (2026, 3, 29, 0), "2026-03-29T01:30:00+00:00"),  # 02:30 is not: 03:30
        ("America/New_York", (2026, 3, 8, 0), "2026-03-08T07:30:00+00:00"),
        ("Europe/Berlin", (2026, 10, 25, 0), "2026-10-25T00:30:00+00:00"),  # 02:30 is twice: the first
        ("Europe/Berlin", (2026, 10, 25, 3), "2026-10-26T01:30:00+00:00"),
        ("America/New_York", (2026, 11, 1, 0), "2026-11-01T07:30:00+00:00"),  # 01:30 is twice there, 02:30 is not
        ("Asia/Seoul", (2026, 3, 29, 0), "2026-03-28T17:30:00+00:00"),
    ],
)
def test_half_past_two_on_days_on_which_clocks_change(zone, now, becomes):
    found = next_moment(local(ZoneInfo(zone), *now), at=time(2, 30), zone=ZoneInfo(zone))

    assert found.isoformat() == becomes


def test_of_a_time_that_comes_twice_the_second_one_is_too_late():
    between = datetime(2026, 10, 25, 0, 45, tzinfo=UTC)  # 02:45 in Berlin, for the first time

    assert next_moment(between, at=time(2, 30), zone=BERLIN) == local(BERLIN, 2026, 10, 26, 2, 30)


@pytest.mark.parametrize(
    ("now", "is_inside"),
    [((2026, 6, 5, 22), True), ((2026, 6, 6, 5, 59), True), ((2026, 6, 6, 6), False), ((2026, 6, 6, 22), False)],
)
def test_a_stretch_over_midnight_belongs_to_the_day_on_which_it_begins(now, is_inside):
    now = local(BERLIN, *now)

    found = next_moment(now, at=time(22), to=time(6), zone=BERLIN, weekdays=[4])

    assert found == (now if is_inside else local(BERLIN, 2026, 6, 12, 22))
