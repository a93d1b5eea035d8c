"""Campaigns: creating, editing, copying, deleting. How they come to run is in ``publishing``."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import Count, QuerySet, prefetch_related_objects

from crm_plugin import clock, merchant
from crm_plugin.automations import recipes
from crm_plugin.automations.definition import Definition
from crm_plugin.automations.fitness import check
from crm_plugin.automations.models import Campaign, CampaignState, Enrollment, EnrollmentState
from crm_plugin.errors import InvalidInput, NotFound

MAX_NAME = 120


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
    check(Definition.parse(definition))
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
def create_from_recipe(
    recipe: str, *, name: str, starts_at: datetime | None = None, ends_at: datetime | None = None
) -> Campaign:
    """Save a draft that says what a recipe says, with the attributes that it asks for and the coupons that it gives.

    Raises:
        InvalidInput, NotFound: nothing is saved.
    """
    definition = recipes.recipe(recipe, gifts=recipes.prepare(recipe))
    return create_campaign(name=name, definition=definition, starts_at=starts_at, ends_at=ends_at)


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
    campaign = locked(campaign_id)
    refuse(campaign, CampaignState.ARCHIVED)
    if name is not None:
        campaign.name = _clean_name(name)
    if definition is not None:
        check(Definition.parse(definition))
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
def clone_campaign(campaign_id: int, *, name: str = "") -> Campaign:
    """Make a new draft that says the same as the campaign does, whatever its state. Nothing else is copied.

    Args:
        campaign_id: which.
        name: of the copy; when empty, "Copy of …" in the merchant's language.

    Raises:
        InvalidInput, NotFound
    """
    campaign, now = locked(campaign_id), clock.now()
    copied = _clean_name(name) if name.strip() else _copy_of(campaign.name)
    return Campaign.objects.create(name=copied, draft=campaign.draft, created_at=now, updated_at=now)


@transaction.atomic
def delete_campaign(campaign_id: int) -> Campaign:
    """Delete a draft that was never published; archive anything else. People in flight of an archived campaign exit.

    Raises:
        InvalidInput: while it runs.
    """
    campaign = locked(campaign_id)
    refuse(campaign, CampaignState.RUNNING)
    if campaign.version is None:
        campaign.delete()
        campaign.pk = campaign_id
        return campaign
    campaign.state, campaign.updated_at = CampaignState.ARCHIVED, clock.now()
    campaign.save()
    return campaign


def locked(campaign_id: int) -> Campaign:
    """Return the campaign, nobody else changing it until the transaction ends.

    People go on entering meanwhile: they only refer to its key.

    Raises:
        NotFound
    """
    # Without a join: what is joined to a row that was waited for would be read as it was before the wait.
    campaign = Campaign.objects.select_for_update(no_key=True).filter(pk=campaign_id).first()
    if campaign is None:
        raise NotFound("There is no such campaign.")
    prefetch_related_objects([campaign], "version")  # whoever is given the campaign may read it outside of this
    return campaign


def refuse(campaign: Campaign, state: CampaignState) -> None:
    """Refuse to change a campaign that is in this state.

    Raises:
        InvalidInput: code IS_RUNNING or IS_ARCHIVED.
    """
    if campaign.state == state:
        hint = "pause it first" if state is CampaignState.RUNNING else "clone it instead"
        raise InvalidInput(f"The campaign is {state.value}; {hint}.", field="id", code=f"IS_{state.name}")


def _clean_name(name: str) -> str:
    cleaned = name.strip()
    if not 1 <= len(cleaned) <= MAX_NAME:
        raise InvalidInput(f"A name has 1 to {MAX_NAME} characters.", field="name", code="REQUIRED")
    return cleaned


def _copy_of(name: str) -> str:
    words = "{} 사본" if merchant.load().default_language.startswith("ko") else "Copy of {}"
    return words.format(name[: MAX_NAME - len(words)])


def _check_period(starts_at: datetime | None, ends_at: datetime | None) -> None:
    if starts_at is not None and ends_at is not None and starts_at >= ends_at:
        raise InvalidInput("A campaign ends after it starts.", field="endsAt")
