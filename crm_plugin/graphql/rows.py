"""A row by its id: its type, the root field that staff read it by, and the mutation that does one thing to it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Self

import graphene
from django.db.models import QuerySet
from graphene.relay import Node

from crm_plugin.graphql.access import Caller, admits
from crm_plugin.graphql.arguments import row_key
from crm_plugin.graphql.mutation import CrmMutation
from crm_plugin.shop import Actor


class Row(graphene.ObjectType):
    """A row of ours, by its Relay id."""

    class Meta:
        abstract = True

    def __init_subclass__(cls, **options: Any) -> None:
        """Let it be a Node."""
        super().__init_subclass__(interfaces=(Node,), **options)


def row_id(kind: str) -> Any:
    """Return the argument that names one row of a kind."""
    return graphene.ID(required=True, description=f"A {kind}.")


def row_field(kind: Any, rows: Callable[[], QuerySet[Any]], *, description: str) -> Any:
    """Return a root field for who may look: one of ``rows``, or null when none has the id."""

    @admits(Caller.VIEWER)
    def find(_actor: Actor, _info: Any, *, id: str) -> Any:
        return rows().filter(pk=row_key(kind.__name__, id, field="id")).first()

    return graphene.Field(
        kind,
        description=description,
        resolver=find,
        id=row_id(kind.__name__),
    )


class RowChange(CrmMutation, abstract=True):
    """A mutation that does one thing to one row: ``change`` takes its key and returns the row as it is then.

    A subclass names the ``kind`` of row, the ``change``, and the ``answer``: the field of the payload that shows it.
    """

    kind: ClassVar[str]
    answer: ClassVar[str]

    @classmethod
    def __init_subclass_with_meta__(cls, **options: Any) -> None:
        """Take the id of a row of its kind."""
        super().__init_subclass_with_meta__(arguments={"id": row_id(cls.kind)}, **options)

    @staticmethod
    @abstractmethod
    def change(_pk: int, /) -> Any:
        """Do it."""

    @classmethod
    def perform(cls, _actor: Actor, *, id: str) -> Self:
        """Do it."""
        return cls(**{cls.answer: cls.change(row_key(cls.kind, id, field="id"))})
