"""The plain-text part of a mail, made of its HTML once, when the template is saved.

Liquid survives as it is, so the text says the same to each person as the HTML does. What only makes the page (tables
of layout, pictures, comments for Outlook) is left out; a link reads ``label: address``.
"""

from __future__ import annotations

import re
from html import unescape
from itertools import zip_longest

import html2text

from crm_plugin.messaging.link_rewriting import tracked_address
from crm_plugin.messaging.liquid_tokens import Protected, marks

_NOT_READ = re.compile(
    r"<head\b.*?</head>|<style\b.*?</style>|<!--.*?-->|<img\b[^>]*>|<div style=\"display:\s?none.*?</div>", re.DOTALL
)
_LINK = re.compile(r"<a\b[^>]*?\shref=(?:\"([^\"]*)\"|'([^']*)')[^>]*>(.*?)</a>", re.DOTALL | re.IGNORECASE)
_HEADING = re.compile(r"<(/?)h[1-6]\b[^>]*>")
_STRUCK = re.compile(r"<(s|del|strike)\b[^>]*>(.*?)</\1>", re.DOTALL)
#: Cells beside each other are blocks of their own.
_CELL = re.compile(r"(?=<(?:td|th|tr|table)\b)|(?<=</td>|</th>|</tr>)|(?<=</table>)")
_LOOP = re.compile(r"\{%-?\s*(?:end)?for\b")
_ANY_TAG = re.compile(r"<[^>]+>")
_LONE_BREAKS = re.compile(r"\n{3,}")
_LONE_TAG = marks(r"^[ \t]*(MARK(?:[ \t]*MARK)*)[ \t]*$")


def text_of(html: str, protected: Protected) -> str:
    """Return the Liquid of the text part.

    Args:
        html: compiled HTML, its Liquid taken out into ``protected``, its links not yet tracked.
        protected: what was taken out.
    """
    body = _STRUCK.sub(r"(\2)", _NOT_READ.sub("", html))
    body = _with_addresses(_HEADING.sub(r"<\1p>", body), protected)
    body = _CELL.sub("<br>", body)
    lines = [" ".join(line.replace("\xa0", " ").split()) for line in _reader().handle(body).splitlines()]
    spread = [part for line in lines for part in _lone(line, protected)]
    text = _LONE_BREAKS.sub("\n\n", "\n".join(spread)).strip()
    return protected.restore(text)


def _reader() -> html2text.HTML2Text:
    made = html2text.HTML2Text(bodywidth=0)
    made.ignore_tables = True
    made.ignore_emphasis = True
    made.ignore_images = True
    made.unicode_snob = True
    made.single_line_break = False
    return made


def _with_addresses(html: str, protected: Protected) -> str:
    """Put the address behind the words of each link; of links to the same place in a row only behind the last."""
    links = [link for link in _LINK.finditer(html) if _words_of(link)]
    shown = {
        link.span()
        for link, following in zip_longest(links, links[1:])
        if following is None or _leads_elsewhere(link, following, protected)
    }

    def rewrite(match: re.Match[str]) -> str:
        words = _words_of(match)
        if not words or match.span() not in shown:
            return match[3]
        address = protected.protect(tracked_address(unescape(_href(match)), protected))
        return f"<span>{address}</span>" if words == _href(match) else f"{match[3]}: <span>{address}</span>"

    return _LINK.sub(rewrite, html)


def _leads_elsewhere(link: re.Match[str], following: re.Match[str], protected: Protected) -> bool:
    """Whether the next link is about something else: another address, or the same words in another loop."""
    between = link.string[link.end() : following.start()]
    if any(_LOOP.match(token) for token in protected.split(between)[1::2]):
        return True
    return protected.restore(_href(link)) != protected.restore(_href(following))


def _href(link: re.Match[str]) -> str:
    return link[1] if link[1] is not None else link[2]


def _words_of(link: re.Match[str]) -> str:
    return " ".join(unescape(_ANY_TAG.sub("", link[3])).split())


def _lone(line: str, protected: Protected) -> list[str]:
    """Return a line; one of nothing but Liquid tags takes the empty lines in front of it away when it is rendered."""
    if not _LONE_TAG.fullmatch(line):
        return [_unescaped(line)]
    tokens = [part for part in protected.split(line) if part.strip()]
    if not all(token.startswith("{%") for token in tokens):
        return [line]
    return ["", *(protected.protect("{%-" + token.removeprefix("{%").removeprefix("-")) for token in tokens), ""]


def _unescaped(line: str) -> str:
    """Return a line without the backslashes that tell Markdown that a sign is only a sign."""
    return re.sub(r"\\([\\`*_{}\[\]()#+\-.!>|~])", r"\1", line)
