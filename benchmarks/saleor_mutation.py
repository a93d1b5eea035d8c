"""``make bench-saleor``: row 1 in a real Saleor: its own mutations with the plugin on and off, by turns.

Run by Saleor's interpreter, through Saleor's view, with real commits, in a copy of the database that
``make test-saleor`` made, which is dropped afterwards. Off means installed and switched off in the dashboard.

    python -m benchmarks.saleor_mutation [mutation ...]
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, Final

RESULT: Final = Path(__file__).resolve().parents[1] / "build" / "bench_saleor.json"
TURNS: Final = 150
WARMING: Final = 10
#: The most that a mutation may take, as a multiple of itself with the plugin off.
KEEP: Final = {
    "checkoutEmailUpdate": 1.03,
    "checkoutLinesAdd": 1.03,
    "accountUpdate": 1.03,
    "productVariantChannelListingUpdate": 1.03,
    "checkoutComplete": 1.03,
}

EMAIL = """
mutation($id: ID!, $email: String!) { checkoutEmailUpdate(id: $id, email: $email) {
  checkout { id } errors { field code message } } }
"""
ACCOUNT = """
mutation($name: String!) { accountUpdate(input: {firstName: $name}) { user { id } errors { field code message } } }
"""


@contextmanager
def database() -> Iterator[None]:
    """Point Django at a copy of the database of the tests, as long as this lasts."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.saleor.settings")
    import django  # noqa: PLC0415 - with the settings named

    django.setup()
    from django.conf import settings  # noqa: PLC0415
    from django.db import connections  # noqa: PLC0415
    from django.test.utils import setup_test_environment  # noqa: PLC0415
    from saleor.tests.utils import prepare_test_db_connections  # noqa: PLC0415

    setup_test_environment()
    prepare_test_db_connections()
    default = connections[settings.DATABASE_CONNECTION_DEFAULT_NAME]
    source, copy = f"test_{default.settings_dict['NAME']}", f"bench_{default.settings_dict['NAME']}"

    def administer(statement: str) -> None:
        with default._nodb_cursor() as cursor:
            cursor.execute(statement)

    administer(f'DROP DATABASE IF EXISTS "{copy}"')
    administer(f'CREATE DATABASE "{copy}" TEMPLATE "{source}"')
    for connection in connections.all():
        connection.close()
        connection.settings_dict["NAME"] = copy
    try:
        yield
    finally:
        connections.close_all()
        administer(f'DROP DATABASE "{copy}" WITH (FORCE)')


def mutations() -> Mapping[str, Callable[[], Callable[[], object]]]:
    """Return by name what prepares one call of a mutation and returns that call."""
    from saleor.account.models import User  # noqa: PLC0415 - Django is ready only now
    from saleor.site.models import SiteSettings  # noqa: PLC0415

    from crm_plugin import shop  # noqa: PLC0415
    from tests.saleor import asking, checkout, ground  # noqa: PLC0415

    switch(is_on=True)
    world = ground.lay(shop.current())
    world.channel.allow_unpaid_orders = True
    world.channel.save()
    SiteSettings.objects.update(limit_quantity_per_checkout=None)
    mug, bowl = (world.make_product(prices=[Decimal(20)], stocks=[10**6], name=name)[0] for name in ("Mug", "Bowl"))
    guest, staff = asking.anybody(), asking.staff("manage_products")
    account = asking.customer(User.objects.create(email="ann@example.com", is_confirmed=True).pk)
    cart = checkout.start(guest, mug, bowl, email="gus@example.com")["id"]
    lines = [{"variantId": asking.gid("ProductVariant", mug.variant_id), "quantity": 1}]
    numbers = count(1)

    def complete() -> Callable[[], object]:
        key = checkout.deliver(guest, mug, bowl, email=f"gus{next(numbers)}@example.com")["id"]
        return lambda: asking.ask(guest, checkout.COMPLETE, id=key)

    def price() -> Callable[[], object]:
        amount = str(20 + next(numbers) % 2)
        return lambda: asking.set_price(staff, mug.variant_id, world.channel.pk, amount)

    def email() -> Callable[[], object]:
        address = f"gus{next(numbers)}@example.com"
        return lambda: asking.ask(guest, EMAIL, id=cart, email=address)

    return {
        "checkoutEmailUpdate": email,
        "checkoutLinesAdd": lambda: lambda: asking.ask(guest, checkout.ADD, id=cart, lines=lines),
        "accountUpdate": lambda: lambda: asking.ask(account, ACCOUNT, name=f"Ann {next(numbers)}"),
        "productVariantChannelListingUpdate": price,
        "checkoutComplete": complete,
    }


def switch(*, is_on: bool) -> None:
    """Switch the plugin, as the dashboard does."""
    from saleor.plugins.models import PluginConfiguration  # noqa: PLC0415 - Django is ready only when this is called

    from crm_plugin.shops.saleor import configuration  # noqa: PLC0415

    PluginConfiguration.objects.update_or_create(
        identifier=configuration.PLUGIN_ID, channel=None, defaults={"name": "CRM", "active": is_on, "configuration": []}
    )
    configuration.forget()


def measure(prepare: Callable[[], Callable[[], object]]) -> tuple[float, float]:
    """Return the median seconds of a mutation with the plugin on, and off."""
    from benchmarks.measuring import by_turns, timed  # noqa: PLC0415 - beside what needs Django
    from crm_plugin.shops.saleor import configuration  # noqa: PLC0415

    def once(*, is_on: bool) -> float:
        switch(is_on=is_on)
        call = prepare()
        configuration.load()  # as in a process that serves: it is read anew every two seconds
        return timed(call)

    by_turns(lambda: once(is_on=True), lambda: once(is_on=False), times=WARMING)
    return by_turns(lambda: once(is_on=True), lambda: once(is_on=False), times=TURNS)


def statements(prepare: Callable[[], Callable[[], object]]) -> tuple[int, int]:
    """Return how many statements one call sends with the plugin on, and off."""
    from django.db import connections  # noqa: PLC0415 - as above
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

    found = []
    for is_on in (True, False):
        switch(is_on=is_on)
        call: Any = prepare()
        with CaptureQueriesContext(connections["default"]) as captured:
            call()
        found.append(len(captured))
    return found[0], found[1]


def main(names: list[str]) -> int:
    """Measure the mutations named, or all; return the exit code."""
    with database():
        from benchmarks.measuring import at_most  # noqa: PLC0415
        from crm_plugin.models import Inbox  # noqa: PLC0415

        measured = []
        for name, prepare in mutations().items():
            if names and name not in names:
                continue
            before = Inbox.objects.count()
            row = at_most(name, measure(prepare), KEEP[name])
            if Inbox.objects.count() < before + TURNS:
                raise RuntimeError(f"{name}: the CRM recorded too little while it was on")
            on, off = statements(prepare)
            print(
                f"  {row.line()}  {(row.ours - row.limit) * 1_000_000:+.0f} us, {on} statements for {off}", flush=True
            )
            measured.append(row)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps([asdict(row) for row in measured], indent=2) + "\n")
    return 0 if all(row.ok for row in measured) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
