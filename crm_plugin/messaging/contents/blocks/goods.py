"""Blocks of products: what the message is about, what lies in the cart, and what it asks a review of."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from crm_plugin.messaging.contents.blocks.base import (
    BRAND,
    GUTTER,
    ON_BRAND,
    Block,
    Words,
    attribute,
    button,
    plain,
    section,
)
from crm_plugin.messaging.contents.blocks.wording import said

_NAME = '<a href="{{ item.url }}" style="color:#1f2933;text-decoration:none">{{ item.name }}</a>'
_FORM = '{% if item.review_url != "" %}{{ item.review_url }}{% else %}{{ item.url }}{% endif %}'
_WIDTHS = {1: "100%", 2: "50%", 3: "33.33%"}


class ProductsBlock(Block):
    """The products that the message is about, with today's prices.

    Attributes:
        layout: one below the other, or a grid of ``columns``.
        limit: how many are shown at most.
        has_regular_price: show the price before a promotion, struck through, where there is one.
        has_drop: show by how many per cent the price is below the one that the person saw last.
        stock_below: say how many are left when there are at most so many; None: never.
        button: the words of a button under each; empty: no button.
    """

    type: Literal["products"]
    layout: Literal["list", "grid"] = "list"
    columns: Literal[1, 2, 3] = 2
    limit: Annotated[int, Field(ge=1, le=12)] = 6
    has_regular_price: bool = True
    has_drop: bool = True
    stock_below: Annotated[int, Field(ge=1, le=1_000)] | None = None
    button: Annotated[str, StringConstraints(max_length=40)] = ""

    def sections(self, language: str) -> str:
        """Return a row for each product, or rows of several."""
        if self.layout == "list":
            return _row(f"limit: {self.limit}", self._words())
        return "".join(self._grid_row(at) for at in range(0, self.limit, self.columns))

    def _words(self) -> str:
        shown = _name() + _price(has_regular_price=self.has_regular_price, has_drop=self.has_drop)
        if self.stock_below is not None:
            shown += _stock(self.stock_below)
        return shown + (_button(self.button) if self.button else "")

    def _grid_row(self, at: int) -> str:
        count = min(self.columns, self.limit - at)
        inside = (
            f"{{% for item in items limit: {count} offset: {at} %}}"
            f'<mj-column width="{_WIDTHS[self.columns]}" vertical-align="top">{_image()}{self._words()}</mj-column>'
            "{% endfor %}"
        )
        # Two stay side by side on a telephone, three do not.
        grouped = f"<mj-group>{inside}</mj-group>" if self.columns == 2 else inside
        row = (
            '<mj-section css-class="card" background-color="#ffffff" padding="8px 12px" text-align="left">'
            f"{grouped}</mj-section>"
        )
        return row if at == 0 else f"{{% if items.size > {at} %}}{row}{{% endif %}}"


class CartBlock(Block):
    """What lies in the cart, what it costs, and the way back to it (to the shop, where the shop knows no way back)."""

    type: Literal["cart"]
    limit: Annotated[int, Field(ge=1, le=12)] = 12
    has_total: bool = True
    label: Words = ""

    def sections(self, language: str) -> str:
        """Return the products, the total and the button."""
        rows = _row(f"limit: {self.limit}", _name() + _price(has_regular_price=True, has_drop=False))
        total = (
            f'{{% if cart.total != "" %}}<mj-text css-class="ink" font-size="17px" font-weight="600" '
            f'padding="8px {GUTTER}">{said("total", language)}</mj-text>{{% endif %}}'
        )
        way = '{% if cart.url != "" %}{{ cart.url }}{% else %}{{ shop.url }}{% endif %}'
        back = button(self.label or said("cart", language), way)
        return rows + section((total if self.has_total else "") + back)


class ReviewsBlock(Block):
    """The products that a request for reviews is about, each with a button to its form (to the product without one)."""

    type: Literal["reviews"]
    limit: Annotated[int, Field(ge=1, le=12)] = 5
    button: Annotated[str, StringConstraints(max_length=40)] = ""

    def sections(self, language: str) -> str:
        """Return a row for each product."""
        return _row(f"limit: {self.limit}", _name() + _button(self.button or said("review", language), _FORM))


def _row(bounds: str, words: str) -> str:
    return (
        f"{{% for item in items {bounds} %}}"
        '<mj-section css-class="card" background-color="#ffffff" padding="8px 12px" text-align="left"><mj-group>'
        '{% if item.image_url != "" %}<mj-column width="34%" vertical-align="middle">'
        f"{_image()}</mj-column>{{% endif %}}"
        f'<mj-column width="66%" vertical-align="middle">{words}</mj-column>'
        "</mj-group></mj-section>{% endfor %}"
    )


def _image() -> str:
    return (
        '{% if item.image_url != "" %}<mj-image src="{{ item.image_url }}" href="{{ item.url }}" '
        'alt="{{ item.name }}" border-radius="8px" padding="8px 16px" />{% endif %}'
    )


def _name() -> str:
    return (
        '<mj-text css-class="ink" padding="8px 16px 0" font-size="17px" line-height="25px" font-weight="600">'
        f"<h3>{_NAME}</h3></mj-text>"
    )


def _price(*, has_regular_price: bool, has_drop: bool) -> str:
    now = '<span style="white-space:nowrap">{{ item.price }}</span>'
    before = (
        '{% if item.regular_price != item.price %} <s style="color:#616e7c;font-weight:400;white-space:nowrap">'
        "{{ item.regular_price }}</s>{% endif %}"
    )
    drop = (
        '{% if item.drop_percent > 0 %} <strong class="drop" style="color:#b42318;white-space:nowrap">'
        "-{{ item.drop_percent }}%</strong>{% endif %}"
    )
    shown = now + (before if has_regular_price else "") + (drop if has_drop else "")
    return f'<mj-text css-class="ink" padding="6px 16px 0" line-height="26px" font-weight="600">{shown}</mj-text>'


def _stock(below: int) -> str:
    return (
        f"{{% if item.available and item.available <= {below} %}}"
        '<mj-text css-class="few" padding="4px 16px 0" font-size="14px" line-height="20px" color="#8a4b00">'
        f"{{{{ item.available | stock: {below} }}}}</mj-text>{{% endif %}}"
    )


def _button(label: str, url: str = "{{ item.url }}") -> str:
    return (
        f'<mj-button css-class="go" href="{attribute(url)}" align="left" background-color="{BRAND}" '
        f'color="{ON_BRAND}" border-radius="8px" font-size="15px" font-weight="600" inner-padding="11px 20px" '
        f'padding="12px 16px 8px">{plain(label)}</mj-button>'
    )
