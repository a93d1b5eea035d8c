"""What ends a run early: each condition, at once, wherever the run is, and only for what came after it began."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crm_plugin import activity, clock, contacts, pipeline
from crm_plugin.models import Contact, Enrollment, Message
from crm_plugin.shop import Fact, FactKind, OrderState
from tests.fake_trade import order_facts
from tests.stories import on, running, send, wait

pytestmark = pytest.mark.django_db

LIKED_SOMETHING = {"include": {"type": "did", "activity": "liked"}}


@pytest.fixture(autouse=True)
def _mail_stays_here(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


@pytest.fixture
def vase(fake_shop):
    """What the runs are about."""
    return fake_shop.add_product(price=50)


def tell(customer, kind, *, key="1", product=None, at=None):
    activity.record(
        Fact(
            kind=FactKind(kind),
            source_key=f"{kind}:{key}",
            occurred_at=at,
            customer_id=customer.customer_id,
            product_id=product.product_id if product else "",
            shop_channel="default" if product else "",
        )
    )
    pipeline.pump()


def buy(fake_shop, customer, *products, state=None):
    order = fake_shop.place_order(*(one.ref for one in products), customer_id=customer.customer_id)
    if state is not None:
        order = fake_shop.set_order_state(order.order_ref, state)
    activity.record_many(order_facts(order))
    pipeline.pump()
    return order


def end():
    return Enrollment.objects.values_list("state", "reason").get()


@pytest.mark.parametrize(
    ("exit_when", "kind", "ends"),
    [
        ("reviewed_item", "reviewed", ("exited", "exited")),
        ("checkout_started", "checkout_started", ("exited", "exited")),
        ("visited", "visited", ("exited", "exited")),
        ("visited", "logged_in", ("exited", "exited")),
        ("visited", "viewed", ("exited", "exited")),
        ("visited", "reviewed", ("active", "")),
        ("checkout_started", "viewed", ("active", "")),
        ("reviewed_item", "viewed", ("active", "")),
    ],
)
def test_a_deed_ends_a_run_in_the_middle_of_its_wait_where_the_campaign_says_so(
    fake_shop, ann, vase, exit_when, kind, ends
):
    running(on("liked"), [wait(seconds=86_400), send()], exit_when=[exit_when])
    fake_shop.like(ann.customer_id, vase.whole)
    pipeline.pump()

    tell(ann, kind, product=vase)

    assert end() == ends


@pytest.mark.parametrize("exit_when", ["checkout_started", "visited", "ordered", "bought_item"])
def test_what_came_before_the_run_began_ends_nothing(fake_shop, ann, vase, exit_when):
    running(on("liked"), [wait(seconds=60), send()], exit_when=[exit_when])
    with clock.travel(by=-timedelta(hours=1)):
        for kind in ("checkout_started", "visited"):
            tell(ann, kind)
        buy(fake_shop, ann, vase)

    fake_shop.like(ann.customer_id, vase.whole)
    pipeline.pump()
    with clock.travel(by=timedelta(seconds=61)):
        pipeline.pump()
        pipeline.deliver()

    assert end() == ("completed", "")


def test_a_review_counts_whenever_it_was_written(fake_shop, ann, vase, mailoutbox):
    running(on("liked"), [send()], exit_when=["reviewed_item"])
    tell(ann, "reviewed", product=vase)

    fake_shop.like(ann.customer_id, vase.whole)
    pipeline.pump()

    assert (end(), mailoutbox) == (("exited", "exited"), [])


def test_a_run_about_several_products_ends_when_the_last_of_them_was_reviewed(fake_shop, ann, vase):
    bowl = fake_shop.add_product()
    running(on("ordered"), [wait(seconds=86_400), send()], exit_when=["reviewed_item"])
    buy(fake_shop, ann, vase, bowl)

    tell(ann, "reviewed", key="vase", product=vase)
    after_one = end()
    tell(ann, "reviewed", key="bowl", product=bowl)

    assert (after_one, end()) == (("active", ""), ("exited", "exited"))


@pytest.mark.parametrize("state", [OrderState.CANCELLED, OrderState.REFUNDED])
def test_an_order_that_is_undone_ends_its_own_run_and_no_other(fake_shop, ann, vase, state):
    running(on("ordered"), [wait(seconds=86_400), send()], exit_when=["order_undone"])
    undone, stands = buy(fake_shop, ann, vase), buy(fake_shop, ann, vase)

    activity.record_many(order_facts(fake_shop.set_order_state(undone.order_ref, state)))
    pipeline.pump()

    assert dict(Enrollment.objects.values_list("subject_key", "state")) == {
        f"order:{undone.order_ref}": "exited",
        f"order:{stands.order_ref}": "active",
    }


def test_the_order_that_started_a_run_is_not_the_one_that_ends_it(fake_shop, ann, vase):
    running(on("ordered"), [wait(seconds=86_400), send()], exit_when=["ordered", "bought_item"])
    buy(fake_shop, ann, vase)
    first = end()

    with clock.travel(by=timedelta(minutes=1)):
        buy(fake_shop, ann, fake_shop.add_product())

    assert first == ("active", "")
    states = list(Enrollment.objects.order_by("pk").values_list("state", flat=True))
    assert states == ["converted", "active"]


def test_who_takes_consent_back_leaves_before_the_next_step(fake_shop, ann, vase, mailoutbox):
    running(on("liked"), [wait(seconds=60), send()], exit_when=["unsubscribed"])
    fake_shop.like(ann.customer_id, vase.whole)
    pipeline.pump()

    with clock.travel(by=timedelta(seconds=30)):
        contacts.set_consent(Contact.objects.get().pk, channel="email", is_granted=False, source="test")
    with clock.travel(by=timedelta(seconds=61)):
        pipeline.pump()
        pipeline.deliver()

    assert (end(), mailoutbox, Message.objects.count()) == (("exited", "exited"), [], 0)


def test_who_came_into_the_exit_audience_leaves_before_the_next_step(fake_shop, ann, vase, mailoutbox):
    running(on("viewed"), [wait(seconds=60), send()], exit_when=[], exit_audience=LIKED_SOMETHING)
    tell(ann, "viewed", product=vase)
    fake_shop.like(ann.customer_id, vase.whole)

    with clock.travel(by=timedelta(seconds=61)):
        pipeline.pump()
        pipeline.deliver()

    assert (end(), mailoutbox) == (("exited", "exited"), [])


@pytest.mark.parametrize(("exit_when", "kind"), [("visited", "visited"), ("checkout_started", "checkout_started")])
def test_a_message_that_lies_in_the_outbox_does_not_go_out_any_more(fake_shop, ann, vase, mailoutbox, exit_when, kind):
    running(on("liked"), [send()], exit_when=[exit_when])
    fake_shop.like(ann.customer_id, vase.whole)
    pipeline.pump()

    tell(ann, kind)
    pipeline.deliver()

    assert mailoutbox == []
    assert Message.objects.values_list("state", "reason").get() == ("skipped", "exited")
    assert end() == ("exited", "exited")


def test_of_two_conditions_that_hold_the_purchase_says_how_it_ended(fake_shop, ann, vase):
    running(on("liked"), [wait(seconds=86_400), send()], exit_when=["visited", "bought_item"])
    fake_shop.like(ann.customer_id, vase.whole)
    pipeline.pump()
    activity.record(Fact(kind=FactKind.VISITED, source_key="v", customer_id=ann.customer_id))

    buy(fake_shop, ann, vase)

    assert end() == ("converted", "bought")


def test_what_somebody_else_does_ends_nobody_elses_run(fake_shop, shoppers, vase):
    ann, ben = shoppers(2)
    running(on("liked"), [wait(seconds=86_400), send()], exit_when=["ordered", "visited"])
    fake_shop.like(ann.customer_id, vase.whole)
    pipeline.pump()

    tell(ben, "visited")
    buy(fake_shop, ben, vase)

    assert end() == ("active", "")


def test_a_run_that_ends_before_its_last_step_is_not_completed_by_that_step(fake_shop, ann, vase):
    running(on("liked"), [wait(seconds=60), wait("last", seconds=1)], exit_when=["unsubscribed"])
    fake_shop.like(ann.customer_id, vase.whole)
    pipeline.pump()

    with clock.travel(by=timedelta(seconds=30)):
        contacts.set_consent(Contact.objects.get().pk, channel="email", is_granted=False, source="test")
    with clock.travel(by=timedelta(seconds=61)):
        pipeline.pump()

    assert end() == ("exited", "exited")
