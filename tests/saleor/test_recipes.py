"""Ready-made campaigns inside Saleor: registered accounts, real checkouts, real orders, mail over SMTP."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from graphene import Node
from saleor.discount.models import Voucher
from saleor.graphql.tests.fixtures import ApiClient
from saleor.order.models import Order

from crm_plugin import automations, clock, tasks
from crm_plugin.models import Campaign, Contact, Coupon, Enrollment
from crm_plugin.shop import ProductRef
from demo.services.mailsink import MailSink
from tests.saleor import asking, checkout, engine
from tests.saleor.test_orders import FULFILL
from tests.saleor.world import SaleorWorld
from tests.stories import open_shop

pytestmark = [pytest.mark.saleor, pytest.mark.django_db]

REFUND = """
mutation($id: ID!, $transaction: TransactionUpdateInput!) { transactionUpdate(id: $id, transaction: $transaction) {
  transaction { id } errors { field code message } } }
"""
DAY = timedelta(days=1)


@pytest.fixture
def mug(world: SaleorWorld) -> ProductRef:
    world.channel.allow_unpaid_orders = True
    world.channel.save()
    return world.make_product(prices=[Decimal(20)], stocks=[50], name="Blue Mug")[0]


@pytest.fixture
def runs(crm: Any) -> Callable[[str], Campaign]:
    """Return a function that publishes a recipe as it is; the merchant has filled in sender and consent text."""

    def run(name: str) -> Campaign:
        open_shop(consent_text="You agreed to this.", time_zone="UTC")
        return automations.publish(automations.create_from_recipe(name, name=name).pk)

    return run


def _at(moment: datetime) -> None:
    """Let the workers work at a moment."""
    with clock.travel(to=moment):
        engine.run()
        tasks.housekeep.delay()
        engine.run()


def _day_at(start: datetime, days: int, *, hour: int, minute: int = 0) -> datetime:
    """The time of day, so many days after ``start``."""
    return (start + days * DAY).replace(hour=hour, minute=minute, second=0, microsecond=0)


@pytest.mark.feature(3)
def test_the_welcome_series_greets_and_ends_with_the_first_order(
    runs: Callable[[str], Campaign], mug: ProductRef, world: SaleorWorld, smtp: MailSink
) -> None:
    runs("welcome_series")
    client = asking.register(world)
    start = datetime.now(UTC)

    engine.run()
    _at(start + timedelta(minutes=1))
    greeted = [letter.subject for letter in smtp.letters]
    for hour in (11, 12):
        _at(_day_at(start, 4, hour=hour))
    by_day_four = [letter.subject for letter in smtp.letters]
    checkout.buy(client, mug, email="ann@example.com")
    for days in (5, 8, 9):
        _at(_day_at(start, days, hour=11))

    assert len(greeted) == 1
    assert greeted[0].startswith("Welcome to")
    assert len(by_day_four) == 2
    assert len(smtp.letters) == 2
    assert Enrollment.objects.get().state == "converted"


@pytest.mark.feature(7)
def test_a_cart_left_alone_is_recalled_with_its_way_back_and_an_order_ends_it(
    runs: Callable[[str], Campaign], mug: ProductRef, world: SaleorWorld, smtp: MailSink
) -> None:
    runs("cart_reminder")
    client = asking.register(world)
    start = datetime.now(UTC).replace(microsecond=0)
    checkout.start(client, mug)
    engine.run()

    _at(start + timedelta(minutes=50))
    too_early = len(smtp.letters)
    _by_day(start, hours=(2, 14, 26))
    recalled = list(smtp.letters)
    checkout.buy(client, mug, email="ann@example.com")
    _by_day(start, hours=(27, 50, 74, 98, 122))

    assert too_early == 0
    assert recalled
    assert recalled[0].recipients == ("ann@example.com",)
    assert "Blue Mug" in recalled[0].text
    assert len(smtp.letters) == len(recalled)
    assert {run.state for run in Enrollment.objects.all()} == {"converted"}


def _by_day(start: datetime, *, hours: tuple[int, ...]) -> None:
    """Work so many hours after ``start``, also a little later: quiet hours of the night may hold a mail."""
    for hour in hours:
        _at(start + timedelta(hours=hour))


@pytest.mark.feature(73)
def test_a_cart_gets_a_code_for_what_lies_in_it_and_the_same_cart_is_ordered_with_it(
    runs: Callable[[str], Campaign], mug: ProductRef, world: SaleorWorld, smtp: MailSink
) -> None:
    bowl = world.make_product(prices=[Decimal(50)], stocks=[50], name="Bowl")[0]
    runs("cart_offer")
    client = asking.register(world)
    start = datetime.now(UTC).replace(microsecond=0)
    cart = checkout.deliver(client, mug, quantity=2)
    engine.run()

    _by_day(start, hours=(47,))
    too_early = len(smtp.letters)
    _by_day(start, hours=(49, 62))  # the second look is after the quiet hours, should the first be in them
    (letter,) = smtp.letters
    (code,) = set(re.findall(r"\bCART[A-Z0-9]{6,}", letter.text))
    Voucher.objects.update(start_date=start)  # two days have passed for the CRM, none for Saleor
    refused = checkout.refused(client, checkout.start(client, bowl), code)
    checkout.complete(client, cart, codes=[code])
    engine.drain()

    assert too_early == 0
    assert refused == "VOUCHER_NOT_APPLICABLE"
    order = Order.objects.get()
    assert order.voucher_code == code
    assert order.subtotal_gross_amount == 2 * 20 * Decimal("0.9")
    assert Coupon.objects.get(code=code).state == "used"


@pytest.mark.feature(15)
def test_a_review_is_asked_for_a_week_after_delivery_and_not_of_who_got_the_money_back(
    runs: Callable[[str], Campaign], mug: ProductRef, world: SaleorWorld, smtp: MailSink
) -> None:
    runs("review_request")
    manager = asking.staff("manage_orders")
    kept, undone = asking.register(world), asking.register(world, "bob@example.com")
    start = datetime.now(UTC)
    orders = [
        checkout.buy(client, mug, email=email)
        for client, email in ((kept, "ann@example.com"), (undone, "bob@example.com"))
    ]
    for key, row in zip(orders, Order.objects.order_by("number"), strict=True):
        stocks = [{"quantity": 1, "warehouse": asking.gid("Warehouse", world.warehouse.pk)}]
        lines = [{"orderLineId": asking.gid("OrderLine", row.lines.get().pk), "stocks": stocks}]
        asking.ask(manager, FULFILL, order=key, input={"lines": lines})
    engine.run()

    _at(_day_at(start, 3, hour=23, minute=59))  # delivered, three days after it was sent
    _refund(orders[1])
    for days in (10, 11):
        for hour in (9, 10, 11):
            _at(_day_at(start, days, hour=hour, minute=5))

    (letter,) = smtp.letters
    assert letter.recipients == ("ann@example.com",)
    assert "Blue Mug" in letter.subject


def _refund(order: str) -> None:
    """Give all the money back, as the payment provider's app reports it."""
    _kind, pk = Node.from_global_id(order)
    payment = Order.objects.get(pk=pk).payment_transactions.get()
    asking.ask(
        ApiClient(app=payment.app),
        REFUND,
        id=asking.gid("TransactionItem", payment.token),
        transaction={
            "amountCharged": {"currency": "USD", "amount": 0},
            "amountRefunded": {"currency": "USD", "amount": 20},
        },
    )


