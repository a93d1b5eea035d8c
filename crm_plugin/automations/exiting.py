"""When a run ends early: what is asked before every step, and again right before a message goes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from crm_plugin import activity, clock
from crm_plugin.audience import AudienceRule, matching
from crm_plugin.automations.definition import Definition, ExitCondition, PriceDropTrigger
from crm_plugin.automations.models import Campaign, CampaignState, CampaignVersion, Enrollment, EnrollmentState
from crm_plugin.messaging import Claimed, Go, Hold, Item, Reason, Skip, Verdict
from crm_plugin.shop import FactKind

#: How long a message of a paused campaign rests before it is looked at again.
PAUSE_SECONDS = 60.0

#: The message's subject is gone: the steps behind it have nothing to be about.
_SUBJECT_GONE = {
    Reason.EXITED,
    Reason.PRICE_RESTORED,
    Reason.SOLD_OUT,
    Reason.UNAVAILABLE,
    Reason.CAMPAIGN_ENDED,
}
Verdicts = dict[int, Verdict]
_Pairs = list[tuple[int, str, str]]
End = tuple[EnrollmentState, str]


def ended(runs: Sequence[Enrollment], definitions: Mapping[int, Definition]) -> dict[int, End]:
    """Return how those of the runs end whose exit condition holds now, by enrollment id."""
    bought, left = _bought(runs), _in_exit_audience(runs, definitions)
    ends = {run.pk: _end(run, definitions[run.version_id].exit_when, bought[run.pk]) for run in runs}
    return {pk: end for pk, end in ends.items() if end is not None} | dict.fromkeys(
        left - {pk for pk, end in ends.items() if end is not None}, (EnrollmentState.EXITED, Reason.EXITED)
    )


def end_after(reason: str) -> EnrollmentState | None:
    """Return how a run ends whose message came to ``reason``; None when it goes on."""
    if reason == Reason.BOUGHT:
        return EnrollmentState.CONVERTED
    return EnrollmentState.EXITED if reason in _SUBJECT_GONE else None


def recheck(claimed: Sequence[Claimed]) -> Verdicts:
    """Decide for every claimed message whether its run still wants it, and about which products.

    Asked after any hold and right before composing: campaign state and period, exit conditions, interest.
    """
    runs = {
        run.pk: run
        for run in Enrollment.objects.filter(pk__in={message.enrollment_id for message in claimed}).select_related(
            "campaign"
        )
    }
    versions = CampaignVersion.objects.filter(pk__in={run.version_id for run in runs.values()})
    definitions = {row.pk: Definition.parse(row.definition) for row in versions}
    bought = _bought(list(runs.values()))
    left = _in_exit_audience(list(runs.values()), definitions)
    wanted = _still_wanted(claimed, runs, definitions)
    verdicts: Verdicts = {}
    for message in claimed:
        run = runs[message.enrollment_id]
        definition = definitions[run.version_id]
        verdict = _verdict(run, definition, bought[run.pk], wanted)
        if isinstance(verdict, Go) and run.pk in left:
            verdict = Skip(Reason.EXITED)
        # Of two alerts about the same product, the first in line has it; other mail about it takes nothing away.
        if isinstance(verdict, Go) and isinstance(definition.trigger, PriceDropTrigger):
            wanted -= {(run.contact_id, item.product_id, item.shop_channel) for item in verdict.items}
        verdicts[message.message_id] = verdict
    return verdicts


def _bought(runs: Sequence[Enrollment]) -> Mapping[int, set[str]]:
    """Return what each run's contact bought since entering it, by enrollment id, in one query."""
    since: dict[int, datetime] = {}
    for run in runs:
        since[run.contact_id] = min(run.entered_at, since.get(run.contact_id, run.entered_at))
    times = activity.last_times(since, kind=FactKind.BOUGHT)
    return {run.pk: {product for product, at in times[run.contact_id].items() if at > run.entered_at} for run in runs}


def _in_exit_audience(runs: Sequence[Enrollment], definitions: Mapping[int, Definition]) -> set[int]:
    """Return the ids of the runs whose contact is in the exit audience of the run's version now."""
    left: set[int] = set()
    for version_id, definition in definitions.items():
        if definition.exit_audience is not None:
            mine = [run for run in runs if run.version_id == version_id]
            people = matching(AudienceRule.parse(definition.exit_audience), [run.contact_id for run in mine])
            left |= {run.pk for run in mine if run.contact_id in people}
    return left


def _end(run: Enrollment, conditions: Sequence[ExitCondition], bought: set[str]) -> End | None:
    products = {item["product_id"] for item in run.items}
    if ExitCondition.BOUGHT_ITEM in conditions and products and products <= bought:
        return EnrollmentState.CONVERTED, Reason.BOUGHT
    if ExitCondition.ORDERED in conditions and bought:
        return EnrollmentState.CONVERTED, Reason.BOUGHT
    return None


def _verdict(
    run: Enrollment,
    definition: Definition,
    bought: set[str],
    wanted: set[tuple[int, str, str]],
) -> Verdict:
    if (verdict := _campaign_verdict(run.campaign)) is not None:
        return verdict
    if run.state != EnrollmentState.ACTIVE:
        return Skip(Reason.EXITED)
    if (end := _end(run, definition.exit_when, bought)) is not None:
        return Skip(Reason(end[1]))
    items = [Item.from_json(item) for item in run.items]
    if ExitCondition.BOUGHT_ITEM in definition.exit_when:
        items = [item for item in items if item.product_id not in bought]
    if isinstance(definition.trigger, PriceDropTrigger):
        items = [item for item in items if (run.contact_id, item.product_id, item.shop_channel) in wanted]
    if run.items and not items:
        return Skip(Reason.EXITED)
    return Go(tuple(items))


def _campaign_verdict(campaign: Campaign) -> Hold | Skip | None:
    now = clock.now()
    if campaign.state == CampaignState.PAUSED:
        return Hold(now + timedelta(seconds=PAUSE_SECONDS), Reason.CAMPAIGN_PAUSED)
    if campaign.state != CampaignState.RUNNING or (campaign.ends_at is not None and campaign.ends_at <= now):
        return Skip(Reason.CAMPAIGN_ENDED)
    if campaign.starts_at is not None and campaign.starts_at > now:
        return Hold(campaign.starts_at, Reason.CAMPAIGN_NOT_STARTED)
    return None


def _still_wanted(
    claimed: Sequence[Claimed], runs: Mapping[int, Enrollment], definitions: Mapping[int, Definition]
) -> set[tuple[int, str, str]]:
    """Return the (contact, product, channel) of price-drop runs whose interest still stands, two queries a rule.

    A run's first message is not about what another run alerted to meanwhile (another campaign's, or one that came with
    a merge); its later ones follow up its own.
    """
    wanted: set[tuple[int, str, str]] = set()
    for version_id, definition in definitions.items():
        if not isinstance(definition.trigger, PriceDropTrigger):
            continue
        rule, first_send = definition.trigger.rule(), definition.sends()[0][1].id
        firsts, others = _Pairs(), _Pairs()
        for message in claimed:
            run = runs[message.enrollment_id]
            if run.version_id == version_id:
                pairs = [(run.contact_id, item["product_id"], item["shop_channel"]) for item in run.items]
                (firsts if message.step_id == first_send else others).extend(pairs)
        cooling = activity.cooling_down(firsts, rule=rule)
        wanted |= activity.still_interested([*(set(firsts) - cooling), *others], rule=rule)
    return wanted
