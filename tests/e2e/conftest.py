"""Fixtures of the tests that start real processes: a merchant, a liked product, a shop that runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from demo.services.mailsink import MailSink
from demo.services.processes import Processes

if TYPE_CHECKING:
    from crm_plugin.shop import ProductRef
    from tests.e2e.running import RunningShop
    from tests.shops.oscar.world import OscarWorld

#: What the shop's own code is warned of, by its dependencies and by newer Pythons.
THEIR_WARNINGS = ("ignore::treebeard.deprecation.RemovedInTreebeard8Warning", "ignore::SyntaxWarning")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here takes seconds; the shop's own code may use what its dependencies will drop."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.slow)
            for warning in THEIR_WARNINGS:
                item.add_marker(pytest.mark.filterwarnings(warning))


@pytest.fixture
def world(transactional_db: None) -> OscarWorld:
    """An empty Oscar shop whose rows other processes see."""
    from crm_plugin import merchant  # noqa: PLC0415 - Django must be set up first
    from tests.shops.oscar.world import OscarWorld  # noqa: PLC0415

    sender = {"sender_name": "Maru", "sender_email": "hello@maru.example", "postal_address": "12 Way, Seoul"}
    merchant.update(**sender, consent_text="You agreed to this.")
    return OscarWorld()


@pytest.fixture
def ref(world: OscarWorld) -> ProductRef:
    """A bowl for 48, with the price-drop recipe published and no time lost with waiting for further changes."""
    from crm_plugin import automations  # noqa: PLC0415 - Django must be set up first

    definition: dict[str, Any] = automations.recipe("liked_price_drop")
    definition["trigger"]["settle_seconds"] = 0
    automations.publish(automations.create_campaign(name="Price drop", definition=definition).pk)
    return world.make_product(prices=[Decimal("48.00")], stocks=[500], name="Celadon bowl")[0]


@pytest.fixture
def run_shop(tmp_path: Path, mail_sink: MailSink) -> Iterator[Callable[..., RunningShop]]:
    """Return a function that makes a shop whose processes end with the test; its arguments are environment."""
    from tests.e2e.running import RunningShop  # noqa: PLC0415 - Django must be set up first

    with Processes(tmp_path / "logs") as processes:
        yield lambda **options: RunningShop(processes, state=tmp_path, sink=mail_sink, options=options)
