"""The frame of every enum: one of the CRM's own closed sets, each value with the words that say what it means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import graphene


class CrmEnum(graphene.Enum):
    """A closed set of the CRM. ``Meta`` has the ``enum``, and ``words``: what clients read of each of its members."""

    class Meta:
        abstract = True

    @classmethod
    def __init_subclass_with_meta__(cls, *, words: Mapping[Any, str], **options: Any) -> None:
        """Describe the type by its docstring and every value by its words; one without words is a KeyError."""

        def description(member: Any) -> str | None:
            return cls.__doc__ if member is None else words[member]

        super().__init_subclass_with_meta__(description=description, **options)
