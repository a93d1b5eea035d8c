"""What the shop's people are interested in now: the categories and collections to offer as tags (features row 47)."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

from django.core.cache import cache
from django.db import connection

from crm_plugin import clock
from crm_plugin.audience.conditions.interests import Weights

PERIOD: Final = timedelta(days=30)
#: An answer is at most this old.
FRESH_FOR: Final = timedelta(minutes=5)
MAX_TAGS: Final = 100
_KEY: Final = "crm:top-interests"

#: By product first: a group's products are joined once each, not once for every activity.
_TOP = """
SELECT g.group_key, sum(p.score)::bigint AS score
FROM (
    SELECT a.product_id, sum(w.weight) AS score
    FROM crm_plugin_activity a JOIN unnest(%(kinds)s::text[], %(weights)s::int[]) AS w(kind, weight) ON w.kind = a.kind
    WHERE a.kind = ANY(%(kinds)s) AND a.occurred_at >= %(since)s AND a.occurred_at <= %(now)s AND a.product_id <> ''
    GROUP BY a.product_id
) p JOIN crm_plugin_productgroup g USING (product_id)
GROUP BY g.group_key ORDER BY score DESC, g.group_key LIMIT %(limit)s
"""


def top_interests(limit: int = 20) -> list[tuple[str, int]]:
    """Return the groups of most interest in the last 30 days, each with its score, best first.

    Views, likes, carts and checkouts count as in the condition ``interest``, for every group that the product is in,
    those above its categories too, and from visitors as well as from known contacts. The answer is kept in Django's
    cache for five minutes; when the cache is away, it is computed.

    Args:
        limit: how many at most; never more than ``MAX_TAGS``.
    """
    now = clock.now()
    kept = _kept(now)
    if kept is None:
        kept = _compute(now)
        _keep(now, kept)
    return kept[: min(limit, MAX_TAGS)]


def _compute(now: datetime) -> list[tuple[str, int]]:
    weights = list(Weights().counted())
    values: dict[str, Any] = {
        "kinds": [kind.value for kind, _weight in weights],
        "weights": [weight for _kind, weight in weights],
        "since": now - PERIOD,
        "now": now,
        "limit": MAX_TAGS,
    }
    with connection.cursor() as cursor:
        cursor.execute(_TOP, values)
        return [(key, score) for key, score in cursor.fetchall()]


def _kept(now: datetime) -> list[tuple[str, int]] | None:
    try:
        kept: Any = cache.get(_KEY)
    except Exception:  # noqa: BLE001 - a cache raises what its transport raises; without one it is computed
        return None
    if kept is None or not timedelta() <= now - kept[0] < FRESH_FOR:
        return None
    rows: list[tuple[str, int]] = kept[1]
    return rows


def _keep(now: datetime, rows: list[tuple[str, int]]) -> None:
    with suppress(Exception):  # without a cache, the next one computes it too
        cache.set(_KEY, (now, rows), timeout=FRESH_FOR.total_seconds())
