"""How much one request may ask for, counted before anything is validated or run."""

from __future__ import annotations

import time
from typing import Any

import pytest
from graphql import GraphQLError, parse
from graphql.utils.introspection_query import introspection_query

from crm_plugin.graphql import costs
from crm_plugin.graphql.limits import check
from tests.fake_shop import FakeShop


def _fan(levels: int) -> str:
    """Each fragment spreads the next one twice: doubling with every level."""
    parts = [f"fragment f{n} on Query {{ ...f{n + 1} a{n}: crmMe {{ ...f{n + 1} }} }}" for n in range(levels)]
    return "{ ...f0 } " + " ".join(parts) + f" fragment f{levels} on Query {{ crmSettings {{ senderName }} }}"


@pytest.mark.parametrize(
    "query",
    [
        introspection_query,
        "{ crmMessages(first: 100) { edges { node { id contact { consents { channel } } campaign { id } } } } }",
        "query($n: Int) { crmMessages(first: $n) { edges { node { id } } } }",
        "{ ...f } fragment f on Query { ...f }",
        "{ ...nowhere }",
        "{ " + " ".join(f"a{n}: crmAudiencePreview {{ seconds }}" for n in range(9)) + " }",
        "{ crmSegments(first: 100) { edges { node { summary members(first: 10) { edges { node { email } } } } } } }",
    ],
)
def test_ordinary_queries_pass(query: str) -> None:
    check(parse(query), {"n": 100})


@pytest.mark.parametrize(
    ("query", "bound"),
    [
        ("{ " + " ".join(["crmMe"] * 401) + " }", "fields"),
        ("{ " + " ".join(f"a{n}: crmMe" for n in range(51)) + " }", "aliases"),
        ("{ " + "a { " * 16 + "a" + " }" * 16 + " }", "levels"),
        ("{ a(first: 100) { b(first: 100) { c(last: 100) { d } } } }", "points of cost"),
        ("query($n: Int) { a(first: $n) { b(first: $missing) { c(last: $missing) { d } } } }", "points of cost"),
        (
            "{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }",
            "points of cost",
        ),
        ("{ a(first: 9999999999) { b } }", "points of cost"),
        ("{ " + " ".join(f"a{n}: crmAudiencePreview {{ count }}" for n in range(11)) + " }", "points of cost"),
    ],
)
def test_queries_that_ask_for_too_much_are_refused_by_name(query: str, bound: str) -> None:
    with pytest.raises(GraphQLError, match=f"The query has [0-9]+ {bound}; at most"):
        check(parse(query), {"n": 100})


def test_doubling_fragments_are_counted_without_being_unfolded() -> None:
    document = parse(_fan(40))

    started = time.monotonic()
    with pytest.raises(GraphQLError):
        check(document, {})

    assert time.monotonic() - started < 0.5


def test_what_costs_something_is_in_the_schema(shop: FakeShop) -> None:
    from crm_plugin.graphql import build_schema  # noqa: PLC0415 - its scalars are those of the shop

    schema: Any = build_schema()

    unknown = [
        f"{kind}.{name}"
        for kind, fields in costs().items()
        for name in fields
        if name not in schema.get_type(kind).fields
    ]
    lists = [name for name, field in schema.get_query_type().fields.items() if "first" in field.args]
    assert unknown == []
    assert set(costs()["Query"]) == set(schema.get_query_type().fields)
    assert [name for name in lists if "multipliers" not in costs()["Query"].get(name, {})] == []
