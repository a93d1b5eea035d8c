"""What customers have left on Saleor's gift cards, as an attribute that follows what they buy with them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from saleor.giftcard.models import GiftCard, GiftCardEvent

from crm_plugin import clock, pipeline
from crm_plugin.models import Activity, Contact, Failure
from crm_plugin.shop import FactKind, Position, ProductRef
from tests.saleor import asking, checkout, engine
from tests.saleor.world import SaleorWorld

pytestmark = [pytest.mark.saleor, pytest.mark.django_db]

CREATE = """
mutation($input: GiftCardCreateInput!) { giftCardCreate(input: $input) {
  giftCard { id code } errors { field code message } } }
"""
ASSIGN = """
mutation($id: ID!, $user: ID!) { giftCardAssignUser(id: $id, userId: $user) { errors { field code message } } }
"""
OFF = "mutation($id: ID!) { giftCardDeactivate(id: $id) { errors { field code message } } }"
LONG_AGO = Position(datetime(1970, 1, 1, tzinfo=UTC))
has_assignees = pytest.mark.skipif(not hasattr(GiftCard, "assigned_to"), reason="new in Saleor 3.23")


@pytest.fixture
def mug(world: SaleorWorld) -> ProductRef:
    world.channel.allow_legacy_gift_card_use = True
    world.channel.save()
    return world.make_product(prices=[Decimal(80)], stocks=[50], name="Blue Mug")[0]


@pytest.fixture
def ann(world: SaleorWorld) -> str:
    return world.make_customer(email="ann@example.com")


@pytest.fixture
def manager() -> Any:
    return asking.staff("manage_gift_card", "manage_users")


def new_card(manager: Any, amount: int) -> Any:
    """Let staff make a card; return it."""
    balance = {"currency": "USD", "amount": amount}
    return asking.ask(manager, CREATE, input={"balance": balance, "isActive": True})["giftCard"]


def card(code: str, *, amount: int, **more: Any) -> GiftCard:
    money = {"initial_balance_amount": Decimal(amount), "current_balance_amount": Decimal(amount)}
    return GiftCard.objects.create(code=code, **{"currency": "USD", **money, **more})


def follow() -> None:
    """Let Saleor's beat come round."""
    pipeline.reconcile()
    engine.drain()


def balance() -> Any:
    """Return what Ann's contact says is left on her cards."""
    contact = Contact.objects.filter(email="ann@example.com").first()
    return contact and contact.attributes.get("gift_card_usd")


def test_a_card_that_a_customer_buys_with_is_theirs_and_follows_each_purchase(
    mug: ProductRef, ann: str, manager: Any
) -> None:
    follow()
    code = new_card(manager, 200)["code"]
    follow()
    unused = balance()

    left = []
    for _ in range(3):
        checkout.buy(asking.customer(ann), mug, email="ann@example.com", codes=[code])
        follow()
        left.append(balance())

    assert unused is None
    assert left == [120, 40, 0]
    told = Activity.objects.filter(kind=FactKind.BALANCE_CHANGED).order_by("id").values_list("subject", "data")
    assert [(name, data["after"]) for name, data in told] == [("gift_card_usd", amount) for amount in left]
    assert not Failure.objects.exists()


@has_assignees
def test_a_card_that_staff_give_a_customer_is_theirs_at_once_and_no_longer_when_another_gets_it(
    world: SaleorWorld, ann: str, manager: Any
) -> None:
    follow()
    made = new_card(manager, 50)
    asking.ask(manager, ASSIGN, id=made["id"], user=asking.gid("User", ann))
    engine.drain()
    given = balance()

    other = world.make_customer(email="other@example.com")
    asking.ask(manager, ASSIGN, id=made["id"], user=asking.gid("User", other))
    follow()

    assert (given, balance()) == (50, 0)
    assert Contact.objects.get(email="other@example.com").attributes["gift_card_usd"] == 50


