"""The account as it is asked for: of a person and a campaign, or of one message."""

from __future__ import annotations

from collections.abc import Iterator

from crm_plugin import clock, contacts, merchant, messaging
from crm_plugin.automations.accounting.absence import why_not, why_not_since
from crm_plugin.automations.accounting.again import why_not_again
from crm_plugin.automations.accounting.letters import letter_lines
from crm_plugin.automations.accounting.lines import Line, Teller
from crm_plugin.automations.accounting.runs import run_lines, runs_of
from crm_plugin.automations.accounting.wording import Code
from crm_plugin.automations.models import Campaign, CampaignState
from crm_plugin.automations.running import Running, versions
from crm_plugin.contacts import ChannelKind, Contact
from crm_plugin.errors import NotFound
from crm_plugin.messaging import MessageClass


def explain_message(contact_id: int, campaign_id: int, *, language: str = "en") -> tuple[Line, ...]:
    """Return why the person got, or did not get, the campaign's messages.

    Raises:
        NotFound: there is no such campaign or person.
    """
    campaign = Campaign.objects.select_related("version").filter(pk=campaign_id).first()
    contact = contacts.rows_of([contact_id]).first()
    if campaign is None or contact is None:
        raise NotFound("There is no such campaign." if campaign is None else "There is no such contact.")
    teller = Teller(language, merchant.zone())
    runs = runs_of(campaign_id, contact_id)
    lines = [*_of_campaign(campaign, teller), *_of_person(contact, teller), *run_lines(runs, teller)]
    if not runs:
        lines.append(teller.line(Code.NEVER_ENTERED))
    if (one := _as_entered(campaign)) is not None:
        lines += why_not_again(one.definition.trigger, runs, teller)
        lines += why_not(one, contact_id, teller) if not runs else why_not_since(one, runs[-1], teller)
        lines += _of_reach(one, contact_id, teller)
    return tuple(lines)


def explain_one(message_id: int, *, language: str = "en") -> tuple[Line, ...]:
    """Return what became of one message, and of the run that it belongs to.

    Raises:
        NotFound: there is no such message.
    """
    message = messaging.messages().filter(pk=message_id).first()
    if message is None:
        raise NotFound("There is no such message.")
    teller = Teller(language, merchant.zone())
    campaign_id = message.campaign_id
    runs = [] if campaign_id is None else runs_of(campaign_id, message.contact_id)
    runs = [run for run in runs if run.pk == message.enrollment_id]
    return (*letter_lines([message], teller), *run_lines(runs, teller, has_letters=False))


def _of_campaign(campaign: Campaign, teller: Teller) -> Iterator[Line]:
    now = clock.now()
    if campaign.state != CampaignState.RUNNING:
        yield teller.line(Code.NOT_RUNNING, at=campaign.updated_at, state=campaign.state)
    else:
        yield teller.line(Code.RUNS_SINCE, at=campaign.running_since)
    if campaign.starts_at is not None and campaign.starts_at > now:
        yield teller.line(Code.NOT_STARTED, at=campaign.starts_at)
    if campaign.ends_at is not None and campaign.ends_at <= now:
        yield teller.line(Code.PERIOD_OVER, at=campaign.ends_at)


def _of_person(contact: Contact, teller: Teller) -> Iterator[Line]:
    if contact.erased_at is not None:
        yield teller.line(Code.ERASED, at=contact.erased_at)
    elif contact.customer_id is None and contact.email is None:
        yield teller.line(Code.NOBODY)


def _as_entered(campaign: Campaign) -> Running | None:
    """Return the campaign as people enter it; None when it was never published."""
    if campaign.version is None or campaign.running_since is None:
        return None
    version = versions([campaign.version.pk])[campaign.version.pk]
    return Running(campaign.pk, version, max(campaign.running_since, campaign.starts_at or campaign.running_since))


def _of_reach(one: Running, contact_id: int, teller: Teller) -> Iterator[Line]:
    """Say what would keep the person from getting the campaign's messages at this moment."""
    steps = [step for _op, step in one.definition.sends()]
    classes_of: dict[ChannelKind, set[MessageClass]] = {}
    for step in steps:
        for attempt in step.attempts:
            classes_of.setdefault(attempt.channel, set()).add(step.message_class)
    topic, has_refused = one.definition.topic, False
    for channel, classes in classes_of.items():
        found = contacts.reach([contact_id], channel=channel).get(contact_id)
        has_refused = found is not None and topic in found.refused_topics
        if found is None or not found.address:
            yield teller.line(Code.NO_ADDRESS, channel=channel.value)
        elif found.suppressed_for is not None:
            yield teller.line(Code.SUPPRESSED, channel=channel.value, why=found.suppressed_for)
        elif MessageClass.MARKETING in classes and not found.has_consent:
            yield teller.line(Code.NO_CONSENT, channel=channel.value)
    if has_refused:
        yield teller.line(Code.TOPIC_REFUSED, topic=topic)
