"""The recipes that every shop begins with, run as they come: who is written to, when, and what ends it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from crm_plugin import activity, automations, clock, contacts, pipeline
from crm_plugin.coupons import Coupon
from crm_plugin.models import Enrollment, Message
from crm_plugin.shop import Customer, Fact, FactKind
from tests.automations import timer_story
from tests.automations.coupon_story import code_of
from tests.fake_shop import FakeShop
from tests.fake_trade import order_facts, signed_up
from tests.stories import consenting, open_shop

pytestmark = pytest.mark.django_db

BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2027, 3, 1, 14, 30, tzinfo=BERLIN)


@pytest.fixture
def runs(fake_shop: FakeShop) -> Callable[[str], None]:
    """Publish a recipe at the beginning of the story."""

    def start(name: str) -> None:
        with clock.travel(to=START - timedelta(days=1)):
            open_shop(
                consent_text="You agreed when you signed up.",
                caps=[{"channel": "email", "count": 1, "hours": 16}],
                languages=["en", "ko"],
            )
            automations.publish(automations.create_from_recipe(name, name=name).pk)

    return start


def work(*moments: datetime) -> None:
    """Do once at each moment what the workers do all the time."""
    for moment in moments:
        with clock.travel(to=moment):
            pipeline.pump()
            pipeline.deliver()
            pipeline.pump()


def mornings_and_evenings(first: datetime, *, days: int) -> list[datetime]:
    """Some moments of so many days: the night, ten o'clock, the afternoon."""
    return [
        (first + timedelta(days=day)).replace(hour=hour, minute=minute)
        for day in range(days)
        for hour, minute in ((3, 0), (10, 0), (15, 0))
        if (first + timedelta(days=day)).replace(hour=hour, minute=minute) > first
    ]


def member(shop: FakeShop, name: str) -> Customer:
    customer = shop.add_customer(email=f"{name}@example.com")
    consenting(customer.customer_id, customer.email)
    return customer


def order(shop: FakeShop, customer: Customer, at: datetime, *, products: int = 1) -> str:
    with clock.travel(to=at):
        goods = [shop.add_product(price=40, name=f"Vase {number}") for number in range(products)]
        placed = shop.place_order(*(one.ref for one in goods), customer_id=customer.customer_id)
        activity.record_many(order_facts(placed))
        pipeline.pump()
        return placed.order_ref


def test_a_welcome_comes_at_once_then_after_three_and_seven_days_until_somebody_orders(fake_shop, mailoutbox, runs):
    runs("welcome_series")
    with clock.travel(to=START):
        ann, bob = member(fake_shop, "ann"), member(fake_shop, "bob")
        nobody = fake_shop.add_customer(email="nobody@example.com")
        activity.record_many(signed_up(one) for one in (ann, bob, nobody))
    work(START, START + timedelta(minutes=1))
    order(fake_shop, bob, START + timedelta(days=2))

    work(*mornings_and_evenings(START, days=9))

    assert [mail.subject for mail in mailoutbox if mail.to == [ann.email]] == [
        "Welcome to Fake Shop",
        "Found something you like yet?",
        "Your first order at Fake Shop",
    ]
    assert [mail.subject for mail in mailoutbox if mail.to == [bob.email]] == ["Welcome to Fake Shop"]
    assert [mail for mail in mailoutbox if mail.to == [nobody.email]] == []
    assert Enrollment.objects.get(contact__customer_id=bob.customer_id).state == "converted"


def test_who_does_not_order_again_hears_after_three_six_and_twelve_months_each_time_in_other_words(
    fake_shop, mailoutbox, runs
):
    runs("win_back")
    ann = member(fake_shop, "ann")
    order(fake_shop, ann, START)

    for day in (89, 90, 91, 179, 180, 181, 364, 365, 366):
        work((START + timedelta(days=day)).replace(hour=11, minute=5))

    assert [mail.subject for mail in mailoutbox] == [
        "New since your last order",
        "We miss you",
        "A year without you",
    ]


def test_half_a_year_later_there_is_a_code_of_15_percent_for_a_week(fake_shop, mailoutbox, runs):
    runs("win_back")
    ann, bob = member(fake_shop, "ann"), member(fake_shop, "bob")
    for one in (ann, bob):
        order(fake_shop, one, START)

    for day in (90, 180):
        work((START + timedelta(days=day)).replace(hour=11, minute=5))

    first, second = (mailoutbox[:2], mailoutbox[2:])
    assert not any("code" in mail.body.lower() for mail in first)
    assert {
        mail.to[0]: code_of(one) in mail.body for one in (ann, bob) for mail in second if mail.to == [one.email]
    } == {
        ann.email: True,
        bob.email: True,
    }
    assert code_of(ann) != code_of(bob)
    row = Coupon.objects.get(code=code_of(ann))
    assert row.expires_on == (START + timedelta(days=187)).date()
    assert fake_shop.series_rows[row.series.shop_ref].terms.percent == 15


