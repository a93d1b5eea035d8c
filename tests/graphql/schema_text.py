"""The schema as the snapshot has it, for tests that walk it while they are collected, before a shop is there."""

from __future__ import annotations

from typing import Any, Final

from graphql import build_ast_schema, parse
from graphql.type.definition import GraphQLList, GraphQLNonNull

from crm_plugin.graphql.snapshot import PATH

SCHEMA: Final[Any] = build_ast_schema(parse(PATH.read_text()))
MUTATIONS: Final = SCHEMA.get_mutation_type().fields
QUERIES: Final = SCHEMA.get_query_type().fields


def inner(kind: Any) -> Any:
    """Return a type without what is around it: lists, and that it is never null."""
    while isinstance(kind, (GraphQLNonNull, GraphQLList)):
        kind = kind.of_type
    return kind


def mutation_of(name: str) -> str:
    """Return the text of a mutation that takes every argument from a variable."""
    arguments = MUTATIONS[name].args
    declared = ", ".join(f"${key}: {argument.type}" for key, argument in arguments.items())
    given = ", ".join(f"{key}: ${key}" for key in arguments)
    shown = "{ errors { field code message } }"
    return f"mutation({declared}) {{ {name}({given}) {shown} }}" if given else f"mutation {{ {name} {shown} }}"
