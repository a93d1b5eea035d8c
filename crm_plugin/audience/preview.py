"""How many an audience is, before anything is sent: one statement that has a limit and can be cancelled.

The statement is the compiler's, so on data that does not change the count is the number of people a campaign with the
same rule enrols. It runs in a block of its own that is always rolled back: a statement that was stopped takes nothing
else of the request with it, and the limit and the name below end with the block.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from django.db import DatabaseError, connection, transaction

from crm_plugin import clock
from crm_plugin.audience.compiler import Query, compile, holds
from crm_plugin.audience.conditions import Ask, Known
from crm_plugin.audience.conditions.consents import Reachable
from crm_plugin.audience.rule import AudienceRule
from crm_plugin.conf import settings
from crm_plugin.contacts import ChannelKind
from crm_plugin.errors import InvalidInput

#: PostgreSQL's state of a statement that was stopped, by its limit or by somebody.
_STOPPED: Final = "57014"
_PREFIX: Final = "crm-preview-"
#: PostgreSQL cuts an ``application_name`` at 63 bytes.
_LONGEST_NAME: Final = 63 - len(_PREFIX)


@dataclass(frozen=True, slots=True)
class Preview:
    """What an audience is at this moment.

    Attributes:
        count: people in it.
        reachable: by channel, those who have an address, agreed, and are not blocked.
        sample: ids of some of them, those who came last first.
        warnings: what is allowed but hardly meant, for people.
        seconds: how long it took to count.
    """

    count: int
    reachable: Mapping[str, int]
    sample: tuple[int, ...]
    warnings: tuple[str, ...]
    seconds: float


#: What of a contact's row ``Reachable`` tests; kept with the audience, so that no channel joins all contacts once more.
_ADDRESSES: Final = ("email", "phone", "customer_id")
#: The audience once; then how many, some of them, and how many can be reached through each channel.
_COUNT: Final = """
WITH who AS MATERIALIZED ({people})
SELECT (SELECT count(*) FROM who), ARRAY(SELECT contact_id FROM who ORDER BY contact_id DESC LIMIT {sample}), {counts}
"""
_COUNT_REACHABLE: Final = f"""
(SELECT count(*) FROM (SELECT contact_id AS id, {", ".join(_ADDRESSES)} FROM who) c WHERE {{reachable}})
"""  # noqa: S608 - only constants are put in
#: A million people are hashed for each channel: not on disk, and not by code that is compiled for longer than it runs.
_LIMITS: Final = """
SELECT set_config('statement_timeout', %s, true), set_config('work_mem', '64MB', true), set_config('jit', 'off', true)
"""


def preview(rule: AudienceRule, *, sample: int = 10, name: str = "", language: str = "en") -> Preview:
    """Return how many an audience is now and who can be reached.

    Args:
        rule: whom to count.
        sample: how many ids to return, at most.
        name: by which ``cancel`` finds it while it runs; empty: it cannot be cancelled.
        language: of the warnings.

    Raises:
        InvalidInput: code TIMEOUT when it took longer than ``preview_seconds``, CANCELLED when somebody stopped it.
    """
    started = time.monotonic()
    sql, params = _statement(compile(rule, also=_ADDRESSES), sample=sample)
    try:
        with _limited(name) as cursor:
            cursor.execute(sql, params)
            count, ids, *reached = cursor.fetchone()
    except DatabaseError as error:
        if getattr(error.__cause__, "sqlstate", "") != _STOPPED:
            raise
        raise _stopped(time.monotonic() - started) from error
    return Preview(
        count=count,
        reachable=dict(zip(ChannelKind.values, reached, strict=True)),
        sample=tuple(ids),
        warnings=rule.warnings(language=language),
        seconds=time.monotonic() - started,
    )


def cancel(name: str) -> bool:
    """Stop the preview with this name; return whether one was running."""
    with connection.cursor() as cursor:
        cursor.execute(_CANCEL, [_application(name)])
        return bool(cursor.fetchone()[0])


def _statement(people: Query, *, sample: int) -> tuple[str, dict[str, Any]]:
    ask = Ask(Known(), now=clock.now(), prefix="preview")
    reachable = [Reachable(type="reachable", channel=channel) for channel in ChannelKind]
    counts = [_COUNT_REACHABLE.format(reachable=holds(one, ask)) for one in reachable]
    sql = _COUNT.format(people=people.sql, sample=ask.param(sample, "int"), counts=", ".join(counts))
    return sql, {**people.params, **ask.params}


#: The name is set for the transaction of the preview alone, so whoever bears it is running one.
_CANCEL = """
SELECT count(*) FILTER (WHERE pg_cancel_backend(pid)) FROM pg_stat_activity
WHERE application_name = %s AND datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()
"""


def _application(name: str) -> str:
    return f"{_PREFIX}{name[:_LONGEST_NAME]}"


@contextmanager
def _limited(name: str) -> Iterator[Any]:
    """Give a cursor whose statements have the limit and the name, in a block that is rolled back whatever happens."""
    milliseconds = max(1, round(settings().preview_seconds * 1000))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_LIMITS, [str(milliseconds)])
        if name:
            cursor.execute("SELECT set_config('application_name', %s, true)", [_application(name)])
        yield cursor
        # Inside a transaction of the caller, releasing the savepoint would keep these settings; undoing it does not.
        transaction.set_rollback(True)


def _stopped(seconds: float) -> InvalidInput:
    """Tell the two apart by the clock: PostgreSQL's words are in the language of the server."""
    limit = settings().preview_seconds
    if seconds < limit:
        return InvalidInput("The count was cancelled.", code="CANCELLED")
    return InvalidInput(
        f"Counting took longer than {limit:g} seconds and was stopped. Narrow the audience (a shorter window, fewer "
        "products), or save it as a segment: that counts in the background.",
        code="TIMEOUT",
    )
