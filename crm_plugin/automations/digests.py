"""Digests: the people of a chunk enter a campaign, each with all their products in one run.

A digest is a run of its own beside others of the campaign; while it collects, it takes further products in.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.backends.utils import CursorWrapper

from crm_plugin.automations.entering import INSERT, REST

#: The table that holds the people of the chunk and their products, for the length of the transaction.
CHUNK: Final = "crm_fan_out_chunk"

_COLLECTING = REST.replace("FALSE", "TRUE", 1)
#: One digest of a campaign collects for a person; another one beside it is about what this one cannot take in.
_COLLECTING_IF_FREE = REST.replace(
    "FALSE",
    """NOT EXISTS (SELECT 1 FROM crm_plugin_enrollment e
    WHERE e.campaign_id = %(campaign)s AND e.contact_id = h.contact_id AND e.is_collecting)""",
    1,
)

_VALUES = """%(campaign)s, %(version)s, h.contact_id, 'digest', %(wave)s, %(lane)s, %(due)s, %(now)s, h.items,
    %(context)s::jsonb"""
_IS_UNDER_WAY = """EXISTS (SELECT 1 FROM crm_plugin_enrollment e
    WHERE e.campaign_id = %(campaign)s AND e.contact_id = h.contact_id AND e.state = 'active')"""
_UNDER_WAY = f"SELECT h.contact_id, h.items::text FROM {CHUNK} h WHERE {_IS_UNDER_WAY}"  # noqa: S608
_ENTER = f"""{INSERT}
SELECT {_VALUES}, {_COLLECTING}
FROM {CHUNK} h WHERE NOT {_IS_UNDER_WAY}
ON CONFLICT DO NOTHING
"""  # noqa: S608

#: Products that a run past its collecting is about already: it reads the newest price and stock itself.
_BUSY = """
SELECT DISTINCT e.contact_id, x ->> 'product_id', x ->> 'shop_channel'
FROM crm_plugin_enrollment e, jsonb_array_elements(e.items) x
WHERE e.campaign_id = %s AND e.state = 'active' AND NOT e.is_collecting AND e.contact_id = ANY(%s)
"""

#: A digest that is still collecting, about the same code if any, takes the products in, each once: as the newer wave
#: has it.
_JOIN = """
UPDATE crm_plugin_enrollment e SET items = (
    SELECT jsonb_agg(newest.x) FROM (
        SELECT DISTINCT ON (x ->> 'product_id', x ->> 'shop_channel', x ->> 'request') x
        FROM jsonb_array_elements(h.items || e.items) WITH ORDINALITY AS one(x, place)
        ORDER BY x ->> 'product_id', x ->> 'shop_channel', x ->> 'request', place) newest)
FROM unnest(%s::bigint[], %s::jsonb[]) AS h(contact_id, items)
WHERE e.campaign_id = %s AND e.contact_id = h.contact_id AND e.is_collecting
    AND e.context #>> '{coupon,code}' IS NOT DISTINCT FROM %s
RETURNING e.contact_id
"""

_ENROLL_BUSY = f"""{INSERT}
SELECT {_VALUES}, {_COLLECTING_IF_FREE}
FROM unnest(%(people)s::bigint[], %(items)s::jsonb[]) AS h(contact_id, items)
ON CONFLICT DO NOTHING
"""  # noqa: S608


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What the runs of a chunk have in common.

    Attributes:
        wave: tells the run from those of other waves.
        due: when the digest has collected enough.
        context: as JSON.
        code: the code that the runs are about; digests about different codes stay apart.
    """

    campaign: int
    version: int
    wave: int
    now: datetime
    due: datetime
    context: str
    code: str | None = None

    @property
    def params(self) -> dict[str, Any]:
        """The parameters of the statements."""
        return {
            "campaign": self.campaign,
            "version": self.version,
            "wave": self.wave,
            "lane": f"digest:{self.wave}",
            "now": self.now,
            "due": self.due,
            "context": self.context,
        }


def enter(cursor: CursorWrapper, run: Run) -> int:
    """Let the people of the chunk in; return how many new runs there are."""
    cursor.execute(_UNDER_WAY, run.params)
    under_way = {contact_id: json.loads(items) for contact_id, items in cursor.fetchall()}
    cursor.execute(_ENTER, run.params)
    return int(cursor.rowcount) + _join_or_enroll(cursor, under_way, run)


def _join_or_enroll(cursor: CursorWrapper, items_of: dict[int, list[dict[str, Any]]], run: Run) -> int:
    """Give products to people with a run under way: into their collecting digest, else into a new one.

    What a run past its collecting is about already is left out, but for what the person asked for (``request``).
    """
    if not items_of:
        return 0
    cursor.execute(_BUSY, [run.campaign, list(items_of)])
    busy = set(cursor.fetchall())
    wanted = {
        contact_id: json.dumps(left)
        for contact_id, items in items_of.items()
        if (left := [one for one in items if "request" in one or _key(contact_id, one) not in busy])
    }
    cursor.execute(_JOIN, [list(wanted), list(wanted.values()), run.campaign, run.code])
    for (contact_id,) in cursor.fetchall():
        wanted.pop(contact_id)
    cursor.execute(_ENROLL_BUSY, {**run.params, "people": list(wanted), "items": list(wanted.values())})
    return int(cursor.rowcount)


def _key(contact_id: int, item: dict[str, Any]) -> tuple[int, str, str]:
    return contact_id, item["product_id"], item["shop_channel"]
