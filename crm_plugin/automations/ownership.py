"""What this room does when two contacts turn out to be one, and when a contact asks to be forgotten."""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection

from crm_plugin import clock
from crm_plugin.automations.models import Enrollment, EnrollmentState
from crm_plugin.contacts import Merge

_MOVE = """
UPDATE crm_plugin_enrollment s SET contact_id = %(target)s, is_collecting = FALSE
WHERE s.contact_id = %(source)s AND NOT EXISTS (
    SELECT 1 FROM crm_plugin_enrollment t WHERE t.contact_id = %(target)s AND t.campaign_id = s.campaign_id
        AND t.subject_key = s.subject_key AND t.epoch = s.epoch)
"""

#: A wave goes by ascending contact id: who moves to a place behind it would be passed over. Who has been reached before
#: is under way, or has had the run of this wave.
_TURN_BACK = """
UPDATE crm_plugin_fanout SET after_contact = LEAST(after_contact, %(target)s - 1)
WHERE NOT is_done AND after_contact < %(source)s
"""

#: The epoch keeps the history apart: a negative one is never given out by a trigger.
_END_DOUBLES = """
UPDATE crm_plugin_enrollment SET contact_id = %(target)s, epoch = -id, is_collecting = FALSE, due_at = NULL,
    reason = CASE WHEN state = 'active' THEN 'merged' ELSE reason END, finished_at = COALESCE(finished_at, %(now)s),
    state = CASE WHEN state = 'active' THEN 'exited' ELSE state END
WHERE contact_id = %(source)s
"""


def absorb(merge: Merge) -> None:
    """Give the source contact's runs to the target; of a run that both have, the source's ends. In a transaction."""
    with connection.cursor() as cursor:
        cursor.execute(_TURN_BACK, {"source": merge.source_id, "target": merge.target_id})
        cursor.execute(_MOVE, {"source": merge.source_id, "target": merge.target_id})
        cursor.execute(_END_DOUBLES, {"source": merge.source_id, "target": merge.target_id, "now": clock.now()})


def forget(contact_ids: Collection[int]) -> None:
    """End every run of people who asked to be forgotten, and what it was about."""
    runs = Enrollment.objects.filter(contact_id__in=contact_ids)
    runs.filter(state=EnrollmentState.ACTIVE).update(
        state=EnrollmentState.EXITED, reason="erased", due_at=None, is_collecting=False, finished_at=clock.now()
    )
    runs.update(items=[])
