"""All runs of a campaign, under way and to come, each followed through the steps; then the gates, in order of time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from crm_plugin import contacts, coupons, merchant
from crm_plugin.audience import AudienceRule, matching
from crm_plugin.automations.abandoning import SUPERSEDED
from crm_plugin.automations.entering import Entrant
from crm_plugin.automations.foreseeing.admitting import Register
from crm_plugin.automations.foreseeing.coming import by_calendar, by_timer
from crm_plugin.automations.foreseeing.ending import ends_of_coming, ends_of_runs
from crm_plugin.automations.foreseeing.model import Foreseen, Outcome
from crm_plugin.automations.foreseeing.travellers import Traveller, about_to_enter, past, under_way
from crm_plugin.automations.foreseeing.walking import Course, Gift, Letter, Walk
from crm_plugin.automations.models import CampaignState, SplitTest
from crm_plugin.automations.running import Running
from crm_plugin.automations.steps import BranchStep, IssueCouponStep
from crm_plugin.automations.triggers import AbandonedTrigger
from crm_plugin.conf import settings
from crm_plugin.errors import InvalidInput
from crm_plugin.messaging import Outlook, Reason

#: Runs that one dry run follows, at most.
MOST_RUNS = 10_000

_OVER = {CampaignState.ENDED: Reason.CAMPAIGN_ENDED, CampaignState.ARCHIVED: Reason.CAMPAIGN_ARCHIVED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a dry run is about.

    Attributes:
        one: the campaign as people would enter it; its id is 0 when it was never saved.
        running_since: None when it does not run now, and is taken to begin at this moment.
    """

    one: Running
    state: CampaignState
    running_since: datetime | None
    starts_at: datetime | None
    ends_at: datetime | None
    now: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Followed:
    """What was found; ``is_complete``: nobody was left out; ``runs_dry``: a pool would have no code for everybody."""

    people: int
    is_complete: bool
    foreseen: list[Foreseen]
    runs_dry: bool


def follow(plan: Plan) -> Followed:
    """Return everything that would happen, in order of time. The number of queries does not grow with the people."""
    runs = under_way(plan.one.campaign_id, now=plan.now, until=plan.until, limit=MOST_RUNS) if _is_saved(plan) else []
    coming, is_complete = _coming(plan, limit=MOST_RUNS - len(runs))
    course = _course(plan, [*runs, *coming])
    walks = _walk(plan, course, runs, coming)
    found = [*_judged(course, [letter for walk in walks for letter in walk.letters])]
    found += [walk.end for walk in walks if walk.end is not None]
    gifts = [gift for walk in walks for gift in walk.gifts]
    found += [gift.foreseen for gift in gifts]
    found.sort(key=lambda one: (one.at, one.contact_id, one.step_id))
    return Followed(len(walks), is_complete and len(runs) < MOST_RUNS, found, _runs_dry(gifts))


def _is_saved(plan: Plan) -> bool:
    return plan.one.campaign_id != 0


def _coming(plan: Plan, *, limit: int) -> tuple[list[Traveller], bool]:
    """Return who would enter, in order of time, and whether these are all."""
    if plan.state in _OVER or limit <= 0:
        return [], limit > 0
    until = plan.until if plan.ends_at is None else min(plan.until, plan.ends_at)
    found, is_complete = list[Entrant](), True
    for cohort in by_calendar(plan.one, now=plan.now, until=until, limit=limit):
        found += cohort.entrants
        is_complete = is_complete and cohort.last_contact is None
        if len(found) >= limit:
            is_complete = False
            break
    if _is_saved(plan):
        found += by_timer(plan.one, now=plan.now, until=until, limit=limit)
    found.sort(key=lambda who: (who.due_at, who.contact_id))
    return [about_to_enter(who, plan.one.version) for who in found[:limit]], is_complete and len(found) <= limit


def _course(plan: Plan, travellers: Sequence[Traveller]) -> Course:
    people = {one.contact_id for one in travellers}
    return Course(
        campaign_id=plan.one.campaign_id,
        until=plan.until,
        starts_at=plan.starts_at,
        ends_at=plan.ends_at,
        over=_OVER[plan.state].value if plan.state in _OVER else "",
        inside=_inside(travellers),
        coupons=_coupons(travellers),
        winners=_winners({one.version.version_id for one in travellers}),
        zones=contacts.zones_of(people),
        shop_zone=merchant.zone(),
        languages=dict(contacts.rows_of(people).values_list("pk", "language")),
        default_language=merchant.load().default_language,
        outlook=_outlook(plan, travellers),
    )


def _outlook(plan: Plan, travellers: Iterable[Traveller]) -> Outlook:
    """Return what the gates know of the people, over every channel that a message may take."""
    travellers = list(travellers)
    definitions = {one.version.version_id: one.version.definition for one in travellers}.values()
    attempts = [attempt for one in definitions for _op, step in one.sends() for attempt in step.attempts]
    caps = [cap for one in definitions if (cap := one.campaign_cap) is not None]
    return Outlook.over(
        {one.contact_id for one in travellers},
        channels={attempt.channel for attempt in attempts},
        campaign_caps={plan.one.campaign_id: max(caps, key=lambda cap: cap.time)} if caps else {},
    )


