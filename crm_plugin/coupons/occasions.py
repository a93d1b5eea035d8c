"""Occasions: who is to get a code and why, what they got, and the rows in which that stands."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from django.db import connection

from crm_plugin import clock
from crm_plugin.coupons.models import CouponState
from crm_plugin.ids import array
from crm_plugin.shop import Fact, FactKind

#: What an occasion begins with that staff made up.
STAFF: Final = "staff:"

_EXISTING: Final = """
SELECT c.id, c.contact_id, c.occasion, c.code, c.series_id, c.name, c.state, c.expires_on, c.expires_at
FROM unnest(%s::bigint[], %s::text[]) AS r(contact_id, occasion)
CROSS JOIN LATERAL (SELECT * FROM crm_plugin_coupon k
    WHERE k.contact_id = r.contact_id AND k.occasion = r.occasion AND k.occasion <> '' LIMIT 1) AS c
"""

_RECODE: Final = """
UPDATE crm_plugin_coupon c SET code = r.code FROM unnest(%s::bigint[], %s::text[]) AS r(id, code) WHERE c.id = r.id
"""
_TAKE_BACK: Final = "DELETE FROM crm_plugin_coupon WHERE id = ANY(%s::bigint[])"


@dataclass(frozen=True, slots=True)
class Request:
    """Who is to get a code, and why.

    Attributes:
        key: the caller's own name of the request.
        occasion: one occasion, one code: ``campaign:5/coupon``, ``run:81/coupon``. At most 80 characters.
        product_ids: the code is good for these only, the first twenty; empty: for what the template says.
    """

    key: str
    contact_id: int
    occasion: str
    product_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Issued:
    """A code of one person's own.

    Attributes:
        name: what the merchant calls the offer.
        expires_on: the last day on which it is good, by the shop's clocks; None: it does not expire.
        expires_at: the moment from which it is no longer good.
    """

    coupon_id: int
    code: str
    name: str
    expires_on: date | None = None
    expires_at: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as ``Enrollment.context`` keeps it."""
        return {
            "id": self.coupon_id,
            "code": self.code,
            "expires_on": self.expires_on.isoformat() if self.expires_on else None,
            "name": self.name,
        }


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why somebody gets no code.

    Attributes:
        reason: ``used``, ``expired``, ``void``: they had one for the occasion; ``pool_empty``, ``archived``: there is
            none to give; ``series_refused``: the shop cannot offer it.
    """

    reason: str


class Row(NamedTuple):
    """A coupon of somebody's."""

    pk: int
    contact_id: int
    occasion: str
    code: str
    series_id: int | None
    name: str
    state: str
    expires_on: date | None
    expires_at: datetime | None

    @property
    def pair(self) -> Pair:
        """Whose it is, and why."""
        return (self.contact_id, self.occasion)

    @property
    def issued(self) -> Issued:
        """As others see it."""
        return Issued(self.pk, self.code, self.name, self.expires_on, self.expires_at)


Pair = tuple[int, str]
Answers = dict[Pair, Issued | Refusal]


def recode(rows: Sequence[Row]) -> None:
    """Write down the codes that the rows have now."""
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(_RECODE, [array(row.pk for row in rows), [row.code for row in rows]])


def take_back(rows: Sequence[Row]) -> None:
    """Delete rows whose codes could not be had."""
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(_TAKE_BACK, [array(row.pk for row in rows)])


def existing(pairs: Collection[Pair]) -> dict[Pair, Row]:
    """Return what people had for these occasions."""
    with connection.cursor() as cursor:
        cursor.execute(_EXISTING, [[one for one, _occasion in pairs], [occasion for _one, occasion in pairs]])
        rows = [Row(*row) for row in cursor.fetchall()]
    return {row.pair: row for row in rows}


def standing(row: Row) -> Issued | Refusal:
    """Return the coupon that somebody has for the occasion, if it can still be used."""
    if row.state != CouponState.ISSUED:
        return Refusal(row.state)
    if row.expires_at is not None and row.expires_at <= clock.now():
        return Refusal("expired")
    return row.issued


def issued_fact(coupon: Issued, *, contact_id: int, by: str) -> Fact:
    """Return the fact that somebody was given a code, by a ``campaign``, by ``staff``, or in the ``shop`` itself."""
    return Fact(
        kind=FactKind.COUPON_ISSUED,
        source_key=f"coupon:{coupon.coupon_id}:issued",
        occurred_at=clock.now(),
        contact_id=contact_id,
        subject=coupon.code,
        data={
            "expires_on": coupon.expires_on.isoformat() if coupon.expires_on else None,
            "expires_at": coupon.expires_at.isoformat() if coupon.expires_at else None,
            "name": coupon.name,
            "by": by,
            "coupon_id": coupon.coupon_id,
        },
    )
