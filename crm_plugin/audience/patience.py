"""How long a statement may take, and whose fault it is when one fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.db import Error, InterfaceError, OperationalError, connection, transaction

from crm_plugin.errors import InvalidInput

#: PostgreSQL's states of what is over by itself: a deadlock, a lock that was not to be had, a connection that was lost,
#: a server that stops. Everything else is the statement's own fault, also that it took too long (57014).
_PASSING: Final = ("08", "40", "55", "57P", "53")
_TOO_LONG: Final = "57014"
_LONGEST_TEXT: Final = 300


@contextmanager
def limited(*, statement_seconds: float = 0.0, lock_seconds: float = 0.0) -> Iterator[None]:
    """Limit what each statement inside may take (0: as it is), in a savepoint: what fails leaves nothing behind."""
    with transaction.atomic():
        before = {
            name: _set(name, seconds)
            for name, seconds in (("statement_timeout", statement_seconds), ("lock_timeout", lock_seconds))
            if seconds
        }
        yield
        for name, value in before.items():
            _set_text(name, value)


def is_passing(error: Exception) -> bool:
    """Whether the same work, done again later, may well succeed: nothing is wrong with it."""
    if isinstance(error, InterfaceError):
        return True
    state = _state(error)
    return isinstance(error, OperationalError) and (not state or state.startswith(_PASSING))


def in_words(error: Exception, *, seconds: float) -> str:
    """Return what went wrong, for the merchant whose segment it is; ``seconds`` is how long it was allowed to take."""
    if _state(error) == _TOO_LONG:
        return f"It took longer than {seconds:g} seconds. Narrow it: a shorter window, fewer products."
    if isinstance(error, InvalidInput):
        return f"{error.field}: {error.message}".removeprefix(": ")[:_LONGEST_TEXT]
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:_LONGEST_TEXT]


def _state(error: Exception) -> str:
    return (getattr(error.__cause__, "sqlstate", "") or "") if isinstance(error, Error) else ""


def _set(name: str, seconds: float) -> str:
    """Set a limit for the rest of the transaction; return what it was."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting(%s)", [name])
        before = str(cursor.fetchone()[0])
    _set_text(name, f"{max(1, round(seconds * 1000))}ms")
    return before


def _set_text(name: str, value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config(%s, %s, true)", [name, value])
