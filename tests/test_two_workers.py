"""Two workers on real connections, on the same data at the same time: no doubles, nothing lost, sums right."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest

from crm_plugin import activity, clock, persons, pipeline
from crm_plugin.models import (
    Activity,
    Contact,
    ContactSpend,
    Enrollment,
    FanOut,
    Inbox,
    Interest,
    Message,
    PriceDrop,
    PriceWatch,
)
from crm_plugin.shop import Fact, FactKind
from tests.fake_shop import FakeShop
from tests.fake_trade import order_facts
from tests.stories import consenting, on, running
from tests.together import together

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 4
#: Two are enough: one that does what is left, one that finds nothing.
MANY_LOOKS = 20


def until_quiet() -> None:
    """Do what beat does for a worker that lost a lock: look again."""
    for _ in range(MANY_LOOKS):
        if not pipeline.watch_prices() + pipeline.pump() + pipeline.deliver():
            return
    pytest.fail("the workers are never done")


@pytest.fixture
def small_batches(settings):
    """Many transactions, so that two workers meet in all of them."""
    settings.CRM_DRAIN_BATCH = 7
    settings.CRM_FAN_OUT_BATCH = 5
    settings.CRM_ADVANCE_BATCH = 6
    settings.CRM_DELIVER_BATCH = 5
    settings.CRM_HANDOUT_BATCH = 2
    settings.CRM_PRICE_SCAN_BATCH = 3
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


@pytest.fixture
def people(fake_shop: FakeShop):
    """Customers who agreed to mail."""
    made = [fake_shop.add_customer() for _ in range(12)]
    for customer in made:
        consenting(customer.customer_id)
    return made


def test_two_workers_do_everything_once(fake_shop, people, small_batches, mailoutbox):
    running({"type": "price_drop", "settle_seconds": 0})
    products = [fake_shop.add_product(price=1000) for _ in range(6)]
    expected = 0
    for number in range(1, ROUNDS + 1):
        for customer in people:
            for product in products:
                fake_shop.like(customer.customer_id, product.whole)
            order = fake_shop.place_order(products[0].ref, customer_id=customer.customer_id)
            activity.record_many(order_facts(order))
            activity.record_many(order_facts(order))
        together(pipeline.pump, pipeline.pump)
        until_quiet()
        for product in products[1:]:
            fake_shop.set_price(product.ref, 1000 - 200 * number)
        PriceWatch.objects.update(due_at=clock.now())
        together(pipeline.watch_prices, pipeline.watch_prices, pipeline.pump)
        together(pipeline.pump, pipeline.deliver)
        together(pipeline.deliver, pipeline.deliver, pipeline.pump)
        until_quiet()
        expected += len(people) * (len(products) - 1)

    told = Counter((mail.to[0], line) for mail in mailoutbox for line in mail.body.splitlines() if ": " in line)
    assert set(told.values()) == {1}
    assert len([line for _email, line in told if line.startswith("Product ")]) == expected
    assert PriceDrop.objects.count() == ROUNDS * (len(products) - 1)
    assert set(Message.objects.values_list("state", flat=True)) <= {"sent", "skipped"}
    assert not Enrollment.objects.filter(state="active").exists()
    assert set(Contact.objects.values_list("orders_count", flat=True)) == {ROUNDS}
    assert Inbox.objects.count() == 0


def test_the_sums_of_one_contact_are_right_when_two_workers_drain_it(fake_shop, people, small_batches):
    ann = people[0]
    product = fake_shop.add_product(price=10)
    for number in range(ROUNDS):
        for n in range(20):
            activity.record_many(order_facts(fake_shop.place_order(product.ref, customer_id=ann.customer_id)))
            activity.record(
                Fact(
                    kind=FactKind.VIEWED,
                    source_key=f"{number}:{n}",
                    customer_id=ann.customer_id,
                    product_id=product.product_id,
                    shop_channel="default",
                )
            )
        together(pipeline.pump, pipeline.pump)
        until_quiet()

    assert Contact.objects.get(customer_id=ann.customer_id).orders_count == 20 * ROUNDS
    assert ContactSpend.objects.get().amount == Decimal(200 * ROUNDS)
    assert Interest.objects.values_list("views_count", "bought_count").get() == (20 * ROUNDS, 20 * ROUNDS)


def test_one_broken_fact_is_set_aside_and_no_other_when_two_workers_stumble_over_it(fake_shop, people, small_batches):
    product = fake_shop.add_product(price=10)
    for number in range(ROUNDS):
        activity.record_many(
            Fact(
                kind=FactKind.VIEWED,
                source_key=f"{number}:{n}",
                customer_id=people[n % len(people)].customer_id,
                product_id=product.product_id,
                shop_channel="default",
            )
            for n in range(20)
        )
        broken = f"{number}:3"
        Inbox.objects.filter(source_key=broken).update(kind="bought", quantity=-5)
        together(pipeline.pump, pipeline.pump)
        until_quiet()

    assert set(Inbox.objects.values_list("source_key", flat=True)) == {f"{n}:3" for n in range(ROUNDS)}
    assert Activity.objects.filter(kind="viewed").count() == 19 * ROUNDS


def test_the_fan_out_of_two_workers_enrolls_everybody_once(fake_shop, people, small_batches):
    running({"type": "price_drop", "settle_seconds": 60})
    running({"type": "price_drop", "settle_seconds": 60})
    products = [fake_shop.add_product(price=100) for _ in range(3)]
    for customer in people:
        for product in products:
            fake_shop.like(customer.customer_id, product.whole)
    pipeline.pump()
    for product in products:
        fake_shop.set_price(product.ref, 50)
        PriceWatch.objects.update(due_at=clock.now())
        pipeline.watch_prices()

    together(pipeline.pump, pipeline.pump)
    until_quiet()

    runs = Enrollment.objects.values_list("campaign_id", "contact_id", "items")
    assert len(runs) == 2 * len(people)
    assert {len(items) for _campaign, _contact, items in runs} == {len(products)}
    assert not FanOut.objects.filter(is_done=False).exists()


def test_a_merge_while_another_worker_fans_out_and_mails(fake_shop, people, small_batches, mailoutbox):
    running({"type": "price_drop", "settle_seconds": 0, "sources": ["carted"]})
    product = fake_shop.add_product(price=100)
    guests = [f"guest{n}@example.com" for n in range(len(people))]
    for email in guests:
        consenting("", email)
        cart = fake_shop.add_cart(product.ref, email=email)
        activity.record(Fact(kind=FactKind.CART_CHANGED, source_key=email, cart_ref=cart.cart_ref, email=email))
    pipeline.pump()
    fake_shop.set_price(product.ref, 50)
    PriceWatch.objects.update(due_at=clock.now())
    pipeline.watch_prices()
    for customer, email in zip(people, guests, strict=True):
        fake_shop.change_customer(customer.customer_id, email=email)
        activity.record(Fact(kind=FactKind.CUSTOMER_CHANGED, source_key=f"c{email}", customer_id=customer.customer_id))

    together(pipeline.pump, pipeline.pump, pipeline.deliver)
    together(pipeline.pump, pipeline.deliver, pipeline.deliver)
    until_quiet()

    assert Contact.objects.count() == len(people)
    assert Counter(mail.to[0] for mail in mailoutbox) == Counter(guests)
    assert Interest.objects.filter(alerted_at=None).count() == 0


def test_erasing_while_another_worker_enrolls_leaves_nobody_to_mail(fake_shop, people, small_batches, mailoutbox):
    running(on("liked"))
    product = fake_shop.add_product(price=100)
    for customer in people:
        fake_shop.like(customer.customer_id, product.whole)

    def erase_everybody() -> None:
        for customer in people:
            persons.erase(customer_id=customer.customer_id, email=customer.email)

    together(pipeline.pump, erase_everybody)
    until_quiet()

    assert mailoutbox == []
    assert (Activity.objects.count(), Interest.objects.count()) == (0, 0)
    assert not Enrollment.objects.filter(state="active").exists()
