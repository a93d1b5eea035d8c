"""The acceptance examples of ``docs/features.toml`` for campaigns that start by what happens to products.

Row 10, and of part 2c (back in stock) what concerns who is told and when. That few units go to few people at a time is
a matter of offers and is not shown here.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from crm_plugin import activity, clock, pipeline
from crm_plugin.models import Enrollment, Message
from crm_plugin.shop import Customer
from demo.services.mailsink import MailSink
from tests.automations.catalogue_story import cart, holds, like, restock, sell_out
from tests.fake_shop import FakeShop
from tests.stories import CONTENT, consenting, running, send

pytestmark = pytest.mark.django_db

START = datetime(2027, 3, 1, 9, tzinfo=UTC)
WITH_CODE = {**CONTENT, "text": "Save with {{ coupon.code }}: " + CONTENT["text"]}


def member(shop: FakeShop, name: str) -> Customer:
    """Somebody who agreed to mail."""
    customer = shop.add_customer(email=f"{name}@example.com")
    consenting(customer.customer_id, customer.email)
    return customer


def work(since: datetime, *, minutes: int) -> None:
    """Let time pass in steps of half a minute, the workers working."""
    for seconds in range(0, minutes * 60 + 1, 30):
        with clock.travel(to=since + timedelta(seconds=seconds)):
            pipeline.pump()
            pipeline.deliver()


@pytest.mark.feature(10)
def test_of_five_carts_with_the_product_the_three_without_the_code_are_told_of_a_new_voucher(
    fake_shop: FakeShop, smtp: MailSink
) -> None:
    with clock.travel(to=START):
        running({"type": "new_voucher"}, [send(template={"en": WITH_CODE})])
        a, b = fake_shop.add_product(name="A"), fake_shop.add_product(name="B")
        people = [member(fake_shop, f"cart{number}") for number in range(5)]
        for customer in people:
            cart(fake_shop, customer, a)
        cart(fake_shop, member(fake_shop, "other"), b)
        for customer in people[:2]:
            holds(customer, "FOR-A")
        activity.record(fake_shop.add_voucher("FOR-A", a).fact)
    work(START, minutes=5)

    assert sorted(letter.recipients[0] for letter in smtp.letters) == [customer.email for customer in people[2:]]
    assert all("Save with FOR-A: A: " in letter.text for letter in smtp.letters)
    assert Message.objects.count() == Enrollment.objects.count() == 3


def test_who_waits_for_a_product_is_told_once_for_each_time_it_comes_back(fake_shop: FakeShop, smtp: MailSink) -> None:
    with clock.travel(to=START):
        running({"type": "back_in_stock", "min_available": 2})
        vase, bowl = fake_shop.add_product(name="Vase", stock=0), fake_shop.add_product(name="Bowl", stock=0)
        ann, bob = member(fake_shop, "ann"), member(fake_shop, "bob")
        like(fake_shop, ann, vase, bowl)
        like(fake_shop, bob, bowl)
        restock(fake_shop, bowl, units=1)  # somebody sent one back
    work(START, minutes=5)
    told_of_one = len(smtp.letters)
    with clock.travel(to=START + timedelta(hours=1)):
        sell_out(fake_shop, bowl)
        restock(fake_shop, vase, bowl, units=5)
        restock(fake_shop, bowl, units=9)
    work(START + timedelta(hours=1), minutes=5)

    assert told_of_one == 0
    assert sorted(letter.recipients[0] for letter in smtp.letters) == ["ann@example.com", "bob@example.com"]
    (anns,) = smtp.letters_to("ann@example.com")
    assert ("Vase: " in anns.text, "Bowl: " in anns.text) == (True, True)


def test_what_is_sold_out_again_by_the_time_of_the_mail_is_not_told(fake_shop: FakeShop, smtp: MailSink) -> None:
    with clock.travel(to=START):
        running({"type": "back_in_stock"})
        vase, bowl = fake_shop.add_product(name="Vase", stock=0), fake_shop.add_product(name="Bowl", stock=0)
        ann, bob = member(fake_shop, "ann"), member(fake_shop, "bob")
        like(fake_shop, ann, vase, bowl)
        like(fake_shop, bob, bowl)
        restock(fake_shop, vase, bowl, units=5)
        pipeline.pump()
    fake_shop.set_stock(bowl.ref, 0)
    work(START + timedelta(minutes=1), minutes=5)

    assert [letter.recipients[0] for letter in smtp.letters] == ["ann@example.com"]
    assert "Bowl" not in smtp.letters[0].text
    assert sorted(Message.objects.values_list("state", "reason")) == [("sent", ""), ("skipped", "sold_out")]