@pytest.mark.feature(19)
def test_who_has_not_ordered_for_three_months_is_asked_back_once(
    runs: Callable[[str], Campaign], mug: ProductRef, world: SaleorWorld, smtp: MailSink
) -> None:
    client = asking.register(world)
    checkout.buy(client, mug, email="ann@example.com")
    engine.run()
    runs("win_back")
    start = datetime.now(UTC)

    told = []
    for days in (89, 90, 91, 180, 181, 365, 366):
        for hour in (11, 12):
            _at(_day_at(start, days, hour=hour, minute=5))
        told.append((days, len(smtp.letters)))

    assert told == [(89, 0), (90, 1), (91, 1), (180, 2), (181, 2), (365, 3), (366, 3)]
    assert len({letter.subject for letter in smtp.letters}) == 3


LOOK = """
query($id: ID!, $campaign: ID!, $contact: ID!) {
  crmCampaign(id: $id) { state version inFlight statistics { completed active steps { stepId people } } }
  crmEnrollments(first: 5, campaign: $campaign) { edges { node { state stepId enteredAt contact { email } } } }
  crmCampaignPublishPreview(id: $id) { version warnings { code } problems { message } }
  crmCampaignDryRun(id: $id, days: 7) { people foreseen { stepId outcome } errors { message } }
  crmCampaignExplain(campaign: $campaign, contact: $contact) { lines { code sentence } errors { message } }
}
"""
PAUSE = "mutation($id: ID!) { crmCampaignPause(id: $id) { campaign { state version inFlight } errors { message } } }"
RESUME = "mutation($id: ID!) { crmCampaignResume(id: $id) { campaign { state version } errors { message } } }"


def test_staff_look_at_a_campaign_pause_it_and_let_it_go_on(
    runs: Callable[[str], Campaign], mug: ProductRef, world: SaleorWorld, smtp: MailSink
) -> None:
    campaign = runs("welcome_series")
    asking.register(world)
    start = datetime.now(UTC)
    engine.run()
    _at(start + timedelta(minutes=1))
    key = asking.gid("CrmCampaign", campaign.pk)
    contact = asking.gid("CrmContact", Contact.objects.get(email="ann@example.com").pk)

    seen = asking.post(asking.staff("view_crm"), LOOK, id=key, campaign=key, contact=contact)
    manager = asking.staff("manage_crm", email="boss@example.com")
    paused = asking.ask(manager, PAUSE, id=key)["campaign"]
    _at(_day_at(start, 4, hour=11))
    held = len(smtp.letters)
    resumed = asking.ask(manager, RESUME, id=key)["campaign"]
    _at(_day_at(start, 4, hour=12))
    _at(_day_at(start, 4, hour=13))

    assert "errors" not in seen, seen["errors"]
    assert seen["data"]["crmCampaign"]["statistics"]["active"] == 1
    (run,) = seen["data"]["crmEnrollments"]["edges"]
    assert run["node"]["contact"]["email"] == "ann@example.com"
    assert [one["stepId"] for one in seen["data"]["crmCampaignDryRun"]["foreseen"]] == ["how_to"]
    assert seen["data"]["crmCampaignExplain"]["lines"]
    assert (paused["state"], paused["inFlight"], resumed["state"]) == ("PAUSED", 1, "RUNNING")
    assert held == 1
    assert len(smtp.letters) == 2
