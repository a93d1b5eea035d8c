"""What every content is: Liquid that a merchant wrote in one language, and the way from there to a finished message."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from crm_plugin.contacts import ChannelKind
from crm_plugin.messaging.compliance import Stamp
from crm_plugin.messaging.finished import Finished
from crm_plugin.messaging.models import MessageClass


class Content(BaseModel):
    """A message on one channel in one language, as the merchant wrote it.

    Attributes:
        channel: the channel that it is for.
        escaped: parts whose values are HTML-escaped on their way in.
        shown_apart: parts that a preview shows by themselves, and that a message has inside another part already.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    channel: ClassVar[ChannelKind]
    escaped: ClassVar[frozenset[str]] = frozenset()
    shown_apart: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def sources(self) -> Iterator[tuple[str, str]]:
        """Walk over what is Liquid in it, each with the path of its field (``mjml``, ``buttons.0.url``)."""

    def said(self) -> Iterator[tuple[str, str]]:
        """Walk over everything that it says, what it says by itself included, as Liquid by field."""
        yield from self.sources()

    def field_of(self, part: str) -> str:
        """Return the field that a compiled part comes from."""
        return part

    @abstractmethod
    def compile(self, *, language: str) -> dict[str, str]:
        """Return the Liquid that is rendered for each person, by part.

        Raises:
            InvalidInput: with the path of the wrong field within this content.
        """

    def check(self, *, message_class: MessageClass, language: str, named: Mapping[str, frozenset[str]]) -> None:
        """Refuse what no message of the class may be, on this channel and in this language.

        Args:
            message_class: marketing or transactional.
            language: what it is written in.
            named: by field, the first words of the variables that it names.

        Raises:
            InvalidInput: with the path of the wrong field within this content.
        """

    @classmethod
    @abstractmethod
    def finish(cls, parts: Mapping[str, str], stamp: Stamp) -> Finished:
        """Return the finished message of rendered parts, with what the law adds.

        Raises:
            ContentTooLong: when it does not fit the channel any more.
        """


class ContentTooLong(Exception):
    """A finished message is longer than its channel takes; ``str()`` says by how much, ``field`` which part of it."""

    def __init__(self, message: str, *, field: str = "text") -> None:
        super().__init__(message)
        self.field = field
