"""Whom a dry run follows: the runs that are under way, and those that a timer will begin."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from crm_plugin import messaging
from crm_plugin.automations.entering import Entrant
from crm_plugin.automations.models import Enrollment, EnrollmentState
from crm_plugin.automations.running import Version, versions
from crm_plugin.messaging import MessageState


@dataclass(frozen=True, slots=True, kw_only=True)
class Traveller:
    """A run, begun or to come, and where it goes on.

    Attributes:
        at: when the step at ``place`` is due.
        due_at: when it fell due, which may be long ago.
        has_waited: the time that the step waits for something is over at ``at``.
        stale_at: of the message of the step, when that was made already.
        not_since: not let in when they entered after this moment.
    """

    contact_id: int
    version: Version
    at: datetime
    due_at: datetime
    entered_at: datetime
    enrollment_id: int | None = None
    subject_key: str = ""
    epoch: int = 0
    lane: str = ""
    place: int = 0
    has_waited: bool = False
    stale_at: datetime | None = None
    not_since: datetime | None = None
    items: Sequence[Mapping[str, Any]] = ()
    context: Mapping[str, Any] = field(default_factory=dict)
    arms: Mapping[str, str] = field(default_factory=dict)


def under_way(campaign_id: int, *, now: datetime, until: datetime, limit: int) -> list[Traveller]:
    """Return the runs under way whose next step is due before ``until``, the first due first; three queries."""
    active = Enrollment.objects.filter(campaign_id=campaign_id, state=EnrollmentState.ACTIVE)
    parked = list(active.filter(due_at__isnull=True).order_by("pk")[:limit])
    due = list(active.filter(due_at__lt=until).order_by("due_at", "pk")[: limit - len(parked)])
    letters = _letters(parked)
    known = versions(run.version_id for run in (*parked, *due))
    found = [_traveller(run, known[run.version_id], run.due_at or now, now) for run in due]
    found += [
        traveller for run in parked if (traveller := _parked(run, known[run.version_id], letters, now)) is not None
    ]
    return [one for one in found if one.at < until]


def _letters(runs: Sequence[Enrollment]) -> dict[tuple[int, str], tuple[str, datetime, datetime]]:
    rows = messaging.messages().filter(enrollment_id__in=[run.pk for run in runs])
    return {
        (enrollment_id, step_id): (state, due_at, stale_at)
        for enrollment_id, step_id, state, due_at, stale_at in rows.values_list(
            "enrollment_id", "step_id", "state", "due_at", "stale_at"
        )
    }


def _parked(
    run: Enrollment,
    version: Version,
    letters: Mapping[tuple[int, str], tuple[str, datetime, datetime]],
    now: datetime,
) -> Traveller | None:
    """Return a run whose message is on its way: at the message, or behind it when that was handed out."""
    program = version.definition.program
    if run.step >= program.end:
        return None
    op = program.ops[run.step]
    state, due_at, stale_at = letters.get((run.pk, op.step.id), (MessageState.SENT, now, now))
    if state != MessageState.QUEUED:
        return _traveller(run, version, now, now, place=op.following)
    return _traveller(run, version, due_at, now, stale_at=stale_at)


def _traveller(run: Enrollment, version: Version, due_at: datetime, now: datetime, **more: Any) -> Traveller:
    values: dict[str, Any] = {"place": run.step, "has_waited": bool(run.waits_for), **more}
    return Traveller(
        contact_id=run.contact_id,
        version=version,
        at=max(due_at, now),
        due_at=due_at,
        entered_at=run.entered_at,
        enrollment_id=run.pk,
        subject_key=run.subject_key,
        epoch=run.epoch,
        lane=run.lane,
        items=run.items,
        context=run.context,
        arms=run.arms,
        **values,
    )


def about_to_enter(who: Entrant, version: Version) -> Traveller:
    """Return the run that somebody would begin."""
    return Traveller(
        contact_id=who.contact_id,
        version=version,
        at=who.due_at,
        due_at=who.due_at,
        entered_at=who.entered_at,
        subject_key=who.subject_key,
        epoch=who.epoch,
        lane=who.lane,
        not_since=who.not_since,
        items=who.items,
        context=who.context,
    )


@dataclass(frozen=True, slots=True)
class Past:
    """A run that there was, or is: what keeps its person from entering again."""

    contact_id: int
    subject_key: str
    epoch: int
    lane: str
    entered_at: datetime
    state: str


def past(campaign_id: int, contact_ids: Collection[int]) -> Iterator[Past]:
    """Walk over the runs of these people, in one query."""
    rows = Enrollment.objects.filter(campaign_id=campaign_id, contact_id__in=contact_ids)
    for row in rows.values_list("contact_id", "subject_key", "epoch", "lane", "entered_at", "state"):
        yield Past(*row)
