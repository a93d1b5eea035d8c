"""Named lists that the CRM keeps for a shop without a wishlist of its own.

What is on them is in ``likes``. Whoever changes a customer's lists waits for who is at it already: what is on none of
the lists any more, and how many there are, can then be told by reading.
"""

from __future__ import annotations

from secrets import token_urlsafe
from typing import Final

from django.db import connection

from crm_plugin import clock
from crm_plugin.activity.models import OwnLike, OwnWishlist
from crm_plugin.errors import InvalidInput, NotFound
from crm_plugin.shop import ProductRef, Wishlist

#: The default one is one of them.
MAX_LISTS: Final = 50
MAX_NAME: Final = 80
_KEY_BYTES: Final = 16
_GREATEST_KEY: Final = 2**63 - 1
_TAKE_TURNS: Final = "SELECT pg_advisory_xact_lock(1129467228, hashtext(%s))"


def own_wishlists(customer_id: str) -> list[Wishlist]:
    """Return the customer's lists, the default one first, the others as they were made."""
    rows = list(OwnWishlist.objects.filter(customer_id=customer_id).order_by("-is_default", "created_at", "id"))
    found = [_shown(row) for row in rows]
    return found if rows and rows[0].is_default else [_untouched(customer_id), *found]


def public_own_wishlist(key: str) -> Wishlist | None:
    """Return the list of that key if its owner made it public."""
    row = OwnWishlist.objects.filter(key=key, is_public=True).first()
    return None if row is None else _shown(row)


def make_own_wishlist(customer_id: str, *, name: str) -> Wishlist:
    """Make another list. Must run in a transaction.

    Raises:
        InvalidInput: there are as many as there may be (``LIMIT``).
    """
    take_turns(customer_id)
    if OwnWishlist.objects.filter(customer_id=customer_id, is_default=False).count() >= MAX_LISTS - 1:
        raise InvalidInput(f"At most {MAX_LISTS} lists.", field="name", code="LIMIT")
    made = OwnWishlist.objects.create(customer_id=customer_id, name=name, key=_new_key(), created_at=clock.now())
    return _shown(made)


def change_own_wishlist(
    customer_id: str, list_ref: str, *, name: str | None = None, is_public: bool | None = None
) -> Wishlist:
    """Change what is given. Must run in a transaction.

    Raises:
        NotFound: when it is none of the customer's lists.
    """
    take_turns(customer_id)
    row = row_of(customer_id, list_ref) or OwnWishlist(
        customer_id=customer_id, is_default=True, key=_new_key(), created_at=clock.now()
    )
    row.name = row.name if name is None else name
    row.is_public = row.is_public if is_public is None else is_public
    row.save()
    return _shown(row)


def drop_own_wishlist(customer_id: str, list_ref: str) -> list[ProductRef]:
    """Delete a list, or empty the default one. Must run in a transaction.

    Returns:
        What was on it and is on none of the customer's lists any more, one for each product and channel.

    Raises:
        NotFound: when it is none of the customer's lists.
    """
    take_turns(customer_id)
    row = row_of(customer_id, list_ref)
    likes = OwnLike.objects.filter(customer_id=customer_id)
    on_it = likes.filter(wishlist=row) if list_ref else likes.filter(wishlist__isnull=True)
    gone = {(one.product_id, one.shop_channel): one for one in on_it.order_by("id")}
    on_it.delete()
    if row is not None and not row.is_default:
        row.delete()
    left = set(likes.values_list("product_id", "shop_channel"))
    return [ProductRef(*key, one.variant_id) for key, one in gone.items() if key not in left]


def take_turns(owner: str) -> None:
    """Wait for whoever is changing what this customer or visitor keeps; held until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_TURNS, [owner])


def row_of(customer_id: str, list_ref: str) -> OwnWishlist | None:
    """Return the row of a list; None for a default list that nobody changed.

    Raises:
        NotFound: when it is none of the customer's lists.
    """
    mine = OwnWishlist.objects.filter(customer_id=customer_id)
    if not list_ref:
        return mine.filter(is_default=True).first()
    is_key = list_ref.isascii() and list_ref.isdecimal() and int(list_ref) <= _GREATEST_KEY
    row = mine.filter(pk=int(list_ref), is_default=False).first() if is_key else None
    if row is None:
        raise NotFound("This is none of the customer's lists.")
    return row


def _shown(row: OwnWishlist) -> Wishlist:
    return Wishlist(
        list_ref="" if row.is_default else str(row.pk),
        customer_id=row.customer_id,
        name=row.name,
        key=row.key,
        is_public=row.is_public,
        created_at=row.created_at,
    )


def _untouched(customer_id: str) -> Wishlist:
    return Wishlist(list_ref="", customer_id=customer_id, name="", key="")


def _new_key() -> str:
    return token_urlsafe(_KEY_BYTES)
