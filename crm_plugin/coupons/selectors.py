"""What other rooms may ask about coupons."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Count, QuerySet
from django.db.models.functions import Upper

from crm_plugin.coupons import pools
from crm_plugin.coupons.checking import good
from crm_plugin.coupons.models import Coupon, CouponSource, CouponState, CouponTemplate


@dataclass(frozen=True, slots=True)
class Counts:
    """How many codes of a template are in which state.

    Attributes:
        given: ever given to somebody, whatever became of them.
        free: left in the pool; None: the shop makes them as they are needed.
    """

    given: int = 0
    good: int = 0
    used: int = 0
    expired: int = 0
    void: int = 0
    free: int | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """A coupon that somebody has and has not used."""

    coupon_id: int
    code: str
    name: str
    expires_on: date | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which coupons a list is of; None: whichever.

    Attributes:
        code: in any case.
        is_misused: somebody else used it.
    """

    template_id: int | None = None
    contact_id: int | None = None
    code: str | None = None
    state: CouponState | None = None
    is_misused: bool | None = None


def templates() -> QuerySet[CouponTemplate]:
    """Return every template, for lists; archived ones too."""
    return CouponTemplate.objects.all()


def coupons() -> QuerySet[Coupon]:
    """Return every coupon."""
    return Coupon.objects.all()


def counts(template_ids: Collection[int]) -> Mapping[int, Counts]:
    """Return how many codes of each template are in which state, in two queries."""
    found: defaultdict[int, dict[str, int]] = defaultdict(dict)
    rows = Coupon.objects.filter(template_id__in=template_ids).order_by().values_list("template_id", "state")
    for pk, state, count in rows.annotate(count=Count("pk")):
        found[pk][state] = count
    sources = dict(CouponTemplate.objects.filter(pk__in=template_ids).values_list("pk", "source"))
    return {pk: _counts(found[pk], is_pool=source == CouponSource.POOL) for pk, source in sources.items()}


def _counts(states: Mapping[str, int], *, is_pool: bool) -> Counts:
    free = states.get(CouponState.FREE, 0)
    return Counts(
        given=sum(states.values()) - free,
        good=states.get(CouponState.ISSUED, 0),
        used=states.get(CouponState.USED, 0),
        expired=states.get(CouponState.EXPIRED, 0),
        void=states.get(CouponState.VOID, 0),
        free=free if is_pool else None,
    )


def newest(wanted: Wanted, *, above: int, below: int, limit: int, is_backward: bool = False) -> list[Coupon]:
    """Return the next coupons between two keys, both left out, the one made last first (``is_backward``: last).

    Of a template: a stretch of its index for each state, so that it costs the same however many there are.
    """
    order = "pk" if is_backward else "-pk"
    rows = _matching(wanted).filter(pk__gt=above, pk__lt=below)
    if wanted.template_id is None or wanted.state is not None:
        return list(rows.order_by(order)[:limit])
    parts = [rows.filter(state=state).order_by(order)[:limit] for state in CouponState]
    return list(parts[0].union(*parts[1:], all=True).order_by(order)[:limit])


def _matching(wanted: Wanted) -> QuerySet[Coupon]:
    exact: dict[str, Any] = {
        "template_id": wanted.template_id,
        "contact_id": wanted.contact_id,
        "state": wanted.state,
    }
    rows = Coupon.objects.filter(**{name: value for name, value in exact.items() if value is not None})
    if wanted.code is not None:
        rows = rows.alias(key=Upper("code")).filter(key=wanted.code.strip().upper())
    if wanted.is_misused is not None:
        rows = rows.filter(used_by__isnull=not wanted.is_misused)
    return rows


def held_by(contact_id: int, *, above: int, below: int, limit: int, is_backward: bool = False) -> list[Coupon]:
    """Return the next coupons of a person that are good, between two keys, the one got last first."""
    rows = good().filter(contact_id=contact_id, pk__gt=above, pk__lt=below)
    return list(rows.order_by("pk" if is_backward else "-pk")[:limit])


def expiring(day: date, *, after_contact: int, limit: int) -> list[tuple[int, list[Held]]]:
    """Return the next people, by contact id, and their coupons that are good and whose last day is ``day``."""
    rows = good().filter(expires_on=day, contact_id__gt=after_contact)
    people = list(rows.order_by("contact_id").values_list("contact_id", flat=True).distinct()[:limit])
    found: dict[int, list[Held]] = {contact_id: [] for contact_id in people}
    for row in rows.filter(contact_id__in=people).order_by("contact_id", "pk"):
        found[row.contact_id or 0].append(Held(row.pk, row.code, row.name, row.expires_on))
    return list(found.items())


def lag() -> dict[str, Any]:
    """Return what somebody should look at: pools that run low."""
    return {"low_pools": {str(pk): said for pk, said in pools.low().items()}}
