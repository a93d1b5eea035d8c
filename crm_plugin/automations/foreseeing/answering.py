"""The dry run as it is asked for: of a campaign, or of a definition that nobody has saved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from crm_plugin import clock, merchant
from crm_plugin.automations.definition import Definition
from crm_plugin.automations.fitness import check
from crm_plugin.automations.foreseeing import remarks
from crm_plugin.automations.foreseeing.following import Plan, follow
from crm_plugin.automations.foreseeing.model import DryRun, Foreseen, Total
from crm_plugin.automations.foreseeing.reading import reading
from crm_plugin.automations.models import Campaign, CampaignState
from crm_plugin.automations.running import Running, Version, versions
from crm_plugin.errors import InvalidInput, NotFound

USUAL_DAYS: Final = 7
MOST_DAYS: Final = 31
USUAL_ROWS: Final = 200
MOST_ROWS: Final = 1_000


def dry_run(
    campaign_id: int | None = None,
    *,
    definition: dict[str, Any] | None = None,
    days: int = USUAL_DAYS,
    limit: int = USUAL_ROWS,
    language: str = "en",
) -> DryRun:
    """Return who would get what in the next days, of a campaign or of a definition; nothing is written.

    Args:
        campaign_id: whose; a draft is taken as published now, a paused one as going on now.
        definition: instead of it, one that was not saved.
        days: how far to look.
        limit: how many of the foreseen to return; the totals count all of them.
        language: of the remarks.

    Raises:
        NotFound: there is no such campaign.
        InvalidInput: days or limit out of bounds, a definition that could not be saved, or code ``TIMEOUT``.
    """
    _within(days, MOST_DAYS, field="days")
    _within(limit, MOST_ROWS, field="limit")
    now = clock.now()
    with reading():
        plan, codes = _plan(campaign_id, definition, now=now, until=now + timedelta(days=days))
        followed = follow(plan)
        totals = _totals(followed.foreseen)
    codes += remarks.of_merchant(merchant.load(), plan.one.definition)
    if followed.runs_dry:
        codes.append(remarks.Code.RUNS_DRY)
    if not followed.is_complete:
        codes.append(remarks.Code.TOO_MANY)
    return DryRun(
        starts_at=now,
        ends_at=plan.until,
        people=followed.people,
        is_complete=followed.is_complete,
        count=len(followed.foreseen),
        foreseen=tuple(followed.foreseen[:limit]),
        totals=totals,
        remarks=tuple(remarks.told(code, language) for code in codes),
    )


def _within(value: int, most: int, *, field: str) -> None:
    if not 1 <= value <= most:
        raise InvalidInput(f"`{field}` is between 1 and {most}.", field=field)


def _plan(
    campaign_id: int | None, definition: dict[str, Any] | None, *, now: datetime, until: datetime
) -> tuple[Plan, list[remarks.Code]]:
    if definition is not None and campaign_id is None:
        return _plan_of_definition(definition, now=now, until=until)
    if campaign_id is None or definition is not None:
        raise InvalidInput("Give either a campaign or a definition.", field="definition", code="REQUIRED")
    campaign = Campaign.objects.select_related("version").filter(pk=campaign_id).first()
    if campaign is None:
        raise NotFound("There is no such campaign.")
    return _plan_of_campaign(campaign, now=now, until=until)


def _plan_of_definition(
    definition: dict[str, Any], *, now: datetime, until: datetime
) -> tuple[Plan, list[remarks.Code]]:
    parsed = Definition.parse(definition)
    check(parsed)
    plan = Plan(
        one=Running(0, Version(0, parsed, {}), now),
        state=CampaignState.DRAFT,
        running_since=None,
        starts_at=None,
        ends_at=None,
        now=now,
        until=until,
    )
    return plan, remarks.about(parsed, state=CampaignState.DRAFT, has_changes=False)


def _plan_of_campaign(campaign: Campaign, *, now: datetime, until: datetime) -> tuple[Plan, list[remarks.Code]]:
    state = CampaignState(campaign.state)
    if campaign.version is None:
        version = Version(0, Definition.parse(campaign.draft), {})
    else:
        version = versions([campaign.version.pk])[campaign.version.pk]
    begins = campaign.running_since if state is CampaignState.RUNNING else now
    since = max(at for at in (begins, campaign.starts_at, campaign.created_at) if at is not None)
    plan = Plan(
        one=Running(campaign.pk, version, since),
        state=state,
        running_since=campaign.running_since if state is CampaignState.RUNNING else None,
        starts_at=campaign.starts_at,
        ends_at=campaign.ends_at,
        now=now,
        until=until,
    )
    has_changes = campaign.version is not None and campaign.version.definition != campaign.draft
    return plan, remarks.about(version.definition, state=state, has_changes=has_changes)


def _totals(foreseen: Sequence[Foreseen]) -> tuple[Total, ...]:
    zone = merchant.zone()
    counts = Counter((one.at.astimezone(zone).date(), one.step_id, one.outcome, one.reason) for one in foreseen)
    return tuple(Total(*key, count) for key, count in sorted(counts.items()))