def test_the_first_order_brings_a_code_for_the_second_and_both_mails_show_it(fake_shop, mailoutbox, runs):
    runs("second_purchase")
    ann = member(fake_shop, "ann")
    order(fake_shop, ann, START)

    work(*mornings_and_evenings(START, days=20))

    assert [mail.subject for mail in mailoutbox] == ["Thank you for your first order", "Ready for something new?"]
    assert [code_of(ann) in mail.body for mail in mailoutbox] == [True, True]


def test_a_liked_product_is_offered_with_a_code_that_is_good_for_it_alone(fake_shop, mailoutbox, runs):
    runs("liked_offer")
    ann = member(fake_shop, "ann")
    vase = fake_shop.add_product(price=40, name="Vase", stock=40)
    with clock.travel(to=START):
        fake_shop.like(ann.customer_id, vase.whole)
        pipeline.pump()
    fake_shop.set_stock(vase.ref, 3)

    work(*mornings_and_evenings(START, days=9))

    (mail,) = mailoutbox
    assert mail.subject == "A coupon: Vase"
    assert f"10 % off what you like: {code_of(ann)}" in mail.body
    assert "Vase: €40.00 (Only 3 left)" in mail.body
    terms = fake_shop.series_rows[Coupon.objects.get().series.shop_ref].terms
    assert (terms.percent, terms.product_ids) == (10, (vase.product_id,))


def test_what_was_liked_and_sold_out_is_not_offered(fake_shop, mailoutbox, runs):
    runs("liked_offer")
    ann = member(fake_shop, "ann")
    vase = fake_shop.add_product(price=40, name="Vase", stock=0)
    with clock.travel(to=START):
        fake_shop.like(ann.customer_id, vase.whole)
        pipeline.pump()

    work(*mornings_and_evenings(START, days=9))

    assert mailoutbox == []
    assert Message.objects.get().reason == "sold_out"


def published(at: datetime, customer: Customer, number: int, *, score: int) -> None:
    """Tell that a review of somebody can be read now."""
    who, key = customer.customer_id, f"crm_review:{number}:published"
    fact = {"kind": FactKind.REVIEW_PUBLISHED, "customer_id": who, "product_id": str(number)}
    with clock.travel(to=at):
        activity.record(Fact(**fact, source_key=key, data={"score": score}))
        pipeline.pump()


def test_a_published_review_is_rewarded_once_whatever_the_stars(fake_shop, mailoutbox, runs):
    runs("review_reward")
    happy, angry = member(fake_shop, "happy"), member(fake_shop, "angry")

    published(START, happy, 1, score=5)
    published(START, angry, 2, score=1)
    work(START)
    published(START + timedelta(days=1), happy, 3, score=5)
    work(START + timedelta(days=1))

    assert {mail.to[0]: mail.body.count("THX") > 0 for mail in mailoutbox} == {happy.email: True, angry.email: True}
    assert len(mailoutbox) == Coupon.objects.count() == 2


def test_a_week_after_delivery_one_request_with_a_link_for_each_product_and_one_reminder(fake_shop, mailoutbox, runs):
    runs("review_request")
    ann = member(fake_shop, "ann")
    ref = order(fake_shop, ann, START, products=2)
    arrived = START + timedelta(days=2)
    told = Fact(
        kind=FactKind.DELIVERED,
        source_key=activity.delivered_key(ref),
        occurred_at=arrived,
        customer_id=ann.customer_id,
        order_ref=ref,
    )
    with clock.travel(to=arrived):
        activity.record(told)
    work(arrived)

    work(*mornings_and_evenings(arrived, days=18))

    assert [mail.to for mail in mailoutbox] == [[ann.email]] * 2
    assert [mail.subject for mail in mailoutbox] == ["How do you like Vase 0?", "A minute for a review?"]
    assert mailoutbox[0].body.count("Write a review:") == 2


def test_a_birthday_is_greeted_at_ten_by_the_persons_clock(fake_shop, mailoutbox, runs):
    runs("birthday")
    ann = member(fake_shop, "ann")
    contacts.set_attributes(contacts.find(email=ann.email).pk, {"birthday": "1990-03-05"})
    greeted_at = datetime(2027, 3, 5, 10, tzinfo=BERLIN)

    work(*mornings_and_evenings(START, days=3))
    too_early = len(mailoutbox)
    work(*mornings_and_evenings(START + timedelta(days=3), days=4))

    assert too_early == 0
    assert [mail.subject for mail in mailoutbox] == ["Happy birthday!"]
    assert Enrollment.objects.get().entered_at == greeted_at


