"""Campaigns: creating, editing, publishing, pausing, deleting. Every change of a campaign goes through here."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import Count, Max, QuerySet

from crm_plugin import clock, merchant
from crm_plugin.audience import AudienceRule
from crm_plugin.automations.definition import Definition
from crm_plugin.automations.models import Campaign, CampaignState, CampaignVersion, Enrollment, EnrollmentState
from crm_plugin.automations.scheduling import is_over
from crm_plugin.errors import InvalidInput, NotFound
from crm_plugin.messaging import MessageClass, TemplateSource, save_template


class _Unset:
    """The type of ``UNSET``: None is a value of its own."""


UNSET: Final = _Unset()


def campaigns() -> QuerySet[Campaign]:
    """Return the campaigns, for lists."""
    return Campaign.objects.select_related("version")


def in_flight(campaign_ids: Iterable[int]) -> dict[int, int]:
    """Return how many people are on their way through each campaign."""
    rows = (
        Enrollment.objects.filter(campaign_id__in=list(campaign_ids), state=EnrollmentState.ACTIVE)
        .values_list("campaign_id")
        .annotate(people=Count("id"))
    )
    return dict(rows)


def create_campaign(
    *, name: str, definition: dict[str, Any], starts_at: datetime | None = None, ends_at: datetime | None = None
) -> Campaign:
    """Save a draft. It does not run before it is published.

    Raises:
        InvalidInput: with the path of the wrong field; nothing is saved.
    """
    _check_period(starts_at, ends_at)
    _check(Definition.parse(definition))
    now = clock.now()
    return Campaign.objects.create(
        name=_clean_name(name),
        draft=definition,
        starts_at=starts_at,
        ends_at=ends_at,
        created_at=now,
        updated_at=now,
    )


@transaction.atomic
def update_campaign(
    campaign_id: int,
    *,
    name: str | None = None,
    definition: dict[str, Any] | None = None,
    starts_at: datetime | _Unset | None = UNSET,
    ends_at: datetime | _Unset | None = UNSET,
) -> Campaign:
    """Change what is given. A new definition stays a draft until the campaign is published again.

    Raises:
        InvalidInput, NotFound
    """
    campaign = _locked(campaign_id)
    _refuse(campaign, CampaignState.ARCHIVED)
    if name is not None:
        campaign.name = _clean_name(name)
    if definition is not None:
        _check(Definition.parse(definition))
        campaign.draft = definition
    if not isinstance(starts_at, _Unset):
        campaign.starts_at = starts_at
    if not isinstance(ends_at, _Unset):
        campaign.ends_at = ends_at
    _check_period(campaign.starts_at, campaign.ends_at)
    campaign.updated_at = clock.now()
    campaign.save()
    return campaign


@transaction.atomic
def publish(campaign_id: int) -> Campaign:
    """Run the campaign as it is drafted: a draft starts, a paused one goes on, a running one takes its new version.

    People in flight stay on the version they entered.

    Raises:
        InvalidInput: when the merchant's sender or postal address is missing, or the period is over.
    """
    campaign = _locked(campaign_id)
    _refuse(campaign, CampaignState.ARCHIVED)
    now = clock.now()
    if campaign.ends_at is not None and campaign.ends_at <= now:
        raise InvalidInput("The campaign's period is over; move its end first.", field="endsAt")
    definition = Definition.parse(campaign.draft)
    _check(definition)
    if is_over(definition.trigger):
        raise InvalidInput("The moment of the schedule is over.", field="definition.trigger.schedule.at")
    _check_merchant(definition)
    if campaign.version is None or campaign.version.definition != campaign.draft:
        campaign.version = _new_version(campaign, definition)
    if campaign.state != CampaignState.RUNNING:
        campaign.running_since = now
    campaign.state, campaign.updated_at = CampaignState.RUNNING, now
    campaign.save()
    return campaign


@transaction.atomic
def pause(campaign_id: int) -> Campaign:
    """Hold everybody where they are and let nobody in."""
    campaign = _locked(campaign_id)
    if campaign.state != CampaignState.RUNNING:
        raise InvalidInput(f"Only a running campaign can be paused; this one is {campaign.state}.", code="NOT_RUNNING")
    campaign.state, campaign.updated_at = CampaignState.PAUSED, clock.now()
    campaign.save()
    return campaign


@transaction.atomic
def delete_campaign(campaign_id: int) -> Campaign:
    """Delete a draft that never ran; archive anything else. People in flight of an archived campaign exit.

    Raises:
        InvalidInput: while it runs.
    """
    campaign = _locked(campaign_id)
    _refuse(campaign, CampaignState.RUNNING)
    if campaign.version is None:
        campaign.delete()
        campaign.pk = campaign_id
        return campaign
    campaign.state, campaign.updated_at = CampaignState.ARCHIVED, clock.now()
    campaign.save()
    return campaign


def end_campaigns() -> int:
    """End the running campaigns whose period is over; return how many."""
    now = clock.now()
    return Campaign.objects.filter(state=CampaignState.RUNNING, ends_at__lte=now).update(
        state=CampaignState.ENDED, updated_at=now
    )


def _locked(campaign_id: int) -> Campaign:
    campaign = Campaign.objects.select_for_update(of=("self",)).select_related("version").filter(pk=campaign_id).first()
    if campaign is None:
        raise NotFound("There is no such campaign.")
    return campaign


def _refuse(campaign: Campaign, state: CampaignState) -> None:
    if campaign.state == state:
        hint = "pause it first" if state is CampaignState.RUNNING else "clone it instead"
        raise InvalidInput(f"The campaign is {state.value}; {hint}.", field="id", code=f"IS_{state.name}")


def _clean_name(name: str) -> str:
    cleaned = name.strip()
    if not 1 <= len(cleaned) <= 120:
        raise InvalidInput("A name has 1 to 120 characters.", field="name", code="REQUIRED")
    return cleaned


def _check_period(starts_at: datetime | None, ends_at: datetime | None) -> None:
    if starts_at is not None and ends_at is not None and starts_at >= ends_at:
        raise InvalidInput("A campaign ends after it starts.", field="endsAt")


def _check(definition: Definition) -> None:
    """Refuse content and audiences that could not be used; nothing is saved.

    Raises:
        InvalidInput: with the path of the wrong part.
    """
    _contents(definition)
    for path, value in definition.audiences().items():
        AudienceRule.parse(value, field=path)


def _check_merchant(definition: Definition) -> None:
    """Refuse advertising without a sender and a postal address (CAN-SPAM 15 USC 7704(a)(5); features row 63)."""
    if all(step.message_class is not MessageClass.MARKETING for _place, step in definition.sends()):
        return
    row = merchant.load()
    for field in merchant.NEEDED:
        if not getattr(row, field):
            raise InvalidInput(f"Fill in {field} of the CRM settings before publishing.", field=field, code="REQUIRED")


def _contents(definition: Definition) -> dict[str, tuple[TemplateSource, MessageClass]]:
    """Return the checked content of every Send step by step id; nothing is saved.

    Raises:
        InvalidInput: with the path of the wrong part.
    """
    contents = {}
    for place, step in definition.sends():
        try:
            source = TemplateSource.parse(step.template)
            source.check(message_class=step.message_class)
        except InvalidInput as error:
            path = f"definition.steps.{place}.template.{error.field}".rstrip(".")
            raise InvalidInput(error.message, field=path, code=error.code) from error
        contents[step.id] = (source, step.message_class)
    return contents


def _new_version(campaign: Campaign, definition: Definition) -> CampaignVersion:
    last = campaign.versions.aggregate(number=Max("number"))["number"] or 0
    return CampaignVersion.objects.create(
        campaign=campaign,
        number=last + 1,
        definition=campaign.draft,
        templates={
            step_id: save_template(source, message_class=message_class)
            for step_id, (source, message_class) in _contents(definition).items()
        },
        published_at=clock.now(),
    )
