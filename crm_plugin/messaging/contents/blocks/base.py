"""What every block is: a piece of a mail that can be edited without knowing MJML."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from html import escape
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, StringConstraints

from crm_plugin.messaging.liquid_tokens import Protected

Color = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")]
Align = Literal["left", "center", "right"]
Words = Annotated[str, StringConstraints(max_length=300)]
NeededWords = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]

#: The brand's colour, where a block has none of its own; the second one can be read on the first.
BRAND, ON_BRAND = "{{ brand.color }}", "{{ brand.ink }}"
#: The sides of the page.
GUTTER = "28px"


class Block(BaseModel):
    """One block. ``type`` names it; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str

    @abstractmethod
    def sections(self, language: str) -> str:
        """Return the MJML sections of the block, in which Liquid is left."""

    def liquid(self) -> Iterator[tuple[str, str]]:
        """Walk over what is Liquid in it, with the path of its field."""
        for name, value in self:
            if isinstance(value, str) and name != "type" and ("{{" in value or "{%" in value):
                yield name, value


class Simple(Block):
    """A block that stands in one column, so it may also stand in a block of columns."""

    @abstractmethod
    def inside(self, language: str) -> str:
        """Return its MJML inside a column."""

    def sections(self, language: str) -> str:
        """Return a section of its own."""
        return section(self.inside(language))


def section(inside: str, *, padding: str = "0") -> str:
    """Return a section of one column on the card."""
    return (
        f'<mj-section css-class="card" background-color="#ffffff" padding="{padding}"><mj-column>{inside}</mj-column>'
        "</mj-section>"
    )


def attribute(value: str) -> str:
    """Return Liquid as the value of an attribute: everything but its tokens is escaped."""
    return plain(value)


def plain(text: str) -> str:
    """Return Liquid as the text of an element: everything but its tokens is escaped."""
    protected = Protected()
    return protected.restore(escape(protected.protect(text)))


def button(label: str, url: str, *, color: str = "", align: str = "left") -> str:
    """Return a button."""
    background, ink = (color, readable_on(color)) if color else (BRAND, ON_BRAND)
    return (
        f'<mj-button css-class="go" href="{attribute(url)}" align="{align}" background-color="{background}" '
        f'color="{ink}" border-radius="8px" font-size="16px" font-weight="600" inner-padding="14px 28px" '
        f'padding="12px {GUTTER}">{plain(label)}</mj-button>'
    )


def readable_on(color: str) -> str:
    """Return black or white, whichever can be read on a colour (WCAG 2.1, relative luminance)."""
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#ffffff" if (1.05 / (luminance + 0.05)) >= ((luminance + 0.05) / 0.05) else "#000000"


def tag_of(block: type[Block]) -> str:
    """Return the word by which a block is named."""
    return str(get_args(block.model_fields["type"].annotation)[0])
