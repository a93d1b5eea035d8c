"""Ready-made definitions, one data file each."""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Any

from crm_plugin.errors import NotFound


def recipe(name: str) -> dict[str, Any]:
    """Return the definition in ``recipes/<name>.toml``, as ``create_campaign`` takes it.

    Raises:
        NotFound: when there is no such recipe.
    """
    if name not in recipe_names():
        raise NotFound(f"There is no recipe {name!r}; there are: {', '.join(recipe_names())}.")
    return tomllib.loads(resources.files(__package__).joinpath(f"{name}.toml").read_text(encoding="utf-8"))


def recipe_names() -> list[str]:
    """Return the names of the recipes."""
    files = resources.files(__package__).iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))
