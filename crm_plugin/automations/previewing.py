"""What publishing would do, before it is done: who is under way, which steps change, what is wrong, whom it reaches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from crm_plugin import audience, clock
from crm_plugin.audience import AudienceRule
from crm_plugin.automations.advising import Advice, advice, of_pools, warnings
from crm_plugin.automations.campaigns import campaigns
from crm_plugin.automations.definition import Definition
from crm_plugin.automations.fitness import problems
from crm_plugin.automations.models import Campaign, CampaignState
from crm_plugin.automations.program import Op, Program, ways_of
from crm_plugin.automations.running import versions
from crm_plugin.automations.statistics import Standing, standing
from crm_plugin.errors import InvalidInput, NotFound


@dataclass(frozen=True, slots=True)
class StepRef:
    """A step and where it stands."""

    step_id: str
    path: str


@dataclass(frozen=True, slots=True)
class InFlight:
    """How many people stand at a step of a version.

    ``is_gone``: the definition to be published has no step of this id, so they cannot move without a choice.
    """

    standing: Standing
    is_gone: bool


@dataclass(frozen=True, slots=True)
class PublishPreview:
    """What publishing would do at this moment.

    Attributes:
        version: the number of the version that would run; the present one when the draft says the same.
        in_flight: by version and step; all of them stay on their version.
        added, removed, changed: steps of the draft compared with the version that was published last.
        problems: for each of these it would be refused.
        warnings: what is allowed but hardly meant.
        audience_count: people in the trigger's audience now; None: it has none, or counting took too long.
    """

    version: int
    in_flight: tuple[InFlight, ...]
    added: tuple[StepRef, ...]
    removed: tuple[StepRef, ...]
    changed: tuple[StepRef, ...]
    problems: tuple[InvalidInput, ...]
    warnings: tuple[Advice, ...]
    audience_count: int | None


def preview_publish(campaign_id: int, *, language: str = "en") -> PublishPreview:
    """Return what publishing the campaign would do; nothing is changed.

    Args:
        campaign_id: which.
        language: of the warnings; ``en`` or ``ko``.

    Raises:
        NotFound
    """
    campaign = campaigns().filter(pk=campaign_id).first()
    if campaign is None:
        raise NotFound("There is no such campaign.")
    wrong, advised, count = list(_of_campaign(campaign)), list[Advice](), None
    faults = Definition.faults(campaign.draft)
    draft = None if faults else Definition.parse(campaign.draft)
    if draft is not None:
        wrong += problems(draft)
        advised = warnings(draft, language=language)
        count, advised_on_audience = _audience(draft, language)
        advised += [*advised_on_audience, *of_pools(draft, count, language=language)]
    after = draft.program if draft is not None else Program(())
    before = _running_program(campaign)
    return PublishPreview(
        version=_next_number(campaign),
        in_flight=tuple(InFlight(one, after.place_of(one.step_id) is None) for one in standing([campaign_id])),
        added=_refs(op for op in after.ops if before.place_of(op.step.id) is None),
        removed=_refs(op for op in before.ops if after.place_of(op.step.id) is None),
        changed=_refs(op for op in after.ops if _differs(op, before)),
        problems=(*faults, *wrong),
        warnings=tuple(advised),
        audience_count=count,
    )


def _of_campaign(campaign: Campaign) -> Iterable[InvalidInput]:
    if campaign.state == CampaignState.ARCHIVED:
        yield InvalidInput("The campaign is archived; clone it instead.", field="id", code="IS_ARCHIVED")
    if campaign.ends_at is not None and campaign.ends_at <= clock.now():
        yield InvalidInput("The campaign's period is over; move its end first.", field="endsAt")


def _running_program(campaign: Campaign) -> Program:
    if campaign.version_id is None:
        return Program(())
    return versions([campaign.version_id])[campaign.version_id].definition.program


def _next_number(campaign: Campaign) -> int:
    if campaign.version is None:
        return 1
    is_same = campaign.version.definition == campaign.draft
    return campaign.version.number if is_same else campaign.version.number + 1


def _refs(ops: Iterable[Op]) -> tuple[StepRef, ...]:
    return tuple(StepRef(op.step.id, f"definition.{op.path}") for op in ops)


def _differs(op: Op, before: Program) -> bool:
    place = before.place_of(op.step.id)
    return place is not None and _own(before.ops[place]) != _own(op)


def _own(op: Op) -> tuple[str, Mapping[str, Any]]:
    """Return what a step says itself: the steps that it holds speak for themselves."""
    said = op.step.model_dump(mode="json")
    held = {part.split(".")[0] for part, _way in ways_of(op.step)}
    for name in held:
        if name == "arms":
            said["arms"] = [{k: v for k, v in arm.items() if k != "steps"} for arm in said["arms"]]
        else:
            del said[name]
    return op.path, said


def _audience(draft: Definition, language: str) -> tuple[int | None, list[Advice]]:
    field = "definition.trigger.audience"
    if draft.trigger.audience is None:
        return None, []
    try:
        count = audience.preview(AudienceRule.parse(draft.trigger.audience), sample=0).count
    except InvalidInput as error:
        found = [advice("AUDIENCE_NOT_COUNTED", field, language=language)] if error.code == "TIMEOUT" else []
        return None, found  # what else is wrong with it is among the problems
    return count, [] if count else [advice("EMPTY_AUDIENCE", field, language=language)]
