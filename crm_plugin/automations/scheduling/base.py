"""What the triggers that go by the clock are asked for: the next chunk of a moment's people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from crm_plugin.automations.entering import Entrant

#: People who are put together in Python, row by row, at most in one transaction; a bare INSERT … SELECT takes more.
MOST_IN_HAND: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """One moment of one campaign, and how far its people have entered.

    Attributes:
        slot_id: tells it from every other moment.
        at: the moment; who it concerns is asked as of then.
        day: the calendar day that it is about.
        zone: the shop's.
        since: whoever's turn was before is nobody's: the campaign did not run.
        oldest: whoever's turn was before is too late.
        after_contact: people up to this one have entered.
        limit: the most people of one chunk.
    """

    slot_id: int
    campaign_id: int
    version_id: int
    at: datetime
    day: date
    zone: ZoneInfo
    now: datetime
    since: datetime
    oldest: datetime
    after_contact: int
    limit: int

    @property
    def in_hand(self) -> int:
        """How many people are put together in Python at once."""
        return min(self.limit, MOST_IN_HAND)


@dataclass(frozen=True, slots=True)
class Cohort:
    """Whom the moment concerns, and up to which contact all have been asked; None behind the last."""

    entrants: Sequence[Entrant]
    last_contact: int | None


@dataclass(frozen=True, slots=True)
class Chunk:
    """How many people entered, and up to which contact all have been asked; None behind the last."""

    entered: int
    last_contact: int | None
