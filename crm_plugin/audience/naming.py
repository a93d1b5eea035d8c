"""The names that people gave to what a rule refers to by id: products, groups, segments, attributes."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from crm_plugin import shop
from crm_plugin.audience.conditions import Condition, Known
from crm_plugin.audience.expanding import everything
from crm_plugin.shop import GroupKind, ProductRef

#: A rule may name thousands of products; sentences show the first few.
_MAX_LOOKED_UP = 200


def names_of(conditions: Iterable[Condition], known: Known, *, language: str) -> dict[str, str]:
    """Return the names by the keys that conditions use; what has none any more is left out."""
    keys = dict.fromkeys(key for root in conditions for one in everything(root) for key in one.names())
    by_kind: dict[str, list[str]] = {}
    for key in list(keys)[:_MAX_LOOKED_UP]:
        by_kind.setdefault(key.partition(":")[0], []).append(key)
    groups = [key for kind in GroupKind for key in by_kind.get(kind.value, ())]
    return {
        **_groups(groups, language=language),
        **_products(by_kind.get("product", ()), language=language),
        **_segments(by_kind.get("segment", ()), known),
        **(_attributes(known) if "attribute" in by_kind else {}),
    }


def _groups(keys: Collection[str], *, language: str) -> dict[str, str]:
    found = shop.current().groups(keys, language=language) if keys else {}
    return {key: group.path or group.name for key, group in found.items()}


def _products(keys: Collection[str], *, language: str) -> dict[str, str]:
    channels = shop.current().channels() if keys else ()
    if not channels:
        return {}
    refs = [ProductRef(key.partition(":")[2], channels[0].slug) for key in keys]
    cards = shop.current().product_cards(refs, language=language)
    return {key: cards[ref].name if ref in cards else ref.product_id for key, ref in zip(keys, refs, strict=True)}


def _segments(keys: Collection[str], known: Known) -> dict[str, str]:
    found = known.segments([int(key.partition(":")[2]) for key in keys])
    return {f"segment:{pk}": segment.name for pk, segment in found.items() if segment is not None}


def _attributes(known: Known) -> dict[str, str]:
    return {f"attribute:{name}": label or name for name, label in known.labels.items()}
