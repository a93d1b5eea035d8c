"""Clients read the API by introspection: everything of ours says what it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from graphql.type.definition import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
)

from tests.fake_shop import FakeShop

#: Types that are not ours: the roots (whose fields are), those of Relay, and scalars.
OTHERS = {"Query", "Mutation", "Node", "PageInfo"}
SCALARS = {"Boolean", "Date", "DateTime", "Decimal", "Float", "ID", "Int", "JSON", "String"}


@pytest.fixture
def schema(shop: FakeShop) -> Any:
    from crm_plugin.graphql import build_schema  # noqa: PLC0415 - its scalars are those of the shop

    return build_schema()


def test_everything_of_ours_is_described(schema: Any) -> None:
    described = _described(schema)

    assert len(described) > 1000
    assert [place for place, words in described.items() if not (words or "").strip()] == []


def test_no_type_of_ours_escapes_by_its_name(schema: Any) -> None:
    unknown = {name for name in schema.get_type_map() if not name.startswith(("Crm", "__"))} - OTHERS - SCALARS

    assert unknown == set()


def test_no_description_only_repeats_the_name(schema: Any) -> None:
    described = _described(schema)

    assert [place for place, words in described.items() if _only_letters(words) == _only_letters(_last(place))] == []


def _described(schema: Any) -> dict[str, str | None]:
    """Return the description of each thing of ours by its place: `CrmCoupon.code`, `Query.crmCoupons(state)`."""
    return {**dict(_types(schema)), **dict(_root_fields(schema))}


def _types(schema: Any) -> Iterator[tuple[str, str | None]]:
    for name, one in schema.get_type_map().items():
        if not name.startswith("Crm"):
            continue
        yield name, one.description
        match one:
            case GraphQLEnumType():
                yield from ((f"{name}.{value.name}", value.description) for value in one.values)
            case GraphQLInputObjectType():
                yield from ((f"{name}.{field}", what.description) for field, what in one.fields.items())
            case GraphQLObjectType() | GraphQLInterfaceType():
                yield from _fields(name, one)
            case GraphQLUnionType():
                pass
            case _:
                raise AssertionError(f"{name} is of a kind that this test does not know: teach it.")


def _root_fields(schema: Any) -> Iterator[tuple[str, str | None]]:
    yield from _fields("Query", schema.get_query_type())
    yield from _fields("Mutation", schema.get_mutation_type())


def _fields(owner: str, of: Any) -> Iterator[tuple[str, str | None]]:
    for field, what in of.fields.items():
        yield f"{owner}.{field}", what.description
        yield from ((f"{owner}.{field}({name})", argument.description) for name, argument in what.args.items())


def _last(place: str) -> str:
    return place.rpartition(".")[2].partition("(")[0] if ")" not in place else place.rpartition("(")[2]


def _only_letters(words: str | None) -> str:
    letters = "".join(letter for letter in (words or "").lower() if letter.isalpha())
    return letters.removeprefix("the")
