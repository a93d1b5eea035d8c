"""How tests of a contact's values are said."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter, ValidationError

from crm_plugin.audience.conditions.wording import Wording
from crm_plugin.audience.conditions.wording_activities import window_phrase
from crm_plugin.audience.windows import Window

_WINDOW: TypeAdapter[Any] = TypeAdapter(Window)
_FIELDS = {
    "email": ("e-mail", "이메일"),
    "first_name": ("first name", "이름"),
    "last_name": ("last name", "성"),
    "language": ("language", "언어"),
    "country": ("country", "국가"),
    "time_zone": ("time zone", "시간대"),
    "customer_id": ("customer id", "회원 번호"),
    "joined_at": ("sign-up", "가입일"),
    "created_at": ("first seen", "최초 등록일"),
    "last_seen_at": ("last seen", "최근 활동일"),
    "first_order_at": ("first order", "첫 주문일"),
    "last_order_at": ("last order", "최근 주문일"),
    "orders_count": ("orders", "주문 수"),
}
_OPS = {
    "is": ("{name} is {value}", "{name}: {value}"),
    "is_not": ("{name} is not {value}", "{name}: {value} 아님"),
    "in": ("{name} is {value}", "{name}: {value}"),
    "not_in": ("{name} is not {value}", "{name}: {value} 아님"),
    "contains": ("{name} contains {value}", "{name}: {value} 포함"),
    "starts_with": ("{name} starts with {value}", "{name}: {value}(으)로 시작"),
    "is_set": ("{name} is set", "{name}: 값 있음"),
    "is_not_set": ("{name} is not set", "{name}: 값 없음"),
    "eq": ("{name} is {value}", "{name}: {value}"),
    "ne": ("{name} is not {value}", "{name}: {value} 아님"),
    "gt": ("{name} is more than {value}", "{name}: {value} 초과"),
    "gte": ("{name} is at least {value}", "{name}: {value} 이상"),
    "lt": ("{name} is less than {value}", "{name}: {value} 미만"),
    "lte": ("{name} is at most {value}", "{name}: {value} 이하"),
    "between": ("{name} is between {low} and {high}", "{name}: {low}~{high}"),
    "on": ("{name} is on {value}", "{name}: {value}"),
    "before": ("{name} is before {value}", "{name}: {value} 이전"),
    "after": ("{name} is after {value}", "{name}: {value} 이후"),
    "has_any": ("{name} has {value}", "{name}: {value} 있음"),
    "has_all": ("{name} has all of {value}", "{name}: {value} 모두 있음"),
    "has_none": ("{name} has none of {value}", "{name}: {value} 없음"),
}


def value_phrase(wording: Wording, name: str, op: str, value: Any) -> str:
    """Return ``orders is at least 3``; a comparison that nobody knows is said as it was written."""
    named = wording(*_FIELDS[name]) if name in _FIELDS else wording.name(f"attribute:{name}")
    if op == "in_window":
        return f"{named}: {_window(wording, value)}"
    if op == "anniversary":
        days = value.get("in_days", 0) if isinstance(value, dict) else 0
        return wording(f"{named} has its day in {days} days", f"{named}: {days}일 후 기념일")
    low, high = value if isinstance(value, list | tuple) and len(value) == 2 else ("", "")
    said = wording(*_OPS.get(op, ("{name} " + _plain(op) + " {value}",) * 2))
    return said.format(name=named, value=_said(wording, value), low=low, high=high)


def _plain(op: str) -> str:
    return op.replace("{", "(").replace("}", ")")


def _said(wording: Wording, value: Any) -> str:
    if isinstance(value, bool):
        return wording("yes" if value else "no", "예" if value else "아니요")
    return wording.either(value) if isinstance(value, list | tuple) else str(value)


def _window(wording: Wording, value: Any) -> str:
    try:
        return window_phrase(wording, _WINDOW.validate_python(value))
    except ValidationError:
        return str(value)
