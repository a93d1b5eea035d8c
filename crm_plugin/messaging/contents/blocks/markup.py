"""The markup of texts: paragraphs, bold, italic and links; anything else is shown as it was written.

An empty line ends a paragraph. ``**bold**``, ``*italic*``, ``[label](https://…)``. HTML has no meaning in it.
"""

from __future__ import annotations

import re
from html import escape
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from crm_plugin.messaging.contents.addresses import is_link
from crm_plugin.messaging.liquid_tokens import Protected

_LINK = re.compile(r"\[([^\[\]\n]{1,300})\]\(([^()\n]{1,2000})\)")
_BOLD = re.compile(r"\*\*(?=\S)(.{1,1000}?)(?<=\S)\*\*")
_ITALIC = re.compile(r"(?<![*\w])\*(?=\S)([^*\n]{1,2000}?)(?<=\S)\*(?![*\w])")
_PARAGRAPH = re.compile(r"\n[ \t]*\n\s*")


def _check(text: str) -> str:
    protected = Protected()
    for link in _LINK.finditer(protected.protect(text)):
        address = protected.restore(link[2].strip())
        if not is_link(address):
            raise ValueError(f"A link cannot lead to {address[:80]!r}: begin with https://, http://, mailto: or tel:.")
    return text


Markup = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000), AfterValidator(_check)
]


def to_html(text: str) -> str:
    """Return the HTML of a text; its Liquid stands where it stood."""
    protected = Protected()
    marked = escape(protected.protect(text.strip().replace("\r\n", "\n")), quote=False)
    paragraphs = [_inline(part).replace("\n", "<br />") for part in _PARAGRAPH.split(marked)]
    html = "".join(f'<p style="margin:0 0 {"0" if at else "14px"}">{part}</p>' for at, part in _from_last(paragraphs))
    return protected.restore(html)


def _from_last(paragraphs: list[str]) -> list[tuple[bool, str]]:
    """Return the paragraphs, each with whether it is the last."""
    return [(at == len(paragraphs) - 1, part) for at, part in enumerate(paragraphs)]


def _inline(text: str) -> str:
    linked = _LINK.sub(lambda link: f'<a href="{link[2].strip().replace(chr(34), "%22")}">{link[1]}</a>', text)
    return _ITALIC.sub(r"<em>\1</em>", _BOLD.sub(r"<strong>\1</strong>", linked))
