"""One run's way through the steps, as far as it can be seen from here.

Steps only lead forward, so a way is never longer than the definition. What the gates of messaging refuse does not
change it: a message that is left out lets the run go on. What changes it is asked here: the period of the campaign and
its quiet hours, and until when the law's night and the merchant's quiet hours hold a message.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from crm_plugin import clock
from crm_plugin.automations.acting.issuing import NO_COUPON
from crm_plugin.automations.acting.splitting import HOLDOUT, arm_of, is_tested
from crm_plugin.automations.fields import Weekday, Zone
from crm_plugin.automations.foreseeing.model import Foreseen, Outcome
from crm_plugin.automations.foreseeing.travellers import Traveller
from crm_plugin.automations.local_time import next_moment
from crm_plugin.automations.program import Op
from crm_plugin.automations.steps import (
    Arm,
    BranchStep,
    ExitStep,
    IssueCouponStep,
    SendStep,
    SplitStep,
    WaitForStep,
    WaitStep,
    WaitUntilStep,
)
from crm_plugin.conf import settings
from crm_plugin.messaging import MessageClass, Outlook, Planned, Reason, choose_language

_DAY_NUMBERS = {day: number for number, day in enumerate(Weekday)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What is the same for all runs of a dry run.

    Attributes:
        until: how far to look.
        starts_at, ends_at: the campaign's period.
        over: why the campaign lets go of the people in it, when it does.
        inside: who is in the audience of a branch now, by version and step.
        winners: the arms that won already, by version and step.
        coupons: the names of the coupons that can be given away, by id.
        zones: of the people of whom one is known.
        outlook: what the gates know of the people.
    """

    campaign_id: int
    until: datetime
    starts_at: datetime | None
    ends_at: datetime | None
    over: str
    inside: Mapping[tuple[int, str], set[int]]
    winners: Mapping[tuple[int, str], str]
    coupons: Mapping[int, str]
    zones: Mapping[int, ZoneInfo]
    shop_zone: ZoneInfo
    languages: Mapping[int, str]
    default_language: str
    outlook: Outlook

    def zone(self, contact_id: int, whose: Zone) -> ZoneInfo:
        """Return the clocks that are meant."""
        return self.zones.get(contact_id, self.shop_zone) if whose is Zone.CONTACT else self.shop_zone

    def subject(self, template: Mapping[str, Any], contact_id: int) -> str:
        """Return the subject line in the language that the person would be written to in."""
        wanted = self.languages.get(contact_id, "")
        content = template[_language(tuple(template), wanted, self.default_language)]
        return str(content.get("subject") or content.get("title") or content.get("text", ""))


@lru_cache(maxsize=1_000)
def _language(available: tuple[str, ...], wanted: str, default: str) -> str:
    return choose_language(available, wanted=wanted, default=default)


@dataclass(frozen=True, slots=True)
class Letter:
    """A message on the way, before the gates have seen it."""

    foreseen: Foreseen
    step: SendStep
    planned: Planned


@dataclass(frozen=True, slots=True)
class Gift:
    """A code that somebody would be given, and of which coupon."""

    foreseen: Foreseen
    coupon_id: int


