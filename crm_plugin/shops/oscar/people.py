"""Customers, who is calling, and what a customer likes: Oscar's users and wishlists."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from oscar.core.loading import get_model

from crm_plugin.errors import NotFound
from crm_plugin.shop import Actor, Customer, Like, Permission, ProductRef
from crm_plugin.shops.oscar import site
from crm_plugin.shops.oscar.catalogue import ids_of
from crm_plugin.shops.oscar.keys import primary_key, primary_keys

User: Any = get_user_model()
Product = get_model("catalogue", "Product")
UserAddress = get_model("address", "UserAddress")
WishList = get_model("wishlists", "WishList")
WishLine = get_model("wishlists", "Line")


def customers(customer_ids: Collection[str]) -> Mapping[str, Customer]:
    """Return the users by id. Oscar knows no language of theirs, and country and telephone by an address only."""
    rows = User.objects.filter(pk__in=primary_keys(User, customer_ids))
    addresses = _addresses([row.pk for row in rows])
    return {
        str(row.pk): Customer(
            customer_id=str(row.pk),
            email=row.email,
            first_name=row.first_name,
            last_name=row.last_name,
            joined_at=row.date_joined,
            is_active=row.is_active,
            country=addresses.get(row.pk, ("", ""))[0],
            phone=addresses.get(row.pk, ("", ""))[1],
        )
        for row in rows
    }


def _addresses(user_ids: Collection[Any]) -> dict[Any, tuple[str, str]]:
    """Return country and telephone number of each user's address book: the default address, else the newest."""
    rows = UserAddress.objects.filter(user_id__in=user_ids).order_by("is_default_for_shipping", "pk")
    return {
        user_id: (country, str(phone or ""))
        for user_id, country, phone in rows.values_list("user_id", "country_id", "phone_number")
    }


def actor(context: Any) -> Actor:
    """Return the signed-in user of a request; nobody for a visitor or a user who was switched off."""
    user = getattr(context, "user", None)
    if user is None or not user.is_authenticated or not user.is_active:
        return Actor()
    return Actor(
        customer_id=str(user.pk),
        email=user.email,
        is_staff=user.is_staff,
        permissions=frozenset(found for found in Permission if user.has_perm(f"crm_plugin.{found}")),
    )


def likes(customer_id: str) -> Sequence[Like]:
    """Return what is on the customer's wishlists, newest first.

    Oscar keeps no time for a line, only for the list that it is on.
    """
    lines = _lines_of(customer_id).select_related("product", "wishlist").order_by("-pk")
    return [Like(ref_of(line.product), line.wishlist.date_created) for line in lines]


def like(customer_id: str, ref: ProductRef) -> None:
    """Put the product on the customer's default list, unless it is on one of the lists; the line's signal tells it.

    Raises:
        NotFound: the customer or the product does not exist.
    """
    product = _product(ref)
    with transaction.atomic():
        # One like at a time for each customer: else two first likes would make two default lists.
        owner = User.objects.select_for_update().filter(pk=primary_key(User, customer_id)).first()
        if owner is None:
            raise NotFound(f"There is no customer {customer_id}.")
        if _lines_of(customer_id).filter(product=product).exists():
            return
        default = WishList.objects.filter(owner=owner).order_by("-date_created", "-pk").first()
        (default or WishList.objects.create(owner=owner)).add(product)


def unlike(customer_id: str, ref: ProductRef) -> None:
    """Take the product off all of the customer's lists; the lines' signals tell it."""
    key = primary_key(Product, ref.variant_id or ref.product_id)
    for line in _lines_of(customer_id).filter(product_id=key):
        line.delete()


def ref_of(product: Any) -> ProductRef:
    """Return how the engine names a product row."""
    product_id, variant_id = ids_of(product)
    return ProductRef(product_id, site.CHANNEL, variant_id)


def _lines_of(customer_id: str) -> Any:
    return WishLine.objects.filter(wishlist__owner_id=primary_key(User, customer_id), product__isnull=False)


def _product(ref: ProductRef) -> Any:
    product = Product.objects.filter(pk=primary_key(Product, ref.variant_id or ref.product_id)).first()
    if ref.shop_channel != site.CHANNEL or product is None or ref.product_id != ids_of(product)[0]:
        raise NotFound(f"There is no product {ref.product_id} in {ref.shop_channel}.")
    return product
