"""From the engine's string ids to primary keys: what cannot be one is left out, never an error."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError


def primary_key(model: Any, value: str) -> Any | None:
    """Return ``value`` as a primary key of ``model``; None when no row can have it (letters, out of range)."""
    try:
        return model._meta.pk.clean(value, None)
    except ValidationError:
        return None


def primary_keys(model: Any, values: Iterable[str]) -> set[Any]:
    """Return those of ``values`` that can be primary keys of ``model``."""
    return {key for key in (primary_key(model, value) for value in values) if key is not None}


def key_of(row: Any) -> str:
    """Return a row's primary key as text that sorts as the keys do; ``primary_key`` reads it back."""
    return f"{row.pk:020}" if isinstance(row.pk, int) else str(row.pk)
