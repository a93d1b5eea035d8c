"""The World: how the contract suite puts rows into a shop, whichever it is.

Every adapter's tests have a fixture ``world`` that returns one. It writes the shop's own rows, as plainly as the shop
allows (its ORM, its factories); whether hooks fire meanwhile does not matter to the suite.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol, TypeAlias

from crm_plugin.shop import Permission, ProductRef, Shop

#: What is in a cart or an order: variants and how many of each.
Lines: TypeAlias = Sequence[tuple[ProductRef, int]]


class World(Protocol):
    """Builds rows in one shop; everything is in the shop's default channel and its currency."""

    shop: Shop
    #: Whether the shop has reviews of its own; the contract of reviews is skipped where it has none.
    keeps_reviews: bool

    def make_customer(self, *, email: str, first_name: str = "", last_name: str = "") -> str:
        """Make an account; return its customer id."""

    def delete_customer(self, customer_id: str) -> None:
        """Delete the account."""

    def make_product(self, *, prices: Sequence[Decimal], stocks: Sequence[int], name: str) -> Sequence[ProductRef]:
        """Make one published product with a variant for each price; return the refs of the variants."""

    def set_price(self, ref: ProductRef, price: Decimal) -> None:
        """Change the price of the variant."""

    def set_stock(self, ref: ProductRef, available: int) -> None:
        """Change how many units of the variant can be sold."""

    def unpublish(self, ref: ProductRef) -> None:
        """Hide the whole product from shoppers."""

    def delete_product(self, ref: ProductRef) -> None:
        """Delete the whole product."""

    def unsettle(self, ref: ProductRef) -> bool:
        """Make the variant's price one that the shop is still computing; False when the shop knows no such state."""

    def make_category(self, name: str, *, parent: str = "") -> str:
        """Make a category below the one whose key is ``parent``; return its key."""

    def make_collection(self, name: str) -> str:
        """Make a collection; return its key, or ``""`` when the shop has none."""

    def put_in(self, ref: ProductRef, *keys: str) -> None:
        """Put the whole product into these groups, at most one category among them, and into no other."""

    def make_voucher(
        self,
        code: str,
        *refs: ProductRef,
        group: str = "",
        starts_at: datetime | None = None,
        is_personal: bool = False,
    ) -> str:
        """Make a voucher for the products of these refs or for a group, else for everything; return its ref.

        It begins now unless told otherwise, and does not end soon. A personal one can be used by one person only.
        """

    def delete_voucher(self, voucher_ref: str) -> None:
        """Delete the voucher."""

    def make_cart(self, lines: Lines, *, customer_id: str = "", email: str = "") -> str:
        """Fill a new cart; return its ref. A shop may be unable to know a guest's e-mail here."""

    def place_order(self, lines: Lines, *, customer_id: str = "", email: str = "", cart_ref: str = "") -> str:
        """Place an order, out of the cart when there is one; return its ref."""

    def place_order_with(self, lines: Lines, coupon_code: str, *, email: str) -> str:
        """Let a guest put the lines in a cart, type in the code (if any) and check out, as the shop really does it.

        Return the order's ref, or ``""`` when the shop refuses the code: then nothing is ordered. Every order is
        shipped the same way, and shipping costs something if the shop can charge for it without more ado.
        """

    def delete_coupon(self, code: str) -> None:
        """Delete the code as staff would."""

    def delete_series(self, series_ref: str) -> None:
        """Delete what ``open_coupon_series`` made, and its codes, as staff would."""

    def make_review(self, ref: ProductRef, *, rating: int, customer_id: str, title: str = "", body: str = "") -> str:
        """Let a customer write a review in the shop itself, which waits for moderation; return its ref.

        Never called when ``keeps_reviews`` is False.
        """

    def delete_review(self, review_ref: str) -> None:
        """Delete the review as staff would."""

    def make_draft_order(self, lines: Lines, *, customer_id: str) -> str:
        """Make an order that is not placed yet; return its ref, or ``""`` when the shop knows no such state."""

    def cancel_order(self, order_ref: str) -> None:
        """Cancel the order."""

    def context(
        self, *, customer_id: str = "", is_staff: bool = False, permissions: Collection[Permission] = ()
    ) -> Any:
        """Return what the shop's GraphQL would hand to a resolver for this caller; nobody when all is left out.

        With ``is_staff`` the account, made when ``customer_id`` is empty, is staff and has the permissions.
        """
