"""What every trigger has in common: who may enter, how often, and what may be under way at the same time."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field, model_validator

from crm_plugin.automations.fields import Strict


class Reentry(StrEnum):
    """How often the same contact may run through a campaign.

    ``once``: ever. ``per_subject``: once for each order, product, cart that it is about. ``always``: each time.
    ``after``: again, but not before ``reentry_days`` have passed since the last entry.
    """

    ONCE = "once"
    PER_SUBJECT = "per_subject"
    ALWAYS = "always"
    AFTER = "after"


class Concurrency(StrEnum):
    """How many runs of one contact may be under way: one in all, or one for each subject."""

    CONTACT = "contact"
    SUBJECT = "subject"


class Entry(Strict):
    """Who enters, and how often. ``audience``: only who is in it at that moment."""

    audience: dict[str, Any] | None = None
    reentry: Reentry = Reentry.PER_SUBJECT
    reentry_days: int | None = Field(None, ge=1, le=3650)
    concurrency: Concurrency = Concurrency.SUBJECT

    @model_validator(mode="after")
    def _days_belong_to_after(self) -> Entry:
        if (self.reentry is Reentry.AFTER) != (self.reentry_days is not None):
            raise ValueError("reentry_days says after how many days `after` lets in again; no other re-entry has it")
        return self
