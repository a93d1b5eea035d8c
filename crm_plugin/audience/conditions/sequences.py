"""First this, then that (or not): the order in which things happened."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from crm_plugin.audience.conditions.activities import Deed, in_time, in_window
from crm_plugin.audience.conditions.base import Answer, Ask, Condition, Those
from crm_plugin.audience.conditions.wording import Wording
from crm_plugin.audience.conditions.wording_activities import deed_phrase, length_phrase, window_phrase
from crm_plugin.audience.windows import Bounds, Duration, Window
from crm_plugin.shop import FactKind


class Sequence(Condition):
    """Did ``first``, and after it did, or did not, do ``then``; "carted A and then did not buy it".

    One ``first`` is enough. Without ``within`` any later time counts, and "did not" means "not yet". With it, "did not"
    holds from the moment at which the time is over. ``same_product``: both with the same product, whichever.
    """

    type: Literal["sequence"]
    first: Deed
    then: Deed
    happened: bool
    within: Duration | None = None
    same_product: bool = False
    window: Window | None = None

    def answer(self, ask: Ask) -> Answer:
        """Return the question in SQL."""
        return Those(self._by_last(ask) if self.within is None else self._by_pairs(ask, self.within))

    def _by_last(self, ask: Ask) -> str:
        """Ask by the outermost moments: some first lies before some then, or none does after the last first."""
        keys = self._keys
        moment = "min" if self.happened else "max"
        firsts = f"SELECT {keys}, {moment}(occurred_at) AS at {self._firsts(ask)} GROUP BY {keys}"
        thens = f"SELECT {keys}, max(occurred_at) AS at {self._thens(ask)} GROUP BY {keys}"
        if self.happened:
            return f"SELECT f.contact_id FROM ({firsts}) f JOIN ({thens}) t USING ({keys}) WHERE t.at > f.at"  # noqa: S608
        return f"""SELECT f.contact_id FROM ({firsts}) f LEFT JOIN ({thens}) t USING ({keys})
            WHERE t.at IS NULL OR t.at <= f.at"""  # noqa: S608

    def _by_pairs(self, ask: Ask, within: Duration) -> str:
        """Ask every first for a then that is near enough."""
        keys = self._keys
        length = ask.param(within.delta(), "interval")
        is_over = "" if self.happened else in_time(ask, Bounds(None, ask.now - within.delta()))
        same = " AND t.product_id = f.product_id" if self.same_product else ""
        return f"""SELECT f.contact_id FROM (SELECT {keys}, occurred_at AS at {self._firsts(ask)}{is_over}) f
            WHERE {"" if self.happened else "NOT "}EXISTS (SELECT 1
                FROM (SELECT {keys}, occurred_at AS at {self._thens(ask)}) t
                WHERE t.contact_id = f.contact_id{same} AND t.at > f.at AND t.at <= f.at + {length})"""  # noqa: S608

    @property
    def _keys(self) -> str:
        return "contact_id, product_id" if self.same_product else "contact_id"

    @property
    def _of_a_product(self) -> str:
        return " AND product_id <> ''" if self.same_product else ""

    def _firsts(self, ask: Ask) -> str:
        return f"{self.first.source(ask)}{in_window(ask, self.window)}{self._of_a_product}"

    def _thens(self, ask: Ask) -> str:
        return f"{self.then.source(ask)}{self._of_a_product}"

    def kinds(self) -> frozenset[FactKind]:
        """Return the kinds of activity that can change the answer."""
        return self.first.changed_by() | self.then.changed_by()

    def edges(self, ask: Ask, since: datetime) -> list[str]:
        """Return the contacts whose first left or entered the window, or whose time for a then ran out."""
        moved = self.first.passed(ask, self.window, since)
        if self.within is None or self.happened or since == ask.now:
            return moved
        length = self.within.delta()
        ran_out = Bounds(min(since, ask.now) - length, max(since, ask.now) - length)
        return [*moved, f"SELECT contact_id {self.first.source(ask)}{in_time(ask, ran_out)}"]

    def warnings(self, wording: Wording) -> tuple[str, ...]:
        """Return what is probably not meant."""
        return (*self.first.doubts(wording), *self.then.doubts(wording))

    def names(self) -> tuple[str, ...]:
        """Return what the phrase names."""
        return (*self.first.what.names(), *self.then.what.names())

    def say(self, wording: Wording) -> str:
        """Return it as a phrase."""
        first, then = deed_phrase(wording, self.first), deed_phrase(wording, self.then)
        length = length_phrase(wording, self.within) if self.within else ""
        within = length and wording(f" within {length}", f" {length} 이내에")
        same = wording(" (the same product)", " (같은 상품)") if self.same_product else ""
        when = window_phrase(wording, self.window)
        when = when and f"{when}: "
        if self.happened:
            return wording(f"{when}{first}, and then{within} {then}{same}", f"{when}{first} 후{within} {then}{same}")
        return wording(
            f"{when}{first}, and then not{within} {then}{same}", f"{when}{first} 후{within} {then} 안 함{same}"
        )
