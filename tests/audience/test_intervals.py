"""How long somebody usually waits between two orders."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from crm_plugin import audience
from crm_plugin.models import Activity, Contact

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def ordering(*days: int, cancelled: Sequence[int] = ()) -> int:
    """A contact who ordered so many days ago each."""
    contact = Contact.objects.create(created_at=NOW, email=f"{Contact.objects.count()}@example.com")
    for day in days:
        kinds = ("ordered", "cancelled") if day in cancelled else ("ordered",)
        for kind in kinds:
            key = f"{contact.pk}:{day}"
            Activity.objects.create(
                contact=contact,
                kind=kind,
                source_key=f"{key}:{kind}",
                occurred_at=NOW - timedelta(days=day),
                order_ref=key,
            )
    return contact.pk


def test_the_usual_interval_is_the_median_between_orders() -> None:
    contact = ordering(100, 90, 60, 50)

    assert audience.usual_interval(contact) == timedelta(days=10)


def test_between_two_middle_gaps_it_is_half_way() -> None:
    assert audience.usual_interval(ordering(30, 20, 0)) == timedelta(days=15)


def test_two_orders_are_not_usual_yet() -> None:
    assert audience.usual_interval(ordering(30, 20)) is None


def test_a_cancelled_order_was_none() -> None:
    assert audience.usual_interval(ordering(40, 30, 20, 0, cancelled=[20])) == timedelta(days=20)
    assert audience.usual_interval(ordering(40, 30, 20, cancelled=[30])) is None


def test_many_contacts_are_asked_at_once() -> None:
    often, seldom, once = ordering(3, 2, 1), ordering(90, 60, 30), ordering(1)

    assert audience.usual_intervals([often, seldom, once]) == {often: timedelta(days=1), seldom: timedelta(days=30)}
