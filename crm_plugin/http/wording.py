"""The words of the hosted pages: one file a language in ``words/``, all in the shape that this module gives them.

What stands in braces is filled in: ``{sender}`` the merchant, ``{date}`` today, ``{matter}`` what a channel's
advertisements are called, ``{name}`` a channel or a topic, ``{begins}`` and ``{ends}`` times of day, ``{product}`` a
product, ``{number}`` an order, ``{limit}`` a number. A new language is one file; one that lacks a word is an error.
Why these are no gettext catalogues: ``docs/decisions/words-of-pages.md``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

#: What a reader gets whose language, and whose shop's language, there are no words in.
DEFAULT: Final = "en"
_FOLDER: Final = Path(__file__).parent / "words"


class _Words(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Page(_Words):
    """What one page says; ``button`` and ``otherwise`` only where there is something to do."""

    title: str
    text: str
    button: str = ""
    otherwise: str = ""


class Unsubscribing(_Words):
    """The unsubscribe page."""

    ask: Page
    done: Page
    everything: str
    instead: str


class Preferring(_Words):
    """The preference centre. ``agreement`` is what a person agrees to who ticks a box."""

    ask: Page
    nothing: Page
    saved: Page
    unchanged: Page
    channels: str
    night: str
    blocked: str
    topics: str
    agreement: str
    save: str
    granted: str
    withdrawn: str
    night_granted: str
    night_withdrawn: str
    topic_accepted: str
    topic_refused: str
    nobody: str


class Confirming(_Words):
    """The page of a double opt-in, whose link is good for a while."""

    ask: Page
    done: Page
    expired: Page
    gone: Page


class Receiving(_Words):
    """The page on which somebody confirms the receipt of an order."""

    ask: Page
    done: Page
    gone: Page


class Stock(_Words):
    """The pages of a request for stock. ``product`` stands for one whose name is not known any more."""

    product: str
    look: str
    confirm: Page
    confirmed: Page
    available: Page
    expired: Page
    gone: Page
    cancel: Page
    cancelled: Page


class Reviewing(_Words):
    """The form of a review, what can be wrong with it, and what came of it. ``stars`` go from one to five."""

    ask: Page
    done: Page
    already: Page
    expired: Page
    gone: Page
    stars_legend: str
    stars: tuple[str, str, str, str, str]
    heading: str
    body: str
    author: str
    author_hint: str
    pictures: str
    pictures_hint: str
    button: str
    note: str
    problems: str
    no_stars: str
    too_long: str
    too_many_pictures: str
    picture_too_large: str
    no_picture: str
    published: str
    too_often: str


class Wording(_Words):
    """All hosted pages in one language. ``matters`` and ``channels`` are by channel."""

    language: str
    matters: Mapping[str, str]
    all_matters: str
    channels: Mapping[str, str]
    note: str
    unsubscribing: Unsubscribing
    preferring: Preferring
    confirming: Confirming
    receiving: Receiving
    stock: Stock
    reviewing: Reviewing


@cache
def catalogues() -> Mapping[str, Wording]:
    """Return the words by language."""
    read = (Wording.model_validate(tomllib.loads(file.read_text("utf-8"))) for file in sorted(_FOLDER.glob("*.toml")))
    return {words.language: words for words in read}


def wording(*languages: str) -> Wording:
    """Return the words in the first of the languages that there are any in, else in English."""
    for language in languages:
        base = language.lower().replace("_", "-").partition("-")[0]
        if base in catalogues():
            return catalogues()[base]
    return catalogues()[DEFAULT]
