"""Back in stock for those who asked: which campaigns tell them, once, and nobody is lost on the way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_plugin import activity, automations, clock, contacts, pipeline
from crm_plugin.automations import Definition, recipe
from crm_plugin.contacts import Person
from crm_plugin.errors import InvalidInput
from crm_plugin.models import Campaign, Enrollment, Message, StockEpoch, StockRequest
from crm_plugin.shop import Customer
from demo.services.mailsink import MailSink
from tests.automations.catalogue_story import cart, like, restock, sell_out
from tests.fake_catalogue import FakeProduct
from tests.fake_shop import FakeShop
from tests.fake_trade import order_facts
from tests.stories import consenting, definition, open_shop, running, send

pytestmark = pytest.mark.django_db

START = datetime(2027, 3, 1, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
ASKED = {"type": "back_in_stock", "sources": ["waiting"], "settle_seconds": 0}
TOLD = send(message_class="transactional")


def work(since: datetime, *, minutes: int) -> None:
    """Let time pass in steps of a minute, the workers working."""
    for minute in range(minutes + 1):
        with clock.travel(to=since + timedelta(minutes=minute)):
            pipeline.pump()
            pipeline.deliver()


def ask(customer: Customer, product: FakeProduct) -> int:
    """Somebody asks to be told; their contact."""
    contact = contacts.get_or_create(Person(customer.customer_id, customer.email))
    activity.ask_for_stock(contact.pk, product.ref)
    return contact.pk


def told(smtp: MailSink) -> list[str]:
    """Return who got mail, in the order of sending, and forget it."""
    found = [letter.recipients[0] for letter in smtp.letters]
    smtp.reset()
    return found


def in_line(product: FakeProduct) -> int:
    return activity.people_waiting(variant_id=product.variant_id, shop_channel="default").count()


@pytest.fixture
def members(fake_shop: FakeShop) -> Callable[[int], list[Customer]]:
    """Make customers who agreed to nothing."""

    def make(count: int) -> list[Customer]:
        return [fake_shop.add_customer() for _ in range(count)]

    return make


@pytest.fixture
def mug(fake_shop: FakeShop) -> FakeProduct:
    return fake_shop.add_product(price=50, stock=0, name="Mug")


def test_those_who_asked_are_told_without_consent_in_waves_first_come_first_served(
    fake_shop: FakeShop, members: Callable[[int], list[Customer]], mug: FakeProduct, smtp: MailSink
) -> None:
    people = members(20)
    with clock.travel(to=START):
        running(ASKED, [TOLD])
        for seconds, customer in enumerate(people):
            with clock.travel(by=timedelta(seconds=seconds)):
                ask(customer, mug)
    with clock.travel(to=START + HOUR):
        restock(fake_shop, mug, units=4)
    work(START + HOUR, minutes=5)
    first = told(smtp)
    fake_shop.set_stock(mug.ref, 1)  # three were bought
    work(START + HOUR + timedelta(minutes=50), minutes=15)
    second = told(smtp)
    fake_shop.set_stock(mug.ref, 0)
    work(START + 3 * HOUR, minutes=5)

    assert sorted(first) == sorted(customer.email for customer in people[:12])
    assert sorted(second) == sorted(customer.email for customer in people[12:15])
    assert told(smtp) == []
    assert in_line(mug) == 5
    assert StockEpoch.objects.get().closed_at is not None


def test_without_a_campaign_that_tells_them_they_go_on_waiting(
    fake_shop: FakeShop, members: Callable[[int], list[Customer]], mug: FakeProduct, smtp: MailSink
) -> None:
    (ann,) = members(1)
    with clock.travel(to=START):
        campaign = running(ASKED, [TOLD])
        automations.pause(campaign.pk)
        running({"type": "back_in_stock", "settle_seconds": 0})
        ask(ann, mug)
        restock(fake_shop, mug, units=4)
    work(START, minutes=3)
    paused = (in_line(mug), told(smtp), Enrollment.objects.count())
    with clock.travel(to=START + HOUR):
        automations.resume(campaign.pk)
    work(START + HOUR, minutes=3)

    assert paused == (1, [], 0)
    assert told(smtp) == [ann.email]


def test_who_likes_it_and_asked_hears_it_once_in_their_turn(
    fake_shop: FakeShop, members: Callable[[int], list[Customer]], mug: FakeProduct, smtp: MailSink
) -> None:
    ann, bob = members(2)
    with clock.travel(to=START):
        running(ASKED, [TOLD])
        running({"type": "back_in_stock", "sources": ["liked"], "settle_seconds": 0})
        for customer in (ann, bob):
            consenting(customer.customer_id, customer.email)
            like(fake_shop, customer, mug)
        ask(ann, mug)
        restock(fake_shop, mug, units=4)
    work(START, minutes=5)

    assert sorted(told(smtp)) == sorted([ann.email, bob.email])
    assert Enrollment.objects.count() == 2


def test_one_campaign_for_interest_and_for_those_who_asked_tells_each_person_once(
    fake_shop: FakeShop, members: Callable[[int], list[Customer]], mug: FakeProduct, smtp: MailSink
) -> None:
    ann, bob, eve = members(3)
    with clock.travel(to=START):
        running({"type": "back_in_stock", "sources": ["waiting", "liked", "carted"], "settle_seconds": 60})
        for customer in (ann, bob, eve):
            consenting(customer.customer_id, customer.email)
        like(fake_shop, ann, mug)
        ask(ann, mug)
        cart(fake_shop, bob, mug)
        ask(eve, mug)
        restock(fake_shop, mug, units=4)
    work(START, minutes=5)

    assert sorted(told(smtp)) == sorted([ann.email, bob.email, eve.email])


def test_who_asked_for_several_things_gets_one_message_about_all_of_them(
    fake_shop: FakeShop, members: Callable[[int], list[Customer]], mug: FakeProduct, smtp: MailSink
) -> None:
    bowl = fake_shop.add_product(price=50, stock=0, name="Bowl")
    (ann,) = members(1)
    with clock.travel(to=START):
        running({**ASKED, "settle_seconds": 120}, [TOLD])
        ask(ann, mug)
        ask(ann, bowl)
        restock(fake_shop, mug, units=1)
        pipeline.pump()
    with clock.travel(to=START + timedelta(minutes=1)):
        restock(fake_shop, bowl, units=1)
    work(START + timedelta(minutes=1), minutes=5)

    (letter,) = smtp.letters
    assert ("Mug: " in letter.text, "Bowl: " in letter.text) == (True, True)


def test_who_asks_again_is_told_again_within_the_cool_down(
    fake_shop: FakeShop, members: Callable[[int], list[Customer]], mug: FakeProduct, smtp: MailSink
) -> None:
    (ann,) = members(1)
    running(ASKED | {"cooldown_days": 14}, [TOLD])
    for days in (0, 1):
        with clock.travel(to=START + timedelta(days=days)):
            sell_out(fake_shop, mug)
            pipeline.pump()
            ask(ann, mug)
            restock(fake_shop, mug, units=1)
        work(START + timedelta(days=days), minutes=2)

    assert told(smtp) == [ann.email, ann.email]


def test_who_would_hear_of_it_when_it_sold_out_again_has_their_place_back(
    fake_shop: FakeShop, members: Callable[[int], list[Customer]], mug: FakeProduct, smtp: MailSink
) -> None:
    people = members(4)
    with clock.travel(to=START):
        running(ASKED, [TOLD])
        for seconds, customer in enumerate(people):
            with clock.travel(by=timedelta(seconds=seconds)):
                ask(customer, mug)
    with clock.travel(to=START + HOUR):
        restock(fake_shop, mug, units=1)
        pipeline.pump()
        fake_shop.set_stock(mug.ref, 0)
        pipeline.deliver()
    skipped, line = set(Message.objects.values_list("state", "reason")), in_line(mug)
    with clock.travel(to=START + 3 * HOUR):
        restock(fake_shop, mug, units=1)
    work(START + 3 * HOUR, minutes=3)

    assert (skipped, line) == ({("skipped", "sold_out")}, 4)
    assert sorted(told(smtp)) == sorted(customer.email for customer in people[:3])
    assert in_line(mug) == 1


def test_what_was_left_out_of_a_message_about_more_goes_on_being_waited_for(
    fake_shop: FakeShop, members: Callable[[int], list[Customer]], mug: FakeProduct, smtp: MailSink
) -> None:
    bowl = fake_shop.add_product(price=50, stock=0, name="Bowl")
    (ann,) = members(1)
    with clock.travel(to=START):
        running(ASKED, [TOLD])
        ask(ann, mug)
        ask(ann, bowl)
        restock(fake_shop, mug, bowl, units=1)
        pipeline.pump()
        fake_shop.set_stock(bowl.ref, 0)
        pipeline.deliver()

    (letter,) = smtp.letters
    assert ("Mug: " in letter.text, "Bowl: " in letter.text) == (True, False)
    assert (in_line(mug), in_line(bowl)) == (0, 1)


def test_a_second_message_that_finds_it_sold_out_puts_nobody_back_in_line(
    fake_shop: FakeShop, members: Callable[[int], list[Customer]], mug: FakeProduct, smtp: MailSink
) -> None:
    (ann,) = members(1)
    steps = [TOLD, {"type": "wait", "id": "pause", "seconds": 600}, send("again", message_class="transactional")]
    with clock.travel(to=START):
        running(ASKED, steps)
        ask(ann, mug)
        restock(fake_shop, mug, units=1)
    work(START, minutes=2)
    fake_shop.set_stock(mug.ref, 0)
    work(START + timedelta(minutes=9), minutes=5)

    assert told(smtp) == [ann.email]
    assert sorted(Message.objects.values_list("state", flat=True)) == ["sent", "skipped"]
    assert in_line(mug) == 0


def test_who_bought_it_or_took_it_back_before_the_message_gets_none(
    fake_shop: FakeShop, members: Callable[[int], list[Customer]], mug: FakeProduct, smtp: MailSink
) -> None:
    ann, bob, eve = members(3)
    with clock.travel(to=START):
        running(ASKED | {"settle_seconds": 60}, [TOLD])
        for customer in (ann, bob, eve):
            ask(customer, mug)
        restock(fake_shop, mug, units=4)
        pipeline.pump()
    with clock.travel(to=START + timedelta(seconds=30)):
        order = fake_shop.place_order(mug.ref, customer_id=ann.customer_id)
        activity.record_many(order_facts(order))
        bobs = StockRequest.objects.get(contact__customer_id=bob.customer_id)
        activity.cancel_ask(bobs.pk)
    work(START + timedelta(minutes=1), minutes=3)

    assert told(smtp) == [eve.email]


def test_two_variants_of_one_product_are_two_waits(
    fake_shop: FakeShop, members: Callable[[int], list[Customer]], mug: FakeProduct, smtp: MailSink
) -> None:
    small = fake_shop.add_variant(mug, price=40, stock=0)
    (ann,) = members(1)
    contact = contacts.get_or_create(Person(ann.customer_id, ann.email))
    with clock.travel(to=START):
        running(ASKED, [TOLD])
        activity.ask_for_stock(contact.pk, mug.ref)
        activity.ask_for_stock(contact.pk, small)
        restock(fake_shop, mug, units=1)
    work(START, minutes=2)
    first = told(smtp)
    with clock.travel(to=START + HOUR):
        fake_shop.set_stock(small, 1)
        restock(fake_shop)
    work(START + HOUR, minutes=2)

    assert (first, told(smtp)) == ([ann.email], [ann.email])


def test_a_campaign_tells_those_who_asked_from_its_least_number_on(
    fake_shop: FakeShop, members: Callable[[int], list[Customer]], mug: FakeProduct, smtp: MailSink
) -> None:
    (ann,) = members(1)
    with clock.travel(to=START):
        running(ASKED | {"min_available": 3}, [TOLD])
        ask(ann, mug)
        restock(fake_shop, mug, units=2)
    work(START, minutes=2)
    few = told(smtp)
    fake_shop.set_stock(mug.ref, 3)
    work(START + HOUR, minutes=2)

    assert (few, told(smtp)) == ([], [ann.email])


@pytest.mark.parametrize(
    ("trigger", "message_class", "is_fine"),
    [
        ({"type": "back_in_stock", "sources": ["waiting"]}, "transactional", True),
        ({"type": "back_in_stock", "sources": ["waiting"]}, "marketing", True),
        ({"type": "back_in_stock", "sources": ["waiting", "liked"]}, "transactional", False),
        ({"type": "back_in_stock", "sources": ["liked"]}, "transactional", False),
        ({"type": "back_in_stock", "sources": ["waiting", "liked"]}, "marketing", True),
        ({"type": "price_drop", "sources": ["waiting"]}, "marketing", False),
        ({"type": "new_voucher", "sources": ["waiting", "liked"]}, "marketing", False),
    ],
)
def test_only_what_everybody_asked_for_is_no_advertisement(
    trigger: dict[str, Any], message_class: str, *, is_fine: bool
) -> None:
    draft = definition(trigger, [send(message_class=message_class)])

    if is_fine:
        Definition.parse(draft)
    else:
        with pytest.raises(InvalidInput):
            Definition.parse(draft)


def test_a_trigger_that_names_no_sources_does_not_tell_those_who_asked(fake_shop: FakeShop) -> None:
    running({"type": "back_in_stock"})

    assert automations.hears_waiting() is None


@pytest.mark.parametrize("name", ["back_in_stock", "liked_back_in_stock"])
def test_the_recipes_tell_whom_they_are_for(
    fake_shop: FakeShop, members: Callable[[int], list[Customer]], mug: FakeProduct, smtp: MailSink, name: str
) -> None:
    asked, liking = members(2)
    with clock.travel(to=START + 6 * HOUR):
        open_shop(default_language="ko")
        campaign: Campaign = automations.create_campaign(name=name, definition=recipe(name))
        automations.publish(campaign.pk)
        consenting(liking.customer_id, liking.email)
        like(fake_shop, liking, mug)
        ask(asked, mug)
        restock(fake_shop, mug, units=4)
    work(START + 6 * HOUR, minutes=3)

    (letter,) = smtp.letters
    assert letter.recipients == (asked.email if name == "back_in_stock" else liking.email,)
    assert ("신청하신" in letter.subject + letter.text) == (name == "back_in_stock")
    assert ("수신거부" in letter.text) == (name == "liked_back_in_stock")


def test_the_account_says_whether_somebody_waits(
    fake_shop: FakeShop, members: Callable[[int], list[Customer]], mug: FakeProduct
) -> None:
    ann, bob = members(2)
    campaign = running(ASKED, [TOLD])
    waiting = ask(ann, mug)
    other = contacts.get_or_create(Person(bob.customer_id, bob.email)).pk

    anns, bobs = (
        {line.code for line in automations.explain_message(contact_id, campaign.pk)} for contact_id in (waiting, other)
    )

    assert ("waits_for_stock" in anns, "waits_for_nothing" in bobs, "no_interest" in anns | bobs) == (True, True, False)