def _inside(travellers: Iterable[Traveller]) -> dict[tuple[int, str], set[int]]:
    """Return who is in the audience of each branch now, one question for each branch of each version."""
    by_version: dict[int, list[Traveller]] = {}
    for one in travellers:
        by_version.setdefault(one.version.version_id, []).append(one)
    return {
        (version_id, op.step.id): _matching(op.step, {one.contact_id for one in group})
        for version_id, group in by_version.items()
        for op in group[0].version.definition.program.ops
        if isinstance(op.step, BranchStep)
    }


def _matching(step: BranchStep, people: set[int]) -> set[int]:
    try:
        return matching(AudienceRule.parse(step.audience), people)
    except InvalidInput:
        return set()  # what it names was deleted; the step itself then finds nobody in it


def _winners(version_ids: Iterable[int]) -> dict[tuple[int, str], str]:
    rows = SplitTest.objects.filter(version_id__in=set(version_ids)).exclude(arm="")
    return {(version_id, step_id): arm for version_id, step_id, arm in rows.values_list("version_id", "step_id", "arm")}


def _coupons(travellers: Iterable[Traveller]) -> dict[int, str]:
    """Return the names of the coupons that the steps give away and that were not put away."""
    definitions = {one.version.version_id: one.version.definition for one in travellers}.values()
    steps = [op.step for one in definitions for op in one.program.ops if isinstance(op.step, IssueCouponStep)]
    if not steps:
        return {}
    rows = coupons.templates().filter(pk__in={step.coupon for step in steps}, is_archived=False)
    return dict(rows.values_list("pk", "name"))


def _runs_dry(gifts: Sequence[Gift]) -> bool:
    """Whether a pool holds fewer codes than people would get one."""
    people: dict[int, set[int]] = {}
    for gift in gifts:
        people.setdefault(gift.coupon_id, set()).add(gift.foreseen.contact_id)
    return any(one.free is not None and one.free < len(people[pk]) for pk, one in coupons.counts(list(people)).items())


def _walk(plan: Plan, course: Course, runs: Sequence[Traveller], coming: Sequence[Traveller]) -> list[Walk]:
    """Follow those under way, then those who enter, the first first: who is let in depends on who is there."""
    register, walks, lanes = Register(), list[Walk](), dict[tuple[int, str], Walk]()

    def note(walk: Walk) -> None:
        walks.append(walk)
        lanes[walk.who.contact_id, walk.who.lane] = walk
        register.occupy(walk.who, ended_at=walk.ended_at)

    ends = ends_of_runs(runs)
    for one in runs:
        note(Walk(one, course).go(ends.get(one.enrollment_id or 0, "") or _stale(plan, one)))
    register.know(past(plan.one.campaign_id, {one.contact_id for one in coming}))
    leaving = ends_of_coming(coming)
    is_making_room = isinstance(plan.one.definition.trigger, AbandonedTrigger)
    for place, one in enumerate(coming):
        if not register.admits(one, is_making_room=is_making_room):
            continue
        if is_making_room and (before := lanes.get((one.contact_id, one.lane))) is not None:
            before.cut(one.at, SUPERSEDED)
        note(Walk(one, course).go(leaving.get(place, "")))
    return walks


def _stale(plan: Plan, one: Traveller) -> str:
    """Return the reason for which a run ends that nobody came by for; a pause is no lateness."""
    too_late = plan.now - timedelta(hours=settings().stale_after_hours)
    is_stale = plan.running_since is not None and plan.running_since < too_late and one.due_at < too_late
    return Reason.STALE.value if is_stale and one.stale_at is None else ""


def _judged(course: Course, letters: Sequence[Letter]) -> Iterable[Foreseen]:
    """Ask the gates about each message; those that are refused are left out, and the run goes on."""
    sights = course.outlook.foresee([letter.planned for letter in letters])
    for letter, sight in zip(letters, sights, strict=True):
        made = _over(sight.channel, letter, course)
        if sight.refusal is not None:
            made = replace(made, at=sight.at, outcome=Outcome.SKIPPED, reason=sight.refusal.value, until=None)
        elif sight.held_for is not None:
            made = replace(made, outcome=Outcome.HELD, reason=sight.held_for.value, until=sight.at)
        yield made


def _over(channel: str, letter: Letter, course: Course) -> Foreseen:
    """Return the message as it would be over a channel: each has a text of its own."""
    if channel == letter.foreseen.channel:
        return letter.foreseen
    attempt = next(attempt for attempt in letter.step.attempts if attempt.channel == channel)
    subject = course.subject(attempt.template, letter.foreseen.contact_id)
    return replace(letter.foreseen, channel=channel, subject=subject)
