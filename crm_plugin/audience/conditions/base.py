"""What every condition is made of: its typed form, and what the compiler hands to it and gets back.

A condition answers for the contact ``c`` in one of two forms: a test of the contact's own row, or a SELECT of the
contacts it holds for. The compiler puts them together; a condition never sees its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from crm_plugin.audience.fields import Strict
from crm_plugin.shop import FactKind

if TYPE_CHECKING:
    from crm_plugin.audience.conditions.known import Known
    from crm_plugin.audience.conditions.wording import Wording


@dataclass(frozen=True, slots=True)
class Row:
    """A test of the contact's row, in SQL over the alias ``c``. It may be NULL, which means no."""

    sql: str

    @property
    def opposite(self) -> Row:
        """The other contacts; those for whom the test is NULL are among them."""
        return Row(f"(({self.sql}) IS NOT TRUE)")


@dataclass(frozen=True, slots=True)
class Those:
    """The contacts that a SELECT of ``contact_id`` names (duplicates do not matter), or all but them."""

    sql: str
    is_without: bool = False

    @property
    def opposite(self) -> Those:
        """The other contacts."""
        return replace(self, is_without=not self.is_without)


Answer = Row | Those


class Problem(NamedTuple):
    """What is wrong with a condition that has the right form: where (below the condition), and why."""

    path: str
    message: str


class Ask:
    """One compilation: the moment, what is known besides the rule, whom it is about, and the parameters so far."""

    def __init__(
        self, known: Known, *, now: datetime, contact_ids: Sequence[int] | None = None, prefix: str = "q"
    ) -> None:
        self.known = known
        self.now = now
        self.params: dict[str, Any] = {}
        self._prefix = prefix
        self._ids = None
        if contact_ids is not None:
            self._ids = self.param("{" + ",".join(map(str, map(int, contact_ids))) + "}", "bigint[]")

    @classmethod
    def at(cls, moment: datetime, *, like: Ask) -> Ask:
        """Return the same question at another moment; both put their parameters in one place."""
        other = cls(like.known, now=moment, prefix=like._prefix)
        other.params, other._ids = like.params, like._ids
        return other

    @property
    def zone(self) -> ZoneInfo:
        """The shop's zone."""
        return self.known.zone

    def param(self, value: Any, kind: str) -> str:
        """Return the SQL that stands for a value; ``kind`` is its PostgreSQL type."""
        name = f"{self._prefix}{len(self.params)}"
        self.params[name] = value
        return f"%({name})s::{kind}"

    def narrowed(self, column: str = "contact_id") -> str:
        """Return `` AND column = ANY(…)`` when only some contacts are asked about; every sub-select says it."""
        return f" AND {column} = ANY({self._ids})" if self._ids else ""


class Condition(Strict):
    """A question about a contact. Subclasses have a ``type`` of their own."""

    def answer(self, ask: Ask) -> Answer:
        """Return the question in SQL."""
        raise NotImplementedError

    def members(self) -> tuple[Condition, ...]:
        """Return the conditions directly inside this one."""
        return ()

    def kinds(self) -> frozenset[FactKind]:
        """Return the kinds of activity that can change the answer."""
        return frozenset()

    def edges(self, _ask: Ask, _since: datetime) -> list[str]:
        """Return SELECTs of the contacts whose answer may differ between ``since`` and ``ask.now``, only by time."""
        return []

    def problems(self, _known: Known) -> Iterator[Problem]:
        """Find what only the data can tell: unknown attributes, segments, labels."""
        return iter(())

    def warnings(self, _wording: Wording) -> tuple[str, ...]:
        """Return what is probably not meant."""
        return ()

    def names(self) -> tuple[str, ...]:
        """Return the keys of what the phrase names: ``product:7``, ``category:12``, ``segment:5``."""
        return ()

    def say(self, wording: Wording) -> str:
        """Return the question as a phrase in the reader's language."""
        raise NotImplementedError


class Every(Condition):
    """A condition that holds when all its members do; the compiler asks these, never the condition itself."""
