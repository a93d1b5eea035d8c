"""Wishlists: Oscar's own. The default list is the oldest one, onto which Oscar's own button puts things too.

Oscar keeps a time for a list and none for what is on it: a like is as old as its list.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Count, Q
from django.db.models.functions import Coalesce
from django.utils.translation import gettext
from oscar.core.loading import get_model

from crm_plugin.errors import InvalidInput, NotFound
from crm_plugin.shop import Like, ProductRef, Wishlist
from crm_plugin.shops.oscar import site
from crm_plugin.shops.oscar.catalogue import ids_of
from crm_plugin.shops.oscar.keys import primary_key, primary_keys

User: Any = get_user_model()
Product = get_model("catalogue", "Product")
WishList = get_model("wishlists", "WishList")
WishLine = get_model("wishlists", "Line")

#: What may be made over the API; as many as the CRM keeps in a shop without lists. Oscar's own pages know no limit.
MAX_LISTS: Final = 50
MAX_LIKES: Final = 1_000


def wishlists(customer_id: str) -> Sequence[Wishlist]:
    """Return the customer's lists, the oldest first; the default one without a key while there is none."""
    rows = list(_lists_of(customer_id))
    if not rows:
        return [Wishlist(list_ref="", customer_id=customer_id, name=gettext("Default"), key="")]
    return [_wishlist(row, is_default=row is rows[0]) for row in rows]


def public_wishlist(key: str) -> Wishlist | None:
    """Return the list of that key if it is public and its owner still a customer."""
    row = WishList.objects.filter(key=key, visibility=WishList.PUBLIC, owner__is_active=True).first()
    return None if row is None else _wishlist(row, is_default=_is_default(row))


def make_wishlist(customer_id: str, *, name: str) -> Wishlist:
    """Make another list, and the default one before it, if need be.

    Raises:
        NotFound: there is no such customer.
        InvalidInput: there are as many as there may be (``LIMIT``).
    """
    with transaction.atomic():
        owner = _locked(customer_id)
        _default(owner)
        if _lists_of(customer_id).count() >= MAX_LISTS:
            raise InvalidInput(f"At most {MAX_LISTS} lists.", field="name", code="LIMIT")
        return _wishlist(WishList.objects.create(owner=owner, name=name), is_default=False)


def change_wishlist(
    customer_id: str, list_ref: str, *, name: str | None = None, is_public: bool | None = None
) -> Wishlist:
    """Change what is given. One that its owner shares with some people only stays so unless it becomes public.

    Raises:
        NotFound: it is none of the customer's lists.
    """
    with transaction.atomic():
        row = _list(_locked(customer_id), list_ref)
        if name is not None:
            row.name = name
        if is_public is not None and is_public != (row.visibility == WishList.PUBLIC):
            row.visibility = WishList.PUBLIC if is_public else WishList.PRIVATE
        row.save()
        return _wishlist(row, is_default=_is_default(row))


def drop_wishlist(customer_id: str, list_ref: str) -> None:
    """Delete a list, or empty the default one; the lines' signals tell what is on none any more.

    Raises:
        NotFound: it is none of the customer's lists.
    """
    with transaction.atomic():
        row = _list(_locked(customer_id), list_ref)
        row.lines.all().delete()
        if not _is_default(row):
            row.delete()


def likes(customer_id: str, *, list_ref: str | None = None) -> Sequence[Like]:
    """Return what is on the customer's lists, newest first."""
    lines = _lines_of(customer_id).select_related("product", "wishlist").order_by("-pk")
    default = _lists_of(customer_id).first()
    found = [
        Like(ref_of(line.product), line.wishlist.date_created, _ref(line.wishlist, is_default=line.wishlist == default))
        for line in lines
    ]
    return [like for like in found if list_ref in (None, like.list_ref)]


def liked(customer_id: str, product_ids: Collection[str], *, shop_channel: str) -> frozenset[str]:
    """Return which of the products, or children of them, are on any list of the customer."""
    if shop_channel != site.CHANNEL:
        return frozenset()
    found = _of(product_ids, _lines_of(customer_id)).values_list("liked", flat=True)
    return frozenset(map(str, found))


