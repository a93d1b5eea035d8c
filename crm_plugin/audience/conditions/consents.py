"""Whether somebody may be written to, and agreed to it."""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property
from typing import Literal

from pydantic import Field

from crm_plugin import contacts
from crm_plugin.audience.conditions.base import Answer, Ask, Condition, Every, Row, Those
from crm_plugin.audience.conditions.wording import Wording
from crm_plugin.contacts import PUSH_CHANNELS, ChannelKind


class ConsentState(StrEnum):
    """What somebody said about marketing through a channel. ``unasked``: nothing, ever.

    A consent that waits to be confirmed, or that a purchase stood for until it ran out, is none of them.
    """

    GRANTED = "granted"
    WITHDRAWN = "withdrawn"
    UNASKED = "unasked"


#: A phone is the address of two channels, the account that of the shop's inbox; devices have rows of their own.
_HAS_ADDRESS = {
    ChannelKind.EMAIL: "c.email IS NOT NULL",
    ChannelKind.SMS: "c.phone <> ''",
    ChannelKind.KAKAO: "c.phone <> ''",
    ChannelKind.INBOX: "c.customer_id IS NOT NULL",
}


class HasConsent(Condition):
    """Granted, withdrew, or was never asked for consent."""

    type: Literal["consent"]
    channel: ChannelKind
    is_: ConsentState = Field(alias="is")

    def answer(self, ask: Ask) -> Answer:
        """Return the question in SQL."""
        channel = ask.param(self.channel.value, "text")
        said = f"SELECT contact_id FROM crm_plugin_consent WHERE channel = {channel}{ask.narrowed()}"  # noqa: S608
        match self.is_:
            case ConsentState.UNASKED:
                return Those(said, is_without=True)
            case ConsentState.GRANTED:
                return Those(f"{said} AND is_granted")
            case ConsentState.WITHDRAWN:
                return Those(f"{said} AND NOT is_granted AND pending_at IS NULL AND basis = 'express'")

    def say(self, wording: Wording) -> str:
        """Return it as a phrase."""
        english, korean = {
            ConsentState.GRANTED: ("agreed to marketing by {}", "{} 마케팅 수신 동의"),
            ConsentState.WITHDRAWN: ("withdrew the consent to marketing by {}", "{} 마케팅 수신 동의 철회"),
            ConsentState.UNASKED: ("was never asked about marketing by {}", "{} 마케팅 수신 동의 여부 미확인"),
        }[self.is_]
        return wording(english, korean).format(self.channel.value)


class HasAddress(Condition):
    """Has an address on the channel."""

    channel: ChannelKind

    def answer(self, ask: Ask) -> Answer:
        """Return the question in SQL."""
        if self.channel in PUSH_CHANNELS:
            channel = ask.param(self.channel.value, "text")
            return Those(f"SELECT contact_id FROM crm_plugin_endpoint WHERE channel = {channel}{ask.narrowed()}")  # noqa: S608
        return Row(_HAS_ADDRESS[self.channel])

    def say(self, wording: Wording) -> str:
        """Return it as a phrase."""
        return wording(f"has an address for {self.channel.value}", f"{self.channel.value} 주소가 있음")


class IsNotBlocked(Condition):
    """The address is not suppressed on the channel."""

    channel: ChannelKind

    def answer(self, ask: Ask) -> Answer:
        """Return the question in SQL, of what is kept beside the suppressions: digests of everybody take seconds."""
        if self.channel not in contacts.BLOCKABLE:
            return Row("TRUE")
        channel = ask.param(self.channel.value, "text")
        blocked = f"SELECT contact_id FROM crm_plugin_blocked WHERE channel = {channel}{ask.narrowed()}"  # noqa: S608
        return Those(blocked, is_without=True)

    def say(self, wording: Wording) -> str:
        """Return it as a phrase."""
        return wording(f"is not blocked on {self.channel.value}", f"{self.channel.value} 발송 차단되지 않음")


class Reachable(Every):
    """Has an address, agreed to marketing, and is not blocked."""

    type: Literal["reachable"]
    channel: ChannelKind

    @cached_property
    def _parts(self) -> tuple[Condition, ...]:
        consent = HasConsent.model_validate({"type": "consent", "channel": self.channel, "is": "granted"})
        return (HasAddress(channel=self.channel), consent, IsNotBlocked(channel=self.channel))

    def members(self) -> tuple[Condition, ...]:
        """Return what it takes to be reachable."""
        return self._parts

    def say(self, wording: Wording) -> str:
        """Return it as a phrase."""
        return wording(f"can be reached by {self.channel.value}", f"{self.channel.value} 수신 가능")
