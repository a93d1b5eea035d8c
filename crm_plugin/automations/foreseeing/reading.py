"""The promise that nothing is changed, kept by the database: a transaction that may only read, and is undone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.db import DatabaseError, connection, transaction

from crm_plugin.conf import settings
from crm_plugin.errors import InvalidInput

#: PostgreSQL's state of a statement that was stopped.
_STOPPED: Final = "57014"


@contextmanager
def reading() -> Iterator[None]:
    """Let the block only read, each statement for at most ``preview_seconds``.

    Inside a transaction of the caller it is a savepoint; undoing it takes both limits away again.

    Raises:
        InvalidInput: code ``TIMEOUT`` when a statement took longer.
    """
    seconds = settings().preview_seconds
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION READ ONLY")
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(max(1, round(seconds * 1000)))])
            yield
            transaction.set_rollback(True)
    except DatabaseError as error:
        if getattr(error.__cause__, "sqlstate", "") != _STOPPED:
            raise
        raise InvalidInput(
            f"Looking ahead took longer than {seconds:g} seconds and was stopped. Ask for fewer days, or narrow the "
            "audience.",
            code="TIMEOUT",
        ) from error
