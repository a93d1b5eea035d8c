"""The shop itself, in the order in which its parts need each other."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from oscar.core.loading import get_model

from demo.seeding import catalogue, people, places, trade
from demo.seeding.people import People

Product = get_model("catalogue", "Product")


def is_filled() -> bool:
    """Whether there is a shop already."""
    return bool(Product.objects.exists())


def fill_shop(
    chance: Random, *, domain: str, customers: int, orders: int, products: int | None, say: Callable[[str], None]
) -> People:
    """Fill an empty shop; ``products`` limits each category, None takes all."""
    now = places.make_places(domain)
    goods = catalogue.make_catalogue(chance, limit=products, say=say)
    everybody = people.make_people(chance, count=customers, now=now)
    say(f"{customers} customers")
    # The people of the story have a quiet past: nothing that would get in the way of what is told.
    others = everybody.others
    trade.make_orders(chance, customers=others, products=goods, count=orders, now=now)
    trade.make_past(chance, cast=everybody.cast, products=goods, now=now)
    say(f"{orders} orders over a year")
    lines = trade.make_wishlists(chance, customers=others, products=goods, now=now)
    say(f"{lines} products on wishlists")
    return everybody
