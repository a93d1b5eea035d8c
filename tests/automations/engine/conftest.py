"""Fixtures of the engine's property tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from crm_plugin import shop


@pytest.fixture
def settings_of_the_engine(settings: Any) -> Iterator[None]:
    """Mail goes to the postbox that looks at it; batches are so small that a pass takes several."""
    settings.EMAIL_BACKEND = "tests.automations.engine.postbox.Postbox"
    settings.CRM_DRAIN_BATCH = 5
    settings.CRM_ADVANCE_BATCH = 4
    settings.CRM_DELIVER_BATCH = 4
    settings.CRM_HANDOUT_BATCH = 2
    before = shop.current()
    yield
    shop.install(before)


@pytest.fixture
def quick_commits(transactional_db: None) -> Iterator[None]:
    """Nobody waits for the disk: here processes of workers die, never the database's."""
    options = connection.settings_dict["OPTIONS"]
    before = options.get("options", "")
    options["options"] = f"{before} -c synchronous_commit=off".strip()
    connection.close()
    yield
    options["options"] = before
    connection.close()
