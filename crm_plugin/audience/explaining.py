"""Why somebody is in or not, and what a rule says in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from crm_plugin import clock
from crm_plugin.audience.compiler import IS_KNOWN, holds
from crm_plugin.audience.conditions import AllOf, AnyOf, Ask, Condition, Every, Known, Not
from crm_plugin.audience.conditions.wording import Wording
from crm_plugin.audience.expanding import Inlined, leaves
from crm_plugin.audience.naming import names_of
from crm_plugin.audience.rule import AudienceRule


@dataclass(frozen=True, slots=True)
class Explanation:
    """One condition: what it says, whether it holds, and the conditions that decide it."""

    sentence: str
    holds: bool
    children: tuple[Explanation, ...] = ()


def explain(rule: AudienceRule, contact_id: int, *, language: str = "en", now: datetime | None = None) -> Explanation:
    """Return why the contact is in, or is not. ``holds`` of the root is the answer of ``matching``.

    Raises:
        InvalidInput: when what the rule names is gone.
    """
    known = Known()
    include, *exclude = (rule.expanded(known, part=part) for part in (rule.include, *rule.exclude))
    ask = Ask(known, now=now or clock.now(), contact_ids=[contact_id])
    told = _Told(Wording(language, names_of([include, *exclude], known, language=language)), ask, contact_id)
    told.ask([include, *exclude])
    children = [told.known(), told.tree(include), *(told.excluded(one) for one in exclude)]
    holds = all(child.holds for child in children)
    sentence = told.wording("is in the audience", "대상에 포함") if holds else told.wording("is not in", "대상이 아님")
    return Explanation(sentence, holds, tuple(children))


def describe(rule: AudienceRule, language: str = "en") -> str:
    """Return the rule as one plain sentence."""
    return describe_all([rule], language)[0]


def describe_all(rules: Sequence[AudienceRule], language: str = "en") -> list[str]:
    """Return each rule as one plain sentence; what they name is looked up for all of them at once."""
    roots = [root for rule in rules for root in (rule.include, *rule.exclude)]
    wording = Wording(language, names_of(roots, Known(), language=language))
    return [_sentence(rule, wording) for rule in rules]


def _sentence(rule: AudienceRule, wording: Wording) -> str:
    included = _phrase(rule.include, wording)
    if not rule.exclude:
        return included
    excluded = "; ".join(_phrase(one, wording) for one in rule.exclude)
    return wording(f"{included}; but not: {excluded}", f"{included}; 제외: {excluded}")


class _Told:
    """The answers for one contact, and how they are told."""

    def __init__(self, wording: Wording, ask: Ask, contact_id: int) -> None:
        self.wording = wording
        self._ask = ask
        self._contact_id = contact_id
        self._is_known = False
        self._held: Mapping[int, bool] = {}

    def ask(self, conditions: Sequence[Condition]) -> None:
        """Ask every leaf, by one statement."""
        asked = [leaf for condition in conditions for leaf in leaves(condition)]
        tests = ", ".join(f"({one}) IS TRUE" for one in (IS_KNOWN, *(holds(leaf, self._ask) for leaf in asked)))
        contact = self._ask.param(self._contact_id, "bigint")
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {tests} FROM crm_plugin_contact c WHERE c.id = {contact}", self._ask.params)  # noqa: S608
            row = cursor.fetchone() or [False] * (len(asked) + 1)
        self._is_known = row[0]
        self._held = dict(zip(map(id, asked), row[1:], strict=True))

    def known(self) -> Explanation:
        """Return whether the contact is more than a visitor."""
        return Explanation(
            self.wording("has an account or an e-mail address", "회원이거나 이메일이 있음"), self._is_known
        )

    def excluded(self, condition: Condition) -> Explanation:
        """Return that an exclusion does not apply."""
        inside = self.tree(condition)
        return Explanation(self.wording("is not excluded by", "제외 조건에 해당하지 않음"), not inside.holds, (inside,))

    def tree(self, condition: Condition) -> Explanation:
        """Return the condition and what decides it."""
        children = tuple(self.tree(one) for one in condition.members())
        held = [child.holds for child in children]
        match condition:
            case Every():
                holds = all(held)
            case AnyOf():
                holds = any(held)
            case Not():
                holds = not held[0]
            case Inlined():
                holds = held[0] == condition.named.is_member
            case _:
                holds = self._held[id(condition)]
        return Explanation(condition.say(self.wording), holds, children)


def _phrase(condition: Condition, wording: Wording) -> str:
    match condition:
        case AllOf():
            return _joined([_phrase(one, wording) for one in condition.of], wording(" and ", " 그리고 "))
        case AnyOf():
            return _joined([_phrase(one, wording) for one in condition.of], wording(" or ", " 또는 "))
        case Not():
            inside = _phrase(condition.of, wording)
            return wording(f"not ({inside})", f"({inside})에 해당하지 않음")
        case _:
            return condition.say(wording)


def _joined(phrases: Sequence[str], word: str) -> str:
    return phrases[0] if len(phrases) == 1 else f"({word.join(phrases)})"
