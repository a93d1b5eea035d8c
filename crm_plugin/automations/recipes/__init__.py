"""Ready-made campaigns: one data file each, in which only what is special about it stands.

A file says when the campaign starts, what it does, and its words in every language; ``wording`` puts the words into the
layout that all recipes share. What comes out is a definition like any other, the merchant's to change. What a step
gives away stands beside it (``steps.coupon``): ``prepare`` makes a coupon of it, which is the merchant's to change too.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from crm_plugin import contacts, coupons, merchant
from crm_plugin.automations.recipes.wording import template
from crm_plugin.errors import NotFound

#: The groups of the list of recipes, in its order.
GROUPS = ("welcome", "browsing", "cart", "price", "coupon", "order", "calendar", "win_back")


@dataclass(frozen=True, slots=True)
class Need:
    """An attribute of contacts that a recipe asks for.

    ``is_balance``: the person may see it in the shop, and its changes are kept and told to campaigns.
    """

    name: str
    kind: str
    labels: Mapping[str, str]
    is_balance: bool = False


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


def recipe(name: str, *, gifts: Mapping[str, int] | None = None) -> dict[str, Any]:
    """Return the definition of a recipe, as ``create_campaign`` takes it.

    Args:
        name: which.
        gifts: the coupon that each of its steps gives, as ``prepare`` made them; None: the same without these steps, as
            its mails read well without a code too.

    Raises:
        NotFound: when there is no such recipe.
    """
    definition = deepcopy(_read(name))
    del definition["about"]
    definition["steps"] = _written(definition["steps"], gifts or {})
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
        needs=tuple(Need(**one) for one in about.get("needs", ())),
    )


def prepare(name: str) -> dict[str, int]:
    """Declare the attributes that a recipe asks for, where they are not there, and make the coupons that it gives.

    Returns:
        The coupons by step, for ``recipe``: each time new ones, for what one campaign gives is not another's.

    Raises:
        NotFound: when there is no such recipe.
        InvalidInput: when an attribute of the name is of another kind.
    """
    about, language = about_recipe(name), merchant.load().default_language.partition("-")[0]
    declared = {(one.name, one.kind) for one in contacts.attributes()} if about.needs else set()
    for need in about.needs:
        if (need.name, need.kind) not in declared:
            shown = {"is_shown_to_customer": True, "keeps_history": True} if need.is_balance else {}
            contacts.declare_attribute(need.name, need.kind, need.labels.get(language, need.labels["en"]), **shown)
    return {
        step["id"]: _make(step["coupon"], about, language) for step in _all(_read(name)["steps"]) if "coupon" in step
    }


def _make(gift: Mapping[str, Any], about: About, language: str) -> int:
    """Make a coupon. People see its name, so it is what they get, in the merchant's language."""
    said = {key: value for key, value in gift.items() if key != "names"}
    names = gift.get("names", about.titles)
    return int(coupons.create_template(names.get(language, names["en"]), **said).pk)


@cache
def _read(name: str) -> dict[str, Any]:
    if name not in recipe_names():
        raise NotFound(f"There is no recipe {name!r}; there are: {', '.join(recipe_names())}.")
    return tomllib.loads(resources.files(__package__).joinpath(f"{name}.toml").read_text(encoding="utf-8"))


def _written(steps: Sequence[dict[str, Any]], gifts: Mapping[str, int]) -> list[dict[str, Any]]:
    """Turn the words of every Send step into its template and every gift into its coupon; without one, no such step."""
    kept = [step for step in steps if "coupon" not in step or step["id"] in gifts]
    for step in kept:
        if "mail" in step:
            step["template"] = template(step.pop("mail"), message_class=step.get("message_class", "marketing"))
        if "coupon" in step:
            step["coupon"] = gifts[step["id"]]
        for holder, way in _ways(step):
            holder[way] = _written(holder[way], gifts)
    return kept


def _all(steps: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Walk over the steps and those inside them."""
    for step in steps:
        yield step
        for holder, way in _ways(step):
            yield from _all(holder[way])


def _ways(step: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    """Return where a step holds steps: the object and its key."""
    inside = [(step, way) for way in ("then", "otherwise") if way in step]
    return inside + [(arm, "steps") for arm in step.get("arms", ()) if "steps" in arm]


__all__ = ["GROUPS", "About", "Need", "about_recipe", "prepare", "recipe", "recipe_names"]
