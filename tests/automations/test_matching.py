"""Who enters a campaign: by what they did, and by prices that fell."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm_plugin import activity, automations, clock, pipeline
from crm_plugin.conf import settings as conf
from crm_plugin.models import Activity, Campaign, Contact, Enrollment, FanOut, Message
from crm_plugin.shop import Fact, FactKind, OrderState
from tests.fake_trade import order_facts
from tests.stories import on, running, send, wait

pytestmark = pytest.mark.django_db

DIGEST = {"type": "price_drop", "settle_seconds": 60}


def view(customer, product, key, *, at=None):
    activity.record(
        Fact(
            kind=FactKind.VIEWED,
            source_key=key,
            occurred_at=at,
            customer_id=customer.customer_id,
            product_id=product.product_id,
            shop_channel="default",
        )
    )
    pipeline.pump()


def like(fake_shop, customer, *products):
    for product in products:
        fake_shop.like(customer.customer_id, product.whole)
    pipeline.pump()


def products_of(run):
    return sorted(item["product_id"] for item in run.items)


@pytest.mark.parametrize(("reentry", "runs"), [("once", 1), ("per_subject", 2), ("always", 3)])
def test_how_often_the_same_person_enters_when_no_run_is_under_way(fake_shop, ann, reentry, runs):
    running(on("viewed", reentry=reentry), [{"type": "exit", "id": "end"}])
    vase, bowl = fake_shop.add_product(), fake_shop.add_product()

    view(ann, vase, "1")
    view(ann, vase, "2")
    view(ann, bowl, "3")

    assert Enrollment.objects.count() == runs


@pytest.mark.parametrize(("concurrency", "runs"), [("subject", 2), ("contact", 1)])
def test_what_may_be_under_way_at_once(fake_shop, ann, concurrency, runs):
    running(on("viewed", reentry="always") | {"concurrency": concurrency})
    vase, bowl = fake_shop.add_product(), fake_shop.add_product()

    view(ann, vase, "1")
    view(ann, vase, "2")
    view(ann, bowl, "3")

    assert Enrollment.objects.filter(state="active").count() == Enrollment.objects.count() == runs


def test_the_same_activity_twice_in_one_batch_enters_once(fake_shop, ann):
    running(on("viewed"))
    vase = fake_shop.add_product()
    for key in "ab":
        activity.record(
            Fact(
                kind=FactKind.VIEWED,
                source_key=key,
                customer_id=ann.customer_id,
                product_id=vase.product_id,
                shop_channel="default",
            )
        )
    pipeline.pump()

    assert (Activity.objects.count(), Enrollment.objects.count()) == (2, 1)


def test_an_activity_starts_every_campaign_that_waits_for_it_and_no_other(fake_shop, ann):
    first, second = running(on("viewed")), running(on("viewed"))
    running(on("liked"))

    view(ann, fake_shop.add_product(), "1")

    assert set(Enrollment.objects.values_list("campaign_id", flat=True)) == {first.pk, second.pk}


@pytest.mark.parametrize(
    ("ago", "runs"), [(timedelta(minutes=30), 1), (timedelta(hours=3), 0), (timedelta(hours=-1), 1)]
)
def test_what_happened_before_the_campaign_ran_starts_nothing(fake_shop, ann, ago, runs):
    with clock.travel(by=timedelta(hours=-1)):
        running(on("viewed"))

    view(ann, fake_shop.add_product(), "1", at=clock.now() - ago)

    assert Enrollment.objects.count() == runs


def test_what_is_too_old_to_be_news_starts_nothing(fake_shop, ann):
    with clock.travel(by=timedelta(days=-30)):
        running(on("viewed"))

    view(ann, fake_shop.add_product(), "1", at=clock.now() - timedelta(hours=conf().trigger_max_age_hours + 1))

    assert (Activity.objects.count(), Enrollment.objects.count()) == (1, 0)


def test_before_its_start_a_campaign_lets_nobody_in_also_not_later_for_what_happened_before(fake_shop, ann):
    start = clock.now() + timedelta(hours=1)
    running(on("viewed"), starts_at=start)
    product = fake_shop.add_product()

    view(ann, product, "before")
    with clock.travel(to=start + timedelta(seconds=1)):
        view(ann, product, "told late", at=start - timedelta(minutes=1))
        too_early = Enrollment.objects.count()
        view(ann, product, "after")

    assert (too_early, Enrollment.objects.count()) == (0, 1)


def test_after_its_end_a_campaign_lets_nobody_in(fake_shop, ann):
    end = clock.now() + timedelta(hours=1)
    running(on("viewed"), ends_at=end)

    with clock.travel(to=end):
        view(ann, fake_shop.add_product(), "1")

    assert Enrollment.objects.count() == 0


def test_a_run_is_about_the_order_the_product_or_the_person(fake_shop, ann):
    for kind in ("ordered", "liked", "logged_in"):
        running(on(kind))
    product = fake_shop.add_product()
    order = fake_shop.place_order(product.ref, customer_id=ann.customer_id)
    activity.record_many(order_facts(order))
    activity.record(Fact(kind=FactKind.LOGGED_IN, source_key="in", customer_id=ann.customer_id))
    like(fake_shop, ann, product)

    assert set(Enrollment.objects.values_list("subject_key", flat=True)) == {
        f"order:{order.order_ref}",
        f"product:{product.product_id}",
        "",
    }


@pytest.mark.feature(22)
def test_products_of_one_wave_are_one_run_and_a_later_wave_joins_while_it_collects(fake_shop, ann, drop):
    running(DIGEST)
    products = [fake_shop.add_product(price=50) for _ in range(3)]
    like(fake_shop, ann, *products)

    drop(*products[:2], to=40)
    pipeline.pump()
    drop(products[2], to=40)
    pipeline.pump()

    run = Enrollment.objects.get()
    assert run.is_collecting
    assert products_of(run) == [product.product_id for product in products]


def test_a_product_that_falls_again_while_collecting_is_in_the_digest_once_as_it_is_now(fake_shop, ann, drop):
    running(DIGEST)
    product = fake_shop.add_product(price=50)
    like(fake_shop, ann, product)

    drop(product, to=40)
    pipeline.pump()
    view(ann, product, "seen at 40")
    drop(product, to=30)
    pipeline.pump()

    (item,) = Enrollment.objects.get().items
    assert (item["baseline"], item["limit"]) == ("40.0000", "36.0000")


def test_a_product_whose_message_is_under_way_is_left_out_and_another_gets_a_run_of_its_own(fake_shop, ann, drop):
    running({"type": "price_drop", "settle_seconds": 0})
    vase, bowl = fake_shop.add_product(price=50), fake_shop.add_product(price=50)
    like(fake_shop, ann, vase, bowl)
    drop(vase, to=40)
    pipeline.pump()

    drop(vase, bowl, to=30)
    pipeline.pump()

    runs = [products_of(run) for run in Enrollment.objects.order_by("pk")]
    assert runs == [[vase.product_id], [bowl.product_id]]
    assert Message.objects.filter(state="queued").count() == 2


def test_two_campaigns_about_the_same_drop_mail_it_once(fake_shop, ann, drop, mailoutbox, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    running({"type": "price_drop", "settle_seconds": 0})
    running({"type": "price_drop", "settle_seconds": 0})
    product = fake_shop.add_product(price=50)
    like(fake_shop, ann, product)
    drop(product, to=40)
    pipeline.pump()

    pipeline.deliver()

    assert len(mailoutbox) == 1
    assert sorted(Enrollment.objects.values_list("state", flat=True)) == ["completed", "exited"]


def test_everybody_concerned_enters_in_chunks_and_none_twice(fake_shop, shoppers, drop, settings):
    settings.CRM_FAN_OUT_BATCH = 2
    running(DIGEST)
    product = fake_shop.add_product(price=50)
    for customer in shoppers(5):
        like(fake_shop, customer, product)
    drop(product, to=40)

    chunks = [automations.fan_out() for _ in range(4)]

    assert chunks == [2, 2, 1, None]
    assert Enrollment.objects.values("contact").distinct().count() == Enrollment.objects.count() == 5
    assert FanOut.objects.values_list("enrolled_count", "is_done").get() == (5, True)


def test_what_a_killed_worker_left_is_taken_up_where_it_was(fake_shop, shoppers, drop, settings, monkeypatch):
    settings.CRM_FAN_OUT_BATCH = 2
    running(DIGEST)
    product = fake_shop.add_product(price=50)
    for customer in shoppers(5):
        like(fake_shop, customer, product)
    drop(product, to=40)
    real, calls = automations.fan_out, []

    def dies_in_its_second_chunk():
        calls.append(real())
        if len(calls) == 2:
            raise KeyboardInterrupt
        return calls[-1]

    monkeypatch.setattr(automations, "fan_out", dies_in_its_second_chunk)
    with pytest.raises(KeyboardInterrupt):
        pipeline.pump()
    left = Enrollment.objects.count()
    monkeypatch.undo()
    pipeline.pump()

    assert (left, Enrollment.objects.count()) == (2, 5)


@pytest.mark.parametrize(
    ("leave", "waiting"),
    [(automations.pause, 1), (lambda pk: (automations.pause(pk), automations.delete_campaign(pk)), 0)],
)
def test_a_campaign_that_stopped_between_the_wave_and_the_fan_out_lets_nobody_in(fake_shop, ann, drop, leave, waiting):
    campaign, other = running(DIGEST), running(DIGEST)
    product = fake_shop.add_product(price=50)
    like(fake_shop, ann, product)
    drop(product, to=40)

    leave(campaign.pk)
    pipeline.pump()

    assert Enrollment.objects.values_list("campaign_id", flat=True).get() == other.pk
    assert FanOut.objects.filter(is_done=False).count() == waiting


def test_a_campaign_that_now_waits_for_something_else_takes_nobody_from_the_wave(fake_shop, ann, drop):
    campaign = running(DIGEST)
    product = fake_shop.add_product(price=50)
    like(fake_shop, ann, product)
    drop(product, to=40)

    automations.update_campaign(campaign.pk, definition=Campaign.objects.get().draft | {"trigger": on("reviewed")})
    automations.publish(campaign.pk)
    pipeline.pump()

    assert Enrollment.objects.count() == 0


def test_a_guest_and_an_account_that_become_one_keep_one_run_of_the_same_wave(fake_shop, ann, drop):
    running({"type": "price_drop", "settle_seconds": 60, "sources": ["carted"]})
    product = fake_shop.add_product(price=50)
    for who in ({"customer_id": ann.customer_id}, {"email": "guest@example.com"}):
        cart = fake_shop.add_cart(product.ref, **who)
        activity.record(Fact(kind=FactKind.CART_CHANGED, source_key=cart.cart_ref, cart_ref=cart.cart_ref, **who))
    pipeline.pump()
    drop(product, to=40)
    pipeline.pump()
    before = Enrollment.objects.filter(state="active").count()

    fake_shop.change_customer(ann.customer_id, email="guest@example.com")
    activity.record(Fact(kind=FactKind.CUSTOMER_CHANGED, source_key="c", customer_id=ann.customer_id))
    pipeline.pump()

    assert (before, Contact.objects.count()) == (2, 1)
    assert sorted(Enrollment.objects.values_list("state", "reason")) == [("active", ""), ("exited", "merged")]


def test_matching_costs_the_same_number_of_queries_whatever_the_batch(fake_shop, shoppers):
    running(on("viewed"), [wait(), send()])
    products = [fake_shop.add_product() for _ in range(10)]

    def queries(customers, products):
        activity.record_many(
            Fact(
                kind=FactKind.VIEWED,
                source_key=f"{customer.customer_id}:{product.product_id}",
                customer_id=customer.customer_id,
                product_id=product.product_id,
                shop_channel="default",
            )
            for customer in customers
            for product in products
        )
        with CaptureQueriesContext(connection) as asked:
            pipeline.pump()
        return len(asked)

    queries(shoppers(1), products)
    one = queries(shoppers(1), products[:1])
    hundred = queries(shoppers(10), products)

    assert hundred == one
    assert Enrollment.objects.filter(step=1).count() == 111


def test_a_visitor_whom_nobody_knows_enters_no_campaign(fake_shop):
    running(on("viewed"), [send()])
    product = fake_shop.add_product()

    activity.record(
        Fact(
            kind=FactKind.VIEWED,
            source_key="view",
            visitor_id="visitor-0123456789abcdef",
            product_id=product.product_id,
            shop_channel="default",
        )
    )
    pipeline.pump()

    assert Activity.objects.count() == 1
    assert not Enrollment.objects.exists()


def _about(**what):
    return {"what": what}


def _costs(op, value, currency="EUR"):
    return {"amount": {"op": op, "value": value, "currency": currency}}


@pytest.mark.parametrize(
    ("kind", "filters", "starts"),
    [
        ("viewed", _about(products=["1"]), True),
        ("viewed", _about(products=["2"]), False),
        ("viewed", _about(groups=["category:bags"]), True),
        ("viewed", _about(groups=["category:hats"]), False),
        ("viewed", _about(products=["2"], groups=["category:bags"]), True),
        ("viewed", _about(shop_channels=["default"]), True),
        ("viewed", _about(shop_channels=["kr"]), False),
        ("searched", _about(subject={"op": "is", "value": "Red Bag"}), True),
        ("searched", _about(subject={"op": "is", "value": "bag"}), False),
        ("searched", _about(subject={"op": "contains", "value": "BAG"}), True),
        ("group_viewed", _about(groups=["category:bags"]), True),
        ("group_viewed", _about(groups=["category:hats"]), False),
        ("ordered", _about(products=["1"]), True),
        ("ordered", _about(products=["2"]), False),
        ("ordered", _about(groups=["category:bags"]), True),
        ("ordered", _about(shop_channels=["kr"]), False),
        ("ordered", _costs("gte", 50), True),
        ("ordered", _costs("gt", 50), False),
        ("ordered", _costs("gte", 50, "KRW"), False),
        ("bought", _costs("gte", 50), True),
        ("ordered", {"is_first_order": True}, True),
        ("searched", _costs("gte", 0), False),
        ("viewed", {"audience": {"include": {"type": "did", "activity": "ordered"}}}, True),
        ("viewed", {"audience": {"include": {"type": "did", "activity": "reviewed"}}}, False),
    ],
)
def test_what_a_deed_must_be_about(fake_shop, ann, kind, filters, starts):
    vase = fake_shop.add_product(price=50)
    fake_shop.put_in(vase, fake_shop.add_group("bags"))
    bags = next(iter(fake_shop.group_rows))
    if "groups" in filters.get("what", {}):
        groups = [bags if key == "category:bags" else key for key in filters["what"]["groups"]]
        filters = {"what": filters["what"] | {"groups": groups}}
    running(on(kind) | filters, [wait(), send()])

    activity.record_many(order_facts(fake_shop.place_order(vase.ref, customer_id=ann.customer_id)))
    for other, subject in (("searched", "red bag"), ("group_viewed", bags)):
        activity.record(Fact(kind=FactKind(other), source_key=other, customer_id=ann.customer_id, subject=subject))
    view(ann, vase, "seen")

    assert Enrollment.objects.exists() == starts


def test_the_first_order_is_the_first_that_stands(fake_shop, ann):
    running(on("ordered") | {"is_first_order": True}, [wait(), send()])
    vase = fake_shop.add_product(price=50)

    orders = []
    for minutes in range(3):
        with clock.travel(by=timedelta(minutes=minutes)):
            orders.append(fake_shop.place_order(vase.ref, customer_id=ann.customer_id))
            activity.record_many(order_facts(orders[-1]))
            pipeline.pump()

    assert Enrollment.objects.values_list("context__order_ref", flat=True).get() == orders[0].order_ref


def test_an_order_brings_what_was_bought_in_it(fake_shop, ann):
    running(on("paid"), [wait(), send()])
    vase, bowl = fake_shop.add_product(), fake_shop.add_product()
    order = fake_shop.place_order(vase.ref, bowl.ref, vase.ref, customer_id=ann.customer_id)
    activity.record_many(order_facts(order))
    pipeline.pump()

    activity.record_many(order_facts(fake_shop.set_order_state(order.order_ref, OrderState.PAID)))
    pipeline.pump()

    run = Enrollment.objects.get()
    assert products_of(run) == [vase.product_id, bowl.product_id]
    assert run.context["order_ref"] == order.order_ref


@pytest.mark.parametrize(
    ("said", "data", "starts"),
    [
        ([{"key": "by", "value": "staff"}], {"by": "staff"}, True),
        ([{"key": "by", "value": "staff"}], {"by": "campaign"}, False),
        ([{"key": "by", "value": "staff"}], {}, False),
        ([{"key": "by", "op": "is_not", "value": "campaign"}], {"by": "staff"}, True),
        ([{"key": "by", "op": "is_not", "value": "campaign"}], {"by": "campaign"}, False),
        ([{"key": "by", "op": "is_not", "value": "campaign"}], {}, True),
        ([{"key": "stars", "value": 5}, {"key": "is_first", "value": True}], {"stars": 5, "is_first": True}, True),
        ([{"key": "stars", "value": 5}, {"key": "is_first", "value": True}], {"stars": 5, "is_first": False}, False),
    ],
)
def test_what_an_activity_came_with_decides(ann, said, data, starts):
    running(on("custom") | {"said": said}, [wait(), send()])
    activity.record(Fact(kind=FactKind.CUSTOM, source_key="c", customer_id=ann.customer_id, subject="quiz", data=data))
    pipeline.pump()

    assert Enrollment.objects.exists() is starts


def test_a_coupon_is_known_to_the_run_that_it_starts(ann):
    running(on("coupon_issued"), [wait(), send()])
    for code, day in (("SPRING", "2027-03-31"), ("BROKEN", "soon")):
        activity.record(
            Fact(
                kind=FactKind.COUPON_ISSUED,
                source_key=code,
                customer_id=ann.customer_id,
                subject=code,
                data={"expires_on": day, "name": "Spring"} | ({"coupon_id": 81} if code == "SPRING" else {}),
            )
        )
    pipeline.pump()

    assert [run.context["coupon"] for run in Enrollment.objects.order_by("subject_key")] == [
        {"code": "BROKEN", "expires_on": None, "name": "Spring"},
        {"id": 81, "code": "SPRING", "expires_on": "2027-03-31", "name": "Spring"},
    ]
