"""Where a window lies: calendar days of the shop's zone, whatever its clocks do."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from crm_plugin.audience.windows import AnyWindow, Bounds, Window, passed
from crm_plugin.clock import day_start

BERLIN, SEOUL, CAIRO = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Seoul"), ZoneInfo("Africa/Cairo")
ZONES = st.sampled_from([BERLIN, SEOUL, CAIRO, ZoneInfo("Asia/Kathmandu"), ZoneInfo("America/Havana")])
MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def window(type: str, **values: Any) -> AnyWindow:
    found: AnyWindow = TypeAdapter(Window).validate_python({"type": type, **values})
    return found


def local(*parts: int, zone: ZoneInfo = BERLIN) -> datetime:
    return datetime(*parts, tzinfo=zone).astimezone(UTC)  # type: ignore[arg-type, misc]


WINDOWS = st.sampled_from(
    [
        window("last_days", days=1),
        window("last_days", days=30),
        window("within", amount=90, unit="minutes"),
        window("before", amount=2, unit="hours"),
        window("exactly_ago", amount=2, unit="days"),
        window("exactly_ago", amount=3, unit="hours"),
        window("exactly_ago", amount=0, unit="minutes"),
    ]
)


def test_the_last_14_days_of_14_february_are_31_january_to_13_february():
    now = local(2026, 2, 14, 9, 30)

    bounds = window("last_days", days=14).bounds(now, BERLIN)

    assert bounds == (local(2026, 1, 31), local(2026, 2, 14))


@pytest.mark.parametrize("days", [0, 31, -1, 10**30, "14", 14.5, True, None])
def test_other_numbers_of_days_are_refused(days):
    with pytest.raises(ValidationError):
        window("last_days", days=days)


def test_two_days_ago_is_a_whole_day_of_the_shop():
    now = datetime(2026, 2, 1, 0, 30, tzinfo=SEOUL)

    bounds = window("exactly_ago", amount=2, unit="days").bounds(now, SEOUL)

    assert bounds == (local(2026, 1, 30, zone=SEOUL), local(2026, 1, 31, zone=SEOUL))


def test_two_hours_ago_is_the_full_hour():
    now = local(2026, 2, 1, 10, 45, 12)

    bounds = window("exactly_ago", amount=2, unit="hours").bounds(now, BERLIN)

    assert bounds == (local(2026, 2, 1, 8), local(2026, 2, 1, 9))


def test_a_full_hour_is_that_of_the_clock_on_the_wall():
    kathmandu = ZoneInfo("Asia/Kathmandu")  # 5 h 45 min from UTC
    now = datetime(2026, 2, 1, 10, 5, tzinfo=kathmandu)

    bounds = window("exactly_ago", amount=1, unit="hours").bounds(now, kathmandu)

    assert bounds == (local(2026, 2, 1, 9, zone=kathmandu), local(2026, 2, 1, 10, zone=kathmandu))


def test_a_day_on_which_the_clocks_change_is_one_day():
    day = timedelta(days=1)

    short = window("last_days", days=1).bounds(local(2026, 3, 30, 12), BERLIN)
    long = window("last_days", days=1).bounds(local(2026, 10, 26, 12), BERLIN)

    assert [bounds.end - bounds.start for bounds in (short, long)] == [
        day - timedelta(hours=1),
        day + timedelta(hours=1),
    ]


def test_a_day_without_midnight_begins_when_the_clock_has_skipped_it():
    start = day_start(date(2026, 4, 24), CAIRO)  # at midnight it is 01:00

    assert start.astimezone(CAIRO).isoformat() == "2026-04-24T01:00:00+03:00"
    assert (start - timedelta(microseconds=1)).astimezone(CAIRO).date() == date(2026, 4, 23)


def test_within_includes_both_ends_and_before_begins_where_it_ends():
    now = local(2026, 2, 14, 9)

    within = window("within", amount=3, unit="days").bounds(now, BERLIN)
    before = window("before", amount=3, unit="days").bounds(now, BERLIN)

    assert within == (now - timedelta(days=3), now + timedelta(microseconds=1))
    assert before == (None, within.start)


@pytest.mark.parametrize(
    "values",
    [
        {"type": "within", "amount": 1_096, "unit": "days"},
        {"type": "within", "amount": 0, "unit": "days"},
        {"type": "within", "amount": 1, "unit": "weeks"},
        {"type": "before", "amount": 10**40, "unit": "minutes"},
        {"type": "between", "from": "2026-02-02", "to": "2026-02-01"},
        {"type": "between", "from": "2020-01-01", "to": "2026-02-01"},
        {"type": "between", "from": "2026-02-30", "to": "2026-03-01"},
        {"type": "between", "from": "0001-01-01", "to": "0001-01-02"},
        {"type": "between", "from": 0, "to": 1},
        {"type": "between", "from": "2026-02-01T00:00:00", "to": "2026-02-02"},
        {"type": "someday"},
        {"days": 3},
    ],
)
def test_windows_that_make_no_sense_are_refused(values):
    with pytest.raises(ValidationError):
        TypeAdapter(Window).validate_python(values)


@given(MOMENTS, WINDOWS, ZONES)
def test_a_window_never_moves_back(now, one, zone):
    earlier, later = one.bounds(now, zone), one.bounds(now + timedelta(minutes=7), zone)

    for before, after in zip(earlier, later, strict=True):
        assert before is None or before <= after


@given(MOMENTS, st.integers(1, 30), ZONES)
def test_the_last_days_are_days_of_the_calendar(now, days, zone):
    start, end = window("last_days", days=days).bounds(now, zone)
    tick = timedelta(microseconds=1)

    today = now.astimezone(zone).date()
    assert [moment.astimezone(zone).date() for moment in (start - tick, start, end - tick, end)] == [
        today - timedelta(days=days + 1),
        today - timedelta(days=days),
        today - timedelta(days=1),
        today,
    ]


@given(MOMENTS, st.integers(0, 50), ZONES)
def test_the_hour_so_many_hours_ago_holds_that_moment(now, hours, zone):
    start, end = window("exactly_ago", amount=hours, unit="hours").bounds(now, zone)

    assert start <= now - timedelta(hours=hours) < end
    assert end - start == timedelta(hours=1)


@given(MOMENTS, MOMENTS, MOMENTS, WINDOWS, ZONES)
def test_what_entered_or_left_lies_in_a_slice(since, until, at, one, zone):
    slices = passed(one, since=since, until=until, zone=zone)

    was_in, is_in = (_holds(one.bounds(now, zone), at) for now in (since, until))
    assert was_in == is_in or any(_holds(bounds, at) for bounds in slices)


def _holds(bounds: Bounds, at: datetime) -> bool:
    return (bounds.start is None or bounds.start <= at) and (bounds.end is None or at < bounds.end)
