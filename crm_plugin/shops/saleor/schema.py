"""The CRM's fields in Saleor's own GraphQL schema.

Saleor has no extension point for it. It builds its schema by one function, when ``saleor.graphql.api`` is imported;
the CRM wraps that function before, so that validation, cost limits, introspection, subscriptions and ``_service`` all
see one schema.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from django.core.exceptions import ImproperlyConfigured


def extend() -> None:
    """Make Saleor build its schema with the CRM's queries and mutations in it; twice is once.

    Raises:
        ImproperlyConfigured: when Saleor has built it already.
    """
    from saleor.graphql.core.federation import schema as federation  # noqa: PLC0415 - not while models are being loaded

    build = federation.build_federated_schema
    if getattr(build, "has_crm", False):
        return
    if "saleor.graphql.api" in sys.modules:
        raise ImproperlyConfigured(
            "saleor.graphql.api was imported before crm_plugin was ready, so the CRM cannot join its schema. "
            "Find the app or plugin that imports it in its ready() and list crm_plugin before it."
        )
    federation.build_federated_schema = _with_crm(build)


def scalars() -> Mapping[str, Any]:
    """Return Saleor's scalar classes; two of one name cannot be in one schema."""
    from saleor.graphql.core import scalars as saleors  # noqa: PLC0415 - not while models are being loaded

    names = ("Date", "DateTime", "Decimal", "JSON", "PositiveInt", "UUID")
    return {name: getattr(saleors, name) for name in names if hasattr(saleors, name)}


def _with_crm(build: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(build)
    def build_with_crm(query: Any, mutation: Any, *args: Any, **kwargs: Any) -> Any:
        from saleor.graphql.query_cost_map import COST_MAP  # noqa: PLC0415 - not while models are being loaded

        from crm_plugin import graphql  # noqa: PLC0415 - takes the shop's scalars, so the shop comes first

        queries, mutations = graphql.queries(), graphql.mutations()
        for kind, fields in graphql.costs().items():
            COST_MAP.setdefault(kind, {}).update(fields)
        # The names stay: Saleor asks its schema for "Query", and clients know "Mutation".
        return build(type("Query", (queries, query), {}), type("Mutation", (mutations, mutation), {}), *args, **kwargs)

    build_with_crm.has_crm = True  # type: ignore[attr-defined]
    return build_with_crm
