"""What customers have left on gift cards, as an attribute like any other: ``gift_card_eur``.

The shop is asked again whenever it says that a customer changed; the merchant need not declare anything.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Final

from crm_plugin import shop
from crm_plugin.contacts.attribute_history import ChangeSource
from crm_plugin.contacts.attributes import declare_attribute, set_attributes_of
from crm_plugin.contacts.models import Attribute, AttributeKind, Contact

PREFIX: Final = "gift_card_"


def refresh_gift_cards(customer_ids: Collection[str]) -> None:
    """Read the customers' balances from the shop again; a card that is gone or empty leaves 0 behind."""
    if not customer_ids:
        return
    balances = shop.current().gift_card_balances(customer_ids)
    known = set(Attribute.objects.filter(name__startswith=PREFIX).values_list("name", flat=True))
    if not balances and not known:
        return
    _declare({_name(currency) for found in balances.values() for currency in found} - known)
    rows = Contact.objects.filter(customer_id__in=customer_ids, erased_at=None).values_list(
        "pk", "customer_id", "attributes"
    )
    values = {}
    for pk, customer_id, attributes in rows:
        before = {name: Decimal(0) for name in attributes if name in known}
        now = _named(balances.get(customer_id or "", {}))
        if before or now:
            values[pk] = before | now
    set_attributes_of(values, source=ChangeSource.SHOP)


def _named(balances: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {_name(currency): amount for currency, amount in balances.items()}


def _name(currency: str) -> str:
    return f"{PREFIX}{currency.lower()}"


def _declare(names: Collection[str]) -> None:
    for name in sorted(names):
        label = f"Gift card ({name.removeprefix(PREFIX).upper()})"
        declare_attribute(name, AttributeKind.NUMBER, label, is_shown_to_customer=True, keeps_history=True)
