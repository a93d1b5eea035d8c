"""What the gates would say of messages that have not been made: the same gatekeeper, asked about moments to come.

What is known today is taken to hold then: address, consent, blocks, devices. Throttles are left out: how much others
send meanwhile is not known. Nothing is written.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType

from crm_plugin import clock, contacts, merchant
from crm_plugin.contacts import Reach
from crm_plugin.merchant import Cap, Merchant
from crm_plugin.messaging.gates import Clocks, Gatekeeper, History, Planned
from crm_plugin.messaging.outcomes import UNREACHED, CampaignCap, Hold, Reason, Skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Foresight:
    """What would become of a planned message.

    Attributes:
        channel: over which it would go in the end, or was refused last.
        at: when that would be.
        refusal: why it would not go at all.
        held_for: why it would go, or be refused, later than planned; None when it is not held.
    """

    channel: str
    at: datetime
    refusal: Reason | None = None
    held_for: Reason | None = None


@dataclass(slots=True)
class Outlook:
    """What is known of some people, on the channels over which they may be written to.

    Attributes:
        caps: the merchant's.
        reaches: by channel, then by person.
        history: what the people got up to now.
        ahead: that, and what ``settled_at`` found to go out.
    """

    merchant: Merchant
    caps: Sequence[Cap]
    reaches: Mapping[str, Mapping[int, Reach]]
    clocks: Clocks
    history: History
    ahead: History

    @classmethod
    def over(
        cls,
        contact_ids: Collection[int],
        *,
        channels: Collection[str],
        campaign_caps: Mapping[int, CampaignCap] = MappingProxyType({}),
    ) -> Outlook:
        """Look at the people: the number of queries grows with the channels alone.

        ``campaign_caps``: those of campaigns, by id; where versions differ, the longest.
        """
        us = merchant.load()
        reaches = {channel: contacts.reach(contact_ids, channel=channel) for channel in sorted(channels)}
        history = History.of(
            us.cap_rules, contact_ids=contact_ids, channels=channels, now=clock.now(), caps=campaign_caps
        )
        return cls(us, us.cap_rules, reaches, Clocks(us), history, history.copy())

    def settled_at(self, planned: Planned) -> datetime:
        """Return when it would be decided whether the message goes: later than planned when hours hold it.

        To be asked in the order in which a person gets the messages: those that go count for the caps of the next.
        """
        return self._follow([planned], self.ahead)[0].at

    def foresee(self, planned: Sequence[Planned]) -> list[Foresight]:
        """Return what would become of each message, in the order given; no queries.

        They are judged in the order of their moments: one that goes out counts for the caps of those behind it. What
        other campaigns will send meanwhile is not known.
        """
        return self._follow(planned, self.history.copy())

    def _follow(self, planned: Sequence[Planned], history: History) -> list[Foresight]:
        answers = [Foresight(channel=one.channel, at=one.at) for one in planned]
        waiting = [(one.at, index, 0) for index, one in enumerate(planned)]
        heapq.heapify(waiting)
        while waiting:
            at, index, attempt = heapq.heappop(waiting)
            one = planned[index]
            channel = (one.channel, *one.fallbacks)[attempt]
            match self._judge(one, channel, Gatekeeper(self.merchant, channel, at, history, self.clocks, self.caps)):
                case Hold(until=until, reason=reason):
                    answers[index] = replace(answers[index], held_for=reason)
                    heapq.heappush(waiting, (until, index, attempt))
                case Skip(reason=reason) if reason in UNREACHED and attempt < len(one.fallbacks):
                    heapq.heappush(waiting, (at, index, attempt + 1))
                case verdict:
                    refusal = verdict.reason if isinstance(verdict, Skip) else None
                    answers[index] = replace(answers[index], channel=channel, at=at, refusal=refusal)
        return answers

    def _judge(self, one: Planned, channel: str, keeper: Gatekeeper) -> Hold | Skip | None:
        return keeper.judge(one, self.reaches[channel].get(one.contact_id), one.terms)
