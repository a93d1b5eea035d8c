"""The CRM's part of the GraphQL API, the same module in every shop.

``queries()`` and ``mutations()`` return the root fields as classes that a shop mixes into its own ``Query`` and
``Mutation`` (Saleor), or that ``build_schema()`` makes a schema of its own of (Oscar). Who may call a field stands on
the field (``access.py``); what it costs is in ``limits.py``. This room decides nothing: it reads arguments, calls a
room, and shapes the answer.

Start in ``campaigns.py``, the largest domain; ``mutation.py``, ``rows.py``, ``pagination.py`` and ``enums.py`` are the
frames of the kinds of field. The modules of types are listed in ``roots.py`` and imported by the functions below, not
here, because their scalars are the shop's (``scalars.py``) and the shop is chosen when Django starts.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphene import ObjectType, Schema


@cache
def queries() -> type[ObjectType]:
    """Return the class that holds the root query fields."""
    from crm_plugin.graphql.roots import QUERIES  # noqa: PLC0415 - see the docstring above

    return type("CRMQueries", QUERIES, {})


@cache
def mutations() -> type[ObjectType]:
    """Return the class that holds the root mutation fields."""
    from crm_plugin.graphql.roots import MUTATIONS  # noqa: PLC0415 - see the docstring above

    return type("CRMMutations", MUTATIONS, {})


@cache
def build_schema() -> Schema:
    """Return a schema of the CRM's fields alone, for a shop that has no GraphQL of its own."""
    from graphene import Schema  # noqa: PLC0415 - see the docstring above

    return Schema(query=type("Query", (queries(),), {}), mutation=type("Mutation", (mutations(),), {}))


def costs() -> dict[str, dict[str, Any]]:
    """Return what our fields cost, in the form of Saleor's ``COST_MAP``."""
    from crm_plugin.graphql.limits import COSTS  # noqa: PLC0415 - see the docstring above

    return COSTS


__all__ = ["build_schema", "costs", "mutations", "queries"]
