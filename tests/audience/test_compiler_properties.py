"""Whatever the rule and whatever the history: PostgreSQL says what plain Python says, for all and for one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_plugin.audience import AudienceRule, Query, compile, describe, edges, explain, matching
from tests.audience.reference import World
from tests.audience.rows import write
from tests.audience.worlds import LEAVES, RULES, TIMED, worlds
from tests.fake_shop import FakeShop

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

_SETTINGS = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
#: Writing a world takes longer than asking about it; most of the questions are simple ones.
_LEAVES = st.one_of(LEAVES, TIMED).map(lambda leaf: {"include": leaf})
_SEVERAL = st.lists(st.one_of(_LEAVES, RULES), min_size=8, max_size=16)
_STEPS = (timedelta(seconds=30), timedelta(hours=1), timedelta(days=1), timedelta(days=3), timedelta(days=40))


@contextmanager
def written(world: World) -> Iterator[None]:
    """A world in the database, for a while."""
    with transaction.atomic():
        write(world)
        yield
        transaction.set_rollback(True)


def ids_of(query: Query | None) -> set[int]:
    if query is None:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(query.sql, query.params)
        return {pk for (pk,) in cursor.fetchall()}


@_SETTINGS
@given(seen=worlds(), rules=_SEVERAL)
def test_a_set_a_single_contact_and_the_reference_agree(
    fake_shop: FakeShop, seen: tuple[World, datetime], rules: list[dict[str, Any]]
) -> None:
    world, now = seen
    with written(world):
        for rule in rules:
            parsed = AudienceRule.parse(rule)

            found = ids_of(compile(parsed, now=now))

            assert found == world.who(rule, now=now)
            assert found == {someone.pk for someone in world.people if matching(parsed, [someone.pk], now=now)}
            assert found == matching(parsed, [someone.pk for someone in world.people], now=now)


@_SETTINGS
@given(seen=worlds(), rules=_SEVERAL, step=st.sampled_from([*_STEPS, *(-one for one in _STEPS)]))
def test_nobody_whose_answer_time_alone_changes_is_missing_from_the_edges(
    fake_shop: FakeShop, seen: tuple[World, datetime], rules: list[dict[str, Any]], step: timedelta
) -> None:
    world, now = seen
    since, until = min(now, now + step), max(now, now + step)
    with written(world):
        for rule in rules:
            moved = ids_of(edges(AudienceRule.parse(rule), since=since, until=until))

            assert world.who(rule, now=since) ^ world.who(rule, now=until) <= moved


@_SETTINGS
@given(seen=worlds(), rules=_SEVERAL)
def test_an_explanation_ends_where_matching_does(
    fake_shop: FakeShop, seen: tuple[World, datetime], rules: list[dict[str, Any]]
) -> None:
    world, now = seen
    with written(world):
        for rule in rules:
            parsed = AudienceRule.parse(rule)

            told = {someone.pk: explain(parsed, someone.pk, language="ko", now=now) for someone in world.people}

            found = world.who(rule, now=now)
            assert {pk for pk, explanation in told.items() if explanation.holds} == found
            assert all(describe(parsed, language) for language in ("en", "ko", "de"))


@_SETTINGS
@given(seen=worlds(), rules=_SEVERAL)
def test_a_rule_written_as_json_is_read_as_the_same_rule(
    fake_shop: FakeShop, seen: tuple[World, datetime], rules: list[dict[str, Any]]
) -> None:
    with written(seen[0]):
        for rule in rules:
            parsed = AudienceRule.parse(rule)

            assert AudienceRule.parse(parsed.to_json()) == parsed
            assert AudienceRule.parse(parsed.model_dump(mode="json")) == parsed