@dataclass(slots=True)
class Walk:
    """Follows one run; ``ended_at`` is None while it would still be under way at the end of the time."""

    who: Traveller
    course: Course
    letters: list[Letter] = field(default_factory=list)
    gifts: list[Gift] = field(default_factory=list)
    end: Foreseen | None = None
    ended_at: datetime | None = None
    _at: datetime = field(init=False)
    _place: int = field(init=False)

    def __post_init__(self) -> None:
        self._at, self._place = self.who.at, self.who.place

    def go(self, reason: str = "") -> Walk:
        """Go as far as can be seen; with a reason, the run ends at its next step."""
        program = self.who.version.definition.program
        while self.ended_at is None and self._at < self.course.until:
            if self._place >= program.end:
                self.ended_at = self._at
                break
            op = program.ops[self._place]
            if over := reason or self._over():
                self._leave(op, over)
            else:
                self._do(op)
        return self

    def cut(self, at: datetime, reason: str) -> None:
        """End the run at a moment: what would have come later does not."""
        if self.ended_at is not None and self.ended_at <= at:
            return
        lost = [letter.foreseen.step_id for letter in self.letters if letter.foreseen.at >= at]
        self.letters = [letter for letter in self.letters if letter.foreseen.at < at]
        self.gifts = [gift for gift in self.gifts if gift.foreseen.at < at]
        ops = self.who.version.definition.program.ops
        op = next((op for op in ops if op.step.id in lost), ops[min(self._place, len(ops) - 1)])
        self._at = at
        self._leave(op, reason)

    def _over(self) -> str:
        ends_at = self.course.ends_at
        return Reason.CAMPAIGN_ENDED.value if ends_at is not None and self._at >= ends_at else self.course.over

    def _do(self, op: Op) -> None:
        step, following = op.step, op.following
        match step:
            case WaitStep():
                self._rest(timedelta(seconds=step.seconds), following)
            case WaitUntilStep():
                self._at, self._place = self._clock_of(step), following
            case WaitForStep():
                is_over = self.who.has_waited and self._place == self.who.place
                self._rest(timedelta(seconds=0 if is_over else step.timeout_seconds), op.ways[1])
            case BranchStep():
                inside = self.course.inside.get((self.who.version.version_id, step.id), set())
                self._place = op.ways[0 if self.who.contact_id in inside else 1]
            case SplitStep():
                self._divide(op, step)
            case SendStep():
                self._send(op, step)
            case IssueCouponStep():
                self._give(op, step)
            case ExitStep():
                self._leave(op, Reason.EXITED.value)
            case _:
                self._place = following

    def _rest(self, time: timedelta, place: int) -> None:
        self._at, self._place = self._at + time, place

    def _clock_of(self, step: WaitUntilStep) -> datetime:
        zone = self.course.zone(self.who.contact_id, step.zone)
        weekdays = {_DAY_NUMBERS[day] for day in step.weekdays}
        return next_moment(self._at, at=step.at, to=step.to, weekdays=weekdays, zone=zone)

    def _divide(self, op: Op, step: SplitStep) -> None:
        arm = self._arm(step)
        if arm is None:
            self._at = self.course.until  # it waits for the winner
        elif arm.is_holdout:
            self._leave(op, HOLDOUT)
        else:
            self._place = op.ways[step.arms.index(arm)]

    def _arm(self, step: SplitStep) -> Arm | None:
        won = self.course.winners.get((self.who.version.version_id, step.id))
        if won is not None:
            return next(arm for arm in step.arms if arm.name == won)
        if not is_tested(step, self.course.campaign_id, self.who.contact_id):
            return None
        return arm_of(step, self.course.campaign_id, self.who.contact_id)

    def _send(self, op: Op, step: SendStep) -> None:
        until, reason = self._held(step)
        planned = self._planned(step, at=until or self._at)
        goes_at, ends_at = self.course.outlook.settled_at(planned), self.course.ends_at
        made = self._foreseen(op, channel=step.channel, subject=self.course.subject(step.template, self.who.contact_id))
        if goes_at > self._at and ends_at is not None and goes_at >= ends_at:
            self.end = replace(made, outcome=Outcome.SKIPPED, reason=Reason.CAMPAIGN_ENDED.value)
            self.ended_at = ends_at
            return
        if until is not None:
            made = replace(made, outcome=Outcome.HELD, reason=reason, until=until)
        self.letters.append(Letter(made, step, planned))
        self._at, self._place = goes_at, op.following

    def _give(self, op: Op, step: IssueCouponStep) -> None:
        can_be_had = step.coupon in self.course.coupons and (bool(self.who.items) or not step.for_items)
        if can_be_had:
            name = self.course.coupons[step.coupon]
            self.gifts.append(Gift(self._foreseen(op, outcome=Outcome.GETS_COUPON, subject=name), step.coupon))
        elif step.on_failure == "exit":
            self._leave(op, NO_COUPON)
            return
        self._place = op.following

    def _planned(self, step: SendStep, *, at: datetime) -> Planned:
        """Return the message as the gates will be asked about it."""
        is_made = self.who.stale_at is not None and self._place == self.who.place
        stale_after = timedelta(hours=settings().stale_after_hours)
        return Planned(
            contact_id=self.who.contact_id,
            campaign_id=self.course.campaign_id,
            channel=step.channel,
            message_class=step.message_class,
            at=at,
            stale_at=self.who.stale_at if is_made and self.who.stale_at else self._at + stale_after,
            terms=self.who.version.definition.gate_terms,
            fallbacks=tuple(attempt.channel for attempt in step.attempts[1:]),
        )

    def _held(self, step: SendStep) -> tuple[datetime | None, str]:
        """Return until when, and why, the message waits that is due now."""
        at, reason = self._at, ""
        if self.course.starts_at is not None and at < self.course.starts_at:
            at, reason = self.course.starts_at, Reason.CAMPAIGN_NOT_STARTED.value
        hours = self.who.version.definition.quiet_hours
        if hours is not None and step.message_class is MessageClass.MARKETING:
            zone = self.course.zone(self.who.contact_id, hours.zone)
            if (until := clock.end_of_stretch(hours.start, hours.end, at=at, zone=zone)) is not None:
                at, reason = until, Reason.QUIET_HOURS.value
        return (at, reason) if reason else (None, "")

    def _leave(self, op: Op, reason: str) -> None:
        self.end, self.ended_at = self._foreseen(op, outcome=Outcome.EXITS, reason=reason), self._at

    def _foreseen(
        self, op: Op, *, outcome: Outcome = Outcome.WOULD_SEND, channel: str = "", reason: str = "", subject: str = ""
    ) -> Foreseen:
        return Foreseen(
            contact_id=self.who.contact_id,
            enrollment_id=self.who.enrollment_id,
            about=self.who.subject_key,
            step_id=op.step.id,
            channel=channel,
            at=self._at,
            outcome=outcome,
            reason=reason,
            subject=subject,
        )
