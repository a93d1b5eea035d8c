"""Frequency caps: how many advertisements a person got lately, per channel and over all of them.

What was handed out counts, what may have been (``sending``, ``unknown``), and what bounced afterwards (features part
2a, Klaviyo: "bounced sends also start the timer"), but not against the same step's next channel: that is no second
message. Transactional messages neither count nor are capped.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

from django.db.models import Q, QuerySet

from crm_plugin import clock
from crm_plugin.contacts import ChannelKind
from crm_plugin.merchant import Cap
from crm_plugin.messaging.models import Message, MessageClass, MessageState
from crm_plugin.messaging.outcomes import CampaignCap, Reason

_HANDED_OUT = Q(state__in=(MessageState.SENT, MessageState.UNKNOWN))
_CAME_BACK = Q(state=MessageState.FAILED, reason__in=(Reason.BOUNCED, Reason.UNDELIVERED))
#: A step of a run: its messages on several channels are one message.
StepOfRun = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Got:
    """A message that a person got, or may have got; ``failed_step``: whose it was, when it came back."""

    at: datetime
    channel: str
    failed_step: StepOfRun | None = None


@dataclass(slots=True)
class History:
    """What people got lately: advertisements by person, and messages by (campaign, person)."""

    advertisements: dict[int, list[Got]] = field(default_factory=lambda: defaultdict(list))
    of_campaigns: dict[tuple[int, int], list[datetime]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(
        cls,
        rules: Sequence[Cap],
        *,
        contact_ids: Collection[int],
        channels: Collection[str],
        now: datetime,
        caps: Mapping[int, CampaignCap],
    ) -> History:
        """Read what matters for messages over the channels; at most two queries."""
        found = cls()
        mine = [cap for cap in rules if cap.channel == "" or cap.channel in channels]
        if mine:
            found._read_advertisements(mine, contact_ids, now)
        if caps:
            found._read_campaigns(caps, contact_ids, now)
        return found

    def copy(self) -> History:
        """Return one that goes on by itself."""
        found = History()
        found.advertisements.update((key, list(got)) for key, got in self.advertisements.items())
        found.of_campaigns.update((key, list(got)) for key, got in self.of_campaigns.items())
        return found

    def is_full(self, cap: Cap, contact_id: int, *, at: datetime, zone: tzinfo, step: StepOfRun | None) -> bool:
        """Whether a person has had by ``at`` all that a cap allows."""
        counted = sum(
            got.at > at - timedelta(hours=cap.hours)
            if cap.hours is not None
            else got.at >= clock.day_start(_first_day(cap, at, zone), zone)
            for got in self.advertisements.get(contact_id, ())
            if cap.channel in ("", got.channel) and (got.failed_step is None or got.failed_step != step)
        )
        return counted >= cap.count

    def is_full_of(self, campaign_id: int | None, contact_id: int, cap: CampaignCap, *, at: datetime) -> bool:
        """Whether a person has had by ``at`` all that a campaign allows itself."""
        got = () if campaign_id is None else self.of_campaigns.get((campaign_id, contact_id), ())
        return sum(one > at - cap.time for one in got) >= cap.count

    def add(self, *, contact_id: int, campaign_id: int | None, channel: str, at: datetime, is_marketing: bool) -> None:
        """Count a message that goes out now."""
        if is_marketing:
            self.advertisements[contact_id].append(Got(at, channel))
        if campaign_id is not None:
            self.of_campaigns[campaign_id, contact_id].append(at)

    def _read_advertisements(self, rules: Iterable[Cap], contact_ids: Collection[int], now: datetime) -> None:
        longest = max(cap.longest for cap in rules)
        named = {cap.channel for cap in rules}
        # Named even when it is all of them: so the index finds the rows by channel and time.
        channels = sorted(ChannelKind.values if "" in named else named)
        theirs = Message.objects.filter(
            contact_id__in=contact_ids, channel__in=channels, message_class=MessageClass.MARKETING
        )
        for contact_id, channel, state, at, *step in _lately(
            theirs, _HANDED_OUT | _CAME_BACK, now - longest, "contact_id", "channel"
        ):
            failed_step = (step[0], step[1]) if state == MessageState.FAILED and step[0] is not None else None
            self.advertisements[contact_id].append(Got(at or now, channel, failed_step))

    def _read_campaigns(self, caps: Mapping[int, CampaignCap], contact_ids: Collection[int], now: datetime) -> None:
        longest = max(cap.time for cap in caps.values())
        theirs = Message.objects.filter(contact_id__in=contact_ids, campaign_id__in=caps)
        for campaign_id, contact_id, _state, at, *_step in _lately(
            theirs, _HANDED_OUT, now - longest, "campaign_id", "contact_id"
        ):
            self.of_campaigns[campaign_id, contact_id].append(at or now)


def _first_day(cap: Cap, at: datetime, zone: tzinfo) -> date:
    """Return the first of the calendar days that a cap is about, today the last of them."""
    return at.astimezone(zone).date() - timedelta(days=(cap.days or 1) - 1)


def _lately(theirs: QuerySet[Message], counts: Q, since: datetime, *named: str) -> QuerySet[Message, tuple[Any, ...]]:
    """Return the messages that were handed out since then and those on their way; two ranges of one index."""
    columns = (*named, "state", "finished_at", "enrollment_id", "step_id")
    handed_out = theirs.filter(counts, finished_at__gt=since).values_list(*columns)
    on_their_way = theirs.filter(state=MessageState.SENDING, finished_at__isnull=True).values_list(*columns)
    return handed_out.union(on_their_way, all=True)
