"""What this room does when two contacts turn out to be one, and when a contact asks to be forgotten."""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection
from django.db.models import CharField, Value
from django.db.models.functions import Cast, Concat

from crm_plugin import clock
from crm_plugin.automations import timers
from crm_plugin.automations.models import Enrollment, EnrollmentState
from crm_plugin.contacts import Merge

#: A run that both have, and one that may not be under way beside one of the target's, stays behind.
_MOVE = """
UPDATE crm_plugin_enrollment s SET contact_id = %(target)s, is_collecting = FALSE
WHERE s.contact_id = %(source)s
    AND NOT EXISTS (SELECT 1 FROM crm_plugin_enrollment t WHERE t.contact_id = %(target)s
        AND t.campaign_id = s.campaign_id AND t.subject_key = s.subject_key AND t.epoch = s.epoch)
    AND (s.state <> 'active' OR NOT EXISTS (SELECT 1 FROM crm_plugin_enrollment t WHERE t.contact_id = %(target)s
        AND t.campaign_id = s.campaign_id AND t.lane = s.lane AND t.state = 'active'))
"""

#: A wave and a moment of a schedule go by ascending contact id: who moves to a place behind it would be passed over.
#: Who has been reached before is under way, or has had the run of this wave or moment.
_TURN_BACK = """
UPDATE crm_plugin_fanout SET after_contact = LEAST(after_contact, %(target)s - 1)
WHERE NOT is_done AND after_contact < %(source)s
"""
_TURN_BACK_SLOTS = """
UPDATE crm_plugin_scheduleslot SET after_contact = LEAST(after_contact, %(target)s - 1)
WHERE state = 'open' AND after_contact < %(source)s
"""

#: The epoch keeps the histories of a run that both had apart: a negative one is never given out by a trigger. Where
#: only the lane was taken, the run keeps its key, so that it still counts as the one time that may be.
_END_DOUBLES = """
UPDATE crm_plugin_enrollment s SET contact_id = %(target)s, is_collecting = FALSE, due_at = NULL,
    waits_for = '', waits_since = NULL,
    epoch = CASE WHEN EXISTS (SELECT 1 FROM crm_plugin_enrollment t WHERE t.contact_id = %(target)s
        AND t.campaign_id = s.campaign_id AND t.subject_key = s.subject_key AND t.epoch = s.epoch)
        THEN -s.id ELSE s.epoch END,
    reason = CASE WHEN s.state = 'active' THEN 'merged' ELSE s.reason END,
    finished_at = COALESCE(s.finished_at, %(now)s),
    state = CASE WHEN s.state = 'active' THEN 'exited' ELSE s.state END
WHERE s.contact_id = %(source)s
"""


def absorb(merge: Merge) -> None:
    """Give the source contact's runs to the target; of what both may have once, the source's ends. In a transaction."""
    with connection.cursor() as cursor:
        who = {"source": merge.source_id, "target": merge.target_id}
        for statement in (_TURN_BACK, _TURN_BACK_SLOTS, _MOVE):
            cursor.execute(statement, who)
        cursor.execute(_END_DOUBLES, {**who, "now": clock.now()})
    timers.absorb(merge)


def forget(contact_ids: Collection[int]) -> None:
    """End every run of people who asked to be forgotten, and what it was about; the counts (arms too) stay.

    What a run was about names the person's order or cart: in its place stands what keeps the run unique.
    """
    runs = Enrollment.objects.filter(contact_id__in=contact_ids)
    runs.filter(state=EnrollmentState.ACTIVE).update(
        state=EnrollmentState.EXITED, reason="erased", due_at=None, is_collecting=False, finished_at=clock.now()
    )
    nothing = Concat(Value("erased:"), Cast("pk", CharField()))
    runs.update(items=[], context={}, waits_for="", waits_since=None, subject_key=nothing, lane=nothing)
    timers.forget(contact_ids)
