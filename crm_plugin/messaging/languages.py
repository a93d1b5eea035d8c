"""Languages: which one a person is written to in, and what the law of a language's readers adds to a subject."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: The label that Korean law puts first in an advertisement's subject, and the variants of it that it bans.
AD_LABEL = "(광고) "
_ANY_AD_LABEL = re.compile(r"^(?:\s*[(\[<{【\uff08\uff3b]\s*광\s*고\s*[)\]>}】\uff09\uff3d])+\s*")


def choose_language(available: Sequence[str], *, wanted: str, default: str) -> str:
    """Return the best of the languages: the wanted one, its base, the merchant's, any."""
    known = {_normal(code): code for code in sorted(available, reverse=True)}
    for code in (wanted, default):
        normal = _normal(code)
        for candidate in (normal, normal.partition("-")[0]):
            if candidate in known:
                return known[candidate]
    return min(available)


def label_subject(subject: str, *, language: str, is_marketing: bool) -> str:
    """Return the subject on one line, with the Korean advertisement label first, exactly once, where it is due."""
    line = " ".join(subject.split())
    if is_marketing and is_korean(language):
        return AD_LABEL + _ANY_AD_LABEL.sub("", line)
    return line


def is_korean(language: str) -> bool:
    """Return whether Korean rules for advertisements apply to what is written in the language."""
    return _normal(language).partition("-")[0] == "ko"


def _normal(code: str) -> str:
    return code.lower().replace("_", "-")
