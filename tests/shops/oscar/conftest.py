"""Fixtures of the tests of the Oscar adapter: a real Oscar shop, and what it told the engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from crm_plugin.models import Inbox
    from tests.shops.oscar.world import OscarWorld

#: What the shop's own code is warned of, by its dependencies and by newer Pythons.
THEIR_WARNINGS = (
    "ignore::treebeard.deprecation.RemovedInTreebeard8Warning",
    "ignore::SyntaxWarning",
    "ignore:Whoosh does not handle query faceting",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the shop's own code use what its dependencies will drop; ours may not."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            for warning in THEIR_WARNINGS:
                item.add_marker(pytest.mark.filterwarnings(warning))


@pytest.fixture
def world(db: None) -> OscarWorld:
    """An empty Oscar shop."""
    from tests.shops.oscar.world import OscarWorld  # noqa: PLC0415 - Oscar's models need Django set up

    return OscarWorld()


@pytest.fixture
def told(db: None) -> Callable[..., list[Inbox]]:
    """What the shop told the engine since the last call, oldest first."""
    from crm_plugin.models import Inbox  # noqa: PLC0415

    def tell(**conditions: Any) -> list[Inbox]:
        rows = list(Inbox.objects.order_by("pk"))
        Inbox.objects.all().delete()
        return [row for row in rows if all(getattr(row, name) == value for name, value in conditions.items())]

    return tell
