"""What gives an advertisement away in a message that was declared to be none.

An advertisement inside a transactional message makes it one (features part 5, "Everywhere"); a notice of a coupon or
points that nobody asked for is one as well ("KR record"). What a template says cannot be judged in full before it is
filled in; what it names and the words that stand in it can.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from crm_plugin.messaging import liquid
from crm_plugin.messaging.compliance import KOREA
from crm_plugin.messaging.templates import TemplateSource


class Advert(StrEnum):
    """Why a message looks like an advertisement."""

    COUPON = "coupon"  #: it gives away a coupon
    PRICE = "price"  #: it says what a product costs less now
    PRODUCTS = "products"  #: it shows products that are not those of an order
    LABEL = "label"  #: it is labelled as an advertisement
    WORDING = "wording"  #: it speaks of a discount, a sale, a benefit


_PRICE_FIELDS: Final = frozenset({"baseline_price", "drop_percent", "regular_price"})
_WORDING: Final = re.compile(
    r"\d\s?%\s?(?:off|discount|할인)|\b(?:promo(?:tion)?|discount|coupon|flash sale|on sale|special offer)\b"
    r"|할인|쿠폰|특가|세일|사은품|프로모션|이벤트\s?참여",
    re.IGNORECASE,
)
#: Liquid is looked at by what it names, not by its words.
_LIQUID: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)


def advertises(source: TemplateSource) -> tuple[Advert, ...]:
    """Return why messages of a template look like advertisements; empty when nothing speaks for it.

    Args:
        source: a template that could be saved.
    """
    found = {reason for content in source.expanded().contents.values() for reason in _reasons(dict(content.said()))}
    return tuple(reason for reason in Advert if reason in found)


def _reasons(sources: dict[str, str]) -> Iterator[Advert]:
    paths = {path for text in sources.values() for path in _paths(text)}
    words = {path[0] for path in paths}
    if words & {"coupon", "coupons"}:
        yield Advert.COUPON
    if any(_PRICE_FIELDS & set(path) for path in paths):
        yield Advert.PRICE
    if "items" in words and "order" not in words:
        yield Advert.PRODUCTS
    said = [_LIQUID.sub(" ", text) for text in sources.values()]
    if KOREA.banned_label and any(KOREA.banned_label.search(text) for text in said):
        yield Advert.LABEL
    if any(_WORDING.search(text) for text in said):
        yield Advert.WORDING


def _paths(text: str) -> Iterator[tuple[str, ...]]:
    """Walk over the variables that a piece of Liquid names, each as the names on its way."""
    named = liquid.parse(text, escapes=False).analyze(include_partials=False).variables
    for uses in named.values():
        for one in uses:
            yield tuple(part for part in one.segments if isinstance(part, str))
