"""Every condition is in ``docs/audience.md``, with an example that is right."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest

from crm_plugin.audience import AudienceRule, compile, describe
from crm_plugin.audience.conditions import AnyCondition
from crm_plugin.audience.conditions.activities import NEVER_AN_ACTIVITY
from crm_plugin.audience.windows import Window
from crm_plugin.shop import FactKind
from tests.audience.rows import make_list
from tests.fake_shop import FakeShop

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "audience.md").read_text()
EXAMPLES = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]


@pytest.mark.django_db
@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_a_rule(fake_shop: FakeShop, example: Any) -> None:
    make_list(5, name="Five")

    rule = AudienceRule.parse(example if "include" in example else {"include": example})

    assert compile(rule).sql
    assert describe(rule)


@pytest.mark.parametrize("union", [AnyCondition, Window])
def test_every_type_is_explained(union: Any) -> None:
    types = {get_args(member.model_fields["type"].annotation)[0] for member in get_args(get_args(union)[0])}

    assert types - set(re.findall(r'"type": "(\w+)"', PAGE)) == set()


def test_every_activity_is_named() -> None:
    asked = {kind.value for kind in FactKind if kind not in NEVER_AN_ACTIVITY}

    assert asked - set(re.findall(r"`(\w+)`", PAGE)) == set()
