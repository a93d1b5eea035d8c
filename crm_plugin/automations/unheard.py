"""Who asked to be told of stock and heard nothing of it, because it had sold out again by then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from crm_plugin import messaging
from crm_plugin.automations.models import Enrollment
from crm_plugin.automations.running import versions
from crm_plugin.ids import array
from crm_plugin.messaging import Delivered, MessageState, Reason

_SOLD_OUT: Final = (Reason.SOLD_OUT, Reason.UNAVAILABLE)
_SENT: Final = (MessageState.SENT, MessageState.UNKNOWN)


def unheard(outcomes: Sequence[Delivered]) -> list[int]:
    """Return the requests for stock that messages were to answer and did not: the thing was left out as sold out.

    A further message of a run that told the person before is no answer that they miss.
    """
    lost = {one.enrollment_id: one for one in outcomes if one.reason in _SOLD_OUT or (one.state in _SENT and one.items)}
    if not lost:
        return []
    rows = Enrollment.objects.extra(where=["id = ANY(%s::bigint[])", "items @? '$[*].request'"], params=[array(lost)])
    asked = {
        run.pk: (run.version_id, requests)
        for run in rows.only("pk", "version_id", "items")
        if (requests := _missing(run.items, lost[run.pk]))
    }
    told = _told_before({run_id: version_id for run_id, (version_id, _requests) in asked.items()}, lost)
    return [pk for run_id, (_version, requests) in asked.items() if run_id not in told for pk in requests]


def _missing(items: Sequence[dict[str, Any]], outcome: Delivered) -> list[int]:
    """Return the requests of a run whose variants its message does not name."""
    named = {(one.variant_id, one.shop_channel) for one in outcome.items}
    return [
        int(one["request"])
        for one in items
        if "request" in one and (one["variant_id"], one["shop_channel"]) not in named
    ]


def _told_before(runs: Mapping[int, int], outcomes: Mapping[int, Delivered]) -> set[int]:
    """Return those of the runs (with their versions) that sent another message than the one of the outcome."""
    if not runs:
        return set()
    known = versions(runs.values())
    steps = [(pk, step.id) for pk, version_id in runs.items() for _op, step in known[version_id].definition.sends()]
    return {
        run_id
        for (run_id, _step), messages in messaging.siblings(steps).items()
        if any(one.state in _SENT and one.pk != outcomes[run_id].message_id for one in messages)
    }
