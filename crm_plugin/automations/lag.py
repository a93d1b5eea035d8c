"""How far behind this room is, for those who watch over it."""

from __future__ import annotations

from django.db.models import Min

from crm_plugin import clock
from crm_plugin.automations.models import (
    CampaignState,
    Enrollment,
    EnrollmentState,
    FanOut,
    ScheduleSlot,
    SlotState,
    Timer,
)


def lag() -> dict[str, float]:
    """Return what is due and not done: the ages in seconds of the oldest run and timer, open waves and moments.

    People of paused campaigns wait on purpose and are left out.
    """
    now = clock.now()
    runs = Enrollment.objects.filter(state=EnrollmentState.ACTIVE, due_at__lte=now)
    run = runs.exclude(campaign__state=CampaignState.PAUSED).aggregate(at=Min("due_at"))["at"]
    timers = Timer.objects.filter(due_at__lte=now, campaign__state=CampaignState.RUNNING)
    timer = timers.aggregate(at=Min("due_at"))["at"]
    return {
        "runs_due_oldest_seconds": (now - run).total_seconds() if run else 0.0,
        "timers_due_oldest_seconds": (now - timer).total_seconds() if timer else 0.0,
        "waves_open": FanOut.objects.filter(is_done=False).count(),
        "moments_open": ScheduleSlot.objects.filter(state=SlotState.OPEN, slot_at__lte=now).count(),
    }
