"""The merchant's look on the hosted pages, safe to read: colours that a person can tell from the ground, one logo."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from crm_plugin import merchant, shop

#: Contrast of a control with what is around it (WCAG 2.2, success criterion 1.4.11).
CONTROL_CONTRAST: Final = 3.0

WHITE, BLACK = "#ffffff", "#000000"
#: What the pages are painted on; the style sheet names the same two.
LIGHT_PAPER, DARK_PAPER = "#ffffff", "#1f2429"
LIGHT_INK, DARK_INK = "#1f2933", "#f2f3f5"

_COLOR = re.compile(r"#[0-9a-f]{6}")
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(?::\d{1,5})?")


@dataclass(frozen=True, slots=True)
class Colors:
    """A button (``fill`` and the text on it), and what controls are accented with, on one ground."""

    fill: str
    text: str
    accent: str


@dataclass(frozen=True, slots=True)
class Brand:
    """Who the page is of.

    Attributes:
        logo_origin: the only place from which the page may load a picture; empty: none.
        light, dark: for people who want it bright or dark.
    """

    sender: str
    address: str
    footer: str
    logo_url: str
    logo_origin: str
    light: Colors
    dark: Colors


def brand() -> Brand:
    """Return the merchant's brand as it stands now."""
    us = merchant.load()
    origin = origin_of(us.logo_url)
    color = us.brand_color.lower() if _COLOR.fullmatch(us.brand_color.lower()) else ""
    return Brand(
        sender=us.sender_name or shop.current().identity().name,
        address=us.postal_address,
        footer=us.brand_footer,
        logo_url=us.logo_url if origin else "",
        logo_origin=origin,
        light=colors(color or LIGHT_INK, paper=LIGHT_PAPER, ink=LIGHT_INK),
        dark=colors(color or DARK_INK, paper=DARK_PAPER, ink=DARK_INK),
    )


def colors(color: str, *, paper: str, ink: str) -> Colors:
    """Return how a colour is used on a ground: the text on it is the one of black and white that stands out more.

    One of the two has at least 4.5 against any colour (WCAG 2.2, 1.4.3). Where the colour is too near to the ground,
    controls are accented with the ink instead.
    """
    text = max((WHITE, BLACK), key=lambda one: contrast(color, one))
    accent = color if contrast(color, paper) >= CONTROL_CONTRAST else ink
    return Colors(fill=color, text=text, accent=accent)


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2.2, "contrast ratio")."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    """Return the relative luminance (WCAG 2.2)."""
    parts = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def origin_of(url: str) -> str:
    """Return the origin of a web address as a policy names it; empty when it cannot be written into one."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode()
        origin = f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")
    except (UnicodeError, ValueError):
        return ""
    return origin if _ORIGIN.fullmatch(origin) else ""
