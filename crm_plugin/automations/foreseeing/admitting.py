"""Who of those that would enter may: the keys of a run, and the lane that one run at a time has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from crm_plugin.automations.foreseeing.travellers import Past, Traveller
from crm_plugin.automations.models import EnrollmentState


@dataclass(slots=True)
class Register:
    """What has been of a campaign, and what was foreseen of it up to now.

    Attributes:
        keys: (contact, subject, epoch) of every run.
        entered: when each person entered last.
        busy_until: when a lane is free again; a run whose end cannot be seen keeps it.
    """

    keys: set[tuple[int, str, int]] = field(default_factory=set)
    entered: dict[int, datetime] = field(default_factory=dict)
    busy_until: dict[tuple[int, str], datetime] = field(default_factory=dict)

    def know(self, past: Iterable[Past]) -> None:
        """Take in the runs that there were; one under way that nobody follows has its next step after all this time."""
        for one in past:
            self.keys.add((one.contact_id, one.subject_key, one.epoch))
            self._entered(one.contact_id, one.entered_at)
            if one.state == EnrollmentState.ACTIVE:
                self.busy_until.setdefault((one.contact_id, one.lane), datetime.max.replace(tzinfo=UTC))

    def admits(self, who: Traveller, *, is_making_room: bool = False) -> bool:
        """Whether the person may enter at that moment; noted as entered when so.

        ``is_making_room``: a run that has the lane ends for this one.
        """
        key = (who.contact_id, who.subject_key, who.epoch)
        if key in self.keys or (self._is_busy(who) and not is_making_room):
            return False
        last = self.entered.get(who.contact_id)
        if who.not_since is not None and last is not None and last > who.not_since:
            return False
        self.keys.add(key)
        self._entered(who.contact_id, who.entered_at)
        return True

    def occupy(self, who: Traveller, *, ended_at: datetime | None) -> None:
        """Note until when the run has its lane."""
        lane = (who.contact_id, who.lane)
        free_at = ended_at or datetime.max.replace(tzinfo=UTC)
        self.busy_until[lane] = max(free_at, self.busy_until.get(lane, free_at))

    def _is_busy(self, who: Traveller) -> bool:
        free_at = self.busy_until.get((who.contact_id, who.lane))
        return free_at is not None and free_at > who.at

    def _entered(self, contact_id: int, at: datetime) -> None:
        self.entered[contact_id] = max(at, self.entered.get(contact_id, at))
