"""Categories and collections, in a fixed number of queries whatever is asked for.

Of a category's tree all rows are read: who is above whom is what ``parent`` says, not the numbers that MPTT derives.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from django.db.models import Q, QuerySet
from saleor.product import models as product
from saleor.product.models import Category, CategoryTranslation, CollectionProduct, CollectionTranslation, Product

from crm_plugin.shop import Group, GroupKind
from crm_plugin.shops.saleor import marks
from crm_plugin.shops.saleor.cards import translated
from crm_plugin.shops.saleor.people import as_pks


def product_groups(product_ids: Collection[str]) -> dict[str, frozenset[str]]:
    """Return the keys of each product's category, of those above it, and of its collections."""
    rows = dict(Product.objects.filter(pk__in=as_pks(product_ids)).order_by().values_list("pk", "category_id"))
    tree = _tree({pk for pk in rows.values() if pk is not None})
    found = {pk: {_key(GroupKind.CATEGORY, one) for one in _line(category, tree)} for pk, category in rows.items()}
    listed = CollectionProduct.objects.filter(product_id__in=rows).order_by()
    for pk, collection in listed.values_list("product_id", "collection_id"):
        found[pk].add(_key(GroupKind.COLLECTION, collection))
    return {str(pk): frozenset(keys) for pk, keys in found.items()}


def groups(keys: Collection[str], *, language: str) -> dict[str, Group]:
    """Return the groups by key."""
    found = [
        *_categories(pks_of(keys, GroupKind.CATEGORY), language=language),
        *_collections(pks_of(keys, GroupKind.COLLECTION), language=language),
    ]
    return {group.key: group for group in found}


def search_groups(text: str, *, language: str, limit: int) -> list[Group]:
    """Return the groups whose name, in any language, contains ``text``, by name."""
    found = [
        *_categories(_matching(Category.objects.all(), text, limit), language=language),
        *_collections(_matching(_of_goods(), text, limit), language=language),
    ]
    return sorted(found, key=lambda group: (group.name.lower(), group.key))[:limit]


def with_those_below(keys: Collection[str]) -> set[int]:
    """Return the primary keys of the categories among the keys, and of all that are below one of them."""
    wanted = set(pks_of(keys, GroupKind.CATEGORY))
    tree = _tree(wanted)
    return {pk for pk in tree if not wanted.isdisjoint(_line(pk, tree))}


def _of_goods() -> QuerySet[Any]:
    return product.Collection.objects.exclude(private_metadata__has_key=marks.NOWHERE)


def _matching(among: QuerySet[Any], text: str, limit: int) -> list[int]:
    by_name = Q(name__icontains=text) | Q(translations__name__icontains=text)
    rows = among.filter(by_name).order_by("name", "pk").values_list("pk", "name").distinct()
    return [pk for pk, _name in rows[:limit]]


def _categories(pks: Collection[int], *, language: str) -> Iterator[Group]:
    tree = _tree(pks)
    own = {pk: name for pk, (_parent, name) in tree.items()}
    names = own | translated(CategoryTranslation, "category_id", own, language=language)
    for pk in pks:
        if pk in tree:
            path = " / ".join(names[one] for one in reversed(_line(pk, tree)))
            yield Group(GroupKind.CATEGORY, str(pk), names[pk], path)


def _collections(pks: Collection[int], *, language: str) -> Iterator[Group]:
    own = dict(product.Collection.objects.filter(pk__in=list(pks)).order_by().values_list("pk", "name"))
    names = own | translated(CollectionTranslation, "collection_id", own, language=language)
    for pk, name in names.items():
        yield Group(GroupKind.COLLECTION, str(pk), name, name)


def _tree(pks: Collection[int]) -> dict[int, tuple[int | None, str]]:
    """Return parent and name of the categories and of all in the same trees."""
    trees = Category.objects.filter(pk__in=list(pks)).order_by().values("tree_id")
    rows = Category.objects.filter(tree_id__in=trees).order_by().values_list("pk", "parent_id", "name")
    return {pk: (parent, name) for pk, parent, name in rows}


def _line(pk: int | None, tree: Mapping[int, tuple[int | None, str]]) -> list[int]:
    """Return the category and those above it, from the bottom up."""
    found: list[int] = []
    while pk is not None and pk in tree and pk not in found:
        found.append(pk)
        pk = tree[pk][0]
    return found


def pks_of(keys: Collection[str], kind: GroupKind) -> list[int]:
    """Return the primary keys in the keys of groups of this kind."""
    parts = (key.partition(":") for key in keys)
    return as_pks([value for name, _colon, value in parts if name == kind])


def _key(kind: GroupKind, pk: int) -> str:
    return f"{kind}:{pk}"
