"""Ready-made campaigns: one data file each, in which only what is special about it stands.

A file says when the campaign starts, what it does, and its words in every language; ``wording`` puts the words into the
layout that all recipes share. What comes out is a definition like any other, the merchant's to change.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from crm_plugin import contacts, merchant
from crm_plugin.automations.recipes.wording import template
from crm_plugin.errors import NotFound

#: The groups of the list of recipes, in its order.
GROUPS = ("welcome", "browsing", "cart", "price", "coupon", "order", "calendar", "win_back")


@dataclass(frozen=True, slots=True)
class Need:
    """An attribute of contacts that a recipe asks for."""

    name: str
    kind: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class About:
    """What a list of recipes shows of one.

    Attributes:
        group: one of ``GROUPS``.
        titles, descriptions: by language code, English and Korean.
        needs: the attributes that ``prepare`` declares.
    """

    name: str
    group: str
    titles: Mapping[str, str]
    descriptions: Mapping[str, str]
    needs: tuple[Need, ...]


def recipe(name: str) -> dict[str, Any]:
    """Return the definition of a recipe, as ``create_campaign`` takes it.

    Raises:
        NotFound: when there is no such recipe.
    """
    definition = deepcopy(_read(name))
    del definition["about"]
    _write(definition["steps"])
    return definition


def recipe_names() -> list[str]:
    """Return the names of the recipes."""
    files = resources.files(__package__).iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def about_recipe(name: str) -> About:
    """Return what people read about a recipe before they choose it.

    Raises:
        NotFound: when there is no such recipe.
    """
    about = _read(name)["about"]
    languages = {key: value for key, value in about.items() if isinstance(value, dict)}
    return About(
        name=name,
        group=about["group"],
        titles={language: words["title"] for language, words in languages.items()},
        descriptions={language: " ".join(words["description"].split()) for language, words in languages.items()},
        needs=tuple(Need(one["name"], one["kind"], one["labels"]) for one in about.get("needs", ())),
    )


def prepare(name: str) -> None:
    """Declare the attributes that a recipe asks for; those that are there stay as they are.

    Raises:
        NotFound: when there is no such recipe.
        InvalidInput: when an attribute of the name is of another kind.
    """
    needs = about_recipe(name).needs
    if not needs:
        return
    declared = {(one.name, one.kind) for one in contacts.attributes()}
    language = merchant.load().default_language.partition("-")[0]
    for need in needs:
        if (need.name, need.kind) not in declared:
            contacts.declare_attribute(need.name, need.kind, need.labels.get(language, need.labels["en"]))


@cache
def _read(name: str) -> dict[str, Any]:
    if name not in recipe_names():
        raise NotFound(f"There is no recipe {name!r}; there are: {', '.join(recipe_names())}.")
    return tomllib.loads(resources.files(__package__).joinpath(f"{name}.toml").read_text(encoding="utf-8"))


def _write(steps: Sequence[dict[str, Any]]) -> None:
    """Turn the words of every Send step into its template, also of the steps inside steps."""
    for step in steps:
        if step["type"] == "send":
            step["template"] = template(step.pop("mail"), message_class=step.get("message_class", "marketing"))
        for way in (
            step.get("then", ()),
            step.get("otherwise", ()),
            *(arm.get("steps", ()) for arm in step.get("arms", ())),
        ):
            _write(way)


__all__ = ["GROUPS", "About", "Need", "about_recipe", "prepare", "recipe", "recipe_names"]
