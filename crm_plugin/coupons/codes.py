"""New codes: short enough to type in, long enough that nobody guesses one."""

from __future__ import annotations

import secrets
from typing import Final

#: What cannot be mistaken for something else: neither 0 and O, nor 1, I and L.
ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
#: 31 ** 10 codes, of which a guess hits none (AutomateWoo's length, features part 2a).
LENGTH: Final = 10

#: Bytes that would make some letters likelier than others are left out.
_FAIR: Final = 256 - 256 % len(ALPHABET)
_LETTERS: Final = (ALPHABET * (256 // len(ALPHABET) + 1))[:256].encode()
_UNFAIR: Final = bytes(range(_FAIR, 256))


def new_codes(count: int, *, prefix: str = "") -> list[str]:
    """Return ``count`` different random codes: the prefix and ten characters."""
    found: dict[str, None] = {}
    while len(found) < count:
        letters = secrets.token_bytes((count - len(found)) * (LENGTH + 1)).translate(_LETTERS, _UNFAIR).decode()
        for start in range(0, len(letters) - LENGTH + 1, LENGTH):
            found[f"{prefix}{letters[start : start + LENGTH]}"] = None
    return list(found)[:count]
