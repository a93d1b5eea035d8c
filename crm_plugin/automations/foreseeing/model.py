"""What a dry run answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class Outcome(StrEnum):
    """What would become of a step of one person.

    ``held``: it would go out, later than its time (``until``). ``skipped``: the message is left out and the run goes
    on. ``exits``: the run ends there, before the step is done. ``gets_coupon``: the person would be given a code.
    """

    WOULD_SEND = "would_send"
    HELD = "held"
    SKIPPED = "skipped"
    EXITS = "exits"
    GETS_COUPON = "gets_coupon"


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """One thing that would happen to one person.

    Attributes:
        enrollment_id: the run, when it is under way already.
        about: what the run is about (``cart:7``); empty for the person.
        channel: empty for what is no message.
        until: when a held message would go out.
        reason: why it is held, left out, or the end of the run; a word of ``messaging.Reason``, or ``holdout``.
        subject: the subject line in the person's language, as the merchant wrote it; of a coupon, its name.
    """

    contact_id: int
    enrollment_id: int | None
    about: str
    step_id: str
    channel: str
    at: datetime
    outcome: Outcome
    reason: str = ""
    until: datetime | None = None
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Total:
    """How many people a day brings to a step with the same outcome; days are those of the shop."""

    day: date
    step_id: str
    outcome: Outcome
    reason: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """Something to know about the answer: a word for programs, a sentence for people."""

    code: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """Who would get what, and when.

    Attributes:
        starts_at, ends_at: the time that was looked at.
        people: runs that were followed.
        is_complete: whether these are all; when not, the totals are of them alone.
        count: everything that was foreseen; ``foreseen`` has the first of it, in order of time.
    """

    starts_at: datetime
    ends_at: datetime
    people: int
    is_complete: bool
    count: int
    foreseen: tuple[Foreseen, ...]
    totals: tuple[Total, ...]
    remarks: tuple[Remark, ...]
