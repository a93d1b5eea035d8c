"""Every address in a template goes through the ``track`` filter: done once, when the template is saved."""

from __future__ import annotations

import re
from html import escape, unescape

from crm_plugin.messaging.liquid_tokens import Protected, marks

#: Ways out are no clicks (features row 68).
OWN_URLS = ("unsubscribe_url", "preferences_url")

_HREF = re.compile(r"""(<(?:a|area)\b[^>]*?\shref=)(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE | re.DOTALL)
#: In plain text: a word that begins like an address, or with a variable that is one.
_WORD = marks(r"(?:https?://|MARK)(?:MARK|[^\s<>\"'])*")
_IS_ADDRESS = re.compile(r"\{\{-?\s*[\w.\[\]]*(?:\b|_)url\b[^|}]*\}\}")
_OUTPUT = re.compile(r"\{\{-?(.*?)-?\}\}", re.DOTALL)
_CLOSING = ".,;:!?)»”"


def track_html(html: str, protected: Protected) -> str:
    """Return ``html`` with each ``href`` tracked."""

    def rewrite(match: re.Match[str]) -> str:
        href = match[2] if match[2] is not None else match[3]
        return f'{match[1]}"{protected.protect(_tracked(unescape(href), protected, escapes=True))}"'

    return _HREF.sub(rewrite, html)


def track_text(source: str) -> str:
    """Return plain-text Liquid with each address tracked: literal ones, and variables that end in ``url``."""
    protected = Protected()

    def rewrite(match: re.Match[str]) -> str:
        word = match[0].rstrip(_CLOSING)
        first = next((token for token in protected.split(word) if token), "")
        if not first.startswith("http") and not _IS_ADDRESS.fullmatch(first):
            return match[0]
        return _tracked(word, protected, escapes=False) + match[0][len(word) :]

    return protected.restore(_WORD.sub(rewrite, protected.protect(source)))


def tracked_address(href: str, protected: Protected) -> str:
    """Return the Liquid that writes the tracked form of an address into plain text."""
    return _tracked(href, protected, escapes=False)


def _tracked(href: str, protected: Protected, *, escapes: bool) -> str:
    """Return the Liquid that writes the tracked form of ``href``, itself a mixture of literals and tokens."""
    parts = [part for part in protected.split(href.strip()) if part]
    whole = "".join(parts)
    is_static = not any(part.startswith(("{{", "{%")) for part in parts)
    if is_static and whole.startswith(("http://", "https://")):
        return '{{ "' + whole.replace('"', "%22") + '" | track }}'
    is_own = any(name in whole for name in OWN_URLS)
    if len(parts) == 1 and not is_own and (output := _OUTPUT.fullmatch(whole)):
        return "{{ " + output[1].strip() + " | track }}"
    if escapes:
        whole = "".join(part if part.startswith(("{{", "{%")) else escape(part) for part in parts)
    if is_static or is_own:
        return whole
    return "{% capture crm_href %}" + whole + "{% endcapture %}{{ crm_href | track }}"
