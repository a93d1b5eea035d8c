"""Push messages and the inbox in the shop: a title, a text, a picture, and where it leads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from pydantic import Field

from crm_plugin.contacts import ChannelKind
from crm_plugin.messaging.compliance import Stamp
from crm_plugin.messaging.contents.addresses import OptionalImageUrl, OptionalLinkUrl
from crm_plugin.messaging.contents.base import Content
from crm_plugin.messaging.contents.limits import INBOX_CHARACTERS, PUSH_BYTES, TITLE_CHARACTERS, cut, cut_to_bytes
from crm_plugin.messaging.finished import Notification
from crm_plugin.messaging.link_rewriting import track_text


class NotificationContent(Content):
    """A notification; what ``url`` leads to is tracked."""

    title: str = Field(min_length=1, max_length=120)
    text: str = Field(min_length=1, max_length=1_000)
    url: OptionalLinkUrl = ""
    image_url: OptionalImageUrl = ""

    def sources(self) -> Iterator[tuple[str, str]]:
        """Walk over the fields."""
        yield from ((field, str(value)) for field, value in self)

    def compile(self, *, language: str) -> dict[str, str]:
        """Return the parts, the address tracked."""
        return dict(self.sources()) | {"url": track_text(self.url.strip())}

    @classmethod
    def finish(cls, parts: Mapping[str, str], stamp: Stamp) -> Notification:
        """Return the notification, its title labelled; what is too long for a screen is cut."""
        title, url, image_url = cut(stamp.labelled(parts["title"]), TITLE_CHARACTERS), parts["url"], parts["image_url"]
        taken = sum(len(part.encode()) for part in (title, url.strip(), image_url.strip()))
        return Notification(
            title=title,
            text=cls._fitting(parts["text"].strip(), taken),
            url=url.strip(),
            image_url=image_url.strip(),
        )

    @classmethod
    def _fitting(cls, text: str, taken: int) -> str:
        """Return as much of the text as there is room for beside the ``taken`` bytes of everything else."""
        return cut_to_bytes(text, PUSH_BYTES - taken)


class WebPushContent(NotificationContent):
    """A push message to browsers."""

    channel: ClassVar[ChannelKind] = ChannelKind.WEB_PUSH


class AppPushContent(NotificationContent):
    """A push message to the shop's app."""

    channel: ClassVar[ChannelKind] = ChannelKind.APP_PUSH


class InboxContent(NotificationContent):
    """A note in the inbox that the shop shows to its customers."""

    channel: ClassVar[ChannelKind] = ChannelKind.INBOX

    @classmethod
    def _fitting(cls, text: str, taken: int) -> str:
        return cut(text, INBOX_CHARACTERS)
