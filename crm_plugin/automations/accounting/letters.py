"""What became of messages and webhook calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import assert_never

from django.db.models import Q

from crm_plugin import clock, merchant, messaging
from crm_plugin.automations.accounting.lines import Line, Teller
from crm_plugin.automations.accounting.wording import Code
from crm_plugin.messaging import UNREACHED, Message, MessageClass, MessageState, Reason


def letters_of(enrollment_id: int) -> list[Message]:
    """Return the messages of a run, in order."""
    return list(messaging.messages().filter(enrollment_id=enrollment_id).order_by("created_at", "pk"))


def letter_lines(letters: Iterable[Message], teller: Teller, *, depth: int = 0) -> Iterator[Line]:
    """Walk over what became of each message."""
    letters = list(letters)
    successors = _successors(letters)
    for letter in letters:
        yield _fate(letter, teller, depth)
        if letter.opened_at is not None:
            yield teller.line(Code.OPENED, at=letter.opened_at, depth=depth + 1)
        if letter.clicked_at is not None:
            yield teller.line(Code.CLICKED, at=letter.clicked_at, depth=depth + 1)
        if letter.reason == Reason.FREQUENCY_CAP:
            yield from _counted(letter, teller, depth + 1)
        if letter.detail:
            yield teller.line(Code.DETAIL, depth=depth + 1, text=letter.detail)
        if letter.pk in successors:
            at, channel = successors[letter.pk]
            yield teller.line(Code.WENT_ON, at=at, depth=depth + 1, next=channel)


def _successors(letters: Sequence[Message]) -> Mapping[int, tuple[datetime, str]]:
    """Return when, and over which channel, messages were tried again that did not arrive; one query, or none."""
    lost = [one for one in letters if one.enrollment_id is not None and one.reason in UNREACHED]
    if not lost:
        return {}
    rows = messaging.messages().filter(enrollment_id__in={one.enrollment_id for one in lost})
    found: dict[int, tuple[datetime, str]] = {}
    for pk, enrollment_id, step_id, at, channel in rows.order_by("-pk").values_list(
        "pk", "enrollment_id", "step_id", "created_at", "channel"
    ):
        for one in lost:
            if (one.enrollment_id, one.step_id) == (enrollment_id, step_id) and pk > one.pk:
                found[one.pk] = at, channel
    return found


def _counted(letter: Message, teller: Teller, depth: int) -> Iterator[Line]:
    """Walk over the messages that had used up the frequency cap."""
    end = letter.finished_at or clock.now()
    caps = [cap for cap in merchant.load().cap_rules if cap.channel in ("", letter.channel)]
    longest = max((cap.longest for cap in caps), default=timedelta())
    channels = {} if any(not cap.channel for cap in caps) else {"channel": letter.channel}
    rows = messaging.messages().filter(
        Q(state__in=(MessageState.SENT, MessageState.UNKNOWN))
        | Q(state=MessageState.FAILED, reason__in=(Reason.BOUNCED, Reason.UNDELIVERED)),
        contact_id=letter.contact_id,
        message_class=MessageClass.MARKETING,
        finished_at__gt=end - longest,
        finished_at__lte=end,
        **channels,
    )
    for step, at, name in rows.order_by("finished_at").values_list("step_id", "finished_at", "campaign__name"):
        yield teller.line(Code.COUNTED, at=at, depth=depth, step=step, campaign=name)


def _fate(letter: Message, teller: Teller, depth: int) -> Line:
    names = {"step": letter.step_id, "channel": letter.channel, "message": letter.pk}
    state = MessageState(letter.state)
    match state:
        case MessageState.QUEUED if letter.reason:
            return teller.line(Code.HELD, names, at=letter.due_at, depth=depth, reason=letter.reason)
        case MessageState.QUEUED:
            return teller.line(Code.QUEUED, names, at=letter.created_at, depth=depth)
        case MessageState.SENDING:
            return teller.line(Code.SENDING, names, depth=depth)
        case MessageState.SENT:
            return teller.line(Code.SENT, names, at=letter.finished_at, depth=depth)
        case MessageState.SKIPPED:
            code = Code.SKIPPED
        case MessageState.FAILED:
            code = Code.FAILED
        case MessageState.UNKNOWN:
            code = Code.UNKNOWN
        case _:
            assert_never(state)
    return teller.line(code, names, at=letter.finished_at, depth=depth, reason=letter.reason)
