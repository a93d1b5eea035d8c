"""Columns: two or three, with simple blocks in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from crm_plugin.messaging.contents.blocks.base import Block
from crm_plugin.messaging.contents.blocks.simple import (
    ButtonBlock,
    DividerBlock,
    HeadingBlock,
    ImageBlock,
    SpacerBlock,
    TextBlock,
)

SimpleBlock = Annotated[
    HeadingBlock | TextBlock | ImageBlock | ButtonBlock | DividerBlock | SpacerBlock, Field(discriminator="type")
]
Column = Annotated[list[SimpleBlock], Field(min_length=1, max_length=10)]
_WIDTHS = {2: "50%", 3: "33.33%"}


class ColumnsBlock(Block):
    """Two or three columns side by side; one below the other on a telephone."""

    type: Literal["columns"]
    columns: Annotated[list[Column], Field(min_length=2, max_length=3)]

    def sections(self, language: str) -> str:
        """Return one section with the columns."""
        columns = "".join(
            f'<mj-column width="{_WIDTHS[len(self.columns)]}" vertical-align="top">'
            f"{''.join(block.inside(language) for block in column)}</mj-column>"
            for column in self.columns
        )
        return f'<mj-section css-class="card" background-color="#ffffff" padding="0">{columns}</mj-section>'

    def liquid(self) -> Iterator[tuple[str, str]]:
        """Walk over the Liquid of the blocks inside."""
        for at, column in enumerate(self.columns):
            for index, block in enumerate(column):
                yield from ((f"columns.{at}.{index}.{path}", source) for path, source in block.liquid())
