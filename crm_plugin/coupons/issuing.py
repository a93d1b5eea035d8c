"""Issuing: one code to one person for one occasion, however many workers ask at the same time.

The row of a person and an occasion is written first: of two workers one writes it, and the other reads what the first
has written. Only who wrote it makes a code good: in the shop, or by taking one out of the pool. Sets of any size take a
fixed number of statements, and one call of the shop for each series.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from django.db import connection

from crm_plugin import activity, clock, merchant
from crm_plugin.coupons import pools, series
from crm_plugin.coupons.codes import new_codes
from crm_plugin.coupons.models import CouponSeries, CouponSource, CouponTemplate
from crm_plugin.coupons.occasions import (
    STAFF,
    Answers,
    Issued,
    Refusal,
    Request,
    Row,
    existing,
    issued_fact,
    recode,
    standing,
    take_back,
)
from crm_plugin.coupons.series import Goods
from crm_plugin.errors import NotFound

#: A code that is taken is drawn again so often; with 31 ** 10 of them, once is rare.
ROUNDS: Final = 4

#: A row that is not returned: the person has one for the occasion already, or the code is somebody's.
_INSERT: Final = """
INSERT INTO crm_plugin_coupon (template_id, series_id, contact_id, occasion, code, name, state, created_at, issued_at,
    expires_at, expires_on, order_ref, is_kept_by_shop)
SELECT %(template)s::bigint, r.series_id, r.contact_id, r.occasion, r.code, %(name)s::text, 'issued',
    %(now)s::timestamptz, %(now)s::timestamptz, %(expires_at)s::timestamptz, %(expires_on)s::date, '', %(is_kept)s::bool
FROM unnest(%(contacts)s::bigint[], %(occasions)s::text[], %(codes)s::text[], %(series)s::bigint[])
    AS r(contact_id, occasion, code, series_id)
ON CONFLICT DO NOTHING
RETURNING id, contact_id, occasion, code, series_id, name, state, expires_on, expires_at
"""


def issue(
    template_id: int, requests: Sequence[Request], *, expires_in_days: int | None = None
) -> Mapping[str, Issued | Refusal]:
    """Give everybody a code. Who had one for the occasion gets the same as long as it is good. In a transaction.

    Args:
        template_id: of what the merchant gives away.
        requests: who and why; any number.
        expires_in_days: until the end of which day from today the codes are good; None: as the template says.

    Returns:
        By the key of the request.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("issue() runs in the transaction of whoever asks for the codes")
    wanted = {(one.contact_id, one.occasion): one for one in reversed(requests)}
    found = existing(wanted)
    answers: Answers = {pair: standing(row) for pair, row in found.items()}
    missing = [wanted[pair] for pair in sorted(wanted.keys() - found.keys())]
    if missing:
        template = CouponTemplate.objects.filter(pk=template_id, is_archived=False).first()
        if template is None:
            answers |= _refused(missing, "archived")
        else:
            answers |= _issue_new(template, missing, expires_in_days)
    return {one.key: answers[one.contact_id, one.occasion] for one in requests}


def _issue_new(template: CouponTemplate, missing: Sequence[Request], expires_in_days: int | None) -> Answers:
    days = template.expires_in_days if expires_in_days is None else expires_in_days
    draft = _Draft(template, *end_of(days))
    made, answers = _from_pool(draft, missing) if draft.is_pool else _from_shop(draft, missing)
    _tell(made)
    return answers | {row.pair: row.issued for row in made}


def end_of(days: int | None) -> tuple[date | None, datetime | None]:
    """Return the last day on which a code is good that is given out now, and the moment at which that day is over."""
    if days is None:
        return None, None
    zone = merchant.zone()
    last = clock.now().astimezone(zone).date() + timedelta(days=days)
    return last, clock.day_start(last + timedelta(days=1), zone)


