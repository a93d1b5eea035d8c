"""Where somebody stands among all: RFM classes, labels, lifecycle stages. ``scoring`` computes them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from crm_plugin.audience.conditions.base import Answer, Ask, Condition, Those
from crm_plugin.audience.conditions.wording import Wording
from crm_plugin.audience.fields import Whole
from crm_plugin.audience.labels import LABEL_NAMES, STAGE_NAMES, Label
from crm_plugin.audience.models import Stage

Fifths = Annotated[tuple[Annotated[Whole, Field(ge=1, le=5)], ...], Field(max_length=5)]
_FIFTHS = ("recency", "frequency", "monetary")


class InRfm(Condition):
    """In one of the given fifths of each given score, and with one of the given labels."""

    type: Literal["rfm"]
    recency: Fifths = ()
    frequency: Fifths = ()
    monetary: Fifths = ()
    labels: tuple[Label, ...] = Field((), max_length=50)

    @model_validator(mode="after")
    def _asks_something(self) -> InRfm:
        if not (self.recency or self.frequency or self.monetary or self.labels):
            raise ValueError("choose a fifth of recency, frequency or monetary, or a label")
        return self

    def answer(self, ask: Ask) -> Answer:
        """Return the question in SQL."""
        tests = [f"{name} = ANY({ask.param(list(fifths), 'smallint[]')})" for name, fifths in self._fifths()]
        tests += [f"label = ANY({ask.param([label.value for label in self.labels], 'text[]')})"] if self.labels else []
        return Those(f"SELECT contact_id FROM crm_plugin_score WHERE {' AND '.join(tests)}{ask.narrowed()}")  # noqa: S608

    def _fifths(self) -> list[tuple[str, tuple[int, ...]]]:
        return [(name, getattr(self, name)) for name in _FIFTHS if getattr(self, name)]

    def say(self, wording: Wording) -> str:
        """Return it as a phrase."""
        said = {"recency": ("recency", "최근성"), "frequency": ("frequency", "빈도"), "monetary": ("spend", "금액")}
        parts = [f"{wording(*said[name])} {wording.either(fifths)}" for name, fifths in self._fifths()]
        parts += [wording.either(LABEL_NAMES[wording.language][label] for label in self.labels)] if self.labels else []
        return f"RFM: {', '.join(parts)}"


class InStage(Condition):
    """In one of the stages of a customer's life."""

    type: Literal["stage"]
    in_: tuple[Stage, ...] = Field(alias="in", min_length=1, max_length=len(Stage))

    def answer(self, ask: Ask) -> Answer:
        """Return the question in SQL."""
        stages = ask.param([stage.value for stage in self.in_], "text[]")
        return Those(f"SELECT contact_id FROM crm_plugin_score WHERE stage = ANY({stages}){ask.narrowed()}")  # noqa: S608

    def say(self, wording: Wording) -> str:
        """Return it as a phrase."""
        stages = wording.either(STAGE_NAMES[wording.language][stage] for stage in self.in_)
        return wording(f"stage: {stages}", f"단계: {stages}")
