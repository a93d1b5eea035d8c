"""Everything a person chose on one page, kept in one transaction: channels, nights, topics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from crm_plugin.channel_kind import ChannelKind
from crm_plugin.contacts.consent import set_consent, set_night_consent
from crm_plugin.contacts.models import Contact, Topic
from crm_plugin.contacts.topics import accept_topics, refuse_topics


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What a person wants to be different. What is not named stays as it is.

    ``granted``, ``withdrawn``, ``night_granted`` and ``night_withdrawn`` name channels, the others topics by slug.
    """

    granted: frozenset[str] = frozenset()
    withdrawn: frozenset[str] = frozenset()
    night_granted: frozenset[str] = frozenset()
    night_withdrawn: frozenset[str] = frozenset()
    accepted: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()


#: No advertisement on any channel, those included on which there is no address yet.
NOTHING_AT_ALL = Choices(withdrawn=frozenset(ChannelKind.values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Where a choice was made, for the log.

    Attributes:
        source: such as ``preference_centre``.
        text_version: of the text beside what was agreed to.
        evidence: what proves it, plain JSON.
        granted_evidence: what proves a consent besides, such as the text that was agreed to.
    """

    source: str
    text_version: str = ""
    evidence: Mapping[str, Any]
    granted_evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that is different now: a channel by day (``marketing``), by ``night``, or a ``topic``."""

    purpose: str
    name: str
    is_granted: bool


def choose(contact_id: int, choices: Choices, *, said: Said) -> tuple[Change, ...]:
    """Keep what a person chose; return what that changed, in the order of channels and topics.

    Topics and channels that do not exist (any more) are passed over. A night is agreed to only with its channel.

    Raises:
        NotFound: when there is no such contact.
    """
    with transaction.atomic():
        Contact.objects.select_for_update(no_key=True).filter(pk=contact_id).first()  # the lock of all that follows
        return (*_choose_channels(contact_id, choices, said), *_choose_topics(contact_id, choices, said))


def _choose_channels(contact_id: int, choices: Choices, said: Said) -> list[Change]:
    changes: list[Change] = []
    for channel in ChannelKind.values:
        for purpose, yes, no in (
            ("marketing", choices.granted, choices.withdrawn),
            ("night", choices.night_granted, choices.night_withdrawn),
        ):
            if channel in yes | no and _set(contact_id, channel, purpose, is_granted=channel in yes, said=said):
                changes.append(Change(purpose=purpose, name=channel, is_granted=channel in yes))
    return changes


def _set(contact_id: int, channel: str, purpose: str, *, is_granted: bool, said: Said) -> bool:
    evidence = {**said.evidence, **(said.granted_evidence if is_granted else {})}
    version = said.text_version if is_granted else ""
    write = set_consent if purpose == "marketing" else set_night_consent
    return write(
        contact_id,
        channel=channel,
        is_granted=is_granted,
        source=said.source,
        text_version=version,
        evidence=evidence,
    )


def _choose_topics(contact_id: int, choices: Choices, said: Said) -> list[Change]:
    known = list(
        Topic.objects.filter(slug__in=choices.accepted | choices.refused)
        .order_by("position", "pk")
        .values_list("slug", flat=True)
    )
    changed = {
        *accept_topics(contact_id, choices.accepted & set(known), source=said.source, evidence=said.evidence),
        *refuse_topics(contact_id, choices.refused & set(known), source=said.source, evidence=said.evidence),
    }
    return [
        Change(purpose="topic", name=slug, is_granted=slug in choices.accepted) for slug in known if slug in changed
    ]