@dataclass(frozen=True, slots=True)
class _Draft:
    """What the codes of one call have in common."""

    template: CouponTemplate
    expires_on: date | None
    expires_at: datetime | None

    @property
    def is_pool(self) -> bool:
        return self.template.source == CouponSource.POOL

    def insert(self, requests: Sequence[Request], series_ids: Mapping[Goods, int]) -> tuple[list[Row], Answers]:
        """Write a row for each request; return them, and what those get whom another worker was faster to serve."""
        rows: list[Row] = []
        answers: Answers = {}
        for _round in range(ROUNDS):
            written = self._insert(requests, series_ids)
            rows += written
            done = {row.pair for row in written}
            requests = [one for one in requests if (one.contact_id, one.occasion) not in done]
            others = existing({(one.contact_id, one.occasion): one for one in requests}) if requests else {}
            answers |= {pair: standing(row) for pair, row in others.items()}
            requests = [one for one in requests if (one.contact_id, one.occasion) not in others]
            if not requests:
                break
        return rows, answers | _refused(requests, "series_refused")

    def _insert(self, requests: Sequence[Request], series_ids: Mapping[Goods, int]) -> list[Row]:
        with connection.cursor() as cursor:
            cursor.execute(
                _INSERT,
                {
                    "template": self.template.pk,
                    "name": self.template.name,
                    "now": clock.now(),
                    "expires_at": self.expires_at,
                    "expires_on": self.expires_on,
                    "is_kept": not self.is_pool,
                    "contacts": [one.contact_id for one in requests],
                    "occasions": [one.occasion for one in requests],
                    "codes": new_codes(len(requests), prefix=self.template.prefix),
                    "series": [series_ids.get(series.goods_of(one.product_ids)) for one in requests],
                },
            )
            return [Row(*row) for row in cursor.fetchall()]


def _from_pool(draft: _Draft, requests: Sequence[Request]) -> tuple[list[Row], Answers]:
    """Give codes of the pool. Until the row has one, it holds a random one of ours."""
    rows, answers = draft.insert(requests, {})
    rows.sort(key=lambda row: row.pk)
    taken = pools.take(draft.template, len(rows))
    given = [row._replace(code=code) for row, code in zip(rows, taken, strict=False)]
    recode(given)
    left_out = rows[len(taken) :]
    take_back(left_out)
    return given, answers | {row.pair: Refusal("pool_empty") for row in left_out}


def _from_shop(draft: _Draft, requests: Sequence[Request]) -> tuple[list[Row], Answers]:
    """Make codes in the shop."""
    goods = {series.goods_of(one.product_ids) for one in requests}
    opened = series.assure(draft.template, goods, ends_at=draft.expires_at)
    able = [one for one in requests if series.goods_of(one.product_ids) in opened]
    unable = [one for one in requests if series.goods_of(one.product_ids) not in opened]
    rows, answers = draft.insert(able, {key: one.pk for key, one in opened.items()})
    by_series: defaultdict[int | None, list[Row]] = defaultdict(list)
    for row in rows:
        by_series[row.series_id].append(row)
    made: list[Row] = []
    for key, one in opened.items():
        made += _put_into_shop(draft.template, one, key, by_series[one.pk])
    done = {row.pk for row in made}
    failed = [row for row in rows if row.pk not in done]
    take_back(failed)
    answers |= {row.pair: Refusal("series_refused") for row in failed}
    return made, answers | _refused(unable, "series_refused")


def _put_into_shop(template: CouponTemplate, of: CouponSeries, goods: Goods, rows: list[Row]) -> list[Row]:
    """Return the rows whose codes the shop has now; one whose code it had before gets another."""
    done: list[Row] = []
    for _round in range(ROUNDS if rows else 0):
        try:
            made = series.add(template, of, goods, [row.code for row in rows])
        except NotFound:
            break
        done += [row for row in rows if row.code in made]
        taken = [row for row in rows if row.code not in made]
        if not taken:
            break
        drawn = new_codes(len(taken), prefix=template.prefix)
        rows = [row._replace(code=code) for row, code in zip(taken, drawn, strict=True)]
        recode(rows)
    return done


def _refused(requests: Iterable[Request], reason: str) -> Answers:
    return {(one.contact_id, one.occasion): Refusal(reason) for one in requests}


def _tell(rows: Sequence[Row]) -> None:
    activity.record_many(
        issued_fact(row.issued, contact_id=row.contact_id, by="staff" if row.occasion.startswith(STAFF) else "campaign")
        for row in rows
    )
