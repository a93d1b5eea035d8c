"""Languages: which one a person is written to in."""

from __future__ import annotations

from collections.abc import Sequence


def choose_language(available: Sequence[str], *, wanted: str, default: str) -> str:
    """Return the best of the languages: the wanted one, its base, the merchant's, any."""
    known = {_normal(code): code for code in sorted(available, reverse=True)}
    for code in (wanted, default):
        normal = _normal(code)
        for candidate in (normal, normal.partition("-")[0]):
            if candidate in known:
                return known[candidate]
    return min(available)


def base_of(language: str) -> str:
    """Return a language without its region: ``pt`` of ``pt-BR``."""
    return _normal(language).partition("-")[0]


def is_korean(language: str) -> bool:
    """Return whether Korean rules for advertisements apply to what is written in the language."""
    return base_of(language) == "ko"


def _normal(code: str) -> str:
    return code.lower().replace("_", "-")
