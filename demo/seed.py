"""Fill an empty demo database: ``python -m demo.seed --domain 127.0.0.1:8000``."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import django
from django.db import transaction


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of everything; ``products`` limits each category, None takes all."""

    customers: int = 400
    orders: int = 900
    products: int | None = None


def seed(*, domain: str, scale: Scale | None = None, say: Callable[[str], None] = print) -> None:
    """Fill an empty database: the shop in one transaction, then what the CRM learns of it.

    Args:
        domain: host and port of the storefront, for the links in mails.
        scale: how much; a shop that looks like one when left out.
        say: told what was done, line by line.

    Raises:
        SystemExit: the database has been filled before.
    """
    from demo.seeding import marketing  # noqa: PLC0415 - Django must be set up first
    from demo.seeding.shop import fill_shop, is_filled  # noqa: PLC0415

    if is_filled():
        raise SystemExit("The database is not empty: the demo fills only an empty one. Name another in DATABASE_URL.")
    size = scale or Scale()
    chance = Random(2026)
    with transaction.atomic():
        people = fill_shop(
            chance, domain=domain, customers=size.customers, orders=size.orders, products=size.products, say=say
        )
    marketing.fill_settings()
    marketing.learn_history(say=lambda line: say(f"The CRM read the history: {line}"))
    agreed = marketing.ask_for_consent(chance, people=people)
    say(f"{agreed} of {len(people.customers)} customers agreed to e-mail")
    marketing.publish_campaign()
    say(f"Campaign published: {marketing.CAMPAIGN_NAME}")


def main() -> None:
    """Seed the database that ``DATABASE_URL`` names."""
    parser = argparse.ArgumentParser(prog="python -m demo.seed", description=__doc__)
    parser.add_argument("--domain", default="127.0.0.1:8000", help="host and port of the storefront")
    parser.add_argument("--customers", type=int, default=Scale().customers)
    parser.add_argument("--orders", type=int, default=Scale().orders)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "demo.settings")
    django.setup()
    started = time.monotonic()
    seed(domain=options.domain, scale=Scale(customers=options.customers, orders=options.orders))
    print(f"Seeded in {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    main()
