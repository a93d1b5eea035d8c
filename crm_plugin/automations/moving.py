"""Moving people who are under way to the version that runs, by explicit choice (``docs/decisions/moving-people.md``).

A run stands at a step: the next thing that is done for it. It moves to the step of the same id in the version that
runs, or to the one that the merchant names; where there is none, it stays on its version. What it waits for, and until
when, stays. Nobody does a step twice: who would come again by something that may have been done stays where they are.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from crm_plugin.automations.campaigns import locked
from crm_plugin.automations.models import Campaign, CampaignState, CampaignVersion
from crm_plugin.automations.program import Op, Program
from crm_plugin.automations.running import versions
from crm_plugin.automations.statistics import standing
from crm_plugin.automations.steps import BranchStep, ExitStep, WaitForStep, WaitStep, WaitUntilStep
from crm_plugin.errors import InvalidInput

#: How many people one call moves, at most.
LIMIT = 10_000

#: Doing one of these again changes nothing for anybody.
_HARMLESS = (WaitStep, WaitUntilStep, WaitForStep, BranchStep, ExitStep)

#: Rows that a worker has in hand are passed over, so nobody waits for anybody. A run whose message is on its way
#: (``due_at`` NULL) moves only to the very step it stands at; ``%(ahead)s`` are the messages that lie in front of the
#: others, and ``%(behind)s`` those behind the step.
_MOVE = """
UPDATE crm_plugin_enrollment e SET version_id = %(to)s, step = %(place)s,
    waits_for = CASE WHEN e.waits_for = %(waits_for)s THEN e.waits_for ELSE '' END,
    waits_since = CASE WHEN e.waits_for = %(waits_for)s THEN e.waits_since END
WHERE e.id = ANY(ARRAY(
    SELECT r.id FROM crm_plugin_enrollment r
    WHERE r.campaign_id = %(campaign)s AND r.version_id = %(from)s AND r.step = %(at)s AND r.state = 'active'
        AND (r.due_at IS NOT NULL OR %(is_same_step)s)
        AND NOT EXISTS (SELECT 1 FROM crm_plugin_message m WHERE m.enrollment_id = r.id AND m.step_id = ANY(
            CASE WHEN r.due_at IS NULL THEN %(behind)s::text[] ELSE %(ahead)s::text[] END))
    ORDER BY r.contact_id LIMIT %(limit)s FOR UPDATE OF r SKIP LOCKED))
"""


@dataclass(frozen=True, slots=True)
class Moved:
    """What a call did.

    Attributes:
        moved: how many people went over.
        stayed: how many are under way on other versions than the one that runs; call again until ``moved`` is 0.
    """

    moved: int
    stayed: int


@dataclass(frozen=True, slots=True)
class _Way:
    """From a step of an older version to one of the version that runs."""

    version_id: int
    op: Op
    to: Op


@transaction.atomic
def move_in_flight(campaign_id: int, *, mapping: Mapping[str, str] | None = None, limit: int = LIMIT) -> Moved:
    """Move people in flight on older versions to the version that runs.

    Args:
        campaign_id: which; it runs or is paused.
        mapping: from ids of steps to ids of steps of the version that runs. A step that is not named leads to the one
            of its own id.
        limit: how many people to move, at most.

    Raises:
        InvalidInput: a step of the mapping is not there, or leads back to what has been done; nobody is moved.
        NotFound
    """
    campaign = locked(campaign_id)
    if campaign.version is None or campaign.state not in (CampaignState.RUNNING, CampaignState.PAUSED):
        raise InvalidInput("Only people of a running or paused campaign can be moved.", field="id", code="NOT_RUNNING")
    ways = _ways(campaign, campaign.version, dict(mapping or {}))
    moved = 0
    for way in ways:
        moved += _move(campaign, campaign.version, way, limit - moved) if moved < limit else 0
    others = [one for one in standing([campaign_id]) if one.version != campaign.version.number]
    return Moved(moved=moved, stayed=sum(one.people for one in others))


def _ways(campaign: Campaign, target: CampaignVersion, mapping: Mapping[str, str]) -> list[_Way]:
    ids = [pk for pk in campaign.versions.values_list("pk", flat=True) if pk != target.pk]
    known = versions([*ids, target.pk])
    program = known[target.pk].definition.program
    _refuse_unknown(mapping, [known[pk].definition.program for pk in ids], program)
    found = []
    for version_id in ids:
        old = known[version_id].definition.program
        for op in old.ops:
            place = program.place_of(mapping.get(op.step.id, op.step.id))
            if place is None:
                continue
            to, again = program.ops[place], _again(old, op, program, program.ops[place])
            if not again:
                found.append(_Way(version_id, op, to))
            elif op.step.id in mapping and _stand_at(campaign, version_id, op):
                raise InvalidInput(
                    f"People at {op.step.id!r} have been through {again[0]!r}, which would come again behind "
                    f"{to.step.id!r}.",
                    field=f"mapping.{op.step.id}",
                )
    return found


def _refuse_unknown(mapping: Mapping[str, str], olds: Collection[Program], program: Program) -> None:
    for old_id, new_id in mapping.items():
        if all(old.place_of(old_id) is None for old in olds):
            raise InvalidInput(f"No older version has a step {old_id!r}.", field=f"mapping.{old_id}", code="NOT_FOUND")
        if program.place_of(new_id) is None:
            raise InvalidInput(
                f"The version that runs has no step {new_id!r}.", field=f"mapping.{old_id}", code="NOT_FOUND"
            )


def _stand_at(campaign: Campaign, version_id: int, op: Op) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM crm_plugin_enrollment WHERE campaign_id = %s AND version_id = %s "
            "AND step = %s AND state = 'active')",
            [campaign.pk, version_id, op.place],
        )
        return bool(cursor.fetchone()[0])


def _again(old: Program, op: Op, new: Program, to: Op) -> list[str]:
    """Return the steps that a run at ``op`` may have done and that would come (again) from ``to`` on."""
    done = {one.step.id for one in old.ops if one.place != op.place and op.place in _reach(old, one)}
    ahead = [new.ops[place] for place in sorted(_reach(new, to))]
    return [one.step.id for one in ahead if one.step.id in done and not isinstance(one.step, _HARMLESS)]


def _reach(program: Program, start: Op) -> set[int]:
    """Return the places that can be come to from a step, its own included. Steps lead forward only."""
    found = {start.place}
    for op in program.ops[start.place :]:
        if op.place in found and not isinstance(op.step, ExitStep):
            found |= {op.following, *op.ways}
    return {place for place in found if place < program.end}


def _move(campaign: Campaign, target: CampaignVersion, way: _Way, limit: int) -> int:
    program = versions([target.pk])[target.pk].definition.program
    ahead = {program.ops[place].step.id for place in _reach(program, way.to)}
    values: dict[str, Any] = {
        "campaign": campaign.pk,
        "from": way.version_id,
        "at": way.op.place,
        "to": target.pk,
        "place": way.to.place,
        "waits_for": way.to.step.activity.value if isinstance(way.to.step, WaitForStep) else "",
        "is_same_step": way.op.step.id == way.to.step.id and way.op.step.type == way.to.step.type,
        "ahead": sorted(ahead),
        "behind": sorted(ahead - {way.to.step.id}),
        "limit": limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(_MOVE, values)
        return int(cursor.rowcount)


__all__ = ["LIMIT", "Moved", "move_in_flight"]
