"""That an order was delivered: told by the shop, or derived some days after it was sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from crm_plugin import activity, clock, merchant, pipeline
from crm_plugin.models import Activity, Enrollment, Inbox, Watermark
from crm_plugin.shop import Fact, FactKind, OrderState
from tests.fake_shop import FakeShop
from tests.fake_trade import order_facts
from tests.stories import consenting, on, running
from tests.together import together

pytestmark = pytest.mark.django_db

SENT = datetime(2027, 3, 1, 12, tzinfo=UTC)
ARRIVED = SENT + timedelta(days=3)


def sent_order(shop: FakeShop, *, at: datetime = SENT, state: OrderState = OrderState.FULFILLED) -> str:
    """An order that was placed a day before it was sent; returns its ref."""
    with clock.travel(to=at - timedelta(days=1)):
        customer = shop.add_customer()
        consenting(customer.customer_id)
        order = shop.place_order(shop.add_product(price=10).ref, customer_id=customer.customer_id)
        activity.record_many(order_facts(order))
    with clock.travel(to=at):
        activity.record_many(order_facts(shop.set_order_state(order.order_ref, state), changed_at=at))
        pipeline.pump()
    return order.order_ref


def tell(kind: FactKind, order_ref: str, at: datetime, *, key: str = "") -> None:
    who = Activity.objects.filter(order_ref=order_ref, kind="ordered").values_list("contact_id", flat=True).get()
    source_key = key or f"{kind}:{order_ref}:{at.isoformat()}"
    activity.record(Fact(kind=kind, source_key=source_key, occurred_at=at, contact_id=who, order_ref=order_ref))
    pipeline.pump()


def derive(at: datetime, *, limit: int = 100) -> list[tuple[str, datetime]]:
    """Walk to the end at a moment; return the orders that were delivered by then."""
    with clock.travel(to=at):
        for _ in range(50):
            if not activity.derive_deliveries(limit):
                break
        pipeline.pump()
    return list(Activity.objects.filter(kind="delivered").order_by("id").values_list("order_ref", "occurred_at"))


def test_an_order_arrives_three_days_after_it_was_sent(fake_shop):
    order_ref = sent_order(fake_shop)

    early = derive(ARRIVED - timedelta(minutes=1))
    late = derive(ARRIVED + timedelta(hours=2))

    assert early == []
    assert late == [(order_ref, ARRIVED)]


@pytest.mark.parametrize("state", [FactKind.CANCELLED, FactKind.REFUNDED])
def test_an_order_that_came_to_nothing_does_not_arrive(fake_shop, state):
    order_ref = sent_order(fake_shop)
    tell(state, order_ref, SENT + timedelta(days=1))

    assert derive(ARRIVED) == []


def test_what_the_shop_told_is_not_derived_and_told_after_it_was_derived_it_is_one(fake_shop):
    told, derived = sent_order(fake_shop), sent_order(fake_shop)
    tell(FactKind.DELIVERED, told, SENT + timedelta(days=1), key=activity.delivered_key(told))

    found = derive(ARRIVED)
    tell(FactKind.DELIVERED, derived, ARRIVED + timedelta(days=1), key=activity.delivered_key(derived))

    assert found == [(told, SENT + timedelta(days=1)), (derived, ARRIVED)]
    assert Activity.objects.filter(kind="delivered").count() == 2


def test_the_last_parcel_counts(fake_shop):
    order_ref = sent_order(fake_shop)
    tell(FactKind.FULFILLED, order_ref, SENT + timedelta(days=2))

    assert derive(ARRIVED) == []
    assert derive(ARRIVED + timedelta(days=2)) == [(order_ref, ARRIVED + timedelta(days=2))]


def test_the_merchant_decides_how_long_it_takes_and_whether_it_is_derived_at_all(fake_shop):
    order_ref = sent_order(fake_shop)

    merchant.update(delivered_after_days=0)
    never = derive(ARRIVED + timedelta(days=30))
    merchant.update(delivered_after_days=10)
    found = derive(SENT + timedelta(days=10))

    assert never == []
    assert found == [(order_ref, SENT + timedelta(days=10))]


def test_changing_how_long_it_takes_loses_nobody(fake_shop):
    first = sent_order(fake_shop)
    derive(ARRIVED)
    second = sent_order(fake_shop, at=SENT + timedelta(days=4))
    merchant.update(delivered_after_days=5)

    found = derive(SENT + timedelta(days=9))

    assert [order_ref for order_ref, _at in found] == [first, second]


def test_a_parcel_that_was_told_late_is_found_by_the_next_walk(fake_shop):
    sent_order(fake_shop, at=SENT + timedelta(days=1))
    derive(ARRIVED + timedelta(days=1))
    late = sent_order(fake_shop)  # sent before the other one

    found = derive(ARRIVED + timedelta(days=1, hours=2))

    assert (late, ARRIVED) in found


def test_a_walk_goes_on_where_it_was_and_rests_behind_the_end(fake_shop):
    refs = [sent_order(fake_shop, at=SENT + timedelta(minutes=minute % 3)) for minute in range(7)]

    with clock.travel(to=ARRIVED + timedelta(hours=1)):
        pages = [activity.derive_deliveries(3) for _ in range(4)]
        pipeline.pump()
    derived = Activity.objects.filter(kind="delivered").values_list("order_ref", flat=True)

    assert pages == [3, 3, 1, 0]
    assert sorted(derived) == sorted(refs)


def test_what_was_sent_months_ago_is_left_alone(fake_shop):
    sent_order(fake_shop)

    assert derive(ARRIVED + timedelta(days=61)) == []


def test_a_page_costs_the_same_few_queries_however_many_orders(fake_shop):
    for _ in range(12):
        sent_order(fake_shop)

    counts = []
    for limit in (2, 10):
        with clock.travel(to=ARRIVED), CaptureQueriesContext(connection) as seen:
            assert activity.derive_deliveries(limit) == limit
        counts.append(len(seen))
        Watermark.objects.filter(stream="deliveries").delete()
        Inbox.objects.all().delete()

    assert counts[0] == counts[1] <= 8


def test_a_campaign_starts_by_what_was_derived(fake_shop):
    with clock.travel(to=SENT):
        running(on("delivered"))
    sent_order(fake_shop)

    derive(ARRIVED + timedelta(minutes=5))

    run = Enrollment.objects.get()
    assert (run.entered_at, run.context["kind"], len(run.items)) == (ARRIVED, "delivered", 1)


@pytest.mark.django_db(transaction=True)
def test_two_workers_walk_and_every_order_arrives_once(fake_shop):
    refs = [sent_order(fake_shop) for _ in range(8)]

    def walk() -> None:
        with clock.travel(to=ARRIVED + timedelta(minutes=5)):
            for _ in range(10):
                with transaction.atomic():
                    activity.derive_deliveries(2)
                pipeline.pump()

    together(walk, walk)

    assert sorted(Activity.objects.filter(kind="delivered").values_list("order_ref", flat=True)) == sorted(refs)
    assert not Inbox.objects.exists()
