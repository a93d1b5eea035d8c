"""The Exit step."""

from __future__ import annotations

from crm_plugin.automations.models import EnrollmentState
from crm_plugin.automations.working import Work
from crm_plugin.messaging import Reason


def exit_(work: Work) -> None:
    """End the runs here."""
    work.finish(EnrollmentState.EXITED, Reason.EXITED)
