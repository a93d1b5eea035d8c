"""The browser that a storefront writes into a cart's metadata, and what becomes of its nameless history."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from saleor.checkout.models import Checkout, CheckoutMetadata
from saleor.order.models import Order

from crm_plugin import activity
from crm_plugin.models import Activity, Contact, Inbox, Visitor
from crm_plugin.shop import Fact, FactKind, Position, ProductRef
from crm_plugin.shops.saleor import facts
from tests.saleor import asking, checkout, engine
from tests.saleor.world import SaleorWorld
from tests.shop_contract.asking import FIRST

pytestmark = [pytest.mark.saleor, pytest.mark.django_db]

VISITOR = "v-0123456789_abcdefghi"
METADATA = [{"key": "crm_visitor", "value": VISITOR}]
EMAIL = """
mutation($id: ID!, $email: String!) { checkoutEmailUpdate(id: $id, email: $email) { errors { field code message } } }
"""
WRITE = """
mutation($id: ID!, $input: [MetadataInput!]!) { updateMetadata(id: $id, input: $input) {
  errors { field code message } } }
"""


@pytest.fixture
def mug(world: SaleorWorld) -> ProductRef:
    return world.make_product(prices=[Decimal(20)], stocks=[50], name="Blue Mug")[0]


def look_around(mug: ProductRef) -> None:
    """What the storefront's script tells of a nameless visitor."""
    activity.record(
        Fact(
            kind=FactKind.VIEWED,
            source_key="view:1",
            visitor_id=VISITOR,
            product_id=mug.product_id,
            shop_channel=mug.shop_channel,
        )
    )


def kinds_of(**who: str) -> set[str]:
    return set(
        Activity.objects.filter(**{f"contact__{name}": value for name, value in who.items()}).values_list("kind")
    )


def told(kind: FactKind) -> Inbox:
    return Inbox.objects.filter(kind=kind).order_by("pk")[0]


def test_the_cart_of_a_nameless_visitor_is_part_of_their_history(mug: ProductRef) -> None:
    look_around(mug)

    checkout.start(asking.anybody(), mug, metadata=METADATA)

    assert told(FactKind.CART_CHANGED).visitor_id == VISITOR
    engine.drain()
    contact = Contact.objects.get()
    assert (contact.customer_id, contact.email) == (None, None)
    assert set(Activity.objects.filter(contact=contact).values_list("kind", flat=True)) == {"viewed", "carted"}


def test_a_guest_who_leaves_an_address_takes_the_history_of_the_browser_over(mug: ProductRef) -> None:
    look_around(mug)
    made = checkout.start(asking.anybody(), mug, metadata=METADATA)
    engine.drain()

    asking.ask(asking.anybody(), EMAIL, id=made["id"], email="gus@example.com")
    engine.drain()

    assert Contact.objects.get().email == "gus@example.com"
    assert Visitor.objects.get(pk=VISITOR).contact.email == "gus@example.com"
    assert ("viewed",) in kinds_of(email="gus@example.com")


def test_a_browser_that_is_written_into_the_cart_later_is_noticed(mug: ProductRef) -> None:
    look_around(mug)
    made = checkout.start(asking.anybody(), mug, email="gus@example.com")
    engine.drain()

    asking.ask(asking.anybody(), WRITE, id=made["id"], input=METADATA)
    engine.drain()

    assert Contact.objects.get().email == "gus@example.com"
    assert ("viewed",) in kinds_of(email="gus@example.com")


def test_an_order_carries_the_browser_told_or_found_later(mug: ProductRef, crm: Any, world: SaleorWorld) -> None:
    ann = world.make_customer(email="ann@example.com")
    look_around(mug)
    client = asking.customer(ann)
    made = checkout.start(
        client, mug, metadata=METADATA, shippingAddress=checkout.ADDRESS, billingAddress=checkout.ADDRESS
    )
    asking.ask(client, checkout.DELIVERY, id=made["id"], method=made["shippingMethods"][0]["id"])
    checkout.pay(made["id"], amount=20)
    asking.ask(client, checkout.COMPLETE, id=made["id"])

    assert Order.objects.get().metadata["crm_visitor"] == VISITOR
    assert told(FactKind.ORDERED).visitor_id == VISITOR
    assert told(FactKind.PAID).visitor_id == ""
    found = crm.changed_since("orders", Position(FIRST.at), limit=10).facts
    assert {fact.visitor_id for fact in found if fact.kind is FactKind.ORDERED} == {VISITOR}
    engine.drain()
    assert {("viewed",), ("ordered",)} <= kinds_of(customer_id=ann)
    assert not Contact.objects.filter(customer_id=None).exists()


@pytest.mark.parametrize("value", ["", "short", "x" * 65, "has a space in it, ok"])
def test_an_id_that_our_script_did_not_make_is_none(mug: ProductRef, value: str) -> None:
    checkout.start(asking.anybody(), mug, metadata=[{"key": "crm_visitor", "value": value}])

    assert told(FactKind.CART_CHANGED).visitor_id == ""


def test_a_hook_asks_nothing_for_the_browser_and_the_drain_asks_with_the_cart(
    mug: ProductRef, crm: Any, world: SaleorWorld, django_assert_num_queries: Any
) -> None:
    refs = [world.make_cart([(mug, 1)]) for _ in range(5)]
    for ref in refs:
        CheckoutMetadata.objects.create(checkout_id=ref, metadata={"crm_visitor": VISITOR})
    crm.carts(refs)  # reads the plugin's configuration
    row = Checkout.objects.get(pk=refs[0])

    with django_assert_num_queries(0):
        assert facts.of_cart(row)[0].visitor_id == ""
    with django_assert_num_queries(3):
        carts = crm.carts(refs)

    assert {cart.visitor_id for cart in carts.values()} == {VISITOR}


def test_a_cart_without_metadata_is_a_cart(mug: ProductRef, crm: Any, world: SaleorWorld) -> None:
    ref = world.make_cart([(mug, 1)])

    assert crm.carts([ref])[ref].visitor_id == ""
