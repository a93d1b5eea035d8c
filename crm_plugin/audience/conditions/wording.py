"""Sentences about conditions, in English and Korean, with the names that people gave to things."""

from __future__ import annotations

from collections.abc import Iterable


class Wording:
    """One reader's language, and the names of what a rule refers to by id."""

    def __init__(self, language: str, names: dict[str, str] | None = None) -> None:
        self.is_korean = language.lower().partition("-")[0] == "ko"
        self._names = names or {}

    @property
    def language(self) -> str:
        """The reader's language, as far as there are sentences in it."""
        return self("en", "ko")

    def __call__(self, english: str, korean: str) -> str:
        """Return the phrase in the reader's language."""
        return korean if self.is_korean else english

    def name(self, key: str) -> str:
        """Return what people call it; the id when it has no name (any more)."""
        return self._names.get(key, key)

    def names(self, keys: Iterable[str], *, limit: int = 5) -> str:
        """Return the first names, and how many more there are."""
        found = [self.name(key) for key in keys]
        shown = self.either(found[:limit])
        more = len(found) - limit
        return shown if more <= 0 else self(f"{shown} and {more} more", f"{shown} 외 {more}개")

    def either(self, words: Iterable[object]) -> str:
        """Return ``a, b or c``."""
        *most, last = [str(word) for word in words] or [""]
        return last if not most else self(f"{', '.join(most)} or {last}", f"{', '.join(most)} 또는 {last}")
