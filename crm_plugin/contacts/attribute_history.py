"""The history of attributes that keep one: what a balance was, what it became, when and by whom.

A change is written in the transaction that makes it, and told to the event stream afterwards (``untold_changes``): this
room may not call upward.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.db.models import QuerySet

from crm_plugin import clock, nudge
from crm_plugin.contacts.models import Attribute, AttributeChange


class ChangeSource(StrEnum):
    """Who changed a value."""

    API = "api"  #: GraphQL
    IMPORT = "import"  #: a file
    SHOP = "shop"  #: the shop itself: gift cards
    CAMPAIGN = "campaign"  #: a step of a campaign


@dataclass(frozen=True, slots=True)
class BalanceChange:
    """One change; None where there was, or is, no value."""

    change_id: int
    contact_id: int
    name: str
    before: Decimal | None
    after: Decimal | None
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Values:
    """The attributes of a contact before and after they were set."""

    contact_id: int
    before: Mapping[str, Any]
    after: Mapping[str, Any]


def keep_history(changed: Iterable[Values], names: Collection[str], *, source: ChangeSource) -> None:
    """Write down what became of those of the attributes ``names`` that keep their history.

    Must run in the transaction that changes the values.
    """
    kept = set(Attribute.objects.filter(name__in=names, keeps_history=True).values_list("name", flat=True))
    now = clock.now()
    rows = [
        AttributeChange(
            contact_id=one.contact_id,
            name=name,
            before=one.before.get(name),
            after=one.after.get(name),
            source=source,
            changed_at=now,
        )
        for one in changed
        for name in sorted(kept)
        if one.before.get(name) != one.after.get(name)
    ]
    if rows:
        AttributeChange.objects.bulk_create(rows, batch_size=1_000)
        nudge.after_commit("crm.pump")


def untold_changes(limit: int) -> list[BalanceChange]:
    """Claim the oldest changes that the event stream does not know yet, at most ``limit``; they count as told.

    Must run in the transaction that tells them.
    """
    rows = AttributeChange.objects.filter(is_told=False).order_by("pk").select_for_update(skip_locked=True)[:limit]
    found = [BalanceChange(one.pk, one.contact_id, one.name, one.before, one.after, one.changed_at) for one in rows]
    AttributeChange.objects.filter(pk__in=[one.change_id for one in found]).update(is_told=True)
    return found


def attribute_changes(contact_id: int, names: Sequence[str]) -> QuerySet[AttributeChange]:
    """Return the changes of some attributes of a contact."""
    return AttributeChange.objects.filter(contact_id=contact_id, name__in=names)
