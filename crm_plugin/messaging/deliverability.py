"""How messages arrive: rates for the watch over campaigns, and what merchants see by channel, reason and domain.

Every figure comes from one grouped statement over a stretch of the outbox that an index bounds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db import connection
from django.db.models import Count, Q, QuerySet, Sum

from crm_plugin.messaging.models import Message
from crm_plugin.messaging.outcomes import Reason

_TABLE: Final = Message._meta.db_table

#: A mail that waited longer than this in the queue (quiet hours, a pause) is not looked for among those just sent.
_WAITED: Final = timedelta(days=3)
#: The most domains that are told; the rest is rarely more than a person each.
DOMAINS: Final = 20

#: The address is to blame, whether its server said so at once or later.
_BOUNCED: Final = (Reason.BOUNCED.value, Reason.ADDRESS_REFUSED.value)
#: Failed after the sending was tried: with what was sent, they make a rate's whole.
_RETURNED: Final = (*_BOUNCED, Reason.UNDELIVERED.value)

_RATES: Final = f"""
SELECT c.id, found.sent, found.bounced, found.complained
FROM unnest(%(ids)s::bigint[], %(since)s::timestamptz[]) AS c (id, since)
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE m.state = 'sent' OR (m.state = 'failed' AND m.reason = ANY(%(returned)s))) AS sent,
        count(*) FILTER (WHERE m.state = 'failed' AND m.reason = ANY(%(bounced)s)) AS bounced,
        count(*) FILTER (WHERE m.complained_at IS NOT NULL) AS complained
    FROM {_TABLE} m
    WHERE m.campaign_id = c.id AND m.created_at >= c.since - %(waited)s AND m.finished_at >= c.since
        AND m.channel = 'email'
) AS found
"""  # noqa: S608 - the table's own name

_BY_DOMAIN: Final = f"""
SELECT split_part(m.recipient, '@', 2) AS domain,
    count(*) FILTER (WHERE m.state = 'sent' OR (m.state = 'failed' AND m.reason = ANY(%(returned)s))) AS sent,
    count(m.delivered_at) AS delivered,
    count(*) FILTER (WHERE m.state = 'failed' AND m.reason = ANY(%(bounced)s)) AS bounced,
    count(m.complained_at) AS complained,
    count(*) FILTER (WHERE m.opened_at IS NOT NULL OR m.clicked_at IS NOT NULL) AS opened,
    count(*) FILTER (WHERE m.machine_opened_at IS NOT NULL AND m.opened_at IS NULL AND m.clicked_at IS NULL)
        AS machine_opened,
    count(m.clicked_at) AS clicked
FROM {_TABLE} m
WHERE m.created_at >= %(since)s AND m.channel = 'email' AND m.recipient LIKE '%%@%%' AND m.finished_at IS NOT NULL
GROUP BY domain ORDER BY sent DESC, domain
"""  # noqa: S608 - the table's own name


@dataclass(frozen=True, slots=True)
class Rates:
    """How many e-mails of a campaign were tried, and how many of them bounced or were complained about."""

    sent: int
    bounced: int
    complained: int


@dataclass(frozen=True, slots=True)
class DomainFigures:
    """What became of the e-mails to one receiving domain; an empty domain: all of them together.

    ``opened`` are those that a person opened or clicked in, ``machine_opened`` those that only programs loaded.
    """

    domain: str
    sent: int = 0
    delivered: int = 0
    bounced: int = 0
    complained: int = 0
    opened: int = 0
    machine_opened: int = 0
    clicked: int = 0


@dataclass(frozen=True, slots=True)
class ChannelFigures:
    """What became of messages, by channel, state and reason, with their cost in one currency.

    A cost that nobody knows is None and its currency empty.
    """

    channel: str
    state: str
    reason: str
    count: int
    delivered: int
    opened: int
    machine_opened: int
    clicked: int
    complained: int
    cost: Decimal | None
    cost_currency: str


def rates(since: Mapping[int, datetime]) -> Mapping[int, Rates]:
    """Return the rates of campaigns, each since its own moment, in one statement."""
    if not since:
        return {}
    values = {
        "ids": list(since),
        "since": list(since.values()),
        "waited": _WAITED,
        "bounced": list(_BOUNCED),
        "returned": list(_RETURNED),
    }
    return {pk: Rates(*counts) for pk, *counts in _rows(_RATES, values)}


def by_domain(since: datetime) -> list[DomainFigures]:
    """Return what became of e-mails queued since then: of all together first, then of the largest domains."""
    rows = _rows(_BY_DOMAIN, {"since": since, "bounced": list(_BOUNCED), "returned": list(_RETURNED)})
    found = [DomainFigures(*row) for row in rows]
    names = [name for name in DomainFigures.__dataclass_fields__ if name != "domain"]
    total = DomainFigures("", **{name: sum(getattr(one, name) for one in found) for name in names})
    return [total, *found[:DOMAINS]]


def summary(messages: QuerySet[Message]) -> list[ChannelFigures]:
    """Return what became of these messages, in one statement."""
    person = Q(opened_at__isnull=False) | Q(clicked_at__isnull=False)
    rows = messages.values("channel", "state", "reason", "cost_currency").annotate(
        count=Count("pk"),
        delivered=Count("delivered_at"),
        opened=Count("pk", filter=person),
        machine_opened=Count("pk", filter=Q(machine_opened_at__isnull=False) & ~person),
        clicked=Count("clicked_at"),
        complained=Count("complained_at"),
        cost=Sum("cost"),
    )
    return [ChannelFigures(**row) for row in rows.order_by("channel", "state", "reason", "cost_currency")]


def siblings(steps: Sequence[tuple[int, str]]) -> Mapping[tuple[int, str], list[Message]]:
    """Return the messages of runs' steps (enrollment and step id), in the order in which channels were tried."""
    found: dict[tuple[int, str], list[Message]] = {step: [] for step in steps}
    for one in Message.objects.filter(enrollment_id__in={run for run, _step_id in steps}).order_by("pk"):
        if one.enrollment_id is not None and (one.enrollment_id, one.step_id) in found:
            found[one.enrollment_id, one.step_id].append(one)
    return found


def _rows(statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())


__all__ = [
    "ChannelFigures",
    "DomainFigures",
    "Rates",
    "by_domain",
    "rates",
    "siblings",
    "summary",
]
