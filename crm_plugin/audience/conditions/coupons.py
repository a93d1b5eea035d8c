"""Holding a coupon that can still be used."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from crm_plugin.audience.conditions.base import Answer, Ask, Condition, Those
from crm_plugin.audience.conditions.wording import Wording
from crm_plugin.audience.fields import is_storable
from crm_plugin.shop import FactKind

#: JSON paths read times without ever failing, whatever a shop wrote there: what is no time never expires.
_EXPIRES_AT = "jsonb_build_object('at', replace({row}.data ->> 'expires_at', 'Z', '+00:00'))"
_IS_BETWEEN = """(jsonb_path_exists_tz({at},
    '$.at.datetime() ? (@ > $since.datetime() && @ <= $until.datetime())',
    jsonb_build_object('since', {since}, 'until', {until}), true) IS TRUE)"""
_IS_OVER = """(jsonb_path_exists_tz({at}, '$.at.datetime() ? (@ <= $now.datetime())',
    jsonb_build_object('now', {now}), true) IS TRUE)"""


class HoldsCoupon(Condition):
    """Was issued a coupon that has neither been used by the same person, in an order that stands, nor expired."""

    type: Literal["coupon_held"]
    code_starts_with: Annotated[str, Field(max_length=200, strict=True), AfterValidator(is_storable)] = ""

    def answer(self, ask: Ask) -> Answer:
        """Return the question in SQL."""
        over = _IS_OVER.format(at=_EXPIRES_AT.format(row="i"), now=ask.param(ask.now.isoformat(), "text"))
        return Those(
            f"""SELECT i.contact_id {self._issued(ask)} AND NOT {over} AND NOT EXISTS (
                SELECT 1 FROM crm_plugin_activity u WHERE u.kind = 'coupon_used' AND u.subject <> ''
                    AND u.subject = i.subject AND u.contact_id = i.contact_id AND NOT EXISTS (
                        SELECT 1 FROM crm_plugin_activity x WHERE x.order_ref = u.order_ref AND x.order_ref <> ''
                            AND x.kind = 'cancelled'))"""  # noqa: S608
        )

    def _issued(self, ask: Ask) -> str:
        start = self.code_starts_with
        code = f" AND starts_with(lower(i.subject), lower({ask.param(start, 'text')}))" if start else ""
        issued = "FROM crm_plugin_activity i WHERE i.kind = 'coupon_issued' AND i.subject <> ''"
        return f"{issued}{code}{ask.narrowed('i.contact_id')}"

    def kinds(self) -> frozenset[FactKind]:
        """Return the kinds of activity that can change the answer."""
        return frozenset({FactKind.COUPON_ISSUED, FactKind.COUPON_USED, FactKind.CANCELLED})

    def edges(self, ask: Ask, since: datetime) -> list[str]:
        """Return the contacts with a coupon that expired since then."""
        first, last = sorted((since, ask.now))
        expired = _IS_BETWEEN.format(
            at=_EXPIRES_AT.format(row="i"),
            since=ask.param(first.isoformat(), "text"),
            until=ask.param(last.isoformat(), "text"),
        )
        return [f"SELECT i.contact_id {self._issued(ask)} AND {expired}"]

    def say(self, wording: Wording) -> str:
        """Return it as a phrase."""
        if not self.code_starts_with:
            return wording("holds a coupon that can be used", "사용 가능한 쿠폰 보유")
        code = self.code_starts_with
        return wording(f"holds a coupon {code}… that can be used", f"사용 가능한 쿠폰 {code}… 보유")
