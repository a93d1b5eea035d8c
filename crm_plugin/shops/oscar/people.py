"""Customers, and who is calling: Oscar's users."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.contrib.auth import get_user_model
from oscar.core.loading import get_model

from crm_plugin.shop import Actor, Customer, Permission
from crm_plugin.shops.oscar.keys import primary_keys

User: Any = get_user_model()
UserAddress = get_model("address", "UserAddress")


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
