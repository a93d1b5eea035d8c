"""What a rule means, in plain Python over plain rows: one contact at a time, straight from the JSON.

Slow, and written without a look at the compiler: what it says is compared with what PostgreSQL answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

Json = Mapping[str, Any]


@dataclass
class Act:
    """One activity."""

    kind: str
    at: datetime
    product: str = ""
    channel: str = "default"
    order: str = ""
    amount: Decimal | None = None
    currency: str = ""
    subject: str = ""
    expires_at: datetime | None = None


@dataclass
class Someone:
    """One contact with everything that rows say about it."""

    email: str | None = None
    customer_id: str | None = None
    is_erased: bool = False
    values: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    acts: list[Act] = field(default_factory=list)
    spends: dict[str, tuple[Decimal, int]] = field(default_factory=dict)
    consent: bool | None = None
    is_suppressed: bool = False
    inflow: dict[str, str] | None = None
    score: dict[str, Any] | None = None
    lists: frozenset[int] = frozenset()
    pk: int = 0


@dataclass
class World:
    """A small shop's memory. ``kinds`` are those of the declared attributes, ``live`` the rules of live segments,
    ``lists`` the static ones."""

    people: list[Someone]
    groups: Mapping[str, frozenset[str]]
    kinds: Mapping[str, str]
    live: Mapping[int, Json]
    lists: Sequence[int]
    zone: ZoneInfo

    def who(self, rule: Json, *, now: datetime) -> set[int]:
        """Return the contacts who are in."""
        one = _Moment(self, now)
        return {someone.pk for someone in self.people if _is_known(someone) and one.is_in(rule, someone)}


def _is_known(someone: Someone) -> bool:
    return not someone.is_erased and (someone.email is not None or someone.customer_id is not None)


class _Moment:
    def __init__(self, world: World, now: datetime) -> None:
        self.world, self.now, self.zone = world, now, world.zone

    def is_in(self, rule: Json, someone: Someone) -> bool:
        return self.holds(rule["include"], someone) and not any(
            self.holds(one, someone) for one in rule.get("exclude", ())
        )

    def holds(self, condition: Json, someone: Someone) -> bool:
        answer: Callable[[Json, Someone], bool] = getattr(self, f"_{condition['type']}")
        return answer(condition, someone)

    # Logic

    def _all(self, condition: Json, someone: Someone) -> bool:
        return all(self.holds(one, someone) for one in condition["of"])

    def _any(self, condition: Json, someone: Someone) -> bool:
        return any(self.holds(one, someone) for one in condition["of"])

    def _not(self, condition: Json, someone: Someone) -> bool:
        return not self.holds(condition["of"], someone)

    def _everybody(self, _condition: Json, _someone: Someone) -> bool:
        return True

    # Time

    def day(self, moment: datetime) -> date:
        return moment.astimezone(self.zone).date()

    def in_window(self, window: Json | None, at: datetime) -> bool:
        if window is None:
            return True
        today = self.day(self.now)
        match window["type"]:
            case "last_days":
                return today - timedelta(days=window["days"]) <= self.day(at) < today
            case "between":
                return date.fromisoformat(window["from"]) <= self.day(at) <= date.fromisoformat(window["to"])
            case "within":
                return self.now - length(window) <= at <= self.now
            case "before":
                return at < self.now - length(window)
            case _:
                return self._exactly_ago(window, at)

    def _exactly_ago(self, window: Json, at: datetime) -> bool:
        if window["unit"] == "days":
            return self.day(at) == self.day(self.now) - timedelta(days=window["amount"])
        then = (self.now - length(window)).astimezone(self.zone)
        shape = "%Y-%m-%d %H %z" if window["unit"] == "hours" else "%Y-%m-%d %H:%M %z"
        return at.astimezone(self.zone).strftime(shape) == then.strftime(shape)

    # What the contact is

    def _attribute(self, condition: Json, someone: Someone) -> bool:
        name, op, wanted = condition["name"], condition["op"], condition.get("value")
        kind = self.world.kinds.get(name)
        own = someone.attributes.get(name) if kind else self._built_in(name, someone)
        opposite = {"is_not": "is", "not_in": "in", "ne": "eq", "has_none": "has_any", "is_not_set": "is_set"}.get(op)
        if opposite:
            return not self._compares(own, opposite, wanted)
        return self._compares(own, op, wanted)

    def _built_in(self, name: str, someone: Someone) -> Any:
        if name in ("email", "customer_id"):
            return getattr(someone, name)
        return someone.values.get(name) or (0 if name == "orders_count" else None)

    def _compares(self, own: Any, op: str, wanted: Any) -> bool:  # noqa: C901 - a table of comparisons
        if own is None:
            return False
        match op:
            case "is_set":
                return True
            case "is":
                return own == wanted if isinstance(own, bool) else own.lower() == wanted.lower()
            case "in":
                return own.lower() in [word.lower() for word in wanted]
            case "contains":
                return wanted.lower() in own.lower()
            case "starts_with":
                return own.lower().startswith(wanted.lower())
            case "has_any":
                return bool(set(own) & set(wanted))
            case "has_all":
                return set(own) >= set(wanted)
            case "in_window":
                return self.in_window(wanted, own if isinstance(own, datetime) else self._midnight(own))
            case "anniversary":
                return self._has_its_day(own, wanted["in_days"])
            case "on" | "before" | "after":
                return compare(self._as_day(own), {"on": "eq", "before": "lt", "after": "gt"}[op], _day(wanted))
            case "between" if isinstance(own, str | datetime):
                return _day(wanted[0]) <= self._as_day(own) <= _day(wanted[1])
            case _:
                return compare(Decimal(str(own)), op, wanted)

    def _as_day(self, own: str | datetime) -> date:
        return self.day(own) if isinstance(own, datetime) else _day(own)

    def _midnight(self, day: str) -> datetime:
        return datetime.combine(_day(day), datetime.min.time(), tzinfo=self.zone).astimezone(UTC)

    def _has_its_day(self, own: str | datetime, in_days: int) -> bool:
        day, wanted = self._as_day(own), self.day(self.now) + timedelta(days=in_days)
        try:
            celebrated = day.replace(year=wanted.year)
        except ValueError:
            celebrated = date(wanted.year, 2, 28)
        return celebrated == wanted

    def _consent(self, condition: Json, someone: Someone) -> bool:
        return {"granted": True, "withdrawn": False, "unasked": None}[condition["is"]] is someone.consent

    def _reachable(self, _condition: Json, someone: Someone) -> bool:
        return someone.email is not None and someone.consent is True and not someone.is_suppressed

    def _segment(self, condition: Json, someone: Someone) -> bool:
        pk = condition["segment"]
        is_in = self.is_in(self.world.live[pk], someone) if pk in self.world.live else pk in someone.lists
        return is_in == condition.get("is_member", True)

    def _inflow(self, condition: Json, someone: Someone) -> bool:
        if someone.inflow is None:
            return False
        touches = ("first", "last") if condition["touch"] == "any" else (condition["touch"],)
        owns = [someone.inflow.get(f"{touch}_{condition['field']}", "").lower() for touch in touches]
        wanted = condition["value"]
        match condition["op"]:
            case "is":
                return wanted.lower() in owns
            case "in":
                return any(word.lower() in owns for word in wanted)
            case _:
                return any(wanted.lower() in own for own in owns)

    def _browser(self, condition: Json, someone: Someone) -> bool:
        own = (someone.inflow or {}).get("browser")
        return own is not None and own.lower() in [word.lower() for word in condition["in"]]

    def _rfm(self, condition: Json, someone: Someone) -> bool:
        score = someone.score or {}
        parts = {name: condition.get(name) for name in ("recency", "frequency", "monetary")}
        parts["label"] = condition.get("labels")
        return bool(score) and all(score.get(name) in wanted for name, wanted in parts.items() if wanted)

    def _stage(self, condition: Json, someone: Someone) -> bool:
        return (someone.score or {}).get("stage") in condition["in"]

    # What the contact did

    def _spent(self, condition: Json, someone: Someone) -> bool:
        amount, orders = someone.spends.get(condition["currency"], (Decimal(0), 0))
        if "window" in condition:
            amount, orders = self._ordered(condition, someone)
        measure = condition.get("measure", "amount")
        if measure == "average":
            return bool(orders) and compare(amount / orders, condition["op"], condition["value"])
        return compare(amount if measure == "amount" else Decimal(orders), condition["op"], condition["value"])

    @property
    def _cancelled(self) -> set[str]:
        return {act.order for one in self.world.people for act in one.acts if act.kind == "cancelled" and act.order}

    def _ordered(self, condition: Json, someone: Someone) -> tuple[Decimal, int]:
        cancelled = self._cancelled
        orders = [
            act.amount or Decimal(0)
            for act in someone.acts
            if act.kind == "ordered"
            and act.currency == condition["currency"]
            and act.order not in cancelled
            and self.in_window(condition["window"], act.at)
        ]
        return sum(orders, Decimal(0)), len(orders)

    def _deeds(self, deed: Json, someone: Someone, window: Json | None = None) -> list[Act]:
        return [
            act
            for act in someone.acts
            if act.kind == deed["activity"]
            and not (act.kind in {"bought", "ordered"} and act.order in self._cancelled)
            and self._is_about(act, deed.get("what", {}))
            and self.in_window(window, act.at)
        ]

    def _is_about(self, act: Act, what: Json) -> bool:
        products, groups = what.get("products", ()), what.get("groups", ())
        if products or groups:
            found = {act.subject} if act.kind == "group_viewed" else self.world.groups.get(act.product, frozenset())
            is_of_group = bool(found & set(groups))
            is_named = bool(act.product) and act.product in products
            if act.kind == "group_viewed" and groups:
                is_named = False
            if not (is_of_group or is_named):
                return False
        if subject := what.get("subject"):
            own, wanted = act.subject, subject["value"]
            is_it = own in (wanted, wanted.lower()) if subject["op"] == "is" else wanted.lower() in own.lower()
            if not own or not is_it:
                return False
        return not what.get("shop_channels") or act.channel in what["shop_channels"]

    def _did(self, condition: Json, someone: Someone) -> bool:
        deeds = self._deeds(condition, someone, condition.get("window"))
        if price := condition.get("amount"):
            deeds = [
                act
                for act in deeds
                if act.amount is not None
                and act.currency == price["currency"]
                and compare(act.amount, price["op"], price["value"])
            ]
        times = condition.get("times", {})
        count = times.get("count", 1)
        match times.get("op", "at_least"):
            case "at_least":
                return len(deeds) >= count
            case "at_most":
                return len(deeds) <= count
            case _:
                return len(deeds) == count

    def _sequence(self, condition: Json, someone: Someone) -> bool:
        return any(
            self._is_followed(condition, first, someone)
            for first in self._deeds(condition["first"], someone, condition.get("window"))
        )

    def _is_followed(self, condition: Json, first: Act, someone: Someone) -> bool:
        is_same = condition.get("same_product", False)
        if is_same and not first.product:
            return False
        until = first.at + length(condition["within"]) if "within" in condition else None
        after = [
            act
            for act in self._deeds(condition["then"], someone)
            if act.at > first.at
            and (until is None or act.at <= until)
            and (not is_same or act.product == first.product)
        ]
        if condition["happened"]:
            return bool(after)
        return not after and (until is None or until < self.now)

    def _co_purchase(self, condition: Json, someone: Someone) -> bool:
        orders = [
            {act.order for act in self._deeds({"activity": "bought"}, someone) if act.product == product}
            for product in (condition["product"], condition["other"])
        ]
        if condition.get("in_one_order"):
            return bool((orders[0] & orders[1]) - {""})
        return all(orders)

    def _interest(self, condition: Json, someone: Someone) -> bool:
        weights = {"viewed": 1, "liked": 2, "carted": 2, "checkout_started": 3, **condition.get("weights", {})}
        search = condition.get("search", {})
        groups = {*condition.get("tags", ()), *search.get("groups", ())}
        window = condition.get("window", {"type": "last_days", "days": 30})
        score = sum(
            weights.get(act.kind, 0)
            for act in someone.acts
            if act.product
            and (act.product in search.get("products", ()) or self.world.groups.get(act.product, frozenset()) & groups)
            and self.in_window(window, act.at)
        )
        return score >= condition.get("min_score", 2)

    def _coupon_held(self, condition: Json, someone: Someone) -> bool:
        used = {act.subject for act in someone.acts if act.kind == "coupon_used" and act.order not in self._cancelled}
        start = condition.get("code_starts_with", "").lower()
        return any(
            act.kind == "coupon_issued"
            and act.subject
            and act.subject.lower().startswith(start)
            and act.subject not in used
            and (act.expires_at is None or act.expires_at > self.now)
            for act in someone.acts
        )

    def _engagement(self, condition: Json, someone: Someone) -> bool:
        did = self._deeds({"activity": f"message_{condition['did']}"}, someone, condition.get("window"))
        return bool(did) == condition.get("happened", True)


def compare(own: Any, op: str, wanted: Any) -> bool:
    """Compare two numbers or days."""
    values = [_number(one) for one in wanted] if isinstance(wanted, Sequence) and not isinstance(wanted, str) else None
    if values is not None:
        return bool(values[0] <= own <= values[1])
    value = _number(wanted)
    return bool(
        {"gt": own > value, "gte": own >= value, "lt": own < value, "lte": own <= value, "eq": own == value}[op]
    )


def _number(value: Any) -> Any:
    return value if isinstance(value, date) else Decimal(str(value))


def length(value: Json) -> timedelta:
    """Return an amount of a unit."""
    return timedelta(**{value["unit"]: value["amount"]})


def _day(value: str) -> date:
    return date.fromisoformat(value)
