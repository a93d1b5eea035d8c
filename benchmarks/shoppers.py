"""``python -m benchmarks.shoppers FIRST COUNT A_SECOND PRODUCT …``: people who each look at, or like, a product.

Stands for one process of the shop's web server. It says that it is up by a line, begins with the first line that it
reads, acts evenly in time, and says at its end who liked when: the e-mail address, and the seconds since 1970 before
``record`` was called.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from typing import Final

import django

#: So many people act for one who likes what they see; the others only look.
LIKES_EVERY: Final = 5


def likes(number: int) -> bool:
    """Whether a person likes what they see."""
    return number % LIKES_EVERY == 0


def email_of(number: int) -> str:
    """Return the address of a person."""
    return f"person{number}@example.com"


def main(people: range, a_second: float, products: Sequence[str]) -> None:
    """Wait for the word, and record."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "demo.settings")
    django.setup()
    from django.db import connection  # noqa: PLC0415 - needs Django to be ready

    connection.ensure_connection()
    print("up", flush=True)
    sys.stdin.readline()
    for email, at in _act(people, a_second, products):
        print(email, at)


def _act(people: range, a_second: float, products: Sequence[str]) -> list[tuple[str, float]]:
    from crm_plugin import activity  # noqa: PLC0415 - needs Django to be ready
    from crm_plugin.shop import Fact, FactKind  # noqa: PLC0415

    start, liked = time.perf_counter(), []
    for turn, number in enumerate(people):
        time.sleep(max(0.0, start + turn / a_second - time.perf_counter()))
        fact = Fact(
            kind=FactKind.LIKED if likes(number) else FactKind.VIEWED,
            source_key=f"bench:{number}",
            email=email_of(number),
            product_id=products[number % len(products)],
            shop_channel="default",
        )
        if likes(number):
            liked.append((email_of(number), time.time()))
        activity.record(fact)
    return liked


if __name__ == "__main__":
    main(range(int(sys.argv[1]), int(sys.argv[1]) + int(sys.argv[2])), float(sys.argv[3]), sys.argv[4:])
