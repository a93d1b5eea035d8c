"""MJML to HTML, once, when a template is saved; what is left to do for each person is Liquid.

The HTML that comes out is Liquid too: block tags between MJML elements stand in ``mj-raw``, every address goes
through the ``track`` filter, the open pixel is at the end.
"""

from __future__ import annotations

import re
from html import escape

import mrml

from crm_plugin.messaging.link_rewriting import track_html, track_text
from crm_plugin.messaging.liquid_tokens import Protected, marks
from crm_plugin.messaging.plain_text import text_of

#: Elements whose inside is text or HTML: Liquid is left there as it is.
_TEXTUAL = (
    "mj-text", "mj-button", "mj-table", "mj-raw", "mj-style", "mj-title", "mj-preview", "mj-navbar-link",
    "mj-social-element", "mj-accordion-title", "mj-accordion-text",
)  # fmt: skip
_STRUCTURAL = (
    "mj-head", "mj-body", "mj-attributes", "mj-all", "mj-class", "mj-font", "mj-breakpoint", "mj-section",
    "mj-column", "mj-group", "mj-wrapper", "mj-image", "mj-divider", "mj-spacer", "mj-hero", "mj-social",
    "mj-navbar", "mj-accordion", "mj-accordion-element", "mj-carousel", "mj-carousel-image", "mj-html-attributes",
)  # fmt: skip
_ELEMENTS = frozenset(_TEXTUAL + _STRUCTURAL)

#: Elements inside elements; a mail with tables in its texts has about thirty.
MAX_DEPTH = 100
_OPEN_OR_CLOSE = re.compile(r"""<(/?)([A-Za-z][\w:.-]*)(?:[^<>"'/]|"[^"]*"|'[^']*'|/(?!>))*(/?)>""")
_VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"})
_COMMENT = re.compile(r"<!--(?!\[if).*?-->", re.DOTALL)
_ELEMENT = re.compile(r"<(mj-[\w-]+)")
_TEXTUAL_BODY = re.compile(rf"(<({'|'.join(_TEXTUAL)})\b[^>]*?(?:/>|>.*?</\2\s*>))", re.DOTALL)
_TAG = re.compile(r"(<[^>]*>)")
_LONE_MARK = marks(r"(MARK)")
_BODY = re.compile(r"(<body\b[^>]*>)")
#: White space is free between the parts of a table; lines under 998 bytes need no encoding.
_TABLE_PART = re.compile(r"(<(?:table|tr)\b)")

#: No web fonts: a mail loads nothing from third parties that its author did not write into it.
_OPTIONS = mrml.RenderOptions(fonts={})
_HIDDEN = "display:none;max-height:0;max-width:0;overflow:hidden;opacity:0;font-size:1px;line-height:1px;color:#fff"
_PIXEL = '<img src="{{ open_url }}" alt="" width="1" height="1" style="display:block;border:0">'


class InvalidMjml(Exception):
    """The MJML cannot be compiled; the message says where."""


def compile_mjml(source: str, *, preheader: str) -> str:
    """Return the HTML, in which only Liquid is left to render.

    Args:
        source: MJML with Liquid in it.
        preheader: the line that an inbox shows behind the subject; Liquid.

    Raises:
        InvalidMjml: when an element is unknown or the markup is broken.
    """
    protected = Protected()
    html = track_html(_TABLE_PART.sub(r"\n\1", _html(source, protected)), protected)
    hidden = f'<div style="{_HIDDEN}">{escape(protected.protect(preheader))}</div>' if preheader.strip() else ""
    html = _BODY.sub(lambda match: match[1] + hidden, html, count=1)
    return protected.restore(html.replace("</body>", f"{_PIXEL}</body>", 1))


def mjml_as_text(source: str) -> str:
    """Return the text part that says what the MJML says, in which only Liquid is left to render.

    Raises:
        InvalidMjml: when an element is unknown or the markup is broken.
    """
    protected = Protected()
    return track_text(text_of(_html(source, protected), protected))


def _html(source: str, protected: Protected) -> str:
    """Return the HTML with the Liquid taken out into ``protected``."""
    marked = _COMMENT.sub("", protected.protect(source))
    for element in _ELEMENT.findall(marked):
        if element not in _ELEMENTS:
            raise InvalidMjml(f"<{element}> is not an MJML element that is offered here.")
    _refuse_depth(marked)
    try:
        return str(mrml.to_html(_wrap_block_tags(marked), render_options=_OPTIONS).content)
    except OSError as error:
        # mrml raises OSError for whatever it cannot parse.
        raise InvalidMjml(str(error)) from error


def _refuse_depth(marked: str) -> None:
    """Refuse elements inside each other deeper than the compiler's stack; it would take the process with it.

    Raises:
        InvalidMjml
    """
    depth = 0
    for tag in _OPEN_OR_CLOSE.finditer(marked):
        if tag[2].lower() in _VOID or tag[3]:
            continue
        depth += -1 if tag[1] else 1
        if depth > MAX_DEPTH:
            raise InvalidMjml(f"Elements stand inside each other deeper than {MAX_DEPTH}, or are not closed.")


def _wrap_block_tags(marked: str) -> str:
    """Put ``mj-raw`` around each mark that stands between elements; inside a tag or a text it may stay bare."""
    stretches = _TEXTUAL_BODY.split(marked)
    # The pattern has two groups: text between, the whole element, its name.
    return "".join(_wrap_between(part) if at % 3 == 0 else part for at, part in enumerate(stretches) if at % 3 != 2)


def _wrap_between(stretch: str) -> str:
    parts = _TAG.split(stretch)
    return "".join(part if at % 2 else _LONE_MARK.sub(r"<mj-raw>\1</mj-raw>", part) for at, part in enumerate(parts))
