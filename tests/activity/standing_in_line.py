"""People who wait for stock, and what moves their line on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from crm_plugin import activity, clock, contacts
from crm_plugin.contacts import Person
from crm_plugin.models import PriceWatch, StockRequest
from crm_plugin.shop import ProductRef
from tests.fake_catalogue import FakeProduct
from tests.fake_shop import FakeShop

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

People = Callable[[int], list[int]]


def look() -> activity.Look:
    """Look at everything now."""
    PriceWatch.objects.update(due_at=clock.now())
    with transaction.atomic():
        return activity.look(1_000)


def turn(*, min_available: int = 1) -> list[int]:
    """Take the waves that are due; return who is in them, in the order of the line."""
    with transaction.atomic():
        wave = activity.next_wave(min_available=min_available).wave
    told = StockRequest.objects.filter(wave=wave, state="told") if wave is not None else StockRequest.objects.none()
    return list(told.order_by("queued_at", "pk").values_list("contact_id", flat=True))


def line(ref: ProductRef) -> list[int]:
    """Return who waits, in order."""
    rows = activity.people_waiting(variant_id=ref.variant_id, shop_channel=ref.shop_channel)
    return list(rows.order_by("queued_at", "pk").values_list("contact_id", flat=True))


def ask(people: list[int], ref: ProductRef) -> None:
    """Let people ask one after the other."""
    for place, contact_id in enumerate(people):
        with clock.travel(to=START + place * timedelta(seconds=1)):
            activity.ask_for_stock(contact_id, ref)


@pytest.fixture
def people(fake_shop: FakeShop, db: None) -> People:
    """Make customers; their contacts' ids."""

    def make(count: int) -> list[int]:
        return [contacts.get_or_create(Person(fake_shop.add_customer().customer_id)).pk for _ in range(count)]

    return make


@pytest.fixture
def mug(fake_shop: FakeShop) -> FakeProduct:
    """A product that is sold out."""
    return fake_shop.add_product(price=50, stock=0)
