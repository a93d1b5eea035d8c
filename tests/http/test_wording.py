"""Every language says the same thing on the hosted pages, with the same things filled in."""

from __future__ import annotations

from collections.abc import Iterator
from string import Formatter
from typing import Any

import pytest
from pydantic import ValidationError

from crm_plugin.contacts import ChannelKind
from crm_plugin.http.wording import DEFAULT, Wording, catalogues, wording


def said(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Every sentence with its place."""
    if isinstance(value, str):
        yield place, value
        return
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield from said(inner, f"{place}.{key}")


def braces(words: Wording) -> dict[str, set[str | None]]:
    """By place, what is filled in."""
    sentences = said(words.model_dump(exclude={"language"}))
    return {place: {name for _, name, _, _ in Formatter().parse(text) if name} for place, text in sentences}


def test_there_is_english_and_korean() -> None:
    assert {"en", "ko"} <= catalogues().keys()
    assert all(words.language == language for language, words in catalogues().items())


@pytest.mark.parametrize("language", sorted(catalogues()))
def test_a_language_fills_in_what_english_does_and_leaves_nothing_empty(language: str) -> None:
    words, english = wording(language), wording(DEFAULT)

    expected = braces(english)
    assert {place: names for place, names in braces(words).items() if names - expected[place]} == {}
    assert words.channels.keys() == words.matters.keys() == set(ChannelKind.values)
    bare = dict(said(english.model_dump()))
    assert [place for place, text in said(words.model_dump()) if bool(text) != bool(bare[place])] == []


@pytest.mark.parametrize("language", sorted(catalogues()))
def test_the_results_of_a_consent_name_sender_matter_and_date(language: str) -> None:
    words = braces(wording(language))

    for place in (".unsubscribing.done.text", ".confirming.done.text"):
        assert words[place] == {"sender", "matter", "date"}
    assert words[".preferring.saved.text"] == {"sender", "date"}


def test_a_question_has_a_button_and_says_what_happens_without_it() -> None:
    for words in catalogues().values():
        for page in (words.confirming.ask, words.receiving.ask, words.stock.confirm, words.stock.cancel):
            assert page.button
            assert page.otherwise


def test_a_word_that_is_missing_or_misspelt_is_an_error() -> None:
    given = wording(DEFAULT).model_dump()
    given["stock"]["loook"] = given["stock"].pop("look")

    with pytest.raises(ValidationError) as error:
        Wording.model_validate(given)

    assert {problem["loc"] for problem in error.value.errors()} == {("stock", "look"), ("stock", "loook")}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [(("ko-KR",), "ko"), (("KO_kr",), "ko"), (("fr", "ko"), "ko"), (("fr",), "en"), ((), "en"), (("", "ko"), "ko")],
)
def test_the_first_language_that_there_is_wins(asked: tuple[str, ...], expected: str) -> None:
    assert wording(*asked).language == expected
