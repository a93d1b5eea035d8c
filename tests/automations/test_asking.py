"""Requests for reviews: what a message asks about at the moment it goes out, and what is remembered of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from crm_plugin import activity, automations, clock, messaging, pipeline, reviews
from crm_plugin.messaging import Delivered, MessageState
from crm_plugin.models import Contact, Enrollment, Message, ReviewRequest
from crm_plugin.shop import Customer, Fact, FactKind, ProductRef
from tests.automations.coupon_story import showing
from tests.fake_catalogue import FakeProduct
from tests.fake_shop import FakeShop
from tests.fake_trade import order_facts
from tests.stories import on, running, send, wait

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
START = datetime(2027, 3, 1, 9, tzinfo=UTC)
ITEMS = showing("{% for item in items %}{{ item.name }};{% endfor %}")
Shoppers = Callable[[int], list[Customer]]


def request(id: str = "mail", **more: Any) -> dict[str, Any]:
    return send(id, is_review_request=True, offers=False, template=ITEMS, **more)


def arrive(shop: FakeShop, customer: Customer, *products: FakeProduct | ProductRef, at: datetime = START) -> str:
    """An order is placed and arrives at once."""
    with clock.travel(to=at):
        refs = [one if isinstance(one, ProductRef) else one.ref for one in products]
        order = shop.place_order(*refs, customer_id=customer.customer_id)
        activity.record_many(order_facts(order))
        key, ref = activity.delivered_key(order.order_ref), order.order_ref
        delivered = {"kind": FactKind.DELIVERED, "customer_id": customer.customer_id, "order_ref": ref}
        activity.record(Fact(**delivered, source_key=key, occurred_at=at))
        pipeline.pump()
    return order.order_ref


def work(at: datetime) -> None:
    with clock.travel(to=at):
        pipeline.pump()
        pipeline.deliver()
        pipeline.pump()


def asked(mailoutbox: list[Any]) -> list[list[str]]:
    """What each mail asks about."""
    return [mail.body.splitlines()[0].strip(";").split(";") for mail in mailoutbox]


def remembered() -> set[str]:
    return set(ReviewRequest.objects.values_list("product_id", flat=True))


@pytest.fixture
def goods(fake_shop: FakeShop) -> list[FakeProduct]:
    """Seven products, each dearer than the one before."""
    return [fake_shop.add_product(price=10 * (n + 1), name=f"No {n}") for n in range(7)]


def test_a_message_asks_about_the_five_dearest_the_dearest_first(fake_shop, ann, goods, mailoutbox):
    with clock.travel(to=START):
        running(on("delivered"), [request()])
    arrive(fake_shop, ann, *goods)

    work(START)

    assert asked(mailoutbox) == [["No 6", "No 5", "No 4", "No 3", "No 2"]]
    assert remembered() == {one.product_id for one in goods[2:]}


def test_the_reminder_asks_about_the_same_but_for_what_was_reviewed(fake_shop, ann, goods, mailoutbox):
    steps = [request(), wait(seconds=7 * 86_400), request("reminder")]
    with clock.travel(to=START):
        running(on("delivered"), steps, exit_when=["reviewed_item"])
    arrive(fake_shop, ann, *goods)
    work(START)
    with clock.travel(to=START + DAY):
        fact = {"kind": FactKind.REVIEWED, "customer_id": ann.customer_id, "shop_channel": "default"}
        activity.record(Fact(**fact, source_key="r", product_id=goods[6].product_id))
        pipeline.pump()

    work(START + 7 * DAY)

    assert asked(mailoutbox)[1:] == [["No 5", "No 4", "No 3", "No 2"]]


def test_the_same_product_is_asked_about_once_in_twelve_months(fake_shop, ann, goods, mailoutbox):
    with clock.travel(to=START):
        running(on("delivered"), [request()])
    for days, bought in ((0, goods[:1]), (30, goods[:2]), (60, goods[:1]), (400, goods[:1])):
        arrive(fake_shop, ann, *bought, at=START + days * DAY)
        work(START + days * DAY)

    assert asked(mailoutbox) == [["No 0"], ["No 1"], ["No 0"]]
    skipped = Message.objects.get(state="skipped")
    assert skipped.reason == "nothing_to_review"
    assert skipped.enrollment.state == "completed"


def test_two_orders_of_a_day_ask_about_a_product_once(fake_shop, ann, goods, mailoutbox):
    with clock.travel(to=START):
        running(on("delivered"), [request()])
    arrive(fake_shop, ann, *goods[:2])
    arrive(fake_shop, ann, *goods[1:3])

    work(START)

    assert sorted(asked(mailoutbox)) == [["No 1", "No 0"], ["No 2"]]


def test_what_arrived_half_a_year_ago_is_not_asked_about(fake_shop, shoppers, goods, mailoutbox):
    early, late = shoppers(2)
    with clock.travel(to=START):
        running(on("delivered"), [wait(seconds=200 * 86_400), request()])
    arrive(fake_shop, early, goods[0])
    arrive(fake_shop, late, goods[0])
    with clock.travel(to=START + 100 * DAY):  # the one is asked in time, the other is not
        Enrollment.objects.filter(contact__customer_id=late.customer_id).update(due_at=clock.now())
    work(START + 100 * DAY)

    work(START + 200 * DAY)

    assert [mail.to for mail in mailoutbox] == [[late.email]]
    assert Message.objects.get(contact__customer_id=early.customer_id).reason == "nothing_to_review"


def test_what_could_not_be_sent_was_not_asked(fake_shop, goods, mailoutbox):
    stranger = fake_shop.add_customer()  # who agreed to nothing
    with clock.travel(to=START):
        running(on("delivered"), [request()])
    arrive(fake_shop, stranger, goods[0])

    work(START)

    assert mailoutbox == []
    assert Message.objects.get().reason == "no_consent"
    assert not ReviewRequest.objects.exists()


def test_a_message_of_which_nobody_knows_whether_it_arrived_has_asked_about_everything(fake_shop, ann, goods):
    with clock.travel(to=START):
        running(on("delivered"), [request()])
    arrive(fake_shop, ann, *goods[:2])
    run = Enrollment.objects.get()
    outcome = {"message_id": 1, "enrollment_id": run.pk, "contact_id": run.contact_id, "step_id": "mail"}

    with transaction.atomic():
        lost = Delivered(**outcome, channel="email", state=MessageState.UNKNOWN, reason="lease_expired")
        automations.note_review_requests([lost])

    assert remembered() == {goods[0].product_id, goods[1].product_id}


def test_another_message_of_the_run_asks_about_nothing(fake_shop, ann, goods, mailoutbox):
    with clock.travel(to=START):
        running(on("delivered"), [send(offers=False, template=ITEMS)])
    arrive(fake_shop, ann, *goods[:2])

    work(START)

    assert asked(mailoutbox) == [["No 0", "No 1"]]
    assert not ReviewRequest.objects.exists()


def test_two_variants_of_a_product_are_asked_about_once_and_the_form_is_in_the_persons_language(
    fake_shop, ann, mailoutbox
):
    coat = fake_shop.add_product(price=50, name="Coat")
    other = fake_shop.add_variant(coat, price=60)
    Contact.objects.update(language="ko")
    template = showing("{% for item in items %}{{ item.review_url }}{% endfor %}")
    with clock.travel(to=START):
        running(on("delivered"), [request() | {"template": template}])
    order_ref = arrive(fake_shop, ann, coat.ref, other)
    with clock.travel(to=START):
        (verdict,) = automations.recheck(_claimed()).values()

    (item,) = verdict.items
    form = reviews.read_link(item.review_url.rstrip("/").rpartition("/")[2])
    assert item.review_url.startswith("https://shop.example/crm/review/")
    assert (form.product_id, form.order_ref, form.language) == (coat.product_id, order_ref, "ko")
    assert not verdict.is_offer


def _claimed() -> Any:
    return messaging.claim(10)


def test_what_was_registered_is_asked_about_though_no_order_is_known(fake_shop, ann, goods, mailoutbox):
    with clock.travel(to=START):
        running(on("custom"), [request()])
        fact = {"kind": FactKind.CUSTOM, "customer_id": ann.customer_id, "subject": "product_registered"}
        product = {"product_id": goods[3].product_id, "shop_channel": "default"}
        activity.record(Fact(**fact, **product, source_key="c"))

    work(START)

    assert asked(mailoutbox) == [["No 3"]]


def test_however_many_requests_there_are_the_queries_are_the_same(fake_shop, shoppers, goods):
    with clock.travel(to=START):
        running(on("delivered"), [request()])
    counts = []
    for size in (2, 12):
        for one in shoppers(size):
            arrive(fake_shop, one, *goods[:3])
        with clock.travel(to=START):
            claimed = _claimed()
            with CaptureQueriesContext(connection) as queries:
                automations.recheck(claimed)
        counts.append(len(queries))
        Message.objects.all().delete()

    assert counts[0] == counts[1]


def test_campaigns_that_ask_for_nothing_ask_the_reviews_room_nothing(fake_shop, ann, goods, monkeypatch):
    monkeypatch.setattr(reviews, "may_ask", None)
    with clock.travel(to=START):
        running(on("delivered"), [send(offers=False)])
    arrive(fake_shop, ann, goods[0])

    work(START)

    assert Message.objects.get().state == "sent"
