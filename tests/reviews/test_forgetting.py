"""Who was asked for a review long ago is forgotten, but never before they may be asked again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from crm_plugin import clock, contacts, reviews
from crm_plugin.contacts import Person
from crm_plugin.models import ReviewRequest

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(("history_days", "left"), [(400, {"390", "370", "300"}), (30, {"300"})])
def test_requests_go_after_the_history_and_not_within_a_year(history_days: int, left: set[str]) -> None:
    contact = contacts.get_or_create(Person("7"))
    for days in (410, 390, 370, 300):
        ReviewRequest.objects.create(contact=contact, product_id=str(days), asked_at=NOW - days * DAY)

    with clock.travel(to=NOW), transaction.atomic():
        gone = reviews.forget_past(NOW - history_days * DAY, 10)

    assert set(ReviewRequest.objects.values_list("product_id", flat=True)) == left
    assert gone == 4 - len(left)
