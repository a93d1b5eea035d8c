"""The acceptance example of each row of ``docs/features.toml`` that the engine delivers, whole and with its numbers."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from crm_plugin import activity, automations, clock, contacts, pipeline
from crm_plugin.errors import InvalidInput
from crm_plugin.models import Campaign, Enrollment, Message
from crm_plugin.shop import Customer
from demo.services.mailsink import MailSink
from tests.fake_catalogue import FakeProduct
from tests.fake_shop import FakeShop
from tests.fake_trade import cart_changed, order_facts, signed_up
from tests.stories import BROWSER, CONTENT, consenting, definition, on, open_shop, running, send, wait

pytestmark = pytest.mark.django_db(transaction=True)

START = datetime(2027, 3, 1, 9, tzinfo=UTC)


def work() -> None:
    """Do once what the workers do all the time."""
    pipeline.watch_prices()
    pipeline.pump()
    pipeline.deliver()


def work_until(end: datetime, *, since: datetime) -> None:
    """Let time pass in steps of half a minute, the workers working."""
    for seconds in range(0, int((end - since).total_seconds()) + 1, 30):
        with clock.travel(to=since + timedelta(seconds=seconds)):
            work()


def recipe_runs(**settings: str | int) -> Campaign:
    """The ready-made price alert, published as it is."""
    open_shop(consent_text="You agreed to this.", **settings)
    made = automations.create_campaign(name="Liked", definition=automations.recipe("liked_price_drop"))
    return automations.publish(made.pk)


def member(fake_shop: FakeShop, email: str, **more: str) -> Customer:
    """Somebody who agreed to mail."""
    customer = fake_shop.add_customer(email=email, **more)
    consenting(customer.customer_id, email)
    return customer


def cut(fake_shop: FakeShop, product: FakeProduct, price: int, *, at: datetime) -> None:
    """Change the price at a moment, and work for five minutes."""
    fake_shop.set_price(product.ref, price)
    work_until(at + timedelta(minutes=5), since=at)


@pytest.mark.feature(1)
def test_of_three_new_members_the_two_who_agreed_are_greeted_once_within_a_minute(
    fake_shop: FakeShop, smtp: MailSink
) -> None:
    with clock.travel(to=START):
        running(on("signed_up"))
        people = [fake_shop.add_customer(email=f"{name}@example.com") for name in ("ann", "bob", "cho")]
        for customer in people[:2]:
            consenting(customer.customer_id, customer.email)
        activity.record_many(signed_up(customer) for customer in people)
    work_until(START + timedelta(minutes=1), since=START)

    assert sorted(letter.recipients for letter in smtp.letters) == [("ann@example.com",), ("bob@example.com",)]
    assert sorted(Message.objects.values_list("state", "reason")) == [
        ("sent", ""),
        ("sent", ""),
        ("skipped", "no_consent"),
    ]


@pytest.mark.feature(3)
def test_a_welcome_series_ends_with_the_first_order(fake_shop: FakeShop, smtp: MailSink) -> None:
    day = 24 * 3600
    steps = [send("d0"), wait("to_d3", seconds=3 * day), send("d3"), wait("to_d7", seconds=4 * day), send("d7")]
    product = fake_shop.add_product(price=50)
    with clock.travel(to=START):
        running(on("signed_up"), steps, exit_when=["ordered"])
        ann, bob = member(fake_shop, "ann@example.com"), member(fake_shop, "bob@example.com")
        activity.record_many([signed_up(ann), signed_up(bob)])
    work_until(START + timedelta(minutes=1), since=START)
    with clock.travel(to=START + timedelta(days=2)):
        activity.record_many(order_facts(fake_shop.place_order(product.ref, customer_id=ann.customer_id)))
        work()
    for days in (3, 7, 8):
        at = START + timedelta(days=days)
        work_until(at + timedelta(minutes=2), since=at)

    assert len(smtp.letters_to("ann@example.com")) == 1
    assert len(smtp.letters_to("bob@example.com")) == 3
    runs = dict(Enrollment.objects.values_list("contact__customer_id", "state"))
    assert runs == {ann.customer_id: "converted", bob.customer_id: "completed"}


@pytest.mark.feature(9)
def test_a_carted_product_on_special_is_told_within_five_minutes(fake_shop: FakeShop, smtp: MailSink) -> None:
    product = fake_shop.add_product(price=10_000, shop_channel="kr")
    with clock.travel(to=START):
        running({"type": "price_drop", "sources": ["carted"], "min_percent": 10})
        ann = member(fake_shop, "ann@example.com")
        activity.record(cart_changed(fake_shop.add_cart(product.ref, customer_id=ann.customer_id)))
        work()

    cut(fake_shop, product, 9_100, at=START + timedelta(hours=1))
    told_too_small = len(smtp.letters)
    cut(fake_shop, product, 8_900, at=START + timedelta(hours=2))

    assert told_too_small == 0
    assert [letter.recipients for letter in smtp.letters] == [("ann@example.com",)]
    assert "₩8,900" in smtp.letters[0].text


@pytest.mark.feature(22)
def test_a_like_is_alerted_once_and_not_again_in_the_cool_down(fake_shop: FakeShop, smtp: MailSink) -> None:
    product = fake_shop.add_product(price=50_000, shop_channel="kr")
    with clock.travel(to=START):
        recipe_runs()
        ann = member(fake_shop, "ann@example.com")
        fake_shop.like(ann.customer_id, product.whole)
        work()

    cut(fake_shop, product, 45_000, at=START + timedelta(days=1))
    told = len(smtp.letters)
    cut(fake_shop, product, 50_000, at=START + timedelta(days=2))
    cut(fake_shop, product, 45_000, at=START + timedelta(days=3))

    assert told == 1
    assert len(smtp.letters) == 1
    assert "₩45,000" in smtp.letters[0].text
    assert smtp.letters[0].subject.startswith("10% less")


@pytest.mark.feature(56)
def test_what_is_due_after_the_period_is_dropped_with_that_reason(fake_shop: FakeShop, smtp: MailSink) -> None:
    seoul = ZoneInfo("Asia/Seoul")
    starts_at, ends_at = datetime(2027, 2, 1, tzinfo=seoul), datetime(2027, 2, 15, tzinfo=seoul)
    with clock.travel(to=starts_at - timedelta(days=1)):
        running(on("signed_up"), [wait(seconds=24 * 3600), send()], starts_at=starts_at, ends_at=ends_at)
        activity.record(signed_up(member(fake_shop, "early@example.com")))
        work()
    with clock.travel(to=datetime(2027, 2, 3, 12, tzinfo=seoul)):
        activity.record(signed_up(member(fake_shop, "ann@example.com")))
        work()
    with clock.travel(to=datetime(2027, 2, 4, 12, 1, tzinfo=seoul)):
        work()
    with clock.travel(to=datetime(2027, 2, 14, 0, 1, tzinfo=seoul)):
        activity.record(signed_up(member(fake_shop, "late@example.com")))
        work()
    with clock.travel(to=datetime(2027, 2, 15, 0, 1, tzinfo=seoul)):
        pipeline.housekeep()
        work()
        work()

    assert [letter.recipients for letter in smtp.letters] == [("ann@example.com",)]
    late = contacts.find(email="late@example.com")
    assert Enrollment.objects.values_list("state", "reason").get(contact=late) == ("exited", "campaign_ended")
    assert not Message.objects.filter(contact=late).exists()
    assert Campaign.objects.get().state == "ended"


@pytest.mark.feature(56)
def test_a_message_in_the_outbox_is_dropped_when_the_period_ends_before_it_leaves(
    fake_shop: FakeShop, smtp: MailSink
) -> None:
    with clock.travel(to=START):
        running(on("signed_up"), ends_at=START + timedelta(hours=1))
        activity.record(signed_up(member(fake_shop, "ann@example.com")))
        pipeline.pump()
    with clock.travel(to=START + timedelta(hours=1)):
        pipeline.deliver()

    assert smtp.letters == ()
    assert Message.objects.values_list("state", "reason").get() == ("skipped", "campaign_ended")


@pytest.mark.feature(59)
def test_a_draft_sends_nothing_until_it_runs(fake_shop: FakeShop, smtp: MailSink) -> None:
    open_shop()
    campaign = automations.create_campaign(name="Draft", definition=definition(on("signed_up")))
    activity.record(signed_up(member(fake_shop, "early@example.com")))
    work()
    as_draft = (Campaign.objects.get().state, Enrollment.objects.count(), Message.objects.count(), len(smtp.letters))

    automations.publish(campaign.pk)
    work()
    activity.record(signed_up(member(fake_shop, "ann@example.com")))
    work()

    assert as_draft == ("draft", 0, 0, 0)
    assert Campaign.objects.get().state == "running"
    assert [letter.recipients for letter in smtp.letters] == [("ann@example.com",)]


@pytest.mark.feature(67)
def test_names_fall_back_are_escaped_and_unknown_ones_are_refused(fake_shop: FakeShop, smtp: MailSink) -> None:
    recipe_runs(default_language="ko")
    product = fake_shop.add_product(price=50)
    members = [
        member(fake_shop, "nameless@example.com"),
        member(fake_shop, "bold@example.com", first_name="<b>지우</b>", last_name="김"),
    ]
    with clock.travel(to=START):
        for one in members:
            fake_shop.like(one.customer_id, product.whole)
        work()
    cut(fake_shop, product, 40, at=START + timedelta(hours=1))

    (nameless,), (bold,) = (smtp.letters_to(one.email) for one in members)
    assert "고객님," in nameless.text
    assert "고객님" in nameless.html
    assert "김&lt;b&gt;지우&lt;/b&gt;님" in bold.html
    assert "<b>지우" not in bold.html
    wrong = CONTENT | {"subject": "{{ contact.frist_name }}"}
    with pytest.raises(InvalidInput, match="frist_name") as refused:
        automations.create_campaign(name="x", definition=definition(steps=[send(template={"en": wrong})]))
    assert refused.value.code == "UNKNOWN_VARIABLE"
    assert Campaign.objects.count() == 1


@pytest.mark.feature(68)
def test_each_reader_has_a_link_of_their_own_and_the_way_out_is_no_click(
    fake_shop: FakeShop, smtp: MailSink, client
) -> None:
    running(on("liked"))
    product = fake_shop.add_product(price=50)
    ann, bob = member(fake_shop, "ann@example.com"), member(fake_shop, "bob@example.com")
    for one in (ann, bob):
        fake_shop.like(one.customer_id, product.whole)
    work()
    (anns,), (bobs,) = (smtp.letters_to(one.email) for one in (ann, bob))

    with clock.travel(by=timedelta(minutes=1)):
        client.get(path(anns.html, "click"), headers={"user-agent": BROWSER})
        client.get(path(bobs.html, "unsubscribe"), headers={"user-agent": BROWSER})
        client.post(path(bobs.html, "unsubscribe"), headers={"user-agent": BROWSER})
    pipeline.pump()

    assert path(anns.html, "click") != path(bobs.html, "click")
    clicked = dict(Message.objects.values_list("recipient", "clicked_at"))
    assert clicked["ann@example.com"] is not None
    assert clicked["bob@example.com"] is None


def path(html: str, kind: str) -> str:
    """The path of the tracked link, or of the way out, in a letter."""
    found = re.search(rf"https://shop\.example(/crm/{kind}/[^\"'\s]+)", html)
    assert found is not None
    return found[1]


@pytest.mark.feature(72)
def test_the_stock_in_the_text_is_that_of_the_moment_of_sending(fake_shop: FakeShop, smtp: MailSink) -> None:
    few, none = (fake_shop.add_product(price=50, stock=1_000, name=name) for name in ("Few", "None"))
    with clock.travel(to=START):
        recipe_runs()
        for name, product in (("ann", few), ("bob", none)):
            fake_shop.like(member(fake_shop, f"{name}@example.com").customer_id, product.whole)
        work()
    at = START + timedelta(hours=1)
    for product in (few, none):
        fake_shop.set_price(product.ref, 40)
    with clock.travel(to=at):
        work()

    fake_shop.set_stock(few.ref, 3)
    fake_shop.set_stock(none.ref, 0)
    work_until(at + timedelta(minutes=5), since=at)

    assert [letter.recipients for letter in smtp.letters] == [("ann@example.com",)]
    assert "Only 3 left" in smtp.letters[0].html
    assert Message.objects.values_list("state", "reason").get(recipient="") == ("skipped", "sold_out")