@pytest.fixture
def left_alone(fake_shop: FakeShop) -> Customer:
    """Somebody who put a vase into their cart at ten o'clock; both recipes for what is left alone run."""
    with timer_story.time("08:00"):
        open_shop(consent_text="You agreed when you signed up.")
        for name in ("cart_reminder", "checkout_reminder"):
            automations.publish(automations.create_from_recipe(name, name=name).pk)
        ann = member(fake_shop, "ann")
    with timer_story.time("10:00"):
        timer_story.fill(fake_shop, "c1", fake_shop.add_product(price=50, name="Vase"), customer_id=ann.customer_id)
    timer_story.work("10:00")
    return ann


def test_a_cart_is_reminded_of_three_times_in_other_words(left_alone, mailoutbox):
    for day, moment in ((0, "10:59"), (0, "11:00"), (1, "10:00"), (2, "10:00"), (3, "10:00"), (4, "10:00")):
        timer_story.work(moment, day=day)

    assert [mail.subject for mail in mailoutbox] == [
        "You left something in your cart",
        "Any questions about Vase?",
        "Last reminder: your cart",
    ]
    assert all("Total: €50.00" in mail.body for mail in mailoutbox)


def test_a_checkout_that_is_left_gets_the_reminder_for_checkouts_and_not_the_one_for_carts(left_alone, mailoutbox):
    with timer_story.time("10:05"):
        timer_story.begin_checkout("c1", customer_id=left_alone.customer_id)
    for day, moment in ((0, "10:05"), (0, "10:35"), (0, "11:05"), (1, "10:35"), (3, "10:35")):
        timer_story.work(moment, day=day)

    assert [mail.subject for mail in mailoutbox] == [
        "Your order is almost done",
        "Still there: the order you began",
    ]


def test_an_order_ends_the_reminders(fake_shop, left_alone, mailoutbox):
    timer_story.work("11:00")
    with timer_story.time("12:00"):
        timer_story.buy(fake_shop, fake_shop.add_product(price=20), customer_id=left_alone.customer_id)
    for day in (0, 1, 3):
        timer_story.work("12:00", day=day)

    assert [mail.subject for mail in mailoutbox] == ["You left something in your cart"]
    assert Enrollment.objects.get().state == "converted"


@pytest.fixture
def offered(fake_shop: FakeShop) -> tuple[FakeShop, Customer]:
    """Somebody who put two things into their cart at ten o'clock, while the recipe for an offer runs."""
    with timer_story.time("08:00"):
        open_shop(consent_text="You agreed when you signed up.")
        automations.publish(automations.create_from_recipe("cart_offer", name="Offer").pk)
        ann = member(fake_shop, "ann")
    with timer_story.time("10:00"):
        goods = [fake_shop.add_product(price=50, name=name, stock=4) for name in ("Vase", "Bowl")]
        timer_story.fill(fake_shop, "c1", *goods, customer_id=ann.customer_id)
    timer_story.work("10:00")
    return fake_shop, ann


def test_a_cart_that_was_left_for_two_days_gets_a_code_that_is_good_for_what_is_in_it(offered, mailoutbox):
    shop, ann = offered
    for day, moment in ((1, "10:00"), (2, "09:59"), (2, "10:00"), (2, "10:01"), (3, "10:00"), (4, "10:00")):
        timer_story.work(moment, day=day)

    (mail,) = mailoutbox
    assert mail.subject == "An offer for Vase"
    assert f"10 % off what is in your cart: {code_of(ann)}" in mail.body
    assert mail.body.count("(Only 4 left)") == 2
    terms = shop.series_rows[Coupon.objects.get().series.shop_ref].terms
    assert terms.product_ids == tuple(sorted(line.product_id for line in shop.cart_rows["c1"].lines))


def test_the_next_cart_within_a_month_gets_no_offer(offered, mailoutbox):
    shop, ann = offered
    for day, moment in ((2, "10:00"), (2, "10:01")):
        timer_story.work(moment, day=day)
    with timer_story.time("12:00", day=5):
        timer_story.fill(shop, "c1", shop.add_product(price=9, name="Cup"), customer_id=ann.customer_id)
    for day, moment in ((5, "12:00"), (7, "12:00"), (7, "12:01")):
        timer_story.work(moment, day=day)

    assert len(mailoutbox) == Coupon.objects.count() == 1
