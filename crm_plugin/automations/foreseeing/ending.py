"""Which runs would end instead of going on: what ends a run is asked as of now, of runs that are no rows yet too."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

from django.db import connection

from crm_plugin.audience import AudienceRule, matching
from crm_plugin.automations import exiting
from crm_plugin.automations.foreseeing.travellers import Traveller
from crm_plugin.ids import array

#: The same columns as a run has, so that the questions are those that are asked of runs.
_OF_COMING: Final = """
SELECT e.id FROM jsonb_to_recordset(%s::jsonb)
    AS e(id bigint, contact_id bigint, entered_at timestamptz, items jsonb, context jsonb) WHERE """


def ends_of_runs(runs: Sequence[Traveller]) -> dict[int, str]:
    """Return why runs under way end, by their ids; the number of queries depends on the versions alone."""
    groups: dict[int, list[Traveller]] = defaultdict(list)
    for one in runs:
        groups[one.version.version_id].append(one)
    return {
        pk: reason
        for group in groups.values()
        for pk, (_state, reason) in exiting.ended(
            group[0].version, array(one.enrollment_id for one in group if one.enrollment_id is not None)
        ).items()
    }


def ends_of_coming(coming: Sequence[Traveller]) -> dict[int, str]:
    """Return why those who would enter would leave at once, by their place in the sequence; all have one version."""
    if not coming:
        return {}
    definition, found = coming[0].version.definition, dict[int, str]()
    rows = json.dumps([_row(place, one) for place, one in enumerate(coming)])
    for condition, (asked, kinds, (_state, reason)) in exiting.ASKED.items():
        if condition in definition.exit_when:
            for place in _places(f"{_OF_COMING}{asked}", [rows, [kind.value for kind in kinds]]):
                found.setdefault(place, reason)
    if definition.exit_audience is not None:
        left = matching(AudienceRule.parse(definition.exit_audience), {one.contact_id for one in coming})
        for place, one in enumerate(coming):
            if one.contact_id in left:
                found.setdefault(place, exiting.EXITED[1])
    return found


def _row(place: int, one: Traveller) -> dict[str, Any]:
    return {
        "id": place,
        "contact_id": one.contact_id,
        "entered_at": one.entered_at.isoformat(),
        "items": list(one.items),
        "context": dict(one.context),
    }


def _places(statement: str, values: Sequence[Any]) -> Iterable[int]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return [place for (place,) in cursor.fetchall()]
