"""The examples of the API's documentation are valid."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from graphql import parse, validate
from graphql.language import ast

from crm_plugin import audience, automations
from crm_plugin.audience import AudienceRule
from tests.fake_shop import FakeShop

DOCUMENT = Path(__file__).parents[2] / "docs" / "api.md"
EXAMPLES = [
    ast.Document([operation])
    for block in re.findall(r"```graphql\n(.*?)```", DOCUMENT.read_text(), flags=re.DOTALL)
    for operation in parse(block).definitions
]


@pytest.fixture
def schema(shop: FakeShop) -> Any:
    from crm_plugin.graphql import build_schema  # noqa: PLC0415 - its scalars are those of the shop

    return build_schema()


@pytest.mark.parametrize(
    "example", EXAMPLES, ids=lambda example: example.definitions[0].selection_set.selections[0].name.value
)
def test_an_example_is_valid(schema: Any, example: ast.Document) -> None:
    assert [str(error) for error in validate(schema, example)] == []


def test_the_definition_is_one_that_can_be_saved(db: None, shop: FakeShop) -> None:
    written = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", DOCUMENT.read_text(), flags=re.DOTALL)]
    (definition,) = (value for value in written if "steps" in value)

    campaign = automations.create_campaign(name="Documented", definition=definition)

    assert campaign.draft == definition


def test_the_audience_is_one_that_can_be_counted(db: None, shop: FakeShop) -> None:
    written = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", DOCUMENT.read_text(), flags=re.DOTALL)]
    (definition,) = (value["definition"] for value in written if "include" in value.get("definition", {}))

    found = audience.preview(AudienceRule.parse(definition))

    assert (found.count, found.warnings) == (0, ())


def test_every_field_has_an_example(schema: Any) -> None:
    shown = {example.definitions[0].selection_set.selections[0].name.value for example in EXAMPLES}

    fields = {**schema.get_query_type().fields, **schema.get_mutation_type().fields}
    assert set(fields) - shown == set()


def test_every_field_says_whom_it_is_for(schema: Any) -> None:
    fields = {**schema.get_query_type().fields, **schema.get_mutation_type().fields}

    assert [name for name in fields if f"`{name}`" not in DOCUMENT.read_text()] == []
