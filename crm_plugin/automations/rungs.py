"""The rungs of a ladder: each amount of an ``after`` trigger is a run of its own, also beside the one before."""

from __future__ import annotations

from crm_plugin.activity import Happening
from crm_plugin.automations.entering import Key, key_of
from crm_plugin.automations.triggers import AfterTrigger, Reentry
from crm_plugin.automations.triggers.after import MAX_RUNGS


def rung_key(trigger: AfterTrigger, happening: Happening, *, amount: int) -> Key:
    """Return the keys of the run that ``amount`` after the activity begins; ``amount`` is one of the trigger's."""
    subject = happening.subject_key or f"activity:{happening.activity_id}"
    is_ladder = len(trigger.amounts) > 1
    rung = trigger.amounts.index(amount)
    occasion = happening.activity_id * MAX_RUNGS + rung if is_ladder else happening.activity_id
    key = key_of(trigger.reentry, trigger.concurrency, subject=subject, occasion=occasion)
    epoch = amount if trigger.reentry is Reentry.PER_SUBJECT else key.epoch
    lane = f"{key.lane}#{amount}" if key.lane and is_ladder else key.lane
    return Key(key.subject_key, epoch, lane)
