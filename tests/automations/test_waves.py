"""Waves on their way to people: restocks and vouchers beside price drops, each to the campaigns that wait for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from crm_plugin import automations, clock, pipeline
from crm_plugin.models import Campaign, Enrollment, FanOut, Message
from crm_plugin.shop import Customer
from tests.automations.catalogue_story import cart, holds, like, restock, sell_out, tell, watch
from tests.fake_catalogue import FakeProduct
from tests.fake_shop import FakeShop
from tests.stories import on, running, send, wait
from tests.together import together

pytestmark = pytest.mark.django_db

DROP = {"type": "price_drop", "settle_seconds": 60}
RESTOCK = {"type": "back_in_stock", "settle_seconds": 60}
VOUCHER = {"type": "new_voucher", "settle_seconds": 60}
DAY = timedelta(days=1)


def runs() -> list[tuple[str, list[str]]]:
    """Return the kind of trigger and the products of every run, oldest first."""
    rows = Enrollment.objects.select_related("version").order_by("pk")
    return [
        (run.version.definition["trigger"]["type"], sorted(item["product_id"] for item in run.items)) for run in rows
    ]


def step_through() -> None:
    """Let the digests settle and everything that follows happen, but not send."""
    pipeline.pump()
    with clock.travel(by=timedelta(minutes=2)):
        pipeline.pump()


@pytest.fixture
def mug(fake_shop: FakeShop) -> FakeProduct:
    """A product that is sold out."""
    return fake_shop.add_product(price=50, stock=0)


def test_each_campaign_takes_the_waves_that_it_waits_for(fake_shop: FakeShop, ann: Customer, mug: FakeProduct) -> None:
    for trigger in (DROP, RESTOCK, VOUCHER, on("viewed")):
        running(trigger)
    bowl, vase = fake_shop.add_product(price=50), fake_shop.add_product(price=50)
    like(fake_shop, ann, mug, bowl, vase)

    fake_shop.set_stock(mug.ref, 1)
    fake_shop.set_price(bowl.ref, 30)
    watch()
    tell(fake_shop.add_voucher("SPRING", vase))
    pipeline.pump()

    assert FanOut.objects.count() == 3
    assert sorted(runs()) == [
        ("back_in_stock", [mug.product_id]),
        ("new_voucher", [vase.product_id]),
        ("price_drop", [bowl.product_id]),
    ]


def test_a_wave_whose_campaign_waits_for_another_kind_by_now_lets_nobody_in(
    fake_shop: FakeShop, ann: Customer, mug: FakeProduct
) -> None:
    campaign = running(RESTOCK)
    like(fake_shop, ann, mug)
    restock(fake_shop, mug)

    draft = Campaign.objects.get(pk=campaign.pk).draft
    automations.update_campaign(campaign.pk, definition=draft | {"trigger": DROP})
    automations.publish(campaign.pk)
    pipeline.pump()

    assert FanOut.objects.get().is_done
    assert not Enrollment.objects.exists()


def test_restocks_within_the_settling_time_are_one_digest(fake_shop: FakeShop, ann: Customer, mug: FakeProduct) -> None:
    running(RESTOCK)
    bowl = fake_shop.add_product(price=50, stock=0)
    like(fake_shop, ann, mug, bowl)

    restock(fake_shop, mug)
    pipeline.pump()
    restock(fake_shop, bowl)
    pipeline.pump()

    run = Enrollment.objects.get()
    assert (run.subject_key, run.is_collecting, run.context) == ("digest", True, {})
    assert runs() == [("back_in_stock", [mug.product_id, bowl.product_id])]


@pytest.mark.parametrize(("days", "count"), [(13, 1), (15, 2)])
def test_a_product_comes_back_once_within_the_cool_down(
    fake_shop: FakeShop, ann: Customer, mug: FakeProduct, days: int, count: int
) -> None:
    running(RESTOCK, [{"type": "exit", "id": "end"}])
    like(fake_shop, ann, mug)
    restock(fake_shop, mug)
    step_through()

    sell_out(fake_shop, mug)
    with clock.travel(by=days * DAY):
        restock(fake_shop, mug)
        step_through()

    assert Enrollment.objects.count() == count


def test_the_cool_down_is_of_the_product_the_person_and_the_campaign(
    fake_shop: FakeShop, shoppers: Callable[[int], list[Customer]], mug: FakeProduct
) -> None:
    ann, bob = shoppers(2)
    running(RESTOCK, [{"type": "exit", "id": "end"}])
    bowl = fake_shop.add_product(price=50, stock=0)
    like(fake_shop, ann, mug, bowl)
    restock(fake_shop, mug)
    step_through()
    sell_out(fake_shop, mug)
    like(fake_shop, bob, mug)
    other = running(RESTOCK, [{"type": "exit", "id": "end"}])

    with clock.travel(by=DAY):
        restock(fake_shop, mug, bowl)
        step_through()

    found = Enrollment.objects.filter(entered_at__gt=clock.now() + DAY / 2)
    told = {(run.contact.customer_id, run.campaign_id == other.pk, tuple(sorted(i["product_id"] for i in run.items)))
            for run in found.select_related("contact")}  # fmt: skip
    assert told == {
        (ann.customer_id, False, (bowl.product_id,)),
        (bob.customer_id, False, (mug.product_id,)),
        (ann.customer_id, True, (mug.product_id, bowl.product_id)),
        (bob.customer_id, True, (mug.product_id,)),
    }


def test_what_sold_out_again_before_the_mail_was_not_told_and_comes_back(
    fake_shop: FakeShop, ann: Customer, mug: FakeProduct, mailoutbox: list[Any], settings: Any
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    running({**RESTOCK, "settle_seconds": 0})
    like(fake_shop, ann, mug)
    restock(fake_shop, mug)
    pipeline.pump()
    sell_out(fake_shop, mug)
    pipeline.deliver()
    skipped = Message.objects.values_list("state", "reason").get(), len(mailoutbox)

    with clock.travel(by=DAY):
        restock(fake_shop, mug)
        pipeline.pump()
        pipeline.deliver()

    assert skipped == (("skipped", "sold_out"), 0)
    assert [mail.to for mail in mailoutbox] == [[ann.email]]


def test_a_restock_of_fewer_than_the_campaign_asks_for_lets_nobody_in(
    fake_shop: FakeShop, ann: Customer, mug: FakeProduct
) -> None:
    running({**RESTOCK, "min_available": 5})
    like(fake_shop, ann, mug)

    restock(fake_shop, mug, units=4)
    pipeline.pump()

    assert FanOut.objects.get().is_done
    assert not Enrollment.objects.exists()


def test_a_voucher_s_run_has_its_code_its_name_and_its_last_day(fake_shop: FakeShop, ann: Customer) -> None:
    running(VOUCHER)
    product = fake_shop.add_product()
    cart(fake_shop, ann, product)
    last = (clock.now() + timedelta(days=8)).replace(hour=0, minute=0, second=0, microsecond=0)

    # Midnight in the shop, which is in Berlin, is the evening before in London.
    tell(fake_shop.add_voucher("SPRING", product, name="Spring sale", ends_at=last.astimezone(UTC)))
    pipeline.pump()

    run = Enrollment.objects.get()
    assert run.context == {"coupon": {"code": "SPRING", "name": "Spring sale", "expires_on": last.date().isoformat()}}
    assert [item["product_id"] for item in run.items] == [product.product_id]


def test_a_voucher_that_ends_at_midnight_has_its_last_day_before_it(fake_shop: FakeShop, ann: Customer) -> None:
    running(VOUCHER)
    product = fake_shop.add_product()
    with clock.travel(to=datetime(2027, 1, 10, 12, tzinfo=UTC)):
        like(fake_shop, ann, product)
        # 23:00 in London is midnight in Berlin, where the shop is.
        tell(fake_shop.add_voucher("SPRING", product, ends_at=datetime(2027, 1, 31, 23, tzinfo=UTC)))
        pipeline.pump()

    assert Enrollment.objects.get().context["coupon"]["expires_on"] == "2027-01-31"


def test_two_vouchers_at_once_are_two_runs_with_a_code_each(fake_shop: FakeShop, ann: Customer) -> None:
    running(VOUCHER)
    mug, bowl = fake_shop.add_product(), fake_shop.add_product()
    cart(fake_shop, ann, mug, bowl)

    tell(fake_shop.add_voucher("MUG", mug), fake_shop.add_voucher("BOWL", bowl))
    pipeline.pump()

    found = Enrollment.objects.order_by("pk")
    assert [(run.context["coupon"]["code"], run.items[0]["product_id"], len(run.items)) for run in found] == [
        ("MUG", mug.product_id, 1),
        ("BOWL", bowl.product_id, 1),
    ]


def test_products_added_to_a_voucher_while_its_digest_collects_join_it(fake_shop: FakeShop, ann: Customer) -> None:
    running(VOUCHER)
    mug, bowl = fake_shop.add_product(), fake_shop.add_product()
    cart(fake_shop, ann, mug, bowl)
    voucher = fake_shop.add_voucher("SPRING", mug)
    tell(voucher)
    pipeline.pump()

    voucher.products.add(bowl.product_id)
    tell(voucher)
    pipeline.pump()

    assert runs() == [("new_voucher", [mug.product_id, bowl.product_id])]


def test_a_second_voucher_for_the_same_product_waits_for_the_end_of_the_cool_down(
    fake_shop: FakeShop, ann: Customer
) -> None:
    running(VOUCHER, [{"type": "exit", "id": "end"}])
    product = fake_shop.add_product()
    like(fake_shop, ann, product)
    tell(fake_shop.add_voucher("FIRST", product))
    step_through()

    with clock.travel(by=DAY):
        tell(fake_shop.add_voucher("SECOND", product))
        step_through()
    with clock.travel(by=15 * DAY):
        tell(fake_shop.add_voucher("THIRD", product))
        step_through()

    codes = [run.context["coupon"]["code"] for run in Enrollment.objects.order_by("pk")]
    assert codes == ["FIRST", "THIRD"]


def test_a_voucher_that_was_deleted_before_the_fan_out_lets_nobody_in(fake_shop: FakeShop, ann: Customer) -> None:
    running(VOUCHER)
    product = fake_shop.add_product()
    like(fake_shop, ann, product)
    voucher = fake_shop.add_voucher("SPRING", product)
    tell(voucher)

    del fake_shop.voucher_rows[voucher.voucher_ref]
    pipeline.pump()

    assert FanOut.objects.get().is_done
    assert not Enrollment.objects.exists()


def test_everybody_concerned_enters_in_chunks_and_none_twice(
    fake_shop: FakeShop, shoppers: Callable[[int], list[Customer]], settings: Any
) -> None:
    settings.CRM_FAN_OUT_BATCH = 2
    running(VOUCHER)
    product = fake_shop.add_product()
    people = shoppers(6)
    for customer in people:
        like(fake_shop, customer, product)
    holds(people[0], "SPRING")
    tell(fake_shop.add_voucher("SPRING"))

    chunks = [automations.fan_out() for _ in range(4)]

    assert chunks == [2, 2, 1, None]
    assert Enrollment.objects.values("contact").distinct().count() == Enrollment.objects.count() == 5
    assert FanOut.objects.values_list("enrolled_count", "is_done").get() == (5, True)


@pytest.mark.django_db(transaction=True)
def test_two_workers_on_the_same_waves_enroll_everybody_once(
    fake_shop: FakeShop, shoppers: Callable[[int], list[Customer]], settings: Any
) -> None:
    settings.CRM_FAN_OUT_BATCH = 3
    people, products = shoppers(10), [fake_shop.add_product(price=50, stock=0) for _ in range(3)]
    for trigger in (DROP, RESTOCK, VOUCHER):
        running(trigger, [wait(), send()])
        running(trigger, [wait(), send()])
    for customer in people:
        like(fake_shop, customer, *products)
    for product in products:
        fake_shop.set_price(product.ref, 30)
        restock(fake_shop, product)
    tell(fake_shop.add_voucher("SPRING", *products[:2]), fake_shop.add_voucher("SUMMER", products[2]))

    def work() -> None:
        for _ in range(200):
            with transaction.atomic():
                if automations.fan_out() is None and not FanOut.objects.filter(is_done=False).exists():
                    return
        pytest.fail("the workers are never done")

    together(work, work)

    found: dict[str, list[tuple[int, int, str]]] = {}
    for run in Enrollment.objects.select_related("version"):
        kind = run.version.definition["trigger"]["type"]
        found.setdefault(kind, []).extend((run.campaign_id, run.contact_id, item["product_id"]) for item in run.items)
    assert set(found) == {"price_drop", "back_in_stock", "new_voucher"}
    for kind, told in found.items():
        assert len(told) == len(set(told)) == 2 * len(people) * len(products), kind
    codes = Enrollment.objects.filter(context__has_key="coupon").values_list("context__coupon__code", flat=True)
    assert sorted(codes) == ["SPRING"] * 2 * len(people) + ["SUMMER"] * 2 * len(people)
