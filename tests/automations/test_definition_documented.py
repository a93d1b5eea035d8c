"""Every trigger, step, exit, field and recipe is in ``docs/automations.md``, with examples that are right."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from crm_plugin.activity import INTERNAL_KINDS
from crm_plugin.audience import AudienceRule
from crm_plugin.automations.definition import Cap, Definition, ExitCondition, QuietHours
from crm_plugin.automations.recipes import recipe_names
from crm_plugin.automations.steps import AnyStep, Arm, Winner
from crm_plugin.automations.triggers import AnyTrigger, Concurrency, DailySchedule, Reentry
from crm_plugin.shop import FactKind
from tests.audience.rows import make_list
from tests.fake_shop import FakeShop
from tests.stories import definition, on, wait

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "automations.md").read_text()
EXAMPLES = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
WORDS = set(re.findall(r"`(\w+)`", PAGE)) | set(re.findall(r'"(\w+)"', PAGE))


def members(union: Any) -> dict[str, type[BaseModel]]:
    """The classes of a union by the word in ``type``."""
    return {get_args(one.model_fields["type"].annotation)[0]: one for one in get_args(get_args(union)[0])}


TRIGGERS, STEPS = members(AnyTrigger), members(AnyStep)


def whole(example: dict[str, Any]) -> dict[str, Any]:
    """The example as a definition: some show only a part of one."""
    kind = example.get("type", "")
    if "trigger" in example:
        return example
    if kind in TRIGGERS:
        return definition(example)
    if kind in STEPS:
        return definition(on("signed_up"), [example])
    return definition(on("signed_up"), [wait()], **example)


@pytest.mark.django_db
@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_a_definition(fake_shop: FakeShop, example: dict[str, Any]) -> None:
    make_list(5, name="Five")

    parsed = Definition.parse(whole(example))

    for path, rule in parsed.audiences().items():
        AudienceRule.parse(rule, field=path)


@pytest.mark.parametrize("kinds", [TRIGGERS, STEPS], ids=["triggers", "steps"])
def test_every_type_has_an_example(kinds: dict[str, type[BaseModel]]) -> None:
    shown = {one["type"] for example in EXAMPLES for one in parts(example) if "type" in one}

    assert set(kinds) - shown == set()


def parts(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in the JSON."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if isinstance(value, dict):
        yield value
    for one in inner:
        yield from parts(one)


@pytest.mark.parametrize(
    "model",
    [Definition, QuietHours, Cap, Arm, Winner, DailySchedule, *TRIGGERS.values(), *STEPS.values()],
    ids=lambda model: model.__name__,
)
def test_every_field_is_explained(model: type[BaseModel]) -> None:
    assert set(model.model_fields) - WORDS == set()


@pytest.mark.parametrize("words", [ExitCondition, Reentry, Concurrency])
def test_every_word_of_a_closed_set_is_explained(words: type[ExitCondition | Reentry | Concurrency]) -> None:
    assert {word.value for word in words} - WORDS == set()


def test_every_activity_is_named() -> None:
    assert {kind.value for kind in FactKind if kind not in INTERNAL_KINDS} - WORDS == set()


def test_every_recipe_is_in_the_table_and_nothing_else() -> None:
    table = PAGE.partition("## Ready-made recipes")[2].partition("### Where you know them from")[0]

    assert sorted(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == recipe_names()
