"""Customers, and who calls."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from saleor.account.models import User
from saleor.permission.enums import BasePermissionEnum

from crm_plugin.shop import Actor, Customer, Permission
from crm_plugin.shops.saleor.permissions import CRMPermissions

#: The CRM keeps at most this much of a language code; Saleor's longest names a dialect behind the country.
LANGUAGE_LENGTH: Final = 12
#: Saleor's keys are PostgreSQL integers.
LARGEST_PK: Final = 2**31 - 1
_GRANTS: Final[Mapping[Permission, BasePermissionEnum]] = {
    Permission.VIEW: CRMPermissions.VIEW_CRM,
    Permission.MANAGE: CRMPermissions.MANAGE_CRM,
}


def as_id(pk: Any) -> str:
    """Return a primary key as the port has it; empty for none."""
    return "" if pk is None else str(pk)


def as_pks(ids: Collection[str]) -> list[int]:
    """Return the ids that can be integer primary keys."""
    numbers = (int(value) for value in ids if value.isascii() and value.isdigit())
    return [number for number in numbers if number <= LARGEST_PK]


def language(code: str | None) -> str:
    """Return Saleor's language code at a length that the CRM keeps."""
    code = code or ""
    return code if len(code) <= LANGUAGE_LENGTH else "-".join(code.split("-")[:2])[:LANGUAGE_LENGTH]


def customers(customer_ids: Collection[str]) -> dict[str, Customer]:
    """Return the customers by id."""
    rows = User.objects.filter(pk__in=as_pks(customer_ids)).values_list(
        "pk",
        "email",
        "first_name",
        "last_name",
        "language_code",
        "default_shipping_address__country",
        "default_billing_address__country",
        "date_joined",
        "is_active",
        "default_shipping_address__phone",
        "default_billing_address__phone",
    )
    return {str(row[0]): _customer(*row) for row in rows}


def _customer(
    pk: int,
    email: str,
    first_name: str,
    last_name: str,
    language_code: str,
    shipping_country: Any,
    billing_country: Any,
    joined_at: Any,
    is_active: bool,  # noqa: FBT001 - a column
    shipping_phone: Any,
    billing_phone: Any,
) -> Customer:
    return Customer(
        customer_id=str(pk),
        email=email,
        first_name=first_name,
        last_name=last_name,
        language=language(language_code),
        country=str(shipping_country or billing_country or ""),
        joined_at=joined_at,
        is_active=is_active,
        phone=str(shipping_phone or billing_phone or ""),
    )


def actor(context: Any) -> Actor:
    """Return who calls: an app with its token, a person with theirs, or nobody.

    A token that an app got for a member of staff (the dashboard's) holds only what both may do: Saleor has cut its
    permissions down already.
    """
    app = getattr(context, "app", None)
    if app:
        held = (own for own, theirs in _GRANTS.items() if app.has_perm(theirs))
        return Actor(app_id=str(app.pk), permissions=frozenset(held))
    user = getattr(context, "user", None)
    if not user:  # the lazy user of an anonymous request is false, not None
        return Actor()
    return Actor(
        customer_id=str(user.pk),
        email=user.email,
        is_staff=user.is_staff,
        permissions=_of_staff(user) if user.is_staff and user.is_active else frozenset(),
    )


def _of_staff(user: Any) -> frozenset[Permission]:
    """Return what the token lets a member of staff do.

    Not by ``has_perm``: it takes a superuser whose token was cut down to nothing for one whose token was not cut.
    """
    wanted = [permission.codename for permission in _GRANTS.values()]
    held = set(user.effective_permissions.filter(codename__in=wanted).values_list("codename", flat=True))
    return frozenset(own for own, theirs in _GRANTS.items() if theirs.codename in held)
