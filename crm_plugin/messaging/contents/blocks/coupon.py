"""The coupon block, and the countdown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import StringConstraints

from crm_plugin.messaging.contents.blocks.base import GUTTER, Block, Color, NeededWords, Simple, Words, plain
from crm_plugin.messaging.contents.blocks.wording import said

_BOX = (
    '<mj-section css-class="card" background-color="#ffffff" padding="12px 28px"><mj-column css-class="box" '
    'inner-background-color="#f7f8fa" inner-border="1px dashed #7b8794" inner-border-radius="8px" padding="0">'
    "{inside}</mj-column></mj-section>"
)


def _line(words: str, *, look: str, size: str, line: str, padding: str, weight: int = 400) -> str:
    return (
        f'<mj-text css-class="{look}" align="center" font-weight="{weight}" font-size="{size}" line-height="{line}" '
        f'padding="{padding}">{words}</mj-text>'
    )


class CouponBlock(Block):
    """A coupon: the one that was issued in the person's run, or a code that is the same for everybody.

    Nothing is shown when there is no code. ``title``: what stands above the code; ``note``: what stands below it,
    instead of until when the coupon holds.
    """

    type: Literal["coupon"]
    code: Annotated[str, StringConstraints(strip_whitespace=True, max_length=60)] = ""
    title: Words = ""
    note: Words = ""

    def sections(self, language: str) -> str:
        """Return a box with title, code and note."""
        code = plain(self.code) if self.code else "{{ coupon.code }}"
        name = '{% if coupon.name != "" %}{{ coupon.name }}{% else %}' + said("code", language) + "{% endif %}"
        until = said("until", language), said("use", language)
        note = '{% if coupon.expires_on != "" %}' + until[0] + "{% else %}" + until[1] + "{% endif %}"
        shown = (
            _line(
                plain(self.title) if self.title else name if not self.code else said("code", language),
                look="soft", size="14px", line="22px", padding="16px 20px 0",
            )
            + _line(code, look="ink", size="24px", line="34px", padding="2px 20px 0", weight=700)
            + _line(
                plain(self.note) if self.note else note if not self.code else said("use", language),
                look="soft", size="14px", line="22px", padding="0 20px 16px",
            )
        )  # fmt: skip
        box = _BOX.format(inside=shown)
        return box if self.code else '{% if coupon.code != "" %}' + box + "{% endif %}"


class CountdownBlock(Simple):
    """How long it is until something ends, in the words of the mail's language; nothing once it is over.

    ``to``: a day (``2027-03-10``, by the shop's calendar) or a variable that is one (``coupon.expires_on``).
    """

    type: Literal["countdown"]
    to: Annotated[
        str,
        StringConstraints(pattern=r"^(\d{4}-\d{2}-\d{2}|(coupon|event|contact\.attributes)\.[a-z][a-z0-9_]{0,39})$"),
    ]
    text: NeededWords = "{{ left }}"
    color: Color | None = None

    def inside(self, language: str) -> str:
        """Return the text, in which ``left`` is how long it is."""
        ink = f'color="{self.color}"' if self.color else 'css-class="ink"'
        return (
            f'{self._assign()}{{% if left != "" %}}'
            f'<mj-text {ink} align="center" font-size="22px" line-height="30px" font-weight="700" '
            f'padding="12px {GUTTER}">{plain(self.text)}</mj-text>{{% endif %}}'
        )

    def liquid(self) -> Iterator[tuple[str, str]]:
        """Return the text, which may name ``left``."""
        yield "text", self._assign() + self.text

    def _assign(self) -> str:
        value = f'"{self.to}"' if self.to[0].isdigit() else self.to
        return f"{{% assign left = {value} | countdown %}}"
