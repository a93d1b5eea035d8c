"""Buying in the storefront, by GraphQL: cart, address, delivery, order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from saleor.graphql.tests.fixtures import ApiClient

from crm_plugin.shop import ProductRef
from tests.saleor import asking

ADDRESS = {
    "firstName": "Gus",
    "lastName": "Guest",
    "streetAddress1": "1 Main St",
    "city": "SPRINGFIELD",
    "postalCode": "62701",
    "country": "US",
    "countryArea": "IL",
}
CREATE = """
mutation($input: CheckoutCreateInput!) { checkoutCreate(input: $input) {
  checkout { id token shippingMethods { id } } errors { field code message } } }
"""
ADD = """
mutation($id: ID!, $lines: [CheckoutLineInput!]!) { checkoutLinesAdd(id: $id, lines: $lines) {
  checkout { id } errors { field code message } } }
"""
DELIVERY = """
mutation($id: ID!, $method: ID!) { checkoutDeliveryMethodUpdate(id: $id, deliveryMethodId: $method) {
  checkout { id } errors { field code message } } }
"""
ADD_CODE = """
mutation($id: ID!, $code: String!) { checkoutAddPromoCode(id: $id, promoCode: $code) {
  checkout { id } errors { field code message } } }
"""
TOTAL = "query($id: ID!) { checkout(id: $id) { totalPrice { gross { amount } } } }"
PAY = """
mutation($id: ID!, $transaction: TransactionCreateInput!) { transactionCreate(id: $id, transaction: $transaction) {
  transaction { id } errors { field code message } } }
"""
COMPLETE = """
mutation($id: ID!) { checkoutComplete(id: $id) { order { id } errors { field code message } } }
"""


def start(client: ApiClient, *refs: ProductRef, email: str | None = None, quantity: int = 1, **more: Any) -> Any:
    """Put products into a new cart; return the checkout."""
    lines = [{"variantId": asking.gid("ProductVariant", ref.variant_id), "quantity": quantity} for ref in refs]
    who = {"email": email} if email else {}
    answer = asking.ask(client, CREATE, input={"channel": refs[0].shop_channel, "lines": lines, **who, **more})
    return answer["checkout"]


def deliver(client: ApiClient, *refs: ProductRef, email: str | None = None, quantity: int = 1) -> Any:
    """Put products into a new cart and say where to and how they are sent; return the checkout."""
    checkout = start(client, *refs, email=email, quantity=quantity, shippingAddress=ADDRESS, billingAddress=ADDRESS)
    asking.ask(client, DELIVERY, id=checkout["id"], method=checkout["shippingMethods"][0]["id"])
    return checkout


def buy(
    client: ApiClient,
    *refs: ProductRef,
    email: str | None = None,
    quantity: int = 1,
    is_paid: bool = True,
    codes: Sequence[str] = (),
) -> str:
    """Buy products; return the global id of the order. Saleor leaves an unpaid one unconfirmed."""
    return complete(client, deliver(client, *refs, email=email, quantity=quantity), is_paid=is_paid, codes=codes)


def complete(client: ApiClient, checkout: Any, *, is_paid: bool = True, codes: Sequence[str] = ()) -> str:
    """Order what is in a cart that has its delivery; return the global id of the order."""
    for code in codes:
        asking.ask(client, ADD_CODE, id=checkout["id"], code=code)
    if is_paid:
        pay(checkout["id"], amount=total(client, checkout["id"]))
    found: str = asking.ask(client, COMPLETE, id=checkout["id"])["order"]["id"]
    return found


def refused(client: ApiClient, checkout: Any, code: str) -> str:
    """Return why Saleor refuses a code in a cart; empty when it takes it."""
    answer = asking.post(client, ADD_CODE, id=checkout["id"], code=code)
    assert "errors" not in answer, answer
    return next((error["code"] for error in answer["data"]["checkoutAddPromoCode"]["errors"]), "")


def total(client: ApiClient, key: str) -> float:
    """Return what a checkout costs."""
    found: float = asking.ask(client, TOTAL, id=key)["totalPrice"]["gross"]["amount"]
    return found


def pay(key: str, *, amount: float) -> None:
    """Report a payment for a checkout or an order, as a payment provider's app does."""
    charged = {"amountCharged": {"currency": "USD", "amount": amount}}
    asking.ask(asking.app("handle_payments"), PAY, id=key, transaction=charged)
