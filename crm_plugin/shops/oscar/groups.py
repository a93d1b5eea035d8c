"""Categories, which are a tree in Oscar; it has no collections.

A category's ``path`` is made of the paths of those above it, so that one query finds all of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from django.utils.translation import override
from oscar.core.loading import get_model

from crm_plugin.shop import Group, GroupKind
from crm_plugin.shops.oscar.keys import primary_keys

Category = get_model("catalogue", "Category")
Product = get_model("catalogue", "Product")

_PREFIX = f"{GroupKind.CATEGORY}:"


def product_groups(product_ids: Collection[str]) -> Mapping[str, frozenset[str]]:
    """Return the keys of the categories that each product is in, and of those above them."""
    pks = primary_keys(Product, product_ids)
    rows = Product.objects.filter(pk__in=pks, parent=None).order_by().values_list("pk", "categories__path")
    paths: dict[int, set[str]] = {}
    for pk, path in rows:
        paths.setdefault(pk, set()).update(_line(path) if path else ())
    wanted = {path for found in paths.values() for path in found}
    keys = {path: f"{_PREFIX}{pk}" for pk, path in Category.objects.filter(path__in=wanted).values_list("pk", "path")}
    return {str(pk): frozenset(keys[path] for path in found if path in keys) for pk, found in paths.items()}


def groups(keys: Collection[str], *, language: str) -> Mapping[str, Group]:
    """Return the categories by key."""
    return {group.key: group for group in _named(Category.objects.filter(pk__in=category_keys(keys)), language)}


def category_keys(keys: Collection[str]) -> set[Any]:
    """Return the primary keys of the categories that group keys name."""
    return primary_keys(Category, (key.removeprefix(_PREFIX) for key in keys if key.startswith(_PREFIX)))


def search_groups(text: str, *, language: str, limit: int) -> Sequence[Group]:
    """Return the categories whose name contains ``text``, by name."""
    with override(language or None):
        return _named(Category.objects.filter(name__icontains=text).order_by("name", "pk")[:limit], language)


def _named(rows: Iterable[Any], language: str) -> list[Group]:
    found = list(rows)
    with override(language or None):
        above = Category.objects.filter(path__in={path for row in found for path in _line(row.path)})
        names = {row.path: row.name for row in above}
    return [
        Group(GroupKind.CATEGORY, str(row.pk), names[row.path], " / ".join(names[path] for path in _line(row.path)))
        for row in found
        if all(path in names for path in _line(row.path))
    ]


def _line(path: str) -> list[str]:
    """Return the paths of the categories from the top down to this one."""
    return [path[:end] for end in range(Category.steplen, len(path) + 1, Category.steplen)]
