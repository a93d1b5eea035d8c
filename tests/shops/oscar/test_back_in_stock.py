"""Back in stock in a real Oscar shop: asked by the form or signed in, told in waves, over the whole way."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core import mail
from django.test import Client

from crm_plugin import activity, automations, clock, contacts, merchant, pipeline
from crm_plugin.contacts import Person
from crm_plugin.http import shopfront
from crm_plugin.models import Message, StockRequest
from crm_plugin.shop import ProductRef
from tests.http.collecting import CHROME
from tests.shops.oscar.world import OscarWorld

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
#: Oscar dates its orders by a clock of its own, which no test moves.
START = datetime.now(UTC) - HOUR / 2


@pytest.fixture
def ref(world: OscarWorld) -> ProductRef:
    return world.make_product(prices=[Decimal("48.00")], stocks=[0], name="Celadon bowl")[0]


@pytest.fixture
def campaign(world: OscarWorld) -> None:
    """The recipe, published by a merchant who said who is writing."""
    sender = {"sender_name": "Maru", "sender_email": "hello@maru.example", "postal_address": "12 Way, Seoul"}
    with clock.travel(to=START):
        merchant.update(**sender, consent_text="You agreed to this.")
        made = automations.create_campaign(name="Back in stock", definition=automations.recipe("back_in_stock"))
        automations.publish(made.pk)


def queue(world: OscarWorld, ref: ProductRef, count: int) -> list[str]:
    """Let so many customers wait, one after the other; their addresses."""
    emails = [f"person{number}@example.com" for number in range(count)]
    for place, email in enumerate(emails):
        contact = contacts.get_or_create(Person(world.make_customer(email=email), email))
        with clock.travel(to=START + place * timedelta(seconds=1)):
            activity.ask_for_stock(contact.pk, ref)
    mail.outbox.clear()
    return emails


def work(since: datetime, *, minutes: int = 3) -> None:
    """Let time pass in steps of a minute, the workers working."""
    for minute in range(minutes + 1):
        with clock.travel(to=since + minute * MINUTE):
            pipeline.pump()
            pipeline.watch_prices()
            pipeline.pump()
            pipeline.deliver()


def told() -> list[str]:
    """Return who got mail since the last time."""
    found = sorted(letter.to[0] for letter in mail.outbox)
    mail.outbox.clear()
    return found


@pytest.mark.usefixtures("campaign")
def test_those_who_wait_are_told_in_waves_as_far_as_the_stock_goes(world: OscarWorld, ref: ProductRef) -> None:
    emails = queue(world, ref, 8)
    world.set_stock(ref, 2)
    work(START + HOUR)
    text = mail.outbox[0].body
    first = told()
    world.set_stock(ref, 0)
    work(START + 2 * HOUR)
    none_left = told()
    world.set_stock(ref, 1)
    work(START + 3 * HOUR)

    assert first == sorted(emails[:6])
    assert "Celadon bowl" in text
    assert none_left == []
    assert told() == sorted(emails[6:])


@pytest.mark.usefixtures("campaign")
def test_who_bought_it_meanwhile_is_not_told(world: OscarWorld, ref: ProductRef) -> None:
    emails = queue(world, ref, 2)
    world.set_stock(ref, 1)
    customer_id = contacts.contacts().get(email=emails[0]).customer_id or ""
    with clock.travel(to=START + HOUR):
        world.place_order([(ref, 1)], customer_id=customer_id)
        pipeline.pump()
    world.set_stock(ref, 2)  # one of them is held by the order
    mail.outbox.clear()
    work(START + 2 * HOUR)

    assert told() == [emails[1]]
    assert StockRequest.objects.get(contact__email=emails[0]).state == "cancelled"


@pytest.mark.usefixtures("campaign")
def test_a_guest_confirms_and_is_told_once(world: OscarWorld, ref: ProductRef) -> None:
    (origin, *_) = sorted(shopfront.load().origins)
    body = {"email": "gus@example.com", "product": ref.product_id, "variant": ref.variant_id}
    with clock.travel(to=START):
        answer = Client().post(
            "/crm/stock/subscribe/",
            json.dumps(body),
            content_type="application/json",
            headers={"Origin": origin, "User-Agent": CHROME},
        )
        pipeline.deliver()
    asked = told()
    path = Message.objects.get(occasion__startswith="stock:").data["url"].partition("/stock/")[2]
    with clock.travel(to=START + MINUTE):
        Client(enforce_csrf_checks=True).post(f"/crm/stock/{path}")
    world.set_stock(ref, 1)
    work(START + HOUR)
    of_the_restock = told()
    world.set_stock(ref, 0)
    work(START + 2 * HOUR)
    world.set_stock(ref, 9)
    work(START + 3 * HOUR)

    assert answer.status_code == 202
    assert asked == ["gus@example.com"]
    assert of_the_restock == ["gus@example.com"]
    assert told() == []
