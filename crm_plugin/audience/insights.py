"""What merchants ask of products: bought A, and what else; put A into the cart, or looked at it, and did not buy it.

Each answer is a number of people (not of lines or units) and the rule of exactly those people: the list of customers,
an export and a segment are the same audience, asked of the same compiler. Only known contacts are counted, as
everywhere in audiences. The lists of products ask the same of every product, from the same sources as the conditions.

"Not bought" means never, whatever the window: ``days`` limits the looking and the putting into carts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.db import connection

from crm_plugin import clock
from crm_plugin.audience.asking import answered_within
from crm_plugin.audience.compiler import IS_KNOWN, count
from crm_plugin.audience.conditions import Ask, Known
from crm_plugin.audience.conditions.activities import Deed, What, in_window
from crm_plugin.audience.rule import AudienceRule
from crm_plugin.audience.windows import Within
from crm_plugin.conf import settings
from crm_plugin.errors import InvalidInput
from crm_plugin.shop import FactKind

MAX_PRODUCTS: Final = 100
MAX_DAYS: Final = 365
MAX_TIMES: Final = 1_000
#: The lists of products look at the carts and views of this time unless told otherwise.
DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class People:
    """How many, and the audience that they are."""

    count: int
    rule: AudienceRule


@dataclass(frozen=True, slots=True)
class BoughtAlso:
    """Of the ``buyers`` of one product, ``both`` bought another one too; ``share`` is 0 to 1."""

    buyers: int
    both: int
    share: float
    rule: AudienceRule


@dataclass(frozen=True, slots=True)
class OtherProduct:
    """A product that buyers of another one bought too: how many of them, and their share, 0 to 1."""

    product_id: str
    buyers: int
    share: float
    rule: AudienceRule


@dataclass(frozen=True, slots=True)
class WantedProduct:
    """A product and the people who wanted it and did not buy it."""

    product_id: str
    people: int
    rule: AudienceRule


def bought_also(product_id: str, other_id: str) -> BoughtAlso:
    """Of those who bought a product, how many bought the other one too?"""
    both = _co_purchase(product_id, other_id)
    bought = _rule(_did(FactKind.BOUGHT, product_id))
    with answered_within(settings().preview_seconds):
        buyers, shared = count(bought), count(both)
    return BoughtAlso(buyers, shared, _share(shared, buyers), both)


def also_bought(product_id: str, *, limit: int = 10) -> list[OtherProduct]:
    """What else did those buy who bought a product? Most buyers first."""
    _check_product(product_id)
    ask = _ask()
    mine = Deed(activity=FactKind.BOUGHT, what=What(products=(product_id,))).source(ask)
    product = ask.param(product_id, "text")
    rows = _answer(
        ask,
        f"""WITH buyers AS MATERIALIZED (
            SELECT c.id AS contact_id FROM crm_plugin_contact c
            WHERE {IS_KNOWN} AND c.id IN (SELECT contact_id {mine})
        )
        SELECT product_id, count(DISTINCT contact_id), (SELECT count(*) FROM buyers)
        FROM buyers JOIN (SELECT contact_id, product_id {_bought(ask)}) b USING (contact_id)
        WHERE product_id NOT IN ('', {product})""",  # noqa: S608
        limit=limit,
    )
    return [
        OtherProduct(other, people, _share(people, buyers), _co_purchase(product_id, other))
        for other, people, buyers in rows
    ]


def carted_not_bought(product_id: str, *, days: int | None = None) -> People:
    """Who put a product into the cart and did not buy it?"""
    return _people(_wanted(FactKind.CARTED, product_id, days=days))


def viewed_not_bought(product_id: str, *, times: int = 3, days: int | None = None) -> People:
    """Who looked at a product so often and did not buy it?"""
    return _people(_wanted(FactKind.VIEWED, product_id, times=times, days=days))


def products_carted_not_bought(*, days: int = DAYS, limit: int = 10) -> list[WantedProduct]:
    """Which products do most people put into the cart and not buy?"""
    return _products_wanted(FactKind.CARTED, times=1, days=days, limit=limit)


def products_viewed_not_bought(*, times: int = 3, days: int = DAYS, limit: int = 10) -> list[WantedProduct]:
    """Which products do most people look at so often and not buy?"""
    return _products_wanted(FactKind.VIEWED, times=times, days=days, limit=limit)


def _products_wanted(kind: FactKind, *, times: int, days: int, limit: int) -> list[WantedProduct]:
    _check_number(times, MAX_TIMES, field="times")
    window = Within.model_validate(_window(days)["window"])
    ask = _ask()
    wanted = f"SELECT contact_id, product_id {Deed(activity=kind).source(ask)}{in_window(ask, window)}"
    rows = _answer(
        ask,
        f"""SELECT w.product_id, count(*)
        FROM (
            SELECT contact_id, product_id FROM ({wanted}) d WHERE product_id <> ''
            GROUP BY contact_id, product_id HAVING count(*) >= {ask.param(times, "bigint")}
        ) w JOIN crm_plugin_contact c ON c.id = w.contact_id
        WHERE {IS_KNOWN} AND NOT EXISTS (
            SELECT 1 FROM (SELECT contact_id, product_id {_bought(ask)}) b
            WHERE b.contact_id = w.contact_id AND b.product_id = w.product_id)""",  # noqa: S608
        limit=limit,
    )
    return [WantedProduct(product, people, _wanted(kind, product, times=times, days=days)) for product, people in rows]


def _answer(ask: Ask, products: str, *, limit: int) -> list[tuple[Any, ...]]:
    """Run a SELECT of products, number of people, …: the ``limit`` products of most people."""
    _check_number(limit, MAX_PRODUCTS, field="limit")
    sql = f"{products} GROUP BY product_id ORDER BY 2 DESC, 1 LIMIT {ask.param(limit, 'bigint')}"
    with answered_within(settings().preview_seconds), connection.cursor() as cursor:
        cursor.execute(sql, ask.params)
        return list(cursor.fetchall())


def _ask() -> Ask:
    return Ask(Known(), now=clock.now())


def _bought(ask: Ask) -> str:
    """Return FROM and WHERE of what anybody bought, as the conditions read it."""
    return Deed(activity=FactKind.BOUGHT).source(ask)


def _people(rule: AudienceRule) -> People:
    with answered_within(settings().preview_seconds):
        return People(count(rule), rule)


def _wanted(kind: FactKind, product_id: str, *, times: int = 1, days: int | None = None) -> AudienceRule:
    _check_product(product_id)
    _check_number(times, MAX_TIMES, field="times")
    never = {**_did(FactKind.BOUGHT, product_id), "times": {"op": "at_most", "count": 0}}
    return _rule(_did(kind, product_id, times=times, days=days), never)


def _did(kind: FactKind, product_id: str, *, times: int = 1, days: int | None = None) -> dict[str, Any]:
    return {
        "type": "did",
        "activity": kind.value,
        "times": {"op": "at_least", "count": times},
        "what": {"products": [product_id]},
        **({} if days is None else _window(days)),
    }


def _window(days: int) -> dict[str, Any]:
    _check_number(days, MAX_DAYS, field="days")
    return {"window": {"type": "within", "amount": days, "unit": "days"}}


def _co_purchase(product_id: str, other_id: str) -> AudienceRule:
    _check_product(product_id)
    _check_product(other_id, field="other_id")
    return _rule({"type": "co_purchase", "product": product_id, "other": other_id})


def _rule(*conditions: dict[str, Any]) -> AudienceRule:
    include = conditions[0] if len(conditions) == 1 else {"type": "all", "of": list(conditions)}
    return AudienceRule.parse({"include": include})


def _check_product(product_id: str, *, field: str = "product_id") -> None:
    if not 1 <= len(product_id) <= 64 or "\0" in product_id:
        raise InvalidInput("A product id has 1 to 64 characters.", field=field)


def _check_number(value: int, most: int, *, field: str) -> None:
    if not 1 <= value <= most:
        raise InvalidInput(f"A number from 1 to {most:,} is wanted.", field=field)


def _share(some: int, everyone: int) -> float:
    return some / everyone if everyone else 0.0
