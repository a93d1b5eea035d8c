"""What people write, as plain text: nothing that a program would read differently from a person."""

from __future__ import annotations

import re
import unicodedata

from crm_plugin.errors import InvalidInput

#: Control characters and halves of surrogate pairs (which PostgreSQL refuses), and marks that turn the direction of
#: all text behind them: in a review they only serve to deceive. Line breaks are looked at apart.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufeff]")
_SPACES = re.compile(r"[^\S\n]+")
_EMPTY_LINES = re.compile(r"\n\s*\n\s*\n+")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})?")


def clean_line(value: str, *, field: str, longest: int) -> str:
    """Return one line of text.

    Raises:
        InvalidInput: it is longer than ``longest`` characters.
    """
    return _short(" ".join(_plain(value).split()), field=field, longest=longest)


def clean_text(value: str, *, field: str, longest: int) -> str:
    """Return text of several lines, without blank stretches.

    Raises:
        InvalidInput: it is longer than ``longest`` characters.
    """
    text = _EMPTY_LINES.sub("\n\n", _SPACES.sub(" ", _plain(value))).strip()
    return _short(text, field=field, longest=longest)


def clean_language(value: str) -> str:
    """Return the code of a language; empty when it is none."""
    code = value.strip().replace("_", "-").lower()
    return code if _LANGUAGE.fullmatch(code) else ""


def _plain(value: str) -> str:
    # Composed, so that Korean written on a Mac is as long, and found by the same search, as written elsewhere.
    return unicodedata.normalize("NFC", _UNSEEN.sub("", value.replace("\r\n", "\n").replace("\r", "\n")))


def _short(text: str, *, field: str, longest: int) -> str:
    if len(text) > longest:
        raise InvalidInput(f"At most {longest:,} characters.", field=field, code="TOO_LONG")
    return text
