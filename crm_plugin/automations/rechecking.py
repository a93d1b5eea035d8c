"""The last look at a run before its message goes out: is it still wanted, now, and about which products?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from crm_plugin import activity, clock, contacts, merchant
from crm_plugin.automations import exiting
from crm_plugin.automations.asking import Requests, is_request
from crm_plugin.automations.definition import Definition, ExitCondition
from crm_plugin.automations.extras import Surroundings
from crm_plugin.automations.fields import Zone
from crm_plugin.automations.models import Campaign, CampaignState, Enrollment, EnrollmentState
from crm_plugin.automations.running import Version, versions
from crm_plugin.automations.steps import SendStep
from crm_plugin.automations.triggers import WAVES, PriceDropTrigger
from crm_plugin.ids import array
from crm_plugin.messaging import Claimed, Go, Hold, Item, MessageClass, Reason, Skip, Verdict
from crm_plugin.shop import FactKind

#: How long a message of a paused campaign rests before it is looked at again.
PAUSE_SECONDS = 60.0

#: The products with which somebody did one of these are left out of the messages that ask for it.
_LEAVES_OUT = {ExitCondition.BOUGHT_ITEM: FactKind.BOUGHT, ExitCondition.REVIEWED_ITEM: FactKind.REVIEWED}

Verdicts = dict[int, Verdict]
_Triple = tuple[int, str, str]


@dataclass(frozen=True, slots=True)
class _Desk:
    """What is known about all runs of a pass."""

    now: datetime
    campaigns: Mapping[int, Campaign]
    versions: Mapping[int, Version]
    ended: Mapping[int, exiting.End]
    done: Mapping[ExitCondition, Mapping[int, set[str]]]
    surroundings: Surroundings
    requests: Requests
    zones: Mapping[int, ZoneInfo]
    shop_zone: ZoneInfo
    wanted: set[_Triple]


def recheck(claimed: Sequence[Claimed]) -> Verdicts:
    """Decide for every claimed message whether its run still wants it, and about which products.

    Asked after any hold and right before composing: campaign state and period, exit conditions, interest, the cart,
    quiet hours. A message of a run that is completed goes out all the same: it was asked for before that, and another
    channel failed later, or the merchant sends it again.

    Args:
        claimed: messages of campaigns; notices are none of ours.
    """
    ids = array({message.enrollment_id for message in claimed if message.enrollment_id is not None})
    rows = Enrollment.objects.extra(where=["id = ANY(%s::bigint[])"], params=[ids])
    runs: dict[int | None, Enrollment] = {run.pk: run for run in rows}
    desk = _desk(claimed, runs)
    verdicts: Verdicts = {}
    for message in claimed:
        run = runs[message.enrollment_id]
        verdict = _verdict(run, message, desk)
        # Of two alerts about the same product, the first in line has it; other mail about it takes nothing away.
        if isinstance(verdict, Go) and isinstance(_definition(run, desk).trigger, PriceDropTrigger):
            desk.wanted.difference_update(
                (run.contact_id, item.product_id, item.shop_channel) for item in verdict.items
            )
        verdicts[message.message_id] = verdict
    return verdicts


def _desk(claimed: Sequence[Claimed], runs: Mapping[int | None, Enrollment]) -> _Desk:
    every = list(runs.values())
    known = versions(run.version_id for run in every)
    shop_zone = merchant.zone()
    surroundings = Surroundings.of(every)
    has_quiet_hours = any(version.definition.quiet_hours is not None for version in known.values())
    return _Desk(
        now=clock.now(),
        campaigns=Campaign.objects.defer("draft").in_bulk({run.campaign_id for run in every}),
        versions=known,
        ended=_ended(every, known),
        done={asked: _done(every, asked) for asked in _LEAVES_OUT if _is_asked(asked, known)},
        surroundings=surroundings,
        requests=Requests.of(claimed, runs, known, surroundings),
        zones=contacts.zones_of({run.contact_id for run in every}) if has_quiet_hours else {},
        shop_zone=shop_zone,
        wanted=_still_wanted(claimed, runs, known),
    )


def _definition(run: Enrollment, desk: _Desk) -> Definition:
    return desk.versions[run.version_id].definition


def _ended(runs: Sequence[Enrollment], known: Mapping[int, Version]) -> dict[int, exiting.End]:
    groups: dict[int, list[int]] = defaultdict(list)
    for run in runs:
        groups[run.version_id].append(run.pk)
    return {
        pk: end
        for version_id, ids in groups.items()
        for pk, end in exiting.ended(known[version_id], array(ids)).items()
    }


def _is_asked(asked: ExitCondition, known: Mapping[int, Version]) -> bool:
    return any(asked in version.definition.exit_when for version in known.values())


def _done(runs: Sequence[Enrollment], asked: ExitCondition) -> Mapping[int, set[str]]:
    """Return with which products each run's contact did what ends it, by enrollment id, in one query.

    A purchase counts since the run began, a review whenever it was written.
    """
    is_ever = asked is ExitCondition.REVIEWED_ITEM
    since: dict[int, datetime] = {}
    for run in runs:
        begin = datetime.min.replace(tzinfo=run.entered_at.tzinfo) if is_ever else run.entered_at
        since[run.contact_id] = min(begin, since.get(run.contact_id, begin))
    times = activity.last_times(since, kind=_LEAVES_OUT[asked])
    return {
        run.pk: {product for product, at in times[run.contact_id].items() if is_ever or at > run.entered_at}
        for run in runs
    }


def _verdict(run: Enrollment, message: Claimed, desk: _Desk) -> Verdict:
    if (verdict := _campaign_verdict(desk.campaigns[run.campaign_id], desk.now)) is not None:
        return verdict
    if run.state not in (EnrollmentState.ACTIVE, EnrollmentState.COMPLETED):
        return Skip(Reason.BOUGHT if run.state == EnrollmentState.CONVERTED else Reason.EXITED)
    if (end := desk.ended.get(run.pk)) is not None:
        return Skip(Reason(end[1]))
    if desk.surroundings.has_moved_on(run):
        return Skip(Reason.EXITED)
    items = _items(run, desk)
    if run.items and not items:
        return Skip(Reason.EXITED)
    definition = _definition(run, desk)
    if is_request(definition, message.step_id) and not (items := desk.requests.items(run, items)):
        return Skip(Reason.NOTHING_TO_REVIEW)
    if (until := _quiet_until(run, message, definition, desk)) is not None:
        return Hold(until, Reason.QUIET_HOURS)
    return Go(
        tuple(items),
        is_offer=_is_offer(definition, message.step_id),
        extras=desk.surroundings.extras(run),
        withheld=desk.surroundings.withheld(run, definition),
        terms=definition.gate_terms,
    )


def _items(run: Enrollment, desk: _Desk) -> list[Item]:
    definition, items = _definition(run, desk), desk.surroundings.items(run)
    for asked, done in desk.done.items():
        if asked in definition.exit_when:
            items = [item for item in items if item.product_id not in done[run.pk]]
    if isinstance(definition.trigger, WAVES):
        items = [item for item in items if (run.contact_id, item.product_id, item.shop_channel) in desk.wanted]
    return items


def _quiet_until(run: Enrollment, message: Claimed, definition: Definition, desk: _Desk) -> datetime | None:
    hours = definition.quiet_hours
    if hours is None or message.message_class != MessageClass.MARKETING:
        return None
    own = desk.zones.get(run.contact_id) if hours.zone is Zone.CONTACT else None
    return clock.end_of_stretch(hours.start, hours.end, at=desk.now, zone=own or desk.shop_zone)


def _is_offer(definition: Definition, step_id: str) -> bool:
    place = definition.program.place_of(step_id)
    step = definition.program.ops[place].step if place is not None else None
    return not isinstance(step, SendStep) or (step.offers and not step.is_review_request)


def _campaign_verdict(campaign: Campaign, now: datetime) -> Hold | Skip | None:
    if campaign.state == CampaignState.PAUSED:
        return Hold(now + timedelta(seconds=PAUSE_SECONDS), Reason.CAMPAIGN_PAUSED)
    if campaign.state != CampaignState.RUNNING or (campaign.ends_at is not None and campaign.ends_at <= now):
        return Skip(Reason.CAMPAIGN_ENDED)
    if campaign.starts_at is not None and campaign.starts_at > now:
        return Hold(campaign.starts_at, Reason.CAMPAIGN_NOT_STARTED)
    return None


def _still_wanted(
    claimed: Sequence[Claimed], runs: Mapping[int | None, Enrollment], known: Mapping[int, Version]
) -> set[_Triple]:
    """Return the (contact, product, channel) of waves' runs whose interest still stands, two queries a rule.

    A run's first message is not about what another run alerted to meanwhile (another campaign's, or one that came with
    a merge); its later ones follow up its own.
    """
    wanted: set[_Triple] = set()
    for version_id, version in known.items():
        trigger = version.definition.trigger
        if not isinstance(trigger, WAVES):
            continue
        first_send = version.definition.sends()[0][1].id
        firsts, others = list[_Triple](), list[_Triple]()
        for message in claimed:
            run = runs[message.enrollment_id]
            if run.version_id == version_id:
                pairs = [(run.contact_id, item["product_id"], item["shop_channel"]) for item in run.items]
                (firsts if message.step_id == first_send else others).extend(pairs)
        cooling = set[_Triple]()
        if isinstance(trigger, PriceDropTrigger):
            cooling = activity.cooling_down(firsts, rule=trigger.rule())
        wanted |= activity.still_interested([*(set(firsts) - cooling), *others], rule=trigger.interest())
    return wanted
