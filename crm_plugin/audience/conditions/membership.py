"""Being in a segment. A live one is asked as its rule is, at the same moment; a list is asked for its members."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from crm_plugin.audience.conditions.base import Answer, Ask, Condition, Problem, Those
from crm_plugin.audience.conditions.known import Known
from crm_plugin.audience.conditions.wording import Wording
from crm_plugin.audience.fields import Whole


class InSegment(Condition):
    """Is, or is not, in a segment. The rule of a live one stands in its place before anything is compiled."""

    type: Literal["segment"]
    segment: Whole = Field(ge=1, le=2**63 - 1)
    is_member: bool = True

    def answer(self, ask: Ask) -> Answer:
        """Return the question about a list in SQL."""
        pk = ask.param(self.segment, "bigint")
        members = f"SELECT contact_id FROM crm_plugin_member WHERE segment_id = {pk}{ask.narrowed()}"  # noqa: S608
        return Those(members, is_without=not self.is_member)

    def problems(self, known: Known) -> Iterator[Problem]:
        """Find a segment that does not exist or is archived."""
        found = known.segment(self.segment)
        if found is None:
            yield Problem("segment", f"there is no segment {self.segment}")
        elif found.is_archived:
            yield Problem("segment", f"the segment {found.name!r} is archived")

    def names(self) -> tuple[str, ...]:
        """Return what the phrase names."""
        return (f"segment:{self.segment}",)

    def say(self, wording: Wording) -> str:
        """Return it as a phrase."""
        name = wording.name(f"segment:{self.segment}")
        if self.is_member:
            return wording(f"is in the segment {name}", f"세그먼트 {name}에 속함")
        return wording(f"is not in the segment {name}", f"세그먼트 {name}에 속하지 않음")
