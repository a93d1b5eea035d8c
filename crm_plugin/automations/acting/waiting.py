"""The steps that wait."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Final

from crm_plugin import contacts, merchant
from crm_plugin.automations import awaiting
from crm_plugin.automations.awaiting import Wish
from crm_plugin.automations.fields import Weekday, Zone
from crm_plugin.automations.local_time import next_moment
from crm_plugin.automations.models import Enrollment
from crm_plugin.automations.steps import WaitForStep, WaitStep, WaitUntilStep
from crm_plugin.automations.triggers import ActivityTrigger
from crm_plugin.automations.working import Work

#: Whose contact another worker holds is looked at again after this.
BUSY_PAUSE: Final = timedelta(seconds=1)
#: What happened in the very moment in which the run began is what started it.
_JUST_AFTER: Final = timedelta(microseconds=1)
_DAY_NUMBERS: Final = {day: number for number, day in enumerate(Weekday)}


def wait(work: Work) -> None:
    """Let the runs rest for the time of the step; one statement, whatever their number."""
    step = work.op.step
    assert isinstance(step, WaitStep)  # noqa: S101 - DOERS says so
    work.go(work.op.following, due_at=work.now + timedelta(seconds=step.seconds))


def wait_until(work: Work) -> None:
    """Let the runs rest until the clock says so."""
    step = work.op.step
    assert isinstance(step, WaitUntilStep)  # noqa: S101 - DOERS says so
    moment_in = partial(
        next_moment, work.now, at=step.at, to=step.to, weekdays={_DAY_NUMBERS[day] for day in step.weekdays}
    )
    shop_zone = merchant.zone()
    if step.zone is Zone.SHOP:
        work.go(work.op.following, due_at=moment_in(zone=shop_zone))
        return
    runs = work.runs()
    zones = contacts.zones_of({run.contact_id for run in runs})
    moments = {zone: moment_in(zone=zone) for zone in {shop_zone, *zones.values()}}
    for run in runs:
        work.move(run, work.op.following, due_at=moments[zones.get(run.contact_id, shop_zone)])
    work.write()


def wait_for(work: Work) -> None:
    """Let the runs rest until something happens, and send those on for whom it did or whose time is over.

    A run comes here twice: to begin waiting, and (``waits_for`` is set) when its time is over.
    """
    step = work.op.step
    assert isinstance(step, WaitForStep)  # noqa: S101 - DOERS says so
    runs = work.runs()
    mine = awaiting.lock(runs)
    wishes = [Wish(run, step, _since(run, work)) for run in runs if run.contact_id in mine]
    heard = awaiting.heard(wishes)
    then, otherwise = work.op.ways
    for run in runs:
        if run.contact_id not in mine:
            work.move(run, work.op.place, due_at=work.now + BUSY_PAUSE)
        elif run.pk in heard:
            work.move(run, then, due_at=work.now)
        elif run.waits_for:
            work.move(run, otherwise, due_at=work.now)
    awaiting.release(wish.run.pk for wish in wishes if wish.run.pk in heard or wish.run.waits_for)
    work.write()
    staying = [wish for wish in wishes if wish.run.pk not in heard and not wish.run.waits_for]
    awaiting.park(staying, until=work.now + timedelta(seconds=step.timeout_seconds))


def _since(run: Enrollment, work: Work) -> datetime:
    """Return from when on it counts: since the run came to the step, however late its worker is.

    At the first step of a run that an activity started, that is when the activity happened.
    """
    if run.waits_since is not None:
        return run.waits_since
    if work.op.place == 0 and isinstance(work.version.definition.trigger, ActivityTrigger):
        return run.entered_at + _JUST_AFTER
    return min(run.due_at or work.now, work.now)
