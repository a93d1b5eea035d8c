"""Web addresses that a merchant writes into contents: literal ones, or Liquid that makes one."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

_BAD = re.compile(r"""[\s"'<>\\\x00-\x1f\x7f]""")
_TOKEN = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_WEB = ("https://", "http://")
_LINK = (*_WEB, "mailto:", "tel:")


def is_link(value: str) -> bool:
    """Return whether a link may lead there: the web, a mail, a call, or what Liquid makes of it."""
    return _begins(value, _LINK)


def _begins(value: str, beginnings: tuple[str, ...]) -> bool:
    literal = _TOKEN.sub("", value)
    if _BAD.search(literal):
        return False
    return value.lower().startswith(beginnings) or value.startswith(("{{", "{%"))


def _link(value: str) -> str:
    if not is_link(value):
        raise ValueError("A link begins with https://, http://, mailto: or tel:, or with a variable.")
    return value


def _image(value: str) -> str:
    if value.lower().startswith("data:"):
        raise ValueError("A picture inside an address (data:) is not shown by most mailboxes; give its web address.")
    if not _begins(value, _WEB):
        raise ValueError("The address of a picture begins with https:// or http://, or with a variable.")
    return value


def _optional_image(value: str) -> str:
    return _image(value) if value else value


def _optional_link(value: str) -> str:
    return _link(value) if value else value


_Short = StringConstraints(strip_whitespace=True, max_length=2_000)

LinkUrl = Annotated[str, _Short, AfterValidator(_link)]
ImageUrl = Annotated[str, _Short, AfterValidator(_image)]
OptionalLinkUrl = Annotated[str, _Short, AfterValidator(_optional_link)]
OptionalImageUrl = Annotated[str, _Short, AfterValidator(_optional_image)]
