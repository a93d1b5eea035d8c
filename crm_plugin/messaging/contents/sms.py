"""Text messages: an SMS, or an LMS when it has a title of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from crm_plugin.contacts import ChannelKind
from crm_plugin.errors import InvalidInput
from crm_plugin.messaging.compliance import KOREA, Stamp
from crm_plugin.messaging.contents.base import Content, ContentTooLong
from crm_plugin.messaging.contents.limits import (
    KOREAN_BYTES,
    KOREAN_TITLE_BYTES,
    MAX_SEGMENTS,
    foreign_characters,
    korean_bytes,
    segments,
)
from crm_plugin.messaging.finished import TextMessage
from crm_plugin.messaging.languages import is_korean
from crm_plugin.messaging.link_rewriting import track_text
from crm_plugin.messaging.models import MessageClass, MessageForm


class SmsContent(Content):
    """A text message. ``form`` ``lms`` has a ``title`` and room for 2,000 bytes instead of 90 (features row 62)."""

    channel: ClassVar[ChannelKind] = ChannelKind.SMS

    form: Literal["sms", "lms"] = "sms"
    title: str = Field("", max_length=120)
    text: str = Field(min_length=1, max_length=10_000)

    @model_validator(mode="after")
    def _an_lms_has_a_title(self) -> Self:
        if (self.form == "lms") != bool(self.title.strip()):
            raise ValueError("title: an LMS has one, an SMS has none")
        return self

    def sources(self) -> Iterator[tuple[str, str]]:
        """Walk over title and text."""
        yield "title", self.title
        yield "text", self.text

    def check(self, *, message_class: MessageClass, language: str, named: Mapping[str, frozenset[str]]) -> None:
        """Refuse characters that Korean telephones do not show."""
        if not is_korean(language):
            return
        for field, source in self.sources():
            if unknown := foreign_characters(source):
                message = f"Korean text messages have no {unknown[0]!r}: leave it out."
                raise InvalidInput(message, field=field, code="CHARACTER")

    def compile(self, *, language: str) -> dict[str, str]:
        """Return form, title and text."""
        return {"form": self.form, "title": self.title, "text": track_text(self.text)}

    @classmethod
    def finish(cls, parts: Mapping[str, str], stamp: Stamp) -> TextMessage:
        """Return the text message with label, sender and the way to refuse it, all of which count.

        Raises:
            ContentTooLong
        """
        form = MessageForm(parts["form"])
        text = stamp.text_message(parts["text"].strip(), form=form)
        subject = stamp.labelled(parts["title"]) if parts["title"] else ""
        if stamp.pack.code == KOREA.code:
            _refuse_bytes(subject, KOREAN_TITLE_BYTES, field="title")
            _refuse_bytes(text, KOREAN_BYTES[form], field="text")
        elif (count := segments(text)) > MAX_SEGMENTS:
            raise ContentTooLong(f"{count} segments, with all that is added to it; {MAX_SEGMENTS} are allowed.")
        return TextMessage(form=form, subject=subject, text=text)


def _refuse_bytes(text: str, size: int, *, field: str) -> None:
    if (found := korean_bytes(text)) > size:
        raise ContentTooLong(f"{found} bytes, with all that is added to it; {size} are allowed.", field=field)
