"""A rule becomes one SELECT. The only compiler: whole audiences and single contacts are asked by the same statement.

Each leaf is a test of the contact's row or a set of contacts. ``all`` joins them by AND, so that PostgreSQL hashes the
sets as semi-joins; sets under ``any`` become one UNION, because an OR of sub-selects cannot be joined; a negation is
pushed down to the leaves and becomes an anti-join, also under ``any`` ("not: all of them false"). Values are
parameters, all other text is constant.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from crm_plugin import clock
from crm_plugin.audience.conditions import AnyOf, Ask, Condition, Every, Known, Not, Row, Those
from crm_plugin.audience.expanding import Inlined
from crm_plugin.audience.rule import AudienceRule

#: An audience is made of people who could be written to or have an account; visitors are nobody yet.
IS_KNOWN = "c.erased_at IS NULL AND (c.customer_id IS NOT NULL OR c.email IS NOT NULL)"


@dataclass(frozen=True, slots=True)
class Query:
    """A SELECT of distinct ``contact_id`` that another room puts into its own statement."""

    sql: str
    params: Mapping[str, Any]


def compile(
    rule: AudienceRule,
    *,
    now: datetime | None = None,
    contact_ids: Sequence[int] | None = None,
    is_known_only: bool = True,
    prefix: str = "q",
    also: Sequence[str] = (),
) -> Query:
    """Return the question who is in.

    Args:
        rule: the audience.
        now: the moment that windows are counted from; the present when left out.
        contact_ids: ask about these only, each looked up by index.
        is_known_only: leave out visitors and the erased.
        prefix: of the parameters' names, for a statement that holds more than one query.
        also: columns of the contact to return besides; never text from outside.

    Raises:
        InvalidInput: when what the rule names is gone.
    """
    known = Known()
    ask = Ask(known, now=now or clock.now(), contact_ids=contact_ids, prefix=prefix)
    tests = [IS_KNOWN] if is_known_only else []
    tests.append(holds(rule.expanded(known), ask))
    columns = ", ".join(["c.id AS contact_id", *(f"c.{column}" for column in also)])
    sql = f"SELECT {columns} FROM crm_plugin_contact c WHERE {' AND '.join(tests)}{ask.narrowed('c.id')}"  # noqa: S608
    return Query(sql, ask.params)


def matching(rule: AudienceRule, contact_ids: Iterable[int], *, now: datetime | None = None) -> set[int]:
    """Return those of the contacts who are in, by one statement."""
    wanted = list(contact_ids)
    if not wanted:
        return set()
    query = compile(rule, now=now, contact_ids=wanted)
    with connection.cursor() as cursor:
        cursor.execute(query.sql, query.params)
        return {pk for (pk,) in cursor.fetchall()}


def count(rule: AudienceRule, *, now: datetime | None = None) -> int:
    """Return how many are in."""
    query = compile(rule, now=now)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM ({query.sql}) AS a", query.params)  # noqa: S608
        return int(cursor.fetchone()[0])


def holds(condition: Condition, ask: Ask, *, is_wanted: bool = True) -> str:
    """Return the test of the contact ``c`` that the condition holds, or (not ``is_wanted``) that it does not."""
    match condition:
        case Not():
            return holds(condition.of, ask, is_wanted=not is_wanted)
        case Inlined():
            return holds(condition.of, ask, is_wanted=is_wanted == condition.named.is_member)
        case Every() | AnyOf() if isinstance(condition, Every) == is_wanted:
            return " AND ".join(holds(one, ask, is_wanted=is_wanted) for one in condition.members())
        case Every() | AnyOf():
            return _one_of(list(_alternatives(condition, is_wanted=is_wanted)), ask)
        case _:
            return _leaf(_answer(condition, ask, is_wanted=is_wanted))


def _answer(condition: Condition, ask: Ask, *, is_wanted: bool) -> Row | Those:
    answer = condition.answer(ask)
    return answer if is_wanted else answer.opposite


def _leaf(answer: Row | Those) -> str:
    if isinstance(answer, Row):
        return f"({answer.sql})"
    if answer.is_without:
        return f"NOT EXISTS (SELECT 1 FROM ({answer.sql}) AS t WHERE t.contact_id = c.id)"  # noqa: S608
    return f"c.id IN ({answer.sql})"


def _alternatives(condition: Condition, *, is_wanted: bool) -> Iterator[tuple[Condition, bool]]:
    """Walk over what an OR is made of, through ORs inside it."""
    match condition:
        case Not():
            yield from _alternatives(condition.of, is_wanted=not is_wanted)
        case Inlined():
            yield from _alternatives(condition.of, is_wanted=is_wanted == condition.named.is_member)
        case Every() | AnyOf() if isinstance(condition, AnyOf) == is_wanted:
            for one in condition.members():
                yield from _alternatives(one, is_wanted=is_wanted)
        case _:
            yield condition, is_wanted


def _one_of(alternatives: Sequence[tuple[Condition, bool]], ask: Ask) -> str:
    """Return the test that one of them holds: that not all are false, when one is a negation, else a UNION."""
    answers = [
        None if condition.members() else _answer(condition, ask, is_wanted=is_wanted)
        for condition, is_wanted in alternatives
    ]
    if any(isinstance(answer, Those) and answer.is_without for answer in answers):
        none = [
            _leaf(answer.opposite) if answer else holds(condition, ask, is_wanted=not is_wanted)
            for answer, (condition, is_wanted) in zip(answers, alternatives, strict=True)
        ]
        return _leaf(Those(_contacts(" AND ".join(none), ask), is_without=True))
    rows = [answer.sql for answer in answers if isinstance(answer, Row)]
    sets = [answer.sql for answer in answers if isinstance(answer, Those)]
    sets += [
        _contacts(holds(condition, ask, is_wanted=is_wanted), ask)
        for answer, (condition, is_wanted) in zip(answers, alternatives, strict=True)
        if answer is None
    ]
    return _union(rows, sets, ask)


def _union(rows: Sequence[str], sets: Sequence[str], ask: Ask) -> str:
    """Return the test that a row passes, or is in a set. UNION ALL would hide from the planner how large it is."""
    passed = f"({' OR '.join(f'({row})' for row in rows)})"
    if not sets:
        return passed
    every = [*sets, _contacts(passed, ask)] if rows else sets
    return _leaf(Those(" UNION ".join(f"({one})" for one in every)))


def _contacts(tests: str, ask: Ask) -> str:
    return f"SELECT c.id AS contact_id FROM crm_plugin_contact c WHERE {tests}{ask.narrowed('c.id')}"  # noqa: S608
