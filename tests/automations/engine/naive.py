"""The engine's rules once more, one row at a time in plain Python: what its set-wise SQL is compared with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from crm_plugin.models import Activity, Consent, Enrollment

Json = Mapping[str, Any]

WHOLE_ORDER = ("ordered", "paid", "fulfilled", "delivered", "cancelled", "refunded")
#: What each exit condition waits for, after the run began.
_ENDS = {
    "ordered": ("ordered", "bought"),
    "checkout_started": ("checkout_started",),
    "visited": ("visited", "logged_in", "viewed"),
}
#: The same, of every product of the run, and whether it has to come after the run began.
_ENDS_BY_ITEM = {"bought_item": ("bought", True), "reviewed_item": ("reviewed", False)}


@dataclass(frozen=True)
class Past:
    """All that is known of a contact, in the order in which the database learned it."""

    deeds: Sequence[Activity]
    withdrawn_at: datetime | None

    def products_of(self, deed: Activity) -> list[str]:
        """Return the products that a deed is about; of an order as a whole, those that were bought in it."""
        if deed.kind in WHOLE_ORDER:
            lines = [one for one in self.deeds if one.kind == "bought" and one.order_ref == deed.order_ref != ""]
            return list(dict.fromkeys(line.product_id for line in sorted(lines, key=lambda line: line.pk)))
        return [deed.product_id] if deed.product_id else []

    def order_of(self, deed: Activity) -> Activity | None:
        """Return the placing of the order that a deed is about."""
        placed = [one for one in self.deeds if one.kind == "ordered" and one.order_ref == deed.order_ref != ""]
        return placed[0] if placed else None

    def is_of_first_order(self, deed: Activity) -> bool:
        """Whether none of the orders that stand was placed before the one that the deed is about."""
        undone = {one.order_ref for one in self.deeds if one.kind == "cancelled"}
        standing = [one for one in self.deeds if one.kind == "ordered" and one.order_ref not in undone]
        order = self.order_of(deed)
        return bool(
            order and standing and order.occurred_at <= min(one.occurred_at for one in standing) and deed.order_ref
        )

    def subject_of(self, deed: Activity) -> str:
        """Return what a run that the deed starts is about."""
        if deed.order_ref:
            return f"order:{deed.order_ref}"
        if products := self.products_of(deed):
            return f"product:{products[0]}"
        if deed.cart_ref:
            return f"cart:{deed.cart_ref}"
        return f"about:{deed.subject}" if deed.subject else ""


def past_of(contact_id: int, *, until: int | None = None) -> Past:
    """Return a contact's past.

    Args:
        until: the id of the last activity that counts.
    """
    deeds = Activity.objects.filter(contact_id=contact_id).order_by("pk")
    said_no = Consent.objects.filter(contact_id=contact_id, is_granted=False).values_list("changed_at", flat=True)
    return Past([deed for deed in deeds if until is None or deed.pk <= until], max(said_no, default=None))


def meets(trigger: Json, deed: Activity, past: Past, groups: Mapping[str, frozenset[str]] = {}) -> bool:
    """Whether a deed starts a campaign with this trigger, its audience and its age left aside."""
    return (
        deed.kind == trigger["activity"]
        and _is_about(trigger.get("what", {}), deed, past, groups)
        and _costs(trigger.get("amount"), deed, past)
        and (not trigger.get("is_first_order") or past.is_of_first_order(deed))
    )


def is_news(deed: Activity, *, since: datetime, now: datetime) -> bool:
    """Whether it happened since the campaign ran, and not so long ago that it is history."""
    return deed.occurred_at >= since and deed.occurred_at >= now - timedelta(hours=24)


def held(run: Enrollment, exit_when: Iterable[str], past: Past) -> list[str]:
    """Return which of the exit conditions hold for a run."""
    return [name for name in exit_when if _holds(name, run, past)]


def _holds(name: str, run: Enrollment, past: Past) -> bool:
    if name in _ENDS:
        return any(one.kind in _ENDS[name] and one.occurred_at > run.entered_at for one in past.deeds)
    if name in _ENDS_BY_ITEM:
        kind, is_since = _ENDS_BY_ITEM[name]
        done = {
            one.product_id
            for one in past.deeds
            if one.kind == kind and (not is_since or one.occurred_at > run.entered_at)
        }
        return bool(run.items) and all(item["product_id"] in done for item in run.items)
    if name == "order_undone":
        order_ref = run.context.get("order_ref", "")
        return bool(order_ref) and any(
            one.kind in ("cancelled", "refunded") and one.order_ref == order_ref for one in past.deeds
        )
    assert name == "unsubscribed"
    return past.withdrawn_at is not None and past.withdrawn_at > run.entered_at


def _is_about(what: Json, deed: Activity, past: Past, groups: Mapping[str, frozenset[str]]) -> bool:
    products = past.products_of(deed)
    wanted_products, wanted_groups = what.get("products", ()), what.get("groups", ())
    if wanted_products or wanted_groups:
        mine = {group for product in products for group in groups.get(product, ())}
        if deed.kind == "group_viewed":
            mine.add(deed.subject)
        if not (set(products) & set(wanted_products) or mine & set(wanted_groups)):
            return False
    if (channels := what.get("shop_channels")) and _channel_of(deed, past) not in channels:
        return False
    if (subject := what.get("subject")) is None:
        return True
    if subject["op"] == "contains":
        return subject["value"].lower() in deed.subject.lower()
    return deed.subject in (subject["value"], subject["value"].lower())


def _channel_of(deed: Activity, past: Past) -> str:
    order = past.order_of(deed) if deed.kind in WHOLE_ORDER else None
    return deed.shop_channel or (order.shop_channel if order else "")


def _costs(amount: Json | None, deed: Activity, past: Past) -> bool:
    if amount is None:
        return True
    order = past.order_of(deed) if deed.kind in WHOLE_ORDER else None
    source = order if deed.amount is None and order is not None else deed
    if source.amount is None or source.currency != amount["currency"]:
        return False
    wanted = Decimal(str(amount["value"]))
    return {
        "gte": source.amount >= wanted,
        "lte": source.amount <= wanted,
        "gt": source.amount > wanted,
        "lt": source.amount < wanted,
        "eq": source.amount == wanted,
    }[amount["op"]]
