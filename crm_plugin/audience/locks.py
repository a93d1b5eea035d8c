"""What workers agree upon, where no row stands for it: advisory locks that end with the transaction that took them.

A row's lock would not do. Whoever computes all members of a segment takes minutes, and the segment's row must stay free
meanwhile: for the merchant who edits it, and for the drain, which counts down the members of a merged contact.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from django.db import connection

#: The first of the two numbers of every lock is this and the kind; other users of the database have other numbers.
_BASE: Final = 0x43524D00


class Lock(IntEnum):
    """What is locked. The second number is the segment, 0 where it is none.

    Attributes:
        DEFINITIONS: whoever saves a rule or archives a segment: what segments name each other is looked at by one.
        WATCHING: shared by every drain from before it reads which kinds are watched until it commits.
        BUILDING: the one who computes all members of a segment.
        FOLLOWING: shared by whoever changes single members; taken whole to change all of them.
        SWEEPING: the one who looks what time has changed about a segment.
        SCORING: the one who computes the scores.
    """

    DEFINITIONS = 1
    WATCHING = 2
    BUILDING = 3
    FOLLOWING = 4
    SWEEPING = 5
    SCORING = 6


def take(lock: Lock, pk: int = 0, *, is_shared: bool = False) -> None:
    """Wait for the lock; it is held until the transaction ends."""
    _call(f"pg_advisory_xact_lock{'_shared' if is_shared else ''}", lock, pk)


def try_take(lock: Lock, pk: int = 0) -> bool:
    """Take the lock if nobody has it or waits for it; return whether it was taken."""
    return bool(_call("pg_try_advisory_xact_lock", lock, pk))


def try_share_each(lock: Lock, pks: list[int]) -> set[int]:
    """Share the locks that nobody has taken whole, or waits to; return which."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pk FROM unnest(%s::int[]) AS pk WHERE pg_try_advisory_xact_lock_shared(%s, pk)",
            [pks, _BASE + lock],
        )
        return {pk for (pk,) in cursor.fetchall()}


def _call(function: str, lock: Lock, pk: int) -> object:
    with connection.cursor() as cursor:
        # A key that no row has may be larger than the second number of a lock can be.
        cursor.execute(f"SELECT {function}(%s::int, %s::int)", [_BASE + lock, pk % 2**31])
        return cursor.fetchone()[0]
