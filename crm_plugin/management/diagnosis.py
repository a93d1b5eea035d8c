"""What somebody should look at, in words: what is wrong, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from crm_plugin import contacts

#: What should have been done so long ago is not merely late: beat looks every few seconds.
LATE_SECONDS: Final = 300.0

_NO_WORKER: Final = (
    "Does a worker run, on the queue of CRM_CELERY_QUEUE_NAME, and beat (or `crm run`)? Does it log errors?"
)
#: What waits, by room and field.
_QUEUES: Final = {
    ("activity", "inbox_oldest_seconds"): "facts wait to be drained (crm.pump)",
    ("automations", "runs_due_oldest_seconds"): "steps of campaigns are due (crm.pump)",
    ("automations", "timers_due_oldest_seconds"): "timers of campaigns are due (crm.pump)",
    (
        "messages",
        "due_oldest_seconds",
    ): "messages are due (crm.deliver; their `detail` tells of a provider that is away)",
    ("messages", "calls_due_oldest_seconds"): "webhook calls are due (crm.webhooks)",
}


def findings(state: Mapping[str, Any]) -> Iterator[str]:
    """Walk over what is wrong in a state of ``crm status``; a line for each."""
    if not state["is_key_kept"]:
        yield f"Advertisements wait: the key was changed. {contacts.WHAT_TO_DO}"
    if state["failed_hooks"]:
        doors = ", ".join(sorted(state["failed_hooks"]))
        yield f"Some hooks failed ({doors}); `last_failures` and the log say why. Once that is repaired: `crm retry`."
    if state["set_aside"]:
        yield "Some facts were set aside; the log says why. Once that is repaired: `crm retry`."
    if state["audience"]["segment_errors"]:
        yield "Some segments failed; they are tried again every few minutes, or at once when they are saved."
    if state["enabled"]:  # while it is switched off, everything waits on purpose
        yield from _late(state)


def _late(state: Mapping[str, Any]) -> Iterator[str]:
    late = [
        f"{what}, the oldest for {state[room][field]:.0f} s"
        for (room, field), what in _QUEUES.items()
        if state[room][field] > LATE_SECONDS
    ]
    if late:
        yield f"Work waits: {'; '.join(late)}. {_NO_WORKER}"
