"""Channels: how a finished message reaches a person. A new channel is one file here and one line in ``CHANNELS``.

A channel only hands out and says what became of it. It never decides whether a message may go, never writes to the
database, and never tries twice. This file holds the words between the delivery loop and a channel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from typing import Final, Protocol
from uuid import UUID

#: Where each channel lives; imported when first used.
CHANNELS: Final[Mapping[str, str]] = {"email": "crm_plugin.messaging.channels.email:EmailChannel"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A finished message and whom it is for. ``unsubscribe_url`` is empty for what is no advertisement."""

    public_id: UUID
    recipient: str
    sender_name: str
    sender_email: str
    reply_to: str
    subject: str
    text: str
    html: str
    unsubscribe_url: str


class HandOut(StrEnum):
    """What a provider made of one message."""

    #: Taken: the provider answers for it now.
    SENT = "sent"
    #: Not taken, for the time being: the same message may be offered again.
    RETRY = "retry"
    #: Not taken, because the address does not exist or does not want it.
    ADDRESS_REFUSED = "address_refused"
    #: Not taken, for another reason that will not pass.
    REJECTED = "rejected"
    #: Nobody knows whether it was taken.
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Receipt:
    """The provider's answer: what, in its own words, and its id of the message."""

    result: HandOut
    detail: str = ""
    provider_id: str = ""


class ChannelDown(Exception):
    """The provider cannot be reached: nothing was handed out."""


class Channel(Protocol):
    """One way to reach a person, over one connection that is opened when needed."""

    def open(self) -> None:
        """Make sure that there is a working connection.

        Raises:
            ChannelDown: when there is none to be had.
        """

    def hand_out(self, envelope: Envelope) -> Receipt:
        """Hand one message to the provider. Never raises for what a provider or a network can do."""

    def close(self) -> None:
        """Give the connection up; harmless when there is none."""


def get(kind: str) -> Channel:
    """Return a channel that is not connected yet."""
    module, _, name = CHANNELS[kind].partition(":")
    make: Callable[[], Channel] = getattr(import_module(module), name)
    return make()


__all__ = ["CHANNELS", "Channel", "ChannelDown", "Envelope", "HandOut", "Receipt", "get"]
