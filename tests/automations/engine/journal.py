"""What is noted after every pass of the workers, and what has to hold of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from crm_plugin.automations.definition import Definition
from crm_plugin.models import Activity, Campaign, Enrollment, Message
from tests.automations.engine.naive import Past, held, is_news, meets, past_of
from tests.automations.engine.postbox import Postbox
from tests.automations.engine.programs import letters_on_every_way

OPEN = ("queued", "sending")
#: Exit conditions that end a run as soon as they are known, whatever its campaign's state.
AT_ONCE = ("bought_item", "ordered", "order_undone", "reviewed_item")


@dataclass
class Journal:
    """Faults are gathered, not raised: a worker's pass is over when they are looked at.

    Attributes:
        at: when the last entry was written.
        ends: how runs had ended by then.
        versions: the version on which each run began.
        read: the last activity that has been looked at.
    """

    at: datetime
    faults: list[str] = field(default_factory=list)
    ends: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    versions: dict[int, int] = field(default_factory=dict)
    read: int = 0

    def write(self, now: datetime) -> None:
        """Look at what the database says after a pass."""
        runs = list(Enrollment.objects.select_related("version").order_by("pk"))
        self._nobody_completed_what_was_over(runs)
        self._nobody_was_passed_over(runs, now)
        self._nobody_came_in_uninvited(runs, now)
        self._who_ended_has_ended(runs)
        self._who_rests_is_woken(runs)
        self.at = now

    def _note(self, fault: str) -> None:
        self.faults.append(fault)

    def _nobody_was_passed_over(self, runs: list[Enrollment], now: datetime) -> None:
        campaigns = list(Campaign.objects.filter(state="running").select_related("version"))
        new = list(Activity.objects.filter(pk__gt=self.read).order_by("pk"))
        pasts = {contact: past_of(contact) for contact in {deed.contact_id for deed in new}}
        for deed in new:
            self.read = deed.pk
            for campaign in campaigns:
                mine = [run for run in runs if (run.campaign_id, run.contact_id) == (campaign.pk, deed.contact_id)]
                assert campaign.version is not None
                assert campaign.running_since is not None
                if not is_news(deed, since=campaign.running_since, now=now):
                    continue
                trigger = campaign.version.definition["trigger"]
                past = pasts[deed.contact_id]
                if meets(trigger, deed, past) and not _is_in(trigger, deed, past, mine, now):
                    self._note(f"activity {deed.pk} ({deed.kind}) started no run of campaign {campaign.pk}")

    def _nobody_came_in_uninvited(self, runs: list[Enrollment], now: datetime) -> None:
        began = dict(Campaign.objects.values_list("pk", "running_since"))
        for run in runs:
            if run.pk in self.versions:
                continue
            self.versions[run.pk] = run.version_id
            deed = Activity.objects.get(pk=run.context["activity"])
            if not (
                deed.contact_id == run.contact_id
                and deed.occurred_at == run.entered_at
                and is_news(deed, since=began[run.campaign_id], now=now)
                and meets(run.version.definition["trigger"], deed, past_of(run.contact_id))
            ):
                self._note(f"run {run.pk} was started by activity {deed.pk} ({deed.kind})")

    def _nobody_completed_what_was_over(self, runs: list[Enrollment]) -> None:
        """What was known before the pass began, and ends runs wherever they are, was asked first."""
        for run in runs:
            if run.pk in self.ends or run.state != "completed" or self.versions.get(run.pk) != run.version_id:
                continue
            asked = [name for name in run.version.definition.get("exit_when", ()) if name in AT_ONCE]
            if over := held(run, asked, past_of(run.contact_id, until=self.read)):
                self._note(f"run {run.pk} was completed after {over}")

    def _who_ended_has_ended(self, runs: list[Enrollment]) -> None:
        for run in runs:
            end = (run.state, run.reason, run.finished_at, run.step)
            if run.pk in self.ends and self.ends[run.pk] != end:
                self._note(f"run {run.pk} had ended as {self.ends[run.pk]} and ended again as {end}")
            if run.state != "active":
                self.ends[run.pk] = end
            if (run.finished_at is None) != (run.state == "active"):
                self._note(f"run {run.pk} is {run.state} and finished at {run.finished_at}")

    def _who_rests_is_woken(self, runs: list[Enrollment]) -> None:
        """A run without a time is parked at its message, which has no outcome yet."""
        open_letters = set(Message.objects.filter(state__in=OPEN).values_list("enrollment_id", "step_id"))
        for run in runs:
            if run.state == "active" and run.due_at is None:
                here = Definition.parse(run.version.definition).program.ops[run.step].step.id
                if (run.pk, here) not in open_letters:
                    self._note(f"run {run.pk} waits at {here} for nothing")

    def end(self) -> list[str]:
        """Look at everything once it has come to its end; return all faults."""
        for letter in Postbox.letters:
            for fault in letter.faults:
                self._note(f"{letter.what} was sent {fault}")
        states = dict(Message.objects.values_list("public_id", "state"))
        for letter in Postbox.letters:
            if states[letter.public_id] not in ("sent", "unknown"):
                self._note(f"{letter.what} was sent and is said to be {states[letter.public_id]}")
        if lost := {pk for pk, state in states.items() if state == "sent"} - {one.public_id for one in Postbox.letters}:
            self._note(f"{len(lost)} messages are said to be sent and were not")
        for run in Enrollment.objects.select_related("version").order_by("pk"):
            self._went_one_way(run)
        return self.faults

    def _went_one_way(self, run: Enrollment) -> None:
        """Its messages are those of one way through its version, none left out; its arms say which."""
        if run.state == "active":
            self._note(f"run {run.pk} never ended")
        if run.version_id != self.versions[run.pk]:
            return  # it was moved: its way is that of several versions
        made = Definition.parse(run.version.definition)
        written = tuple(Message.objects.filter(enrollment=run).order_by("pk").values_list("step_id", flat=True))
        ways = letters_on_every_way(made.steps, run.arms)
        whole = {way for way in ways if way[-1:] != ("!",)}
        if run.state == "completed" and written not in whole:
            self._note(f"run {run.pk} completed by {written}; it should have been one of {sorted(whole)}")
        if not any(way[: len(written)] == written for way in ways):
            self._note(f"run {run.pk} sent {written}, which is the beginning of none of {sorted(ways)}")
        for index, step in enumerate(made.steps):
            if step.type == "split":
                self._went_through(run, step.id, index, made)

    def _went_through(self, run: Enrollment, step_id: str, index: int, made: Definition) -> None:
        """Who passed a split has an arm, and nobody else."""
        split = made.program.place_of(step_id)
        behind = int(made.program.ops[run.step].path.split(".")[1]) > index
        has_passed = run.state == "completed" or behind or run.step > split
        if has_passed and step_id not in run.arms:
            self._note(f"run {run.pk} passed split {step_id} without an arm")
        if run.step < split and step_id in run.arms:
            self._note(f"run {run.pk} has an arm of split {step_id}, where it never was")


def _is_in(trigger: Any, deed: Activity, past: Past, mine: list[Enrollment], now: datetime) -> bool:
    """Whether a deed that met the trigger has its run, or one of the others stood in its way."""
    subject, reentry = past.subject_of(deed), trigger.get("reentry", "per_subject")
    if any(run.context["activity"] == deed.pk for run in mine):
        return True
    if reentry == "once":
        return bool(mine)
    if reentry == "per_subject" and any(run.subject_key == subject for run in mine):
        return True
    if reentry == "after":
        earliest = deed.occurred_at - timedelta(days=trigger["reentry_days"])
        if any(run.entered_at > earliest for run in mine):
            return True
    is_alone = reentry == "after" or trigger.get("concurrency") == "contact"
    lane = "" if is_alone else subject
    return any(run.lane == lane and (run.finished_at is None or run.finished_at >= now) for run in mine)