def test_a_card_that_staff_switch_off_is_worth_nothing_at_once(
    mug: ProductRef, world: SaleorWorld, ann: str, manager: Any
) -> None:
    follow()
    made = new_card(manager, 200)
    checkout.buy(asking.customer(ann), mug, email="ann@example.com", codes=[made["code"]])
    follow()
    before = balance()

    asking.ask(manager, OFF, id=made["id"])
    engine.drain()

    assert (before, balance()) == (120, 0)
    assert world.shop.gift_card_balances([ann]) == {}


def test_only_valid_cards_count_in_each_currency(world: SaleorWorld, ann: str) -> None:
    today, mine = clock.now().date(), {"used_by_id": int(ann)}
    card("GIFT-0001", amount=30, **mine)
    card("GIFT-0002", amount=12, expiry_date=today, **mine)
    card("GIFT-0003", amount=7, currency="EUR", **mine)
    card("GIFT-0004", amount=1, expiry_date=today - timedelta(days=1), **mine)
    card("GIFT-0005", amount=1, is_active=False, **mine)
    card("GIFT-0006", amount=1, created_by_id=int(ann))
    card("GIFT-0007", amount=1, used_by_id=int(world.make_customer(email="other@example.com")))

    assert world.shop.gift_card_balances([ann, "999999999", "x", ""]) == {ann: {"USD": 42, "EUR": 7}}


@has_assignees
def test_a_card_restricted_to_another_is_not_whose_who_used_it(world: SaleorWorld, ann: str) -> None:
    other = world.make_customer(email="other@example.com")
    card("GIFT-0001", amount=5, used_by_id=int(ann), assigned_to_id=int(other), assigned_to_email="other@example.com")
    card("GIFT-0002", amount=5, used_by_id=int(ann), assigned_to_email="gone@example.com")

    assert world.shop.gift_card_balances([ann, other]) == {other: {"USD": 5}}


def test_the_stream_begins_at_the_time_asked_for_and_goes_on_by_key(world: SaleorWorld, ann: str) -> None:
    owned = card("GIFT-0001", amount=30, used_by_id=int(ann))
    now = clock.now()
    for days in (3, 2, 1, 0):
        event = GiftCardEvent.objects.create(gift_card=owned, type="updated" if days != 2 else "note_added")
        GiftCardEvent.objects.filter(pk=event.pk).update(date=now - timedelta(days=days))

    recent = world.shop.changed_since("gift_cards", Position(now - timedelta(hours=36)), limit=9)
    first = world.shop.changed_since("gift_cards", LONG_AGO, limit=2)
    rest = world.shop.changed_since("gift_cards", first.position, limit=9)
    after = world.shop.changed_since("gift_cards", rest.position, limit=9)

    assert [len(page.facts) for page in (recent, first, rest, after)] == [1, 1, 1, 0]
    assert (first.is_last, rest.is_last, after.position) == (False, True, rest.position)
    assert [(fact.kind, fact.customer_id) for fact in rest.facts] == [(FactKind.CUSTOMER_CHANGED, ann)]


def test_the_stream_walks_the_primary_key(world: SaleorWorld, ann: str) -> None:
    owned = card("GIFT-0001", amount=30, used_by_id=int(ann))
    GiftCardEvent.objects.bulk_create(
        GiftCardEvent(gift_card=owned, type="updated", date=clock.now() - timedelta(days=1)) for _ in range(2_000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE giftcard_giftcardevent")

    with CaptureQueriesContext(connection) as seen:
        world.shop.changed_since("gift_cards", Position(clock.now() - timedelta(hours=1)), limit=9)

    plans = []
    for query in seen.captured_queries:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {query['sql']}")
            plans.append("\n".join(row for (row,) in cursor.fetchall()))
    assert len(plans) <= 4
    assert not any("Seq Scan on giftcard_giftcardevent" in plan for plan in plans)
