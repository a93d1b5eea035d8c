"""Back in stock inside Saleor: people wait by GraphQL and by the form, stock comes by GraphQL, mail goes in waves."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from saleor.account.models import Address, User
from saleor.graphql.tests.fixtures import ApiClient
from saleor.warehouse.models import Warehouse

from crm_plugin import automations, clock
from crm_plugin.models import Message, StockEpoch, StockRequest
from crm_plugin.shop import ProductRef
from demo.services.mailsink import MailSink
from tests.http.collecting import CHROME
from tests.saleor import asking, checkout, engine
from tests.saleor.world import SaleorWorld
from tests.stories import open_shop

pytestmark = [pytest.mark.saleor, pytest.mark.django_db]

START = datetime(2027, 3, 1, 9, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
REQUEST = """mutation($product: ID!, $variant: ID!, $channel: String) {
  crmStockRequest(productId: $product, variantId: $variant, channel: $channel) {
    isAvailable errors { field code message } } }"""
CANCEL = """mutation($variant: ID!) { crmStockRequestCancel(variantId: $variant) {
  isCancelled errors { field code message } } }"""
MINE = "{ crmMe { stockRequests { variantId channel } } }"
LISTS = """{ crmWaitingLists(first: 5) { edges { node { product { name } people isAvailable available
  restock { wavesCount toldCount } } } } }"""
LINE = """query($variant: ID!) { crmWaitingList(variantId: $variant, first: 100) {
  edges { node { contact { email } } } } }"""
STOCKS = """mutation($variant: ID!, $stocks: [StockInput!]!) {
  productVariantStocksUpdate(variantId: $variant, stocks: $stocks) { errors { field code message } } }"""


@pytest.fixture
def mug(world: SaleorWorld) -> ProductRef:
    """A product that is sold out."""
    return world.make_product(prices=[Decimal(80)], stocks=[0], name="Blue Mug")[0]


@pytest.fixture
def manager() -> ApiClient:
    return asking.staff("manage_products")


@pytest.fixture
def campaign() -> None:
    """The recipe, published."""
    with clock.travel(to=START):
        open_shop()
        made = automations.create_campaign(name="Back in stock", definition=automations.recipe("back_in_stock"))
        automations.publish(made.pk)


def fill(manager: ApiClient, world: SaleorWorld, ref: ProductRef, quantity: int) -> None:
    """Set the quantity in the warehouse as the dashboard does."""
    stocks = [{"warehouse": asking.gid("Warehouse", world.warehouse.pk), "quantity": quantity}]
    asking.ask(manager, STOCKS, variant=asking.gid("ProductVariant", ref.variant_id), stocks=stocks)


def names(ref: ProductRef) -> dict[str, str]:
    return {
        "product": asking.gid("Product", ref.product_id),
        "variant": asking.gid("ProductVariant", ref.variant_id),
        "channel": ref.shop_channel,
    }


def queue(world: SaleorWorld, ref: ProductRef, count: int) -> list[str]:
    """Let so many customers wait, one after the other; their addresses."""
    emails = [f"person{number}@example.com" for number in range(count)]
    for place, email in enumerate(emails):
        client = asking.customer(world.make_customer(email=email))
        with clock.travel(to=START + place * timedelta(seconds=1)):
            assert asking.ask(client, REQUEST, **names(ref))["isAvailable"] is False
    return emails


def work(since: datetime, *, minutes: int = 3) -> None:
    """Let time pass in steps of a minute, the workers working."""
    for minute in range(minutes + 1):
        with clock.travel(to=since + minute * MINUTE):
            engine.run()


def told(smtp: MailSink) -> list[str]:
    """Return who got mail since the last time."""
    found = sorted(letter.recipients[0] for letter in smtp.letters)
    smtp.reset()
    return found


@pytest.mark.usefixtures("campaign")
def test_of_twenty_who_wait_twelve_are_told_of_four_units_and_the_next_of_what_is_left(
    world: SaleorWorld, mug: ProductRef, manager: ApiClient, smtp: MailSink
) -> None:
    emails = queue(world, mug, 20)
    viewer = asking.staff("view_crm", email="viewer@example.com")
    fill(manager, world, mug, 4)
    work(START + HOUR)
    letter = smtp.letters[0]
    first, lists = told(smtp), asking.ask(viewer, LISTS)
    with clock.travel(to=START + HOUR + 10 * MINUTE):  # a real checkout holds three of the four
        checkout.buy(asking.customer(User.objects.get(email=emails[0]).pk), mug, quantity=3)
    work(START + HOUR + 30 * MINUTE)
    between = [email for email in told(smtp) if email != emails[0]]
    work(START + 2 * HOUR)
    second = told(smtp)
    fill(manager, world, mug, 3)  # all of them are held by the order
    work(START + 3 * HOUR)
    line = asking.ask(viewer, LINE, variant=names(mug)["variant"])

    assert first == sorted(emails[:12])
    assert letter.subject == "Back in stock: Blue Mug"
    assert "You asked us to tell you" in letter.text
    assert "List-Unsubscribe" not in letter.message
    assert [edge["node"] for edge in lists["edges"]] == [
        {
            "product": {"name": "Blue Mug"},
            "people": 8,
            "isAvailable": True,
            "available": 4,
            "restock": {"wavesCount": 1, "toldCount": 12},
        }
    ]
    assert between == []
    assert second == sorted(emails[12:15])
    assert told(smtp) == []
    assert [edge["node"]["contact"]["email"] for edge in line["edges"]] == emails[15:]
    assert StockEpoch.objects.get().closed_at is not None


@pytest.mark.usefixtures("campaign")
def test_stock_that_the_channel_cannot_sell_tells_nobody(
    world: SaleorWorld, mug: ProductRef, manager: ApiClient, smtp: MailSink
) -> None:
    queue(world, mug, 2)
    far = Warehouse.objects.create(name="Far", slug="crm-far", address=Address.objects.create(country="US"))
    stocks = [{"warehouse": asking.gid("Warehouse", far.pk), "quantity": 50}]

    asking.ask(manager, STOCKS, variant=names(mug)["variant"], stocks=stocks)
    work(START + HOUR)
    of_another_channel = told(smtp)
    far.channels.add(world.channel)
    far.shipping_zones.add(*world.warehouse.shipping_zones.all())
    work(START + 2 * HOUR)

    assert of_another_channel == []
    assert len(told(smtp)) == 2


@pytest.mark.usefixtures("campaign")
def test_sold_out_before_the_mail_goes_is_not_mailed_and_costs_nobody_their_place(
    world: SaleorWorld, mug: ProductRef, manager: ApiClient, smtp: MailSink
) -> None:
    emails = queue(world, mug, 4)
    fill(manager, world, mug, 1)
    with clock.travel(to=START + HOUR):
        engine.drain()
        engine.run()
        waves = StockRequest.objects.filter(state="told").count()
    fill(manager, world, mug, 0)
    work(START + HOUR + 2 * MINUTE)
    nobody = told(smtp)
    fill(manager, world, mug, 1)
    work(START + 3 * HOUR)

    assert (waves, nobody) == (3, [])
    assert set(Message.objects.filter(reason="sold_out").values_list("state", flat=True)) == {"skipped"}
    assert told(smtp) == sorted(emails[:3])


def test_what_is_in_stock_is_not_waited_for_and_a_request_is_taken_back(
    world: SaleorWorld, mug: ProductRef, manager: ApiClient
) -> None:
    client = asking.customer(world.make_customer(email="ann@example.com"))
    asking.ask(client, REQUEST, **names(mug))
    waits = asking.ask(client, MINE)["stockRequests"]
    cancelled = asking.ask(client, CANCEL, variant=names(mug)["variant"])["isCancelled"]
    fill(manager, world, mug, 1)

    assert waits == [{"variantId": names(mug)["variant"], "channel": mug.shop_channel}]
    assert cancelled is True
    assert asking.ask(client, REQUEST, **names(mug))["isAvailable"] is True
    assert asking.ask(client, MINE)["stockRequests"] == []


@pytest.mark.usefixtures("campaign")
def test_a_guest_confirms_by_the_link_of_one_mail_and_is_told(
    world: SaleorWorld, mug: ProductRef, manager: ApiClient, smtp: MailSink
) -> None:
    body: dict[str, Any] = {"email": "gus@example.com", **names(mug)}
    with clock.travel(to=START):
        answer = Client().post(
            "/plugins/global/crm/stock/subscribe/",
            json.dumps(body),
            content_type="application/json",
            headers={"Origin": "https://shop.example", "User-Agent": CHROME},
        )
        engine.run()
        (letter,) = smtp.letters_to("gus@example.com")
        clicks = re.findall(r"https://api\.shop\.example(/plugins/global/crm/click/\S+)", letter.text)
        path = (
            Client().get(clicks[0], headers={"User-Agent": CHROME})["Location"].removeprefix("https://api.shop.example")
        )
        page, waits = Client().get(path), StockRequest.objects.get().state
        done = Client(enforce_csrf_checks=True).post(path)
    smtp.reset()
    fill(manager, world, mug, 1)
    work(START + HOUR)

    assert (answer.status_code, answer.json()) == (202, {"is_available": False})
    assert (page.status_code, waits, done.status_code) == (200, "unconfirmed", 200)
    assert told(smtp) == ["gus@example.com"]
