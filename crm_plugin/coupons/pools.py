"""Pools: codes of another system, uploaded by the merchant and given out one by one, in the order of the upload."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from django.db import connection, transaction

from crm_plugin import clock
from crm_plugin.coupons.models import CouponSource, CouponTemplate
from crm_plugin.errors import InvalidInput, NotFound

logger = logging.getLogger(__name__)

MAX_CODES: Final = 100_000
MAX_LENGTH: Final = 64
#: Of each kind of refused code, so many are shown.
SHOWN: Final = 10
_SEPARATORS: Final = ",;\t"
_COLUMN: Final = "code"

#: Uploads take turns: two that hold the same codes in another order would wait for each other.
_TAKE_TURNS: Final = "SELECT pg_advisory_xact_lock(1129467223)"
_ADD: Final = """
INSERT INTO crm_plugin_coupon (template_id, occasion, code, name, state, created_at, order_ref, is_kept_by_shop)
SELECT %s::bigint, '', code, %s::text, 'free', %s::timestamptz, '', FALSE FROM unnest(%s::text[]) AS code
ON CONFLICT DO NOTHING RETURNING code
"""
_TAKE: Final = """
WITH taken AS (
    DELETE FROM crm_plugin_coupon WHERE id = ANY(ARRAY(
        SELECT id FROM crm_plugin_coupon WHERE template_id = %s AND state = 'free'
        ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)) RETURNING id, code)
SELECT code FROM taken ORDER BY id
"""
#: Counted up to a bound: whether few are left, not how many.
_LEFT: Final = """
SELECT count(*) FROM (SELECT FROM crm_plugin_coupon WHERE template_id = %s AND state = 'free' ORDER BY id LIMIT %s) AS l
"""
_LOW: Final = """
SELECT t.id, t.name, l.count FROM crm_plugin_coupontemplate t CROSS JOIN LATERAL (
    SELECT count(*) FROM (SELECT FROM crm_plugin_coupon c WHERE c.template_id = t.id AND c.state = 'free'
        ORDER BY c.id LIMIT t.warn_below) AS f) AS l
WHERE t.source = 'pool' AND NOT t.is_archived AND l.count < t.warn_below AND (%(all)s OR t.id = ANY(%(ids)s::bigint[]))
ORDER BY t.id
"""


@dataclass(frozen=True, slots=True)
class Upload:
    """What became of an upload.

    Attributes:
        repeated, taken: how many codes were there twice, and how many were known already, in this pool or elsewhere.
        repeated_codes, taken_codes: the first of them.
    """

    added: int
    repeated: int = 0
    repeated_codes: tuple[str, ...] = ()
    taken: int = 0
    taken_codes: tuple[str, ...] = ()


def read_codes(text: str) -> list[str]:
    """Return the codes of a text, one a line, or of the column ``code`` of a CSV file.

    Raises:
        InvalidInput: when it cannot be read; the message names the line.
    """
    text = text.removeprefix("\ufeff")
    if "\0" in text:
        raise InvalidInput("It has a NUL character: this is no text.", field="text")
    separator = max(_SEPARATORS, key=text.partition("\n")[0].count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        lines = [[cell.strip() for cell in row] for row in rows]
    except csv.Error as error:
        raise InvalidInput(f"Line {rows.line_num} is no CSV: {error}.", field="text") from error
    header = [cell.lower() for cell in lines[0]] if lines else []
    place = header.index(_COLUMN) if _COLUMN in header else None
    if place is None and len(header) > 1:
        raise InvalidInput(f"Name the column of the codes {_COLUMN!r} in the first line.", field="text")
    body = lines if place is None else lines[1:]
    return [row[place or 0] if len(row) > (place or 0) else "" for row in body if any(row)]


@transaction.atomic
def upload(template_id: int, codes: Sequence[str]) -> Upload:
    """Put codes into a pool: all that are new, or, when one is no code at all, none.

    Raises:
        InvalidInput: with the place of the wrong one.
        NotFound: when there is no such template.
    """
    template = CouponTemplate.objects.filter(pk=template_id).first()
    if template is None:
        raise NotFound("There is no such coupon.")
    if template.source != CouponSource.POOL:
        raise InvalidInput("The shop makes the codes of this coupon itself.", field="template")
    if template.is_archived:
        raise InvalidInput("This coupon is archived.", field="template", code="IS_ARCHIVED")
    cleaned = _clean(codes)
    first: dict[str, str] = {}
    repeated: list[str] = []
    for code in cleaned:
        if code.upper() in first:
            repeated.append(code)
        first.setdefault(code.upper(), code)
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_TURNS)
        cursor.execute(_ADD, [template.pk, template.name, clock.now(), list(first.values())])
        added = {code for (code,) in cursor.fetchall()}
    taken = [code for code in first.values() if code not in added]
    return Upload(len(added), len(repeated), tuple(repeated[:SHOWN]), len(taken), tuple(taken[:SHOWN]))


def _clean(codes: Sequence[str]) -> list[str]:
    if not codes:
        raise InvalidInput("Give at least one code.", field="codes", code="REQUIRED")
    if len(codes) > MAX_CODES:
        raise InvalidInput(f"At most {MAX_CODES} codes at once.", field="codes", code="LIMIT")
    cleaned = [str(code).strip() for code in codes]
    for place, code in enumerate(cleaned):
        if not 0 < len(code) <= MAX_LENGTH or not code.isprintable() or any(map(str.isspace, code)):
            message = f"No. {place + 1} is no code: 1 to {MAX_LENGTH} printable characters without spaces."
            raise InvalidInput(message, field=f"codes.{place}")
    return cleaned


def take(template: CouponTemplate, count: int) -> list[str]:
    """Take the next codes out of the pool; fewer when it runs dry. In a transaction."""
    if count == 0:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [template.pk, count])
        codes = [code for (code,) in cursor.fetchall()]
    if codes and template.warn_below:  # what other workers took at the same time counts once they have committed
        transaction.on_commit(partial(_warn, template, len(codes)))
    return codes


def low(template_ids: Collection[int] | None = None) -> Mapping[int, str]:
    """Return the pools in use, among these or (None) all, that have fewer codes left than the merchant wants.

    By id: the name, and how many codes are left; in one query.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LOW, {"all": template_ids is None, "ids": list(template_ids or ())})
        return {pk: f"{name}: {count} left" for pk, name, count in cursor.fetchall()}


def left(template_id: int, *, up_to: int) -> int:
    """Return how many codes the pool has left, counted up to a bound."""
    with connection.cursor() as cursor:
        cursor.execute(_LEFT, [template_id, up_to])
        (count,) = cursor.fetchone()
    return int(count)


def _warn(template: CouponTemplate, taken: int) -> None:
    """Log that the pool runs low, when it was these that made it so."""
    count = left(template.pk, up_to=template.warn_below)
    if count < template.warn_below <= count + taken:
        logger.warning("crm: the pool of coupon %s has %s codes left; upload more", template.pk, count)
