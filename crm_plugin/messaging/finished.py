"""Finished messages: what is handed to a channel, personal in every word. One shape for each kind of channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from crm_plugin.messaging.models import MessageForm

#: What most phones show of a message before it is opened (features row 69).
PREVIEW_LENGTH = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """An e-mail. ``unsubscribe_url`` is empty for what is no advertisement."""

    subject: str
    preheader: str
    text: str
    html: str
    unsubscribe_url: str

    @property
    def title(self) -> str:
        """What the delivery log calls it."""
        return self.subject

    @property
    def form(self) -> str:
        """E-mail has one form only."""
        return ""

    @property
    def preview(self) -> str:
        """What an inbox shows of it."""
        return f"{self.subject} {self.preheader}".strip()[:PREVIEW_LENGTH]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextMessage:
    """An SMS (no title) or an LMS (a title of its own), labels and refusal number included."""

    form: MessageForm
    subject: str = ""
    text: str

    @property
    def title(self) -> str:
        """What the delivery log calls it."""
        return self.subject or self.text[:PREVIEW_LENGTH]

    @property
    def preview(self) -> str:
        """What a phone shows of it."""
        return f"{self.subject} {self.text}".strip()[:PREVIEW_LENGTH]


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """A button under a Kakao message that leads to a web address."""

    name: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KakaoMessage:
    """An Alimtalk (an approved template and its variables) or a Brand Message.

    Attributes:
        template_code: the provider's id of the approved template.
        variables: by name as the template has it (``#{이름}``).
        is_advertisement: the ad flag; always set for a Brand Message (features row 66).
    """

    form: MessageForm
    template_code: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    image_url: str = ""
    buttons: tuple[Button, ...] = ()
    is_advertisement: bool = False

    @property
    def title(self) -> str:
        """What the delivery log calls it."""
        return self.text[:PREVIEW_LENGTH] or self.template_code

    @property
    def preview(self) -> str:
        """What a phone shows of it."""
        return self.text[:PREVIEW_LENGTH]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """What a push message or the inbox in the shop shows. ``url``: where it leads; empty: nowhere."""

    title: str
    text: str
    url: str = ""
    image_url: str = ""

    @property
    def form(self) -> str:
        """It has one form only."""
        return ""

    @property
    def preview(self) -> str:
        """What a screen shows of it."""
        return f"{self.title} {self.text}".strip()[:PREVIEW_LENGTH]


Finished = Mail | TextMessage | KakaoMessage | Notification
