"""A recipe's words put into the shared layout: what comes out is an ordinary template, in which only Liquid is left.

The layout is in ``layout/``: the page, its blocks, and the words that every mail says in the same way. In all of them
``[[name]]`` stands for words; a recipe's own go before those of the layout.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

Words = Mapping[str, str]

_PLACE = re.compile(r"\[\[([a-z_]+)\]\]")
_PARAGRAPHS = re.compile(r"\n\s*\n")


def template(mail: Mapping[str, Any], *, message_class: str) -> dict[str, dict[str, str]]:
    """Return the content of a Send step by language.

    Args:
        mail: ``blocks``, the names of what stands between the greeting and the small print; and by language the words
            ``subject``, ``heading``, ``intro`` (paragraphs with an empty line between), and whatever else a block or
            the page says.
        message_class: an advertisement ends with why it comes and how to stop it, anything else with what it is about.

    Raises:
        KeyError: naming the words that are missing.
    """
    blocks = mail.get("blocks", ())
    return {
        language: _content({**own, **words}, blocks, footer=f"footer_{message_class}")
        for language, own in _own_words().items()
        for words in [mail[language]]
    }


def _content(words: Words, blocks: Sequence[str], *, footer: str) -> dict[str, str]:
    paragraphs = [" ".join(part.split()) for part in _PARAGRAPHS.split(words["intro"].strip())]
    page = {
        **words,
        "intro": "<br /><br />".join(paragraphs),
        "blocks": "\n".join(_layout(f"{block}.mjml") for block in blocks),
        "footer": _layout(f"{footer}.mjml"),
    }
    letter = {
        **words,
        # A block without anything to show takes the empty line in front of it away: its Liquid begins with a dash.
        "body": "\n\n".join(
            part for part in ("[[hello]]", *paragraphs, *(_layout(f"{block}.txt") for block in blocks), words["note"])
            if part
        ),
        "footer": _layout(f"{footer}.txt"),
    }  # fmt: skip
    return {
        "subject": _fill(words["subject"], words),
        "preheader": _fill(words["preheader"], words),
        "mjml": _fill(_layout("page.mjml"), page),
        "text": _fill(_layout("page.txt"), letter),
    }


def _fill(text: str, words: Words) -> str:
    """Put the words into their places; words may have places in them, three deep."""
    for _ in range(4):
        text = _PLACE.sub(lambda match: words[match[1]], text)
    return text


@cache
def _layout(name: str) -> str:
    return resources.files(__package__).joinpath("layout", name).read_text(encoding="utf-8").rstrip("\n")


@cache
def _own_words() -> dict[str, dict[str, str]]:
    return tomllib.loads(_layout("words.toml"))


__all__ = ["template"]
