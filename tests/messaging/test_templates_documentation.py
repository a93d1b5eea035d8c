"""What docs/templates.md shows and lists is what there is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from graphql import parse, validate

from crm_plugin.messaging import TemplateSource, liquid
from crm_plugin.messaging.contents import CONTENTS
from crm_plugin.messaging.contents.blocks import TAGS
from crm_plugin.messaging.liquid_filters import FILTERS
from crm_plugin.messaging.variables import VARIABLES
from tests.fake_shop import FakeShop

TEXT = (Path(__file__).parents[2] / "docs" / "templates.md").read_text()


@pytest.mark.parametrize("example", re.findall(r"```json\n(.*?)```", TEXT, flags=re.DOTALL))
def test_an_example_is_a_template_that_can_be_saved(example: str) -> None:
    TemplateSource.parse(json.loads(example)).check()


def test_an_example_of_the_api_is_valid(fake_shop: FakeShop) -> None:
    from crm_plugin.graphql import build_schema  # noqa: PLC0415 - its scalars are those of the shop

    schema: Any = build_schema()
    examples = re.findall(r"```graphql\n(.*?)```", TEXT, flags=re.DOTALL)

    assert len(examples) == 3
    for example in examples:
        assert [str(error) for error in validate(schema, parse(example))] == []


def test_every_block_filter_tag_variable_and_channel_is_listed() -> None:
    words = set(re.findall(r"[a-z_]+", TEXT))
    listed = {*TAGS, *FILTERS, *liquid.FILTERS, *liquid.TAGS, *VARIABLES, *CONTENTS} - {"track"}

    assert {str(one) for one in listed} - words == set()
