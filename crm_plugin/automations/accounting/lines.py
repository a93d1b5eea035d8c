"""One line of an account, and who writes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from zoneinfo import ZoneInfo

from crm_plugin.automations.accounting.wording import REASONS, SENTENCES, Code


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One fact.

    Attributes:
        code: what kind of fact, for programs.
        sentence: the same for people.
        at: when it was, or will be.
        depth: lines of a greater depth below say more about this one.
        params: what the sentence names, as it is stored.
    """

    code: str
    sentence: str
    at: datetime | None = None
    depth: int = 0
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Teller:
    """Writes lines in one language, with times as the shop's clocks show them."""

    language: str
    zone: ZoneInfo

    @property
    def is_korean(self) -> bool:
        """Whether the reader's language is Korean; everybody else reads English."""
        return self.language.lower().partition("-")[0] == "ko"

    def line(
        self,
        code: Code,
        named: Mapping[str, object] = MappingProxyType({}),
        /,
        *,
        at: datetime | None = None,
        depth: int = 0,
        **more: object,
    ) -> Line:
        """Write a line; its sentence names ``at`` and the parameters: ``named``, and ``more`` of them."""
        params = {**named, **more}
        plain = {name: self._plain(value) for name, value in params.items()}
        shown = {name: self._shown(name, value) for name, value in params.items()}
        sentence = SENTENCES[code][self.is_korean].format(at=self._moment(at), **shown)
        return Line(code=code.value, sentence=sentence, at=at, depth=depth, params=plain)

    def word(self, english: str, korean: str) -> str:
        """Return the word in the reader's language."""
        return korean if self.is_korean else english

    def reason(self, word: str) -> str:
        """Return why in words; the stored word when there are none."""
        return REASONS[word][self.is_korean] if word in REASONS else word

    def _shown(self, name: str, value: object) -> str:
        if isinstance(value, datetime):
            return self._moment(value)
        return self.reason(str(value)) if name == "reason" else str(value)

    def _plain(self, value: object) -> str:
        return value.isoformat() if isinstance(value, datetime) else str(value)

    def _moment(self, at: datetime | None) -> str:
        return f"{at.astimezone(self.zone):%Y-%m-%d %H:%M}" if at is not None else ""
