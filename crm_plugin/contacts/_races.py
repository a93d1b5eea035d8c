"""Losing a race against another worker is no failure: do it again, and find what the other one has written."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import IntegrityError, OperationalError, transaction

P = ParamSpec("P")
R = TypeVar("R")

ATTEMPTS = 4
DEADLOCK = "40P01"


def retried(body: Callable[P, R]) -> Callable[P, R]:
    """Return ``body`` run in a savepoint, again when an identity was taken meanwhile or PostgreSQL broke a deadlock."""

    @wraps(body)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        for _ in range(ATTEMPTS - 1):
            try:
                with transaction.atomic():
                    return body(*args, **kwargs)
            except (IntegrityError, OperationalError) as error:
                if not _is_lost_race(error):
                    raise
        with transaction.atomic():
            return body(*args, **kwargs)

    return call


def _is_lost_race(error: Exception) -> bool:
    return isinstance(error, IntegrityError) or getattr(error.__cause__, "sqlstate", "") == DEADLOCK