def like_counts(product_ids: Collection[str], *, shop_channel: str) -> Mapping[str, int]:
    """Return how many customers keep each product, or a child of it, on a list."""
    if shop_channel != site.CHANNEL:
        return {}
    counted = _of(product_ids, WishLine.objects).values("liked").annotate(count=Count("wishlist__owner", distinct=True))
    return {str(pk): count for pk, count in counted.values_list("liked", "count")}


def like(customer_id: str, ref: ProductRef, *, list_ref: str = "") -> None:
    """Put the product on a list, unless it is there; the line's signal tells it.

    Raises:
        NotFound: the customer or the product does not exist, or it is none of the customer's lists.
        InvalidInput: the list is full (``LIMIT``).
    """
    product = _product(ref)
    with transaction.atomic():
        row = _list(_locked(customer_id), list_ref)
        if row.lines.filter(product=product).exists():
            return
        if row.lines.count() >= MAX_LIKES:
            raise InvalidInput(f"At most {MAX_LIKES} products on a list.", field="product_id", code="LIMIT")
        row.add(product)


def unlike(customer_id: str, ref: ProductRef, *, list_ref: str | None = None) -> None:
    """Take the product off one list, or (None) off all; the last line's signal tells it.

    Raises:
        NotFound: it is none of the customer's lists.
    """
    with transaction.atomic():
        lines = _lines_of(customer_id).filter(product_id=primary_key(Product, ref.variant_id or ref.product_id))
        if list_ref is not None:
            lines = lines.filter(wishlist=_list(_locked(customer_id), list_ref))
        for line in lines.order_by("pk"):  # one after the other: the signal looks for those that are left
            line.delete()


def is_kept(line: Any) -> bool:
    """Whether what was on a deleted line, or another child of the same product, is on a list of its owner's still."""
    product_id, _variant_id = ids_of(line.product)
    return bool(_of([product_id], _lines_of(str(line.wishlist.owner_id))).exists())


def ref_of(product: Any) -> ProductRef:
    """Return how the engine names a product row."""
    product_id, variant_id = ids_of(product)
    return ProductRef(product_id, site.CHANNEL, variant_id)


def _of(product_ids: Collection[str], lines: Any) -> Any:
    """Return the lines about the products, with the key of the product itself as ``liked``."""
    keys = primary_keys(Product, product_ids)
    of_them = lines.filter(Q(product__in=keys) | Q(product__parent__in=keys)).order_by()
    return of_them.annotate(liked=Coalesce("product__parent", "product"))


def _lists_of(customer_id: str) -> Any:
    return WishList.objects.filter(owner_id=primary_key(User, customer_id)).order_by("date_created", "pk")


def _lines_of(customer_id: str) -> Any:
    return WishLine.objects.filter(wishlist__owner_id=primary_key(User, customer_id), product__isnull=False)


def _locked(customer_id: str) -> Any:
    """Return the customer, locked: else two first likes at once would make two default lists."""
    owner = User.objects.select_for_update().filter(pk=primary_key(User, customer_id)).first()
    if owner is None:
        raise NotFound(f"There is no customer {customer_id}.")
    return owner


def _default(owner: Any) -> Any:
    return _lists_of(str(owner.pk)).first() or WishList.objects.create(owner=owner)


def _list(owner: Any, list_ref: str) -> Any:
    if not list_ref:
        return _default(owner)
    row = WishList.objects.filter(owner=owner, pk=primary_key(WishList, list_ref)).first()
    if row is None:
        raise NotFound("This is none of the customer's lists.")
    return row


def _is_default(row: Any) -> bool:
    return bool(_lists_of(str(row.owner_id)).first() == row)


def _ref(row: Any, *, is_default: bool) -> str:
    return "" if is_default else str(row.pk)


def _wishlist(row: Any, *, is_default: bool) -> Wishlist:
    return Wishlist(
        list_ref=_ref(row, is_default=is_default),
        customer_id=str(row.owner_id),
        name=row.name,
        key=row.key,
        is_public=row.visibility == WishList.PUBLIC,
        created_at=row.date_created,
    )


def _product(ref: ProductRef) -> Any:
    product = Product.objects.filter(pk=primary_key(Product, ref.variant_id or ref.product_id)).first()
    if ref.shop_channel != site.CHANNEL or product is None or ref.product_id != ids_of(product)[0]:
        raise NotFound(f"There is no product {ref.product_id} in {ref.shop_channel}.")
    return product
