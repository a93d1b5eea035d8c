"""The scalars of the schema, the shop's own where it has them.

GraphQL types are told apart by name: a schema with two scalars called ``DateTime`` cannot be built. So what the shop
brings is used, and the CRM's own (of the same names and the same form on the wire) where it brings none. They are
resolved when this module is imported, which is why nothing outside ``queries()`` and ``mutations()`` imports the
modules of types: by then the AppConfig has chosen the shop.
"""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Mapping
from typing import Any

import graphene
from graphene.types.generic import GenericScalar
from graphql.language import ast

from crm_plugin import shop


class _DateTime(graphene.DateTime):
    """A moment, ISO 8601."""

    @staticmethod
    def parse_value(value: Any) -> datetime.datetime | None:
        try:
            found = graphene.DateTime.parse_value(value)
            if isinstance(found, datetime.datetime) and found.tzinfo is not None:
                found.astimezone(datetime.UTC)  # the first and the last year have moments that UTC has not
        except (ValueError, IndexError, OverflowError):
            return None
        return found if isinstance(found, datetime.datetime) else None


class _Decimal(graphene.Float):
    """A decimal number; a JSON number on the wire, as in Saleor."""

    @staticmethod
    def parse_value(value: Any) -> decimal.Decimal | None:
        try:
            found = decimal.Decimal(str(value))
        except decimal.DecimalException:
            return None
        return found if found.is_finite() else None

    @staticmethod
    def parse_literal(node: Any) -> decimal.Decimal | None:
        return _Decimal.parse_value(node.value) if isinstance(node, (ast.FloatValue, ast.IntValue)) else None


class _JSON(GenericScalar):
    """Plain JSON: an object or a list."""

    @staticmethod
    def parse_value(value: Any) -> Any:
        return value if isinstance(value, (dict, list)) else None

    @staticmethod
    def parse_literal(node: Any) -> Any:
        return GenericScalar.parse_literal(node) if isinstance(node, (ast.ObjectValue, ast.ListValue)) else None


def _of_the_shop(name: str, own: Any, brought: Mapping[str, Any]) -> Any:
    return brought.get(name) or type(name, (own,), {"__doc__": own.__doc__})


_brought = shop.current().graphql_scalars()

Date: Any = _of_the_shop("Date", graphene.Date, _brought)
DateTime: Any = _of_the_shop("DateTime", _DateTime, _brought)
Decimal: Any = _of_the_shop("Decimal", _Decimal, _brought)
JSON: Any = _of_the_shop("JSON", _JSON, _brought)

__all__ = ["JSON", "Date", "DateTime", "Decimal"]
