"""What the gates would say of messages that have not been made: the same gatekeeper, asked about moments to come.

What is known today is taken to hold then: address, consent, blocks. Nothing is written.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from crm_plugin import clock, contacts, merchant
from crm_plugin.contacts import Reach
from crm_plugin.merchant import Merchant
from crm_plugin.messaging.gates import Gatekeeper, Planned
from crm_plugin.messaging.models import Message, MessageClass, MessageState
from crm_plugin.messaging.outcomes import Reason


def foresee(planned: Sequence[Planned]) -> list[Reason | None]:
    """Return why each message would be refused, or None, in the order given; the number of queries is a constant.

    They are judged in the order of their moments: one that goes out counts for the caps of those behind it. What other
    campaigns will send meanwhile is not known.
    """
    desk = _Desk.open(planned)
    answers: list[Reason | None] = [None] * len(planned)
    for index in sorted(range(len(planned)), key=lambda index: planned[index].at):
        answers[index] = desk.refusal(planned[index])
    return answers


_Times = defaultdict[tuple[int | str, int], list[datetime]]


@dataclass(slots=True)
class _Desk:
    """What is known of the people, and what they got: by (channel, contact) and by (campaign, contact)."""

    merchant: Merchant
    reaches: Mapping[str, Mapping[int, Reach]]
    got: _Times

    @classmethod
    def open(cls, planned: Sequence[Planned]) -> _Desk:
        people: dict[str, set[int]] = defaultdict(set)
        for one in planned:
            people[one.channel].add(one.contact_id)
        us = merchant.load()
        reaches = {channel: contacts.reach(ids, channel=channel) for channel, ids in people.items()}
        got: _Times = defaultdict(list)
        for channel_key, at in _marketing(us, people):
            got[channel_key].append(at)
        for campaign_key, at in _of_campaigns(planned):
            got[campaign_key].append(at)
        return cls(us, reaches, got)

    def refusal(self, one: Planned) -> Reason | None:
        by_channel, by_campaign = (one.channel, one.contact_id), (one.campaign_id, one.contact_id)
        hours = timedelta(hours=self.merchant.email_cap_hours)
        lately = Counter({one.contact_id: _count_since(self.got[by_channel], one.at - hours)})
        mine = _count_since(self.got[by_campaign], one.at - one.cap.time) if one.cap is not None else 0
        keeper = Gatekeeper(self.merchant, one.at, lately, Counter({by_campaign: mine}))
        reason = keeper.refusal(one, self.reaches[one.channel].get(one.contact_id), cap=one.cap)
        if reason is None:
            self.got[by_campaign].append(one.at)
            if one.message_class == MessageClass.MARKETING:
                self.got[by_channel].append(one.at)
        return reason


def _count_since(times: Iterable[datetime], since: datetime) -> int:
    return sum(at > since for at in times)


def _marketing(us: Merchant, people: Mapping[str, Collection[int]]) -> Iterator[tuple[tuple[str, int], datetime]]:
    now = clock.now()
    handed_out = _handed_out(now - timedelta(hours=us.email_cap_hours))
    for channel, ids in people.items() if us.email_cap_hours else ():
        rows = Message.objects.filter(handed_out, contact_id__in=ids, channel=channel)
        rows = rows.filter(message_class=MessageClass.MARKETING)
        for contact_id, at in rows.values_list("contact_id", "finished_at"):
            yield (channel, contact_id), at or now


def _of_campaigns(planned: Sequence[Planned]) -> Iterator[tuple[tuple[int, int], datetime]]:
    now = clock.now()
    caps = {one.campaign_id: one.cap.time for one in planned if one.cap is not None}
    people = {one.contact_id for one in planned if one.cap is not None}
    for campaign_id, time in caps.items():
        rows = Message.objects.filter(_handed_out(now - time), contact_id__in=people, campaign_id=campaign_id)
        for contact_id, at in rows.values_list("contact_id", "finished_at"):
            yield (campaign_id, contact_id), at or now


def _handed_out(since: datetime) -> Q:
    was_sent = Q(state__in=(MessageState.SENT, MessageState.UNKNOWN), finished_at__gt=since)
    return Q(state=MessageState.SENDING) | was_sent
