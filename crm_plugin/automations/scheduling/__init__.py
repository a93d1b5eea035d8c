"""Who enters by the clock: at each moment of a campaign's schedule, everybody whom the moment concerns.

A moment is one ``ScheduleSlot``, unique for the campaign: a double or late beat cannot run it twice. Who it concerns is
asked as of the moment, not of the beat, so that a late worker enrolls the same people; they enter in resumable chunks
by contact id. A moment that nobody looked at until it was stale is dropped, and says so.

When a trigger has its moments is in ``moments``, the way of a slot in ``slots``; each kind of trigger has a file that
enrolls one chunk of its people. Why cohorts are asked like this: ``docs/decisions/calendar-cohorts.md``.
"""

from crm_plugin.automations.scheduling.moments import is_over, moments
from crm_plugin.automations.scheduling.slots import plan_slots, run_slot

__all__ = ["is_over", "moments", "plan_slots", "run_slot"]
