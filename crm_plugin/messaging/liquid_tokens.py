"""Liquid inside other languages: its tokens are taken out while MJML or HTML is worked on, and put back afterwards."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_TOKEN = re.compile(r"\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
_MARK = re.compile(r"lqzq(\d+)qzql")


@dataclass(slots=True)
class Protected:
    """The tokens taken out of one text, each standing as a word that no language has a meaning for."""

    tokens: list[str] = field(default_factory=list)

    def protect(self, source: str) -> str:
        """Return ``source`` with a mark in place of every token."""

        def mark(match: re.Match[str]) -> str:
            self.tokens.append(match[0])
            return f"lqzq{len(self.tokens) - 1}qzql"

        return _TOKEN.sub(mark, source)

    def restore(self, text: str) -> str:
        """Return ``text`` with the tokens in their places again."""
        return _MARK.sub(lambda match: self._token(match[1]) or match[0], text)

    def split(self, text: str) -> list[str]:
        """Return the literal stretches of ``text`` at the even places and the tokens at the odd ones."""
        parts = _MARK.split(text)
        return [self._token(part) if at % 2 else part for at, part in enumerate(parts)]

    def _token(self, number: str) -> str:
        """Return a token; nothing for a mark that somebody wrote."""
        return self.tokens[int(number)] if len(number) < 8 and int(number) < len(self.tokens) else ""


def marks(pattern: str) -> re.Pattern[str]:
    """Return a pattern in which ``MARK`` stands for any one mark."""
    return re.compile(pattern.replace("MARK", r"lqzq\d+qzql"), re.DOTALL)
