"""Blocks: a mail as a list of pieces that can be edited without code. They become MJML, and go its way from there.

A new block is one file here and one name in ``AnyBlock``.
"""

from typing import Annotated, Final, get_args

from pydantic import Field

from crm_plugin.messaging.contents.blocks.base import Block, readable_on, tag_of
from crm_plugin.messaging.contents.blocks.closing import FooterBlock, SocialBlock
from crm_plugin.messaging.contents.blocks.columns import ColumnsBlock
from crm_plugin.messaging.contents.blocks.coupon import CountdownBlock, CouponBlock
from crm_plugin.messaging.contents.blocks.goods import CartBlock, ProductsBlock, ReviewsBlock
from crm_plugin.messaging.contents.blocks.page import page
from crm_plugin.messaging.contents.blocks.raw import RawBlock
from crm_plugin.messaging.contents.blocks.simple import (
    ButtonBlock,
    DividerBlock,
    HeaderBlock,
    HeadingBlock,
    ImageBlock,
    SpacerBlock,
    TextBlock,
)

AnyBlock = Annotated[
    HeaderBlock
    | HeadingBlock
    | TextBlock
    | ImageBlock
    | ButtonBlock
    | DividerBlock
    | SpacerBlock
    | ProductsBlock
    | ReviewsBlock
    | CartBlock
    | CouponBlock
    | CountdownBlock
    | ColumnsBlock
    | SocialBlock
    | FooterBlock
    | RawBlock,
    Field(discriminator="type"),
]

#: The words that name blocks.
TAGS: Final = frozenset(tag_of(one) for one in get_args(get_args(AnyBlock)[0]))

__all__ = ["TAGS", "AnyBlock", "Block", "page", "readable_on"]
