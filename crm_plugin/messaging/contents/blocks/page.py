"""The page around the blocks: language, fonts, and colours by day and by night."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from crm_plugin.messaging.contents.blocks.base import GUTTER, Block
from crm_plugin.messaging.languages import is_korean

_FONT: Final = "-apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_KOREAN_FONT: Final = (
    "-apple-system, 'Apple SD Gothic Neo', 'Malgun Gothic', 'Noto Sans KR', 'Noto Sans CJK KR', sans-serif"
)
_KOREAN_STYLE: Final = "td, div, a, span, p, h1, h2, h3 { word-break: keep-all; overflow-wrap: anywhere; }"

#: Buttons keep the brand's colour at night; the page, the card and the words turn.
_STYLE: Final = """
a { color: #1f2933; }
h1, h2, h3 { margin: 0; font-size: inherit; font-weight: inherit; line-height: inherit; }
@media (prefers-color-scheme: dark) {
  body, .page { background: #15181c !important; }
  .card, .card > table { background: #22272e !important; background-color: #22272e !important; }
  .ink div, .ink a, .ink p, .ink span { color: #f2f4f7 !important; }
  .soft div, .soft a, .ink s { color: #b8c1cc !important; }
  .ink .drop { color: #ff9c91 !important; }
  .go table td { border: 1px solid #7b8794 !important; }
  .few div { color: #ffc078 !important; }
  .box table { background: #2e353e !important; border-color: #7b8794 !important; }
}
"""

_PAGE: Final = """<mjml lang="{language}"><mj-head><mj-title>{{{{ shop.name }}}}</mj-title>
<mj-raw><meta name="color-scheme" content="light dark" /><meta name="supported-color-schemes" content="light dark" />
</mj-raw><mj-attributes><mj-all font-family="{font}" />
<mj-text color="#1f2933" font-size="16px" line-height="25px" padding="0 {gutter}" /><mj-section padding="0" />
</mj-attributes><mj-style>{style}</mj-style></mj-head>
<mj-body background-color="#f2f3f5" css-class="page" width="600px">{body}</mj-body></mjml>"""


def page(blocks: Sequence[Block], *, language: str) -> str:
    """Return the MJML of a mail that is made of blocks."""
    is_in_korean = is_korean(language)
    return _PAGE.format(
        language=language,
        font=_KOREAN_FONT if is_in_korean else _FONT,
        gutter=GUTTER,
        style=_STYLE + (_KOREAN_STYLE if is_in_korean else ""),
        body="\n".join(block.sections(language) for block in blocks),
    )
