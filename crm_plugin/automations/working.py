"""The runs that one pass has in hand, and the ways of moving them: set-wise, in the transaction of the pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection

from crm_plugin import clock
from crm_plugin.automations.models import Enrollment, EnrollmentState
from crm_plugin.automations.program import Op
from crm_plugin.automations.running import Version
from crm_plugin.ids import array

_GO = """
UPDATE crm_plugin_enrollment SET step = %s, due_at = %s, is_collecting = FALSE
WHERE id = ANY(%s::bigint[]) AND state = 'active'
"""
_FINISH = """
UPDATE crm_plugin_enrollment SET state = %s, reason = %s, due_at = NULL, waits_for = '', waits_since = NULL,
    is_collecting = FALSE, finished_at = %s
WHERE id = ANY(%s::bigint[]) AND state = 'active'
"""
_MOVE = """
UPDATE crm_plugin_enrollment e SET step = n.step, due_at = n.due_at, is_collecting = FALSE
FROM unnest(%s::bigint[], %s::int[], %s::timestamptz[]) AS n(id, step, due_at)
WHERE e.id = n.id AND e.state = 'active'
"""


def finish(ids: str, state: EnrollmentState, reason: str = "") -> int:
    """End the runs; one that has ended keeps its end."""
    with connection.cursor() as cursor:
        cursor.execute(_FINISH, [state.value, reason, clock.now(), ids])
        return int(cursor.rowcount)


@dataclass(slots=True)
class Work:
    """Claimed runs of one version that stand at the same step, their rows locked until the transaction ends.

    Those whose exit condition held have been finished already; whatever moves runs passes over what is not active.

    Attributes:
        ids: the runs, as the text of an array.
        op: the step that is to be done.
    """

    campaign_id: int
    version: Version
    op: Op
    ids: str
    now: datetime
    _moves: list[tuple[int, int, datetime | None]] = field(default_factory=list)

    def runs(self) -> list[Enrollment]:
        """Return the runs that are active, by id."""
        return list(
            Enrollment.objects.extra(where=["id = ANY(%s::bigint[])"], params=[self.ids])
            .filter(state=EnrollmentState.ACTIVE)
            .order_by("pk")
        )

    def go(self, place: int, *, due_at: datetime | None) -> None:
        """Send all of them to a place; behind the last step they are completed."""
        if place >= self.version.definition.program.end:
            self.finish(EnrollmentState.COMPLETED)
            return
        with connection.cursor() as cursor:
            cursor.execute(_GO, [place, due_at, self.ids])

    def finish(self, state: EnrollmentState, reason: str = "") -> None:
        """End all of them."""
        finish(self.ids, state, reason)

    def move(self, run: Enrollment, place: int, *, due_at: datetime | None) -> None:
        """Note that this one goes to a place; ``write`` does it."""
        self._moves.append((run.pk, place, due_at))

    def write(self) -> None:
        """Do the moves that were noted."""
        end = self.version.definition.program.end
        if done := [pk for pk, place, _due_at in self._moves if place >= end]:
            finish(array(done), EnrollmentState.COMPLETED)
        if moves := [move for move in self._moves if move[1] < end]:
            with connection.cursor() as cursor:
                cursor.execute(_MOVE, [list(column) for column in zip(*moves, strict=True)])
        self._moves.clear()


def by_ids(runs: Sequence[Enrollment]) -> str:
    """Return the runs' ids as the text of an array."""
    return array(run.pk for run in runs)
