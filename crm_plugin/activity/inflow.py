"""Where contacts came from: the first and the last touch, projected from the visits that the storefront tells.

A visit that came from a page of the shop itself names no source and is no touch. Of two visits at one moment the
smaller texts are the first and the greater the last: the result is the same in whatever order visits are drained.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from django.db import connection

from crm_plugin.contacts import Merge
from crm_plugin.ids import array

FIELDS: Final = ("source", "medium", "campaign", "keyword", "referrer")
_FIRST = ("first_at", *(f"first_{name}" for name in FIELDS))
_LAST = ("last_at", *(f"last_{name}" for name in FIELDS), "browser")


def _columns(names: Sequence[str], table: str = "") -> str:
    return ", ".join(f"{table}{name}" for name in names)


def _keep(names: Sequence[str], order: str) -> str:
    """Return the assignments that take all of the columns from the new row when it comes ``order`` the old one."""
    is_new = f"({_columns(names, 'excluded.')}) {order} ({_columns(names, 'i.')})"
    return ", ".join(f"{name} = CASE WHEN {is_new} THEN excluded.{name} ELSE i.{name} END" for name in names)


_UPSERT = f"""
ON CONFLICT (contact_id) DO UPDATE SET {_keep(_FIRST, "<")}, {_keep(_LAST, ">")}
"""
_WORDS = ", ".join(f"left(COALESCE(data ->> '{name}', ''), 100) AS {name}" for name in FIELDS)
_OLDEST = f"contact_id, occurred_at, {_columns(FIELDS)}"
_NEWEST = f"contact_id, occurred_at DESC, {', '.join(f'{name} DESC' for name in FIELDS)}, browser DESC"

_PROJECT = f"""
WITH visit AS MATERIALIZED (
    SELECT contact_id, occurred_at, {_WORDS}, left(COALESCE(data ->> 'browser', ''), 40) AS browser
    FROM crm_plugin_activity WHERE id = ANY(%s::bigint[]) AND data ->> 'source' <> ''
), oldest AS (
    SELECT DISTINCT ON (contact_id) * FROM visit ORDER BY {_OLDEST}
), newest AS (
    SELECT DISTINCT ON (contact_id) * FROM visit ORDER BY {_NEWEST}
)
INSERT INTO crm_plugin_inflow AS i (contact_id, {_columns(_FIRST)}, {_columns(_LAST)})
SELECT contact_id, oldest.occurred_at, {_columns(FIELDS, "oldest.")}, newest.occurred_at, {_columns(FIELDS, "newest.")},
    newest.browser
FROM oldest JOIN newest USING (contact_id) ORDER BY contact_id
{_UPSERT}"""  # noqa: S608 - only constants are put in

_ABSORB = f"""
INSERT INTO crm_plugin_inflow AS i (contact_id, {_columns(_FIRST)}, {_columns(_LAST)})
SELECT %(target)s, {_columns(_FIRST)}, {_columns(_LAST)} FROM crm_plugin_inflow WHERE contact_id = %(source)s
{_UPSERT}"""  # noqa: S608 - only constants are put in


def project(visits: Sequence[int]) -> None:
    """Bring first and last touch up to date with new visits (ids of activities)."""
    with connection.cursor() as cursor:
        cursor.execute(_PROJECT, [array(visits)])


def absorb(merge: Merge) -> None:
    """Give the target the earlier first touch and the later last one of the two."""
    with connection.cursor() as cursor:
        cursor.execute(_ABSORB, {"source": merge.source_id, "target": merge.target_id})
        cursor.execute("DELETE FROM crm_plugin_inflow WHERE contact_id = %s", [merge.source_id])
