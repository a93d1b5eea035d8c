"""Who is looked at again because time passed: those at the edges of the windows, and not everybody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from crm_plugin import contacts
from crm_plugin.audience import AudienceRule, edges
from tests.audience.conftest import Make
from tests.audience.reference import Act
from tests.audience.rows import make_segment

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_shop")]

NOON = datetime(2026, 2, 14, 11, tzinfo=UTC)  # in Berlin
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LAST_3_DAYS = {"type": "within", "amount": 3, "unit": "days"}


def moved(include: Any, *, since: datetime, until: datetime) -> set[int] | None:
    query = edges(AudienceRule.parse({"include": include}), since=since, until=until)
    if query is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute(query.sql, query.params)
        return {pk for (pk,) in cursor.fetchall()}


def viewed(window: Any) -> dict[str, Any]:
    return {"type": "did", "activity": "viewed", "window": window}


def test_nobody_moves_where_no_window_does():
    fixed = {"type": "between", "from": "2026-02-01", "to": "2026-02-13"}

    for rule in ({"type": "everybody"}, {"type": "did", "activity": "viewed"}, viewed(fixed)):
        assert moved(rule, since=NOON, until=NOON + 40 * DAY) is None


def test_only_whose_activity_left_the_window_is_named(make: Make):
    leaving = make(acts=[Act("viewed", NOON - 3 * DAY + HOUR / 2)]).pk
    make(acts=[Act("viewed", NOON - 3 * DAY - HOUR)])
    make(acts=[Act("viewed", NOON - DAY)])

    assert moved(viewed(LAST_3_DAYS), since=NOON, until=NOON + HOUR) == {leaving}


def test_calendar_days_move_at_midnight_only(make: Make):
    yesterday = make(acts=[Act("viewed", NOON)]).pk
    last_days = viewed({"type": "last_days", "days": 2})
    midnight = datetime(2026, 2, 14, 23, tzinfo=UTC)

    assert moved(last_days, since=NOON, until=midnight - HOUR) is None
    assert moved(last_days, since=NOON, until=midnight) == {yesterday}


def test_the_window_of_a_segment_that_is_named_moves_too(make: Make):
    pk = make_segment({"include": viewed(LAST_3_DAYS)})
    leaving = make(acts=[Act("viewed", NOON - 3 * DAY)]).pk

    found = moved({"type": "segment", "segment": pk, "is_member": False}, since=NOON, until=NOON + HOUR)

    assert found == {leaving}


def test_a_birthday_begins_and_ends(make: Make):
    contacts.declare_attribute("born", "date")
    today, tomorrow, _later = (make(attributes={"born": f"1990-02-{day}"}).pk for day in (14, 15, 16))
    birthday = {"type": "attribute", "name": "born", "op": "anniversary", "value": {"in_days": 0}}

    assert moved(birthday, since=NOON, until=NOON + DAY) == {today, tomorrow}
    assert moved(birthday, since=NOON, until=NOON + HOUR) is None


def test_a_date_of_the_contact_leaves_its_window(make: Make):
    lapsing = make(values={"last_order_at": NOON - 90 * DAY + HOUR / 2}).pk
    make(values={"last_order_at": NOON - 80 * DAY})
    lapsed = {"type": "before", "amount": 90, "unit": "days"}

    found = moved(
        {"type": "attribute", "name": "last_order_at", "op": "in_window", "value": lapsed},
        since=NOON,
        until=NOON + HOUR,
    )

    assert found == {lapsing}


def test_the_time_for_a_second_step_runs_out(make: Make):
    waiting = make(acts=[Act("carted", NOON - HOUR / 2)]).pk
    make(acts=[Act("carted", NOON - 3 * HOUR)])
    rule = {
        "type": "sequence",
        "first": {"activity": "carted"},
        "then": {"activity": "ordered"},
        "happened": False,
        "within": {"amount": 1, "unit": "hours"},
    }

    assert moved(rule, since=NOON, until=NOON + HOUR) == {waiting}
    assert moved({**rule, "happened": True}, since=NOON, until=NOON + HOUR) is None


def test_a_coupon_expires(make: Make):
    holder = make(acts=[Act("coupon_issued", NOON - DAY, subject="X", expires_at=NOON + HOUR / 2)]).pk
    make(acts=[Act("coupon_issued", NOON - DAY, subject="Y", expires_at=NOON + DAY)])

    assert moved({"type": "coupon_held"}, since=NOON, until=NOON + HOUR) == {holder}
