"""Fixtures of the coupons room: a shop at noon of a fixed day, people, templates, and who gets what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import transaction

from crm_plugin import activity, clock, contacts, coupons
from crm_plugin.contacts import Contact, Person
from crm_plugin.coupons import CouponTemplate, Issued, Refusal, Request
from crm_plugin.models import Coupon
from crm_plugin.shop import Fact, FactKind
from tests.fake_shop import FakeShop

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
TEN_PERCENT = {"kind": "percent", "percent": 10}

Give = Callable[..., Issued | Refusal]
MakeContact = Callable[..., Contact]
MakeTemplate = Callable[..., CouponTemplate]


@pytest.fixture
def shop(fake_shop: FakeShop) -> Iterator[FakeShop]:
    """The shop that the engine asks, at noon of a fixed day."""
    with clock.travel(to=NOON):
        yield fake_shop


@pytest.fixture
def make_contact(shop: FakeShop) -> MakeContact:
    """Make a contact with an account; the same name is the same person."""

    def make(name: str = "ann") -> Contact:
        found = next((row for row in shop.customer_rows.values() if row.email == f"{name}@example.com"), None)
        account = found or shop.add_customer(email=f"{name}@example.com")
        return contacts.get_or_create(Person(account.customer_id, account.email))

    return make


@pytest.fixture
def make_template(shop: FakeShop) -> MakeTemplate:
    """Make a template: of ten percent for a week, or a pool with these codes."""

    def make(*, pool: list[str] | None = None, **values: Any) -> CouponTemplate:
        if pool is None:
            return coupons.create_template(
                values.pop("name", "Welcome"), **{"terms": TEN_PERCENT, "expires_in_days": 7, **values}
            )
        made = coupons.create_template(values.pop("name", "Cinema"), source="pool", **values)
        if pool:
            coupons.upload(made.pk, pool)
        return made

    return make


@pytest.fixture
def give(shop: FakeShop) -> Give:
    """Issue one code to somebody."""

    def give(
        template: CouponTemplate, contact: Contact, occasion: str = "campaign:1/gift", *products: str, **more: Any
    ) -> Issued | Refusal:
        return issue(template, [Request("it", contact.pk, occasion, products)], **more)["it"]

    return give


def issue(template: CouponTemplate, requests: list[Request], **more: Any) -> Mapping[str, Issued | Refusal]:
    """Issue in a transaction, as the pipeline does."""
    with transaction.atomic():
        return coupons.issue(template.pk, requests, **more)


def row_of(issued: Issued | Refusal) -> Coupon:
    """Return the row of what somebody got."""
    assert isinstance(issued, Issued), issued
    return Coupon.objects.get(pk=issued.coupon_id)


def cancelled(order_ref: str, customer_id: str) -> Fact:
    """Return the fact that an order was cancelled."""
    return order_fact(FactKind.CANCELLED, order_ref, customer_id)


def order_fact(kind: FactKind, order_ref: str, customer_id: str) -> Fact:
    """Return a fact about an order."""
    return Fact(
        kind=kind,
        source_key=f"order:{order_ref}:{kind.value}",
        occurred_at=clock.now(),
        customer_id=customer_id,
        order_ref=order_ref,
    )


def let_go(order_ref: str, code: str) -> Fact:
    """Return the fact that an order that never counted holds the code no longer."""
    return Fact(
        kind=FactKind.COUPON_LET_GO,
        source_key=f"order:{order_ref}:coupon_let_go",
        order_ref=order_ref,
        subject=code,
    )


def tell(*facts: Fact) -> None:
    """Record facts."""
    activity.record_many(facts)
