"""How a campaign comes to run, rests, goes on and ends. What each state means is in ``docs/decisions/pause.md``.

``publish`` always runs what is drafted; ``resume`` never does: it goes on with the version that was paused.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Max

from crm_plugin import clock, messaging
from crm_plugin.automations.campaigns import locked, refuse
from crm_plugin.automations.definition import Definition
from crm_plugin.automations.fitness import check_to_publish, source_of
from crm_plugin.automations.models import Campaign, CampaignState, CampaignVersion, EnrollmentState
from crm_plugin.automations.working import finish
from crm_plugin.conf import settings
from crm_plugin.errors import InvalidInput
from crm_plugin.ids import array
from crm_plugin.messaging import Reason, save_template

#: Campaigns that are over and have somebody in them; the state is the reason.
_OVER = """
SELECT c.id, c.state FROM crm_plugin_campaign c WHERE c.state IN ('ended', 'archived') AND EXISTS (
    SELECT 1 FROM crm_plugin_enrollment e WHERE e.campaign_id = c.id AND e.state = 'active')
ORDER BY c.id
"""

#: A run that a worker has in hand is left to it: it asks for the campaign's state itself.
_LEFT_IN_IT = """
SELECT id FROM crm_plugin_enrollment WHERE campaign_id = %s AND state = 'active'
ORDER BY contact_id LIMIT %s FOR UPDATE SKIP LOCKED
"""
_REASONS = {CampaignState.ENDED: Reason.CAMPAIGN_ENDED, CampaignState.ARCHIVED: Reason.CAMPAIGN_ARCHIVED}


@transaction.atomic
def publish(campaign_id: int) -> Campaign:
    """Run the campaign as it is drafted: a draft starts, a paused one goes on, a running one takes its new version.

    People in flight stay on the version they entered. Those of a campaign that had ended have been let go.

    Raises:
        InvalidInput: when the definition cannot run, the merchant's sender or postal address is missing, or the period
            is over.
    """
    campaign = locked(campaign_id)
    refuse(campaign, CampaignState.ARCHIVED)
    _refuse_past(campaign)
    definition = Definition.parse(campaign.draft)
    check_to_publish(definition)
    if campaign.version is None or campaign.version.definition != campaign.draft:
        campaign.version = _new_version(campaign, definition)
    return _run(campaign)


@transaction.atomic
def resume(campaign_id: int) -> Campaign:
    """Go on after a pause with the version that ran, whatever has been drafted meanwhile.

    Everybody is where they were. What came due in the pause is done now; what happened in it starts nothing.

    Raises:
        InvalidInput: when it is not paused, or its period is over.
    """
    campaign = locked(campaign_id)
    if campaign.state != CampaignState.PAUSED:
        raise InvalidInput(
            f"Only a paused campaign can go on; this one is {campaign.state}.", field="id", code="NOT_PAUSED"
        )
    _refuse_past(campaign)
    return _run(campaign)


@transaction.atomic
def pause(campaign_id: int, *, reason: str = "") -> Campaign:
    """Hold everybody where they are and let nobody in.

    Args:
        campaign_id: which.
        reason: why it pauses itself (``guarding.PauseReason``); empty: somebody pauses it.

    Raises:
        InvalidInput: when it does not run.
    """
    campaign = locked(campaign_id)
    if campaign.state != CampaignState.RUNNING:
        raise InvalidInput(f"Only a running campaign can be paused; this one is {campaign.state}.", code="NOT_RUNNING")
    return _change(campaign, CampaignState.PAUSED, pause_reason=reason)


@transaction.atomic
def end_campaign(campaign_id: int) -> Campaign:
    """End a running or paused campaign now: nobody enters, nothing more is sent, whoever is in flight exits.

    Raises:
        InvalidInput: when it neither runs nor is paused.
    """
    campaign = locked(campaign_id)
    if campaign.state not in (CampaignState.RUNNING, CampaignState.PAUSED):
        raise InvalidInput(
            f"Only a running or paused campaign can be ended; this one is {campaign.state}.",
            field="id",
            code="NOT_RUNNING",
        )
    ended = _change(campaign, CampaignState.ENDED)
    _let_go(campaign_id, CampaignState.ENDED, settings().advance_batch)
    return ended


def end_campaigns() -> int:
    """End the campaigns whose period is over, running or paused; return how many."""
    now = clock.now()
    over = Campaign.objects.filter(state__in=(CampaignState.RUNNING, CampaignState.PAUSED), ends_at__lte=now)
    return over.update(state=CampaignState.ENDED, pause_reason="", updated_at=now)


def let_go(limit: int) -> int:
    """Let up to ``limit`` people go who are on their way through campaigns that are over; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(_OVER)
        over = cursor.fetchall()
    gone = 0
    for campaign_id, state in over:
        gone += _let_go(campaign_id, CampaignState(state), limit - gone) if gone < limit else 0
    return gone


def _let_go(campaign_id: int, state: CampaignState, limit: int | None) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_LEFT_IN_IT, [campaign_id, limit])
        ids = [pk for (pk,) in cursor.fetchall()]
    return finish(array(ids), EnrollmentState.EXITED, _REASONS[state]) if ids else 0


def _run(campaign: Campaign) -> Campaign:
    """Let it run from now on. Between two runs of a campaign lies a pause, or an end that is over for everybody."""
    now = clock.now()
    if campaign.state == CampaignState.PAUSED:
        messaging.refresh_stale(campaign.pk, now + timedelta(hours=settings().stale_after_hours))
    elif campaign.state == CampaignState.ENDED:
        _let_go(campaign.pk, CampaignState.ENDED, None)
    if campaign.state != CampaignState.RUNNING:
        campaign.running_since = now
    return _change(campaign, CampaignState.RUNNING, now)


def _change(
    campaign: Campaign, state: CampaignState, now: datetime | None = None, *, pause_reason: str = ""
) -> Campaign:
    campaign.state, campaign.updated_at, campaign.pause_reason = state, now or clock.now(), pause_reason
    campaign.save()
    return campaign


def _refuse_past(campaign: Campaign) -> None:
    if campaign.ends_at is not None and campaign.ends_at <= clock.now():
        raise InvalidInput("The campaign's period is over; move its end first.", field="endsAt")


def _new_version(campaign: Campaign, definition: Definition) -> CampaignVersion:
    last = campaign.versions.aggregate(number=Max("number"))["number"] or 0
    return CampaignVersion.objects.create(
        campaign=campaign,
        number=last + 1,
        definition=campaign.draft,
        templates={
            attempt.key: save_template(
                source_of(attempt, path=op.path, message_class=step.message_class), message_class=step.message_class
            )
            for op, step in definition.sends()
            for attempt in step.attempts
        },
        published_at=clock.now(),
    )
