"""The only source of the present moment.

Every module asks ``clock.now()``; tests freeze or move it with ``travel``. UTC always: a shop's or a
person's zone is applied only where a rule names it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta

_offset: ContextVar[timedelta | None] = ContextVar("crm_clock_offset", default=None)
_frozen: ContextVar[datetime | None] = ContextVar("crm_clock_frozen", default=None)


def now() -> datetime:
    """Return the present moment, aware, in UTC."""
    frozen = _frozen.get()
    if frozen is not None:
        return frozen
    offset = _offset.get()
    return datetime.now(UTC) + offset if offset else datetime.now(UTC)


@contextmanager
def travel(*, to: datetime | None = None, by: timedelta | None = None) -> Iterator[None]:
    """Freeze the clock at ``to``, or let it run on shifted by ``by``, for tests and dry runs."""
    if to is not None and to.tzinfo is None:
        raise ValueError("travel(to=...) needs an aware datetime")
    frozen, offset = _frozen.set(to), _offset.set(by)
    try:
        yield
    finally:
        _frozen.reset(frozen)
        _offset.reset(offset)
