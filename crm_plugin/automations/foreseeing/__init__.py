"""Dry run: who would get what and when, and which rule would hold or skip each message; nothing is changed.

The promise is kept by the database (``reading``). The people are those under way (``travellers``) and those who would
enter by the clock (``coming``); each is followed through the steps (``walking``) and let in by the same keys as a real
run (``admitting``); the gates of messaging have the last word (``following``).
"""

from crm_plugin.automations.foreseeing.answering import MOST_DAYS, MOST_ROWS, USUAL_DAYS, USUAL_ROWS, dry_run
from crm_plugin.automations.foreseeing.model import DryRun, Foreseen, Outcome, Remark, Total

__all__ = [
    "MOST_DAYS",
    "MOST_ROWS",
    "USUAL_DAYS",
    "USUAL_ROWS",
    "DryRun",
    "Foreseen",
    "Outcome",
    "Remark",
    "Total",
    "dry_run",
]
