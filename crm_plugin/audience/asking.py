"""Questions that a merchant waits for: they have a limit, and say so when they reach it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError

from crm_plugin.audience.patience import in_words, limited
from crm_plugin.errors import InvalidInput

#: PostgreSQL's state of a statement that was stopped.
_STOPPED = "57014"


@contextmanager
def answered_within(seconds: float, *, field: str = "") -> Iterator[None]:
    """Limit what each statement inside may take.

    Raises:
        InvalidInput: code ``TIMEOUT`` when one took longer.
    """
    try:
        with limited(statement_seconds=seconds):
            yield
    except DatabaseError as error:
        if getattr(error.__cause__, "sqlstate", "") != _STOPPED:
            raise
        raise InvalidInput(in_words(error, seconds=seconds), field=field, code="TIMEOUT") from error
