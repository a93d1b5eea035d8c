"""From facts to activities, interests and counters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from crm_plugin import activity, clock, contacts
from crm_plugin.models import Activity, Contact, ContactSpend, Inbox, Interest, PriceWatch
from crm_plugin.money import Money
from crm_plugin.shop import Fact, FactKind, OrderState
from tests.activity.conftest import Drain
from tests.fake_shop import FakeShop
from tests.fake_trade import cart_changed, order_facts, signed_up

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def liked(product, customer_id, *, at=NOON, key="", amount=None, kind=FactKind.LIKED):
    return Fact(
        kind=kind,
        source_key=f"{kind}:{customer_id}:{product.product_id}:{key or at.isoformat()}",
        occurred_at=at,
        customer_id=customer_id,
        product_id=product.product_id,
        shop_channel="default",
        amount=amount,
    )


def test_recording_is_one_insert(django_assert_num_queries, db, fake_shop: FakeShop):
    product = fake_shop.add_product(price=10)

    with django_assert_num_queries(1):
        activity.record(liked(product, "7"))

    assert Inbox.objects.count() == 1


def test_a_like_becomes_an_activity_and_an_interest_with_the_price_of_that_moment(drain: Drain, fake_shop: FakeShop):
    product, customer = fake_shop.add_product(price=50), fake_shop.add_customer(email="Ann@Example.com")
    activity.record(liked(product, customer.customer_id))

    added = drain()

    interest = Interest.objects.get()
    assert list(added) == [FactKind.LIKED]
    assert interest.contact.email == "ann@example.com"
    assert (interest.liked_at, interest.baseline_price, interest.currency) == (NOON, Decimal(50), "EUR")
    assert Inbox.objects.count() == 0


def test_the_same_event_told_twice_is_one_activity(drain: Drain, fake_shop: FakeShop):
    product = fake_shop.add_product(price=50)
    for _ in range(2):
        activity.record(liked(product, "7"))

    first = drain()
    activity.record(liked(product, "7"))
    second = drain()

    assert (Activity.objects.count(), len(first[FactKind.LIKED]), second) == (1, 1, {})
    assert Interest.objects.get().views_count == 0


@pytest.mark.parametrize("is_reversed", [False, True])
def test_like_and_unlike_end_in_the_same_state_in_whatever_order_they_are_drained(
    drain: Drain, fake_shop: FakeShop, *, is_reversed: bool
):
    product = fake_shop.add_product(price=50)
    facts = [
        liked(product, "7", at=NOON),
        liked(product, "7", at=NOON + timedelta(seconds=1), kind=FactKind.UNLIKED),
    ]

    for fact in reversed(facts) if is_reversed else facts:
        activity.record(fact)
        drain()

    assert Interest.objects.get().liked_at is None


def test_the_baseline_is_the_price_at_the_last_interest(drain: Drain, fake_shop: FakeShop):
    product = fake_shop.add_product(price=50)
    activity.record(liked(product, "7", at=NOON))
    drain()
    later = liked(product, "7", at=NOON + timedelta(days=1), amount=Money(Decimal(44), "EUR"), kind=FactKind.VIEWED)
    activity.record(later)
    drain()
    earlier = liked(product, "7", at=NOON - timedelta(days=1), amount=Money(Decimal(60), "EUR"), kind=FactKind.VIEWED)
    activity.record(earlier)
    drain()

    interest = Interest.objects.get()
    assert (interest.baseline_price, interest.views_count, interest.last_interest_at) == (
        Decimal(44),
        2,
        NOON + timedelta(days=1),
    )


def test_a_fact_that_waited_gets_the_price_of_its_time(drain: Drain, fake_shop: FakeShop):
    product = fake_shop.add_product(price=50)
    activity.record(liked(product, "7"))
    drain()
    PriceWatch.objects.update(price=30, previous_price=50, changed_at=NOON + timedelta(hours=2))

    activity.record(liked(product, "8", at=NOON + timedelta(hours=1)))
    activity.record(liked(product, "9", at=NOON + timedelta(hours=3)))
    drain()

    prices = dict(Interest.objects.values_list("contact__customer_id", "baseline_price"))
    assert prices == {"7": Decimal(50), "8": Decimal(50), "9": Decimal(30)}


def test_an_order_counts_for_the_contact_and_its_lines_for_the_interest(drain: Drain, fake_shop: FakeShop):
    product, customer = fake_shop.add_product(price=25), fake_shop.add_customer()
    activity.record(liked(product, customer.customer_id, at=clock.now() - timedelta(days=1)))
    order = fake_shop.place_order(product.ref, customer_id=customer.customer_id, quantity=2)
    activity.record(Fact(kind=FactKind.ORDERED, source_key="order:1:placed", order_ref=order.order_ref))

    added = drain()

    contact = Contact.objects.get()
    assert {FactKind.ORDERED, FactKind.BOUGHT} <= set(added)
    assert (contact.orders_count, contact.first_order_at, contact.last_order_at) == (
        1,
        order.placed_at,
        order.placed_at,
    )
    assert ContactSpend.objects.values_list("currency", "amount", "orders_count").get() == ("EUR", Decimal(50), 1)
    assert Interest.objects.values_list("bought_count", "bought_at").get() == (2, order.placed_at)


def test_a_guest_order_belongs_to_the_e_mail_and_a_cancelled_one_is_taken_back(drain: Drain, fake_shop: FakeShop):
    product = fake_shop.add_product(price=25)
    order = fake_shop.place_order(product.ref, email="Guest@Example.com")
    activity.record_many(order_facts(order))
    drain()
    fake_shop.set_order_state(order.order_ref, OrderState.CANCELLED)
    cancelled = order_facts(fake_shop.order_rows[order.order_ref])
    before = contacts.find(email="guest@example.com").orders_count

    activity.record_many(cancelled)
    drain()

    contact = Contact.objects.get()
    assert (before, contact.orders_count, contact.first_order_at) == (1, 0, None)
    assert ContactSpend.objects.get().amount == 0


def test_spend_is_kept_apart_by_currency(drain: Drain, fake_shop: FakeShop):
    customer = fake_shop.add_customer()
    for channel, price in (("default", 10), ("kr", 15_000), ("default", 5)):
        product = fake_shop.add_product(price=price, shop_channel=channel)
        order = fake_shop.place_order(product.ref, customer_id=customer.customer_id)
        activity.record_many(order_facts(order))
    drain()

    spends = dict(ContactSpend.objects.values_list("currency", "amount"))
    assert spends == {"EUR": Decimal(15), "KRW": Decimal(15_000)}


def test_a_draft_order_leaves_nothing_until_the_shop_counts_it(drain: Drain, fake_shop: FakeShop):
    activity.record(
        Fact(kind=FactKind.ORDERED, source_key="order:99:placed", order_ref="99", email="someone@example.com")
    )

    added = drain()

    assert (added, Activity.objects.count(), Inbox.objects.count()) == ({}, 0, 0)


def test_cart_lines_follow_the_cart(drain: Drain, fake_shop: FakeShop):
    kept, dropped = fake_shop.add_product(price=10), fake_shop.add_product(price=20)
    customer = fake_shop.add_customer()
    cart = fake_shop.add_cart(kept.ref, dropped.ref, customer_id=customer.customer_id)
    activity.record(cart_changed(cart))
    drain()
    both = Interest.objects.filter(carted_at__isnull=False).count()

    smaller = fake_shop.change_cart(cart.cart_ref, kept.ref, customer_id=customer.customer_id)
    activity.record(cart_changed(smaller))
    drain()
    carted = set(Interest.objects.filter(carted_at__isnull=False).values_list("product_id", flat=True))
    again = fake_shop.change_cart(cart.cart_ref, kept.ref, dropped.ref, customer_id=customer.customer_id)
    activity.record(cart_changed(again))
    drain()

    assert (both, carted) == (2, {kept.product_id})
    assert Interest.objects.filter(carted_at__isnull=False).count() == 2


def test_signing_up_sets_when_the_person_joined_and_was_seen(drain: Drain, fake_shop: FakeShop):
    customer = fake_shop.add_customer(joined_at=NOON)
    activity.record(signed_up(customer))

    drain()

    contact = Contact.objects.get()
    assert (contact.joined_at, contact.last_seen_at) == (NOON, NOON)


def test_nobody_known_leaves_nothing(drain: Drain, fake_shop: FakeShop):
    product = fake_shop.add_product(price=10)
    activity.record(Fact(kind=FactKind.VIEWED, source_key="v", product_id=product.product_id, shop_channel="default"))

    drain()

    assert (Activity.objects.count(), Contact.objects.count(), Inbox.objects.count()) == (0, 0, 0)


def test_facts_from_before_an_erasure_do_not_bring_the_person_back(drain: Drain, fake_shop: FakeShop):
    product = fake_shop.add_product(price=10)
    old = fake_shop.place_order(product.ref, email="gone@example.com")
    activity.record_many(order_facts(old))
    drain()
    contacts.erase([contacts.find(email="gone@example.com").pk])
    activity.forget(list(Contact.objects.values_list("pk", flat=True)), customer_ids=[])

    activity.record_many(order_facts(old))
    drain()

    assert Activity.objects.count() == 0
    assert contacts.find(email="gone@example.com") is None


def test_a_batch_costs_the_same_number_of_queries_whatever_its_size(
    drain: Drain, fake_shop: FakeShop, django_assert_max_num_queries
):
    products = [fake_shop.add_product(price=10 + n) for n in range(20)]
    customers = [fake_shop.add_customer() for _ in range(20)]
    activity.record_many(liked(p, c.customer_id) for p in products for c in customers)

    with django_assert_max_num_queries(21):
        drain()

    assert Interest.objects.count() == 400
