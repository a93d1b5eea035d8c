"""So many days after the person did something: everybody of that calendar day, at an hour of the day."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from crm_plugin import activity
from crm_plugin.activity import Happening
from crm_plugin.automations.entering import Entrant, entrant_of
from crm_plugin.automations.inside import inside as members_of
from crm_plugin.automations.rungs import rung_key
from crm_plugin.automations.scheduling.base import Cohort, Occasion
from crm_plugin.automations.scheduling.cohorts import Told, cohort
from crm_plugin.automations.triggers import AfterTrigger


def concerned(trigger: AfterTrigger, occasion: Occasion) -> Cohort:
    """Return the next people of the days that are so long ago."""
    rows = cohort(
        trigger,
        day=occasion.day,
        asked_at=occasion.at,
        zone=occasion.zone,
        after_contact=occasion.after_contact,
        limit=occasion.in_hand,
    )
    inside = {row.contact_id for row in rows}
    if trigger.audience is not None:
        inside = members_of(trigger.audience, inside, now=occasion.at)
    wanted = [row for row in rows if row.contact_id in inside]
    last = rows[-1].contact_id if len(rows) >= occasion.in_hand else None
    return Cohort(_entrants(trigger, occasion, wanted), last)


def _entrants(trigger: AfterTrigger, occasion: Occasion, rows: Sequence[Told]) -> list[Entrant]:
    known = {one.activity_id: one for one in activity.happenings({row.activity_id for row in rows})}
    return _together(
        _entrant(trigger, occasion, known[row.activity_id], row.amount) for row in rows if row.activity_id in known
    )


def _entrant(trigger: AfterTrigger, occasion: Occasion, happening: Happening, amount: int) -> Entrant:
    key = rung_key(trigger, happening, amount=amount)
    who = {"campaign_id": occasion.campaign_id, "version_id": occasion.version_id}
    return entrant_of(trigger, happening, key, **who, due_at=occasion.now, rung=amount)


def _together(entrants: Iterable[Entrant]) -> list[Entrant]:
    """Make one run of those that are the same: the products bought in one order are told one by one."""
    found: dict[tuple[int, str, int], Entrant] = {}
    for one in entrants:
        key = one.contact_id, one.subject_key, one.epoch
        first = found.setdefault(key, one)
        if first is not one:
            more = [item for item in one.items if item not in first.items]
            found[key] = replace(first, items=[*first.items, *more])
    return list(found.values())
