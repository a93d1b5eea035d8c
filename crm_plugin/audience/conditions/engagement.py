"""What somebody did with the messages they got."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from crm_plugin.audience.conditions.activities import Deed, in_window
from crm_plugin.audience.conditions.base import Answer, Ask, Condition, Those
from crm_plugin.audience.conditions.wording import Wording
from crm_plugin.audience.conditions.wording_activities import window_phrase
from crm_plugin.audience.windows import Window
from crm_plugin.shop import FactKind


class Act(StrEnum):
    """What was done with a message."""

    OPENED = "opened"
    CLICKED = "clicked"


_KINDS = {Act.OPENED: FactKind.MESSAGE_OPENED, Act.CLICKED: FactKind.MESSAGE_CLICKED}


class Engaged(Condition):
    """Opened or clicked any message in some time, or did not."""

    type: Literal["engagement"]
    did: Act
    happened: bool = True
    window: Window | None = None

    @property
    def _deed(self) -> Deed:
        return Deed(activity=_KINDS[self.did])

    def answer(self, ask: Ask) -> Answer:
        """Return the question in SQL."""
        acts = f"SELECT contact_id {self._deed.source(ask)}{in_window(ask, self.window)}"
        return Those(acts, is_without=not self.happened)

    def kinds(self) -> frozenset[FactKind]:
        """Return the kind of activity that can change the answer."""
        return frozenset({_KINDS[self.did]})

    def edges(self, ask: Ask, since: datetime) -> list[str]:
        """Return the contacts whose act left or entered the window."""
        return self._deed.passed(ask, self.window, since)

    def say(self, wording: Wording) -> str:
        """Return it as a phrase."""
        act = wording(*{Act.OPENED: ("opened", "열람"), Act.CLICKED: ("clicked in", "클릭")}[self.did])
        when = window_phrase(wording, self.window)
        if self.happened:
            return wording(f"{act} a message {when}", f"{when} 메시지 {act}").strip()
        return wording(f"{act} no message {when}", f"{when} 메시지 {act} 안 함").strip()
