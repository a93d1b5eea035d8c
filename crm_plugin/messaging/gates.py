"""Gates: whether a finished message may go to this person now. In order; the first that refuses names the reason.

A transactional message passes the gates of consent and frequency. A message that is refused is skipped, not put off:
the frequency cap of the market (16 hours for e-mail) does not queue up what it held back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from django.db.models import Count, Q

from crm_plugin.contacts import Reach
from crm_plugin.merchant import Merchant
from crm_plugin.messaging.models import Message, MessageClass, MessageState
from crm_plugin.messaging.outbox import Claimed
from crm_plugin.messaging.outcomes import CampaignCap, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A message that nobody has made yet: it would be handed out ``at`` that moment, unless a gate refuses it."""

    contact_id: int
    campaign_id: int
    channel: str
    message_class: str
    at: datetime
    stale_at: datetime
    cap: CampaignCap | None = None


@dataclass(slots=True)
class Gatekeeper:
    """Judges the messages of one chunk; the caller has locked the rows of their contacts.

    Attributes:
        counts: marketing messages that each contact got within the cap's time, this chunk's included.
        of_campaigns: the same of each (campaign, contact) within the time of the campaign's own cap.
    """

    merchant: Merchant
    now: datetime
    counts: Counter[int]
    of_campaigns: Counter[tuple[int, int]] = field(default_factory=Counter)

    @classmethod
    def on_duty(
        cls,
        merchant: Merchant,
        *,
        contact_ids: Collection[int],
        channel: str,
        now: datetime,
        caps: Mapping[int, CampaignCap] = MappingProxyType({}),
    ) -> Gatekeeper:
        """Return a gatekeeper who knows what the contacts got lately; ``caps`` are those of campaigns, by id."""
        received = _received(merchant, contact_ids, channel, now)
        return cls(merchant, now, received, _received_from(caps, contact_ids, now))

    def refusal(
        self, claimed: Claimed | Planned, reach: Reach | None, *, cap: CampaignCap | None = None
    ) -> Reason | None:
        """Return why the message must not go out; None when it may, which then counts for the cap."""
        if reach is None or not reach.address:
            return Reason.NO_ADDRESS
        is_marketing = claimed.message_class == MessageClass.MARKETING
        if is_marketing and not reach.has_consent:
            return Reason.NO_CONSENT
        if reach.suppressed_for is not None:
            return Reason.SUPPRESSED
        if is_marketing and self._is_capped(claimed.contact_id):
            return Reason.FREQUENCY_CAP
        if cap is not None and self.of_campaigns[claimed.campaign_id, claimed.contact_id] >= cap.count:
            return Reason.CAMPAIGN_CAP
        if claimed.stale_at <= self.now:
            return Reason.STALE
        self.counts[claimed.contact_id] += is_marketing
        self.of_campaigns[claimed.campaign_id, claimed.contact_id] += 1
        return None

    def _is_capped(self, contact_id: int) -> bool:
        return self.merchant.email_cap_hours > 0 and self.counts[contact_id] >= self.merchant.email_cap_count


def _received(merchant: Merchant, contact_ids: Collection[int], channel: str, now: datetime) -> Counter[int]:
    """Count what was handed out, and what may have been, per contact."""
    if not merchant.email_cap_hours:
        return Counter()
    since = now - timedelta(hours=merchant.email_cap_hours)
    handed_out = Q(state__in=(MessageState.SENT, MessageState.UNKNOWN), finished_at__gt=since)
    rows = (
        Message.objects.filter(contact_id__in=contact_ids, channel=channel, message_class=MessageClass.MARKETING)
        .filter(Q(state=MessageState.SENDING) | handed_out)
        .values_list("contact_id")
        .annotate(count=Count("pk"))
    )
    return Counter(dict(rows))


def _received_from(
    caps: Mapping[int, CampaignCap], contact_ids: Collection[int], now: datetime
) -> Counter[tuple[int, int]]:
    """Count what came from campaigns that have a cap, in one query for each of them."""
    counts: Counter[tuple[int, int]] = Counter()
    for campaign_id, cap in caps.items():
        handed_out = Q(state__in=(MessageState.SENT, MessageState.UNKNOWN), finished_at__gt=now - cap.time)
        rows = (
            Message.objects.filter(contact_id__in=contact_ids, campaign_id=campaign_id)
            .filter(Q(state=MessageState.SENDING) | handed_out)
            .values_list("contact_id")
            .annotate(count=Count("pk"))
        )
        counts.update({(campaign_id, contact_id): count for contact_id, count in rows})
    return counts
