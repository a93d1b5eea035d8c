"""Buying in the storefront, by GraphQL: cart, address, delivery, order."""

from __future__ import annotations

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
PAY = """
mutation($id: ID!, $transaction: TransactionCreateInput!) { transactionCreate(id: $id, transaction: $transaction) {
  transaction { id } errors { field code message } } }
"""
COMPLETE = """
mutation($id: ID!) { checkoutComplete(id: $id) { order { id } errors { field code message } } }
"""


def start(client: ApiClient, ref: ProductRef, *, email: str | None = None, quantity: int = 1, **more: Any) -> Any:
    """Put a product into a new cart; return the checkout."""
    lines = [{"variantId": asking.gid("ProductVariant", ref.variant_id), "quantity": quantity}]
    who = {"email": email} if email else {}
    answer = asking.ask(client, CREATE, input={"channel": ref.shop_channel, "lines": lines, **who, **more})
    return answer["checkout"]


def buy(
    client: ApiClient, ref: ProductRef, *, email: str | None = None, quantity: int = 1, is_paid: bool = True
) -> str:
    """Buy a product; return the global id of the order. Saleor leaves an unpaid one unconfirmed."""
    checkout = start(client, ref, email=email, quantity=quantity, shippingAddress=ADDRESS, billingAddress=ADDRESS)
    asking.ask(client, DELIVERY, id=checkout["id"], method=checkout["shippingMethods"][0]["id"])
    if is_paid:
        pay(checkout["id"], amount=20 * quantity)
    found: str = asking.ask(client, COMPLETE, id=checkout["id"])["order"]["id"]
    return found


def pay(key: str, *, amount: int) -> None:
    """Report a payment for a checkout or an order, as a payment provider's app does."""
    charged = {"amountCharged": {"currency": "USD", "amount": amount}}
    asking.ask(asking.app("handle_payments"), PAY, id=key, transaction=charged)
