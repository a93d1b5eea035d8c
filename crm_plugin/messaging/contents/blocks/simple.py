"""Blocks that stand in one column: header, heading, text, image, button, divider, spacer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from crm_plugin.messaging.contents.addresses import ImageUrl, LinkUrl, OptionalLinkUrl
from crm_plugin.messaging.contents.blocks.base import GUTTER, Align, Color, NeededWords, Simple, Words, attribute, plain
from crm_plugin.messaging.contents.blocks.base import button as button_mjml
from crm_plugin.messaging.contents.blocks.markup import Markup, to_html

_HEADING_SIZES = {1: ("26px", "35px"), 2: ("20px", "28px"), 3: ("17px", "25px")}


class HeaderBlock(Simple):
    """The brand: its logo or, where there is none, the shop's name; leads to the shop."""

    type: Literal["header"]
    align: Align = "center"

    def inside(self, language: str) -> str:
        """Return the logo or the name."""
        return (
            '{% if brand.logo_url != "" %}'
            f'<mj-image css-class="logo" src="{{{{ brand.logo_url }}}}" href="{{{{ shop.url }}}}" '
            f'alt="{{{{ shop.name }}}}" align="{self.align}" width="160px" padding="24px {GUTTER} 12px" />'
            "{% else %}"
            f'<mj-text css-class="ink" align="{self.align}" font-size="20px" line-height="28px" font-weight="700" '
            f'padding="24px {GUTTER} 12px"><a href="{{{{ shop.url }}}}" style="color:#1f2933;text-decoration:none">'
            "{{ shop.name }}</a></mj-text>{% endif %}"
        )


class HeadingBlock(Simple):
    """A heading of one of three sizes."""

    type: Literal["heading"]
    text: NeededWords
    level: Literal[1, 2, 3] = 1
    align: Align = "left"
    color: Color | None = None

    def inside(self, language: str) -> str:
        """Return the heading."""
        size, line = _HEADING_SIZES[self.level]
        ink = f' color="{self.color}"' if self.color else ' css-class="ink"'
        return (
            f'<mj-text{ink} align="{self.align}" font-size="{size}" line-height="{line}" font-weight="700" '
            f'padding="16px {GUTTER} 8px"><h{self.level}>{plain(self.text)}</h{self.level}></mj-text>'
        )


class TextBlock(Simple):
    """Paragraphs, with bold, italic and links (``markup``)."""

    type: Literal["text"]
    text: Markup
    align: Align = "left"
    color: Color | None = None

    def inside(self, language: str) -> str:
        """Return the paragraphs."""
        ink = f'color="{self.color}"' if self.color else 'css-class="ink"'
        return f'<mj-text {ink} align="{self.align}" padding="8px {GUTTER}">{to_html(self.text)}</mj-text>'


class ImageBlock(Simple):
    """A picture, which may lead somewhere. ``alt`` says what is on it to who does not see it."""

    type: Literal["image"]
    url: ImageUrl
    alt: Words
    href: OptionalLinkUrl = ""
    width: Annotated[int, Field(ge=16, le=600)] = 544
    align: Align = "center"

    def inside(self, language: str) -> str:
        """Return the picture."""
        href = f' href="{attribute(self.href)}"' if self.href else ""
        return (
            f'<mj-image src="{attribute(self.url)}" alt="{attribute(self.alt)}"{href} width="{self.width}px" '
            f'align="{self.align}" border-radius="8px" padding="8px {GUTTER}" />'
        )


class ButtonBlock(Simple):
    """A button in the brand's colour, unless it has one of its own."""

    type: Literal["button"]
    label: NeededWords
    url: LinkUrl
    color: Color | None = None
    align: Align = "left"

    def inside(self, language: str) -> str:
        """Return the button."""
        return button_mjml(self.label, self.url, color=self.color or "", align=self.align)


class DividerBlock(Simple):
    """A line."""

    type: Literal["divider"]
    color: Color = "#d5dae0"

    def inside(self, language: str) -> str:
        """Return the line."""
        return f'<mj-divider border-width="1px" border-color="{self.color}" padding="16px {GUTTER}" />'


class SpacerBlock(Simple):
    """Empty room, in pixels."""

    type: Literal["spacer"]
    height: Annotated[int, Field(ge=4, le=120)] = 24

    def inside(self, language: str) -> str:
        """Return the room."""
        return f'<mj-spacer height="{self.height}px" />'
