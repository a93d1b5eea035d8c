"""The frame of queries whose input is a work in progress: what is wrong with it is told like that of a mutation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import graphene

from crm_plugin.errors import CRMError
from crm_plugin.graphql.errors import CrmError, as_payload

T = TypeVar("T")


def errors_field() -> Any:
    """Return the field that says what was refused."""
    return graphene.List(
        graphene.NonNull(CrmError), required=True, description="What was refused; empty when it was answered."
    )


def answered(answer: type[T], body: Callable[[], T]) -> T:
    """Return what ``body`` answers; when it refuses, an answer that has nothing but the errors."""
    try:
        found = body()
    except CRMError as error:
        return answer(errors=[as_payload(error)])  # type: ignore[call-arg]
    found.errors = []  # type: ignore[attr-defined]
    return found
