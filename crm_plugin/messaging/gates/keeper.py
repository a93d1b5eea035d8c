"""The gatekeeper: asks each gate in turn."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from types import MappingProxyType

from crm_plugin.contacts import Reach
from crm_plugin.merchant import Cap, Merchant, QuietAction
from crm_plugin.messaging.gates.caps import History
from crm_plugin.messaging.gates.hours import Clocks
from crm_plugin.messaging.models import MessageClass
from crm_plugin.messaging.outbox import Claimed
from crm_plugin.messaging.outcomes import NO_TERMS, CampaignCap, GateTerms, Hold, Reason, Skip
from crm_plugin.messaging.throttles import Throttles


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A message that nobody has made yet: it would be handed out ``at`` that moment, unless a gate refuses it.

    ``fallbacks``: the channels that are tried in turn when it is certain that it does not reach the person.
    """

    contact_id: int
    campaign_id: int
    channel: str
    message_class: str
    at: datetime
    stale_at: datetime
    terms: GateTerms = NO_TERMS
    fallbacks: tuple[str, ...] = ()


@dataclass(slots=True)
class Gatekeeper:
    """Judges the messages of one chunk; the caller has locked the rows of their contacts.

    Attributes:
        now: the moment that is judged about.
        caps: the merchant's, of every channel.
        history: what the contacts got lately, this chunk's messages included.
        throttles: how fast mail may go out; the chunk's messages count for it once ``off_duty`` wrote them down.
    """

    merchant: Merchant
    channel: str
    now: datetime
    history: History
    clocks: Clocks
    caps: Sequence[Cap]
    throttles: Throttles = field(default_factory=Throttles)

    @classmethod
    def on_duty(
        cls,
        merchant: Merchant,
        *,
        contact_ids: Collection[int],
        channel: str,
        now: datetime,
        caps: Mapping[int, CampaignCap] = MappingProxyType({}),
        addresses: Collection[str] = (),
    ) -> Gatekeeper:
        """Return a gatekeeper who knows what the contacts got lately, after a constant number of queries.

        Must run in a transaction that has locked the contacts: whoever judges about them waits for it, on whatever
        channel.

        Args:
            merchant: whose caps, quiet hours and limits hold.
            contact_ids: of the messages that will be judged.
            channel: theirs.
            now: the moment.
            caps: those of campaigns, by id.
            addresses: that the messages would go to; a receiving domain is only slowed down when it is among these.
        """
        clocks = Clocks(merchant)
        rules = merchant.cap_rules
        return cls(
            merchant,
            channel,
            now,
            History.of(rules, contact_ids=contact_ids, channels=(channel,), now=now, caps=caps),
            clocks,
            rules,
            Throttles.open(merchant, channel=channel, addresses=addresses, now=now, clocks=clocks),
        )

    def off_duty(self) -> None:
        """Write down what the throttles counted; to be called once, after judging, in the same transaction."""
        self.throttles.close()

    def judge(self, claimed: Claimed | Planned, reach: Reach | None, terms: GateTerms) -> Hold | Skip | None:
        """Return why the message must not go out, or not yet; None when it may, which then counts for the caps."""
        if reach is None or not reach.address:
            return Skip(Reason.NO_ADDRESS)
        is_marketing = claimed.message_class == MessageClass.MARKETING
        verdict: Hold | Skip | None = self._about_person(reach, terms, is_marketing=is_marketing)
        if verdict is None:
            verdict = self._about_moment(claimed, reach, terms, is_marketing=is_marketing)
        if isinstance(verdict, Hold) and verdict.until >= claimed.stale_at:
            return Skip(Reason.STALE, f"{verdict.reason.value} until {verdict.until:%Y-%m-%d %H:%M} UTC")
        if verdict is None:
            self.history.add(
                contact_id=claimed.contact_id,
                campaign_id=claimed.campaign_id,
                channel=self.channel,
                at=self.now,
                is_marketing=is_marketing,
            )
        return verdict

    def _about_person(self, reach: Reach, terms: GateTerms, *, is_marketing: bool) -> Skip | None:
        """Return why the person is never written to, or not about this."""
        if is_marketing and not reach.has_consent:
            return Skip(Reason.NO_CONSENT)
        if reach.suppressed_for is not None:
            return Skip(Reason.SUPPRESSED)
        if is_marketing and terms.topic in reach.refused_topics:
            return Skip(Reason.TOPIC_REFUSED)
        return None

    def _about_moment(
        self, claimed: Claimed | Planned, reach: Reach, terms: GateTerms, *, is_marketing: bool
    ) -> Hold | Skip | None:
        """Return why the person is not written to at this moment."""
        if is_marketing:
            night_ends = self.clocks.night_ends(reach, channel=self.channel, at=self.now)
            if night_ends is not None:
                return Hold(night_ends, Reason.NIGHT_BAN)
            if self._is_capped(claimed, reach):
                return Skip(Reason.FREQUENCY_CAP)
        if terms.cap is not None and self.history.is_full_of(
            claimed.campaign_id, claimed.contact_id, terms.cap, at=self.now
        ):
            return Skip(Reason.CAMPAIGN_CAP)
        if is_marketing and (quiet_ends := self.clocks.quiet_ends(reach, at=self.now)) is not None:
            is_held = self.merchant.quiet_action == QuietAction.HOLD
            return Hold(quiet_ends, Reason.QUIET_HOURS) if is_held else Skip(Reason.QUIET_HOURS)
        if claimed.stale_at <= self.now:
            return Skip(Reason.STALE)
        until = self.throttles.hold(reach.address, is_marketing=is_marketing, stale_at=claimed.stale_at)
        return None if until is None else Hold(until, Reason.THROTTLED)

    def _is_capped(self, claimed: Claimed | Planned, reach: Reach) -> bool:
        step = (
            (claimed.enrollment_id, claimed.step_id)
            if isinstance(claimed, Claimed) and claimed.enrollment_id is not None
            else None
        )
        return any(
            self.history.is_full(cap, claimed.contact_id, at=self.now, zone=self._zone(cap, reach), step=step)
            for cap in self.caps
            if cap.channel in ("", self.channel)
        )

    def _zone(self, cap: Cap, reach: Reach) -> tzinfo:
        return UTC if cap.days is None else self.clocks.of(reach)
