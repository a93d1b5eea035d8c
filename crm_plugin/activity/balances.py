"""Changes of balances become facts of the stream, so that campaigns start by them."""

from __future__ import annotations

from decimal import Decimal

from crm_plugin import contacts
from crm_plugin.activity.recording import record_many
from crm_plugin.shop import Fact, FactKind


def tell_balances(limit: int) -> int:
    """Record the next ``limit`` changes of attributes that keep their history; return how many.

    Must run in a transaction: what is recorded and what counts as told are one.
    """
    changes = contacts.untold_changes(limit)
    record_many(
        Fact(
            kind=FactKind.BALANCE_CHANGED,
            source_key=f"attribute_change:{one.change_id}",
            occurred_at=one.changed_at,
            contact_id=one.contact_id,
            subject=one.name,
            data={"before": _plain(one.before), "after": _plain(one.after)},
        )
        for one in changes
    )
    return len(changes)


def _plain(value: Decimal | None) -> int | float | None:
    if value is None:
        return None
    return int(value) if value == int(value) else float(value)
