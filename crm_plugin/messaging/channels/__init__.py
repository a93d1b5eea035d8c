"""Channels: how a finished message reaches a person. A new channel is one file here and one line in ``CHANNELS``.

A channel only hands out and says what became of it. It never decides whether a message may go, never writes to the
database, and never tries twice. This file holds the words between the delivery loop and a channel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module
from typing import Final, Protocol
from uuid import UUID

from crm_plugin.contacts import ChannelKind, Endpoint
from crm_plugin.messaging.finished import Finished
from crm_plugin.money import Money

#: Where each channel lives; imported when first used.
CHANNELS: Final[Mapping[str, str]] = {
    ChannelKind.EMAIL: "crm_plugin.messaging.channels.email:EmailChannel",
    ChannelKind.SMS: "crm_plugin.messaging.channels.sms:SmsChannel",
    ChannelKind.KAKAO: "crm_plugin.messaging.channels.kakao:KakaoChannel",
    ChannelKind.WEB_PUSH: "crm_plugin.messaging.channels.web_push:WebPushChannel",
    ChannelKind.APP_PUSH: "crm_plugin.messaging.channels.app_push:AppPushChannel",
    ChannelKind.INBOX: "crm_plugin.messaging.channels.inbox:InboxChannel",
}


class AdLabel(StrEnum):
    """Where an advertisement carries the label of its jurisdiction."""

    SUBJECT = "subject"
    TITLE = "title"
    BODY = "body"
    #: The provider writes it, told by a flag.
    FLAG = "flag"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a channel can do.

    Attributes:
        has_title, has_image, has_buttons: what a message may have besides its text.
        max_bytes: by form (empty: any), how long the text may be, in bytes of ``encoding``.
        encoding: a Python codec.
        ad_label: by form (empty: any), where the label stands.
        has_receipts: whether the provider says later what became of a message.
    """

    has_title: bool = False
    has_image: bool = False
    has_buttons: bool = False
    max_bytes: Mapping[str, int] = field(default_factory=dict)
    encoding: str = "utf-8"
    ad_label: Mapping[str, AdLabel] = field(default_factory=dict)
    has_receipts: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who writes: the merchant, as each channel names them."""

    name: str = ""
    email: str = ""
    reply_to: str = ""
    phone: str = ""
    kakao_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A finished message and whom it is for.

    Attributes:
        public_id: of the message; the same each time that it is offered, so it serves as idempotency key.
        recipient: the address; for push a name of the newest device.
        endpoints: the devices, for push.
    """

    public_id: UUID
    recipient: str
    sender: Sender
    content: Finished
    language: str = ""
    is_marketing: bool = True
    endpoints: tuple[Endpoint, ...] = ()


class HandOut(StrEnum):
    """What a provider made of one message."""

    #: Taken: the provider answers for it now.
    SENT = "sent"
    #: Not taken, for the time being: the same message may be offered again.
    RETRY = "retry"
    #: Not taken, and not because of this message (too many at once): offered again without counting as a try.
    LATER = "later"
    #: Not taken, because the address does not exist or does not want it.
    ADDRESS_REFUSED = "address_refused"
    #: Not taken, for another reason that will not pass.
    REJECTED = "rejected"
    #: Nobody knows whether it was taken.
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Receipt:
    """The provider's answer.

    Attributes:
        detail: in its own words.
        provider_id: its id of the message, by which it will name it in receipts.
        retry_seconds: how long to wait, when the provider says (RETRY, LATER).
        cost: what it asks for, when it says.
        gone: addresses of endpoints that no longer exist.
        is_delivered: whether the message has arrived by this (the inbox in the shop).
    """

    result: HandOut
    detail: str = ""
    provider_id: str = ""
    retry_seconds: float | None = None
    cost: Money | None = None
    gone: tuple[str, ...] = ()
    is_delivered: bool = False


class ChannelDown(Exception):
    """The provider cannot be reached, or is not set up: nothing was handed out. Says when to try again, if known."""

    def __init__(self, message: str, *, retry_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_seconds = retry_seconds


class Channel(Protocol):
    """One way to reach a person, over one connection that is opened when needed.

    Attributes:
        capabilities: what it can do.
        batch_size: how many messages one ``hand_out`` takes at most; may depend on the provider that is set up.
        has_idempotency_key: whether the provider takes a message that is offered twice only once.
    """

    capabilities: Capabilities
    batch_size: int
    has_idempotency_key: bool

    def open(self) -> None:
        """Make sure that there is a working connection.

        Raises:
            ChannelDown: when there is none to be had.
        """

    def hand_out(self, envelopes: Sequence[Envelope]) -> Sequence[Receipt]:
        """Hand messages to the provider; one receipt each, in their order.

        Never raises for what a provider or a network can do, except ``ChannelDown`` when none was handed out. One bad
        recipient spoils no other message.
        """

    def close(self) -> None:
        """Give the connection up; harmless when there is none."""


def get(kind: str) -> Channel:
    """Return a channel that is not connected yet."""
    module, _, name = CHANNELS[kind].partition(":")
    made: Channel = getattr(import_module(module), name)()
    return made


def missing_provider(kind: str) -> str:
    """Return why nothing can go over a channel as it is set up now; empty when something could.

    E-mail is not asked: Django always has a backend, and to connect would take long.
    """
    if kind == ChannelKind.EMAIL:
        return ""
    channel = get(kind)
    try:
        channel.open()
    except ChannelDown as error:
        return str(error)
    finally:
        channel.close()
    return ""


def idempotent() -> list[str]:
    """Return the channels whose provider, as it is set up now, takes a message that is offered twice only once."""
    return [kind for kind in CHANNELS if get(kind).has_idempotency_key]


__all__ = [
    "CHANNELS",
    "AdLabel",
    "Capabilities",
    "Channel",
    "ChannelDown",
    "Envelope",
    "HandOut",
    "Receipt",
    "Sender",
    "get",
    "idempotent",
    "missing_provider",
]
