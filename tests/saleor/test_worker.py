"""Saleor's worker and beat find the CRM's tasks by themselves."""

from __future__ import annotations

import pytest
from django.conf import settings
from saleor.celeryconf import app
from saleor.core.tasks import RestrictWriterDBTask

from crm_plugin import beat

pytestmark = pytest.mark.saleor

TASKS = (
    "crm.audience",
    "crm.deliver",
    "crm.housekeep",
    "crm.pump",
    "crm.reconcile",
    "crm.watch_prices",
    "crm.webhooks",
)


def test_every_task_is_registered_as_saleors_kind_of_task() -> None:
    app.loader.import_default_modules()

    for name in TASKS:
        assert isinstance(app.tasks[name], RestrictWriterDBTask)


def test_every_task_is_in_saleors_schedule_and_expires_before_it_piles_up() -> None:
    ours = {key: entry for key, entry in app.conf.beat_schedule.items() if entry["task"].startswith("crm.")}

    assert ours == beat.entries()
    assert {entry["task"] for entry in ours.values()} == set(TASKS)
    assert all(entry["options"]["expires"] > 0 for entry in ours.values())


@pytest.mark.django_db
@pytest.mark.parametrize("name", TASKS)
def test_every_task_runs_with_the_plugin_on_and_off(name: str, crm: object, configure: object) -> None:
    app.tasks[name].delay()

    configure(active=False)  # type: ignore[operator]

    app.tasks[name].delay()


def test_these_tests_refuse_the_writer_where_it_was_not_asked_for() -> None:
    assert settings.CELERY_RESTRICT_WRITER_METHOD == "saleor.core.db.connection.restrict_writer"
    assert "saleor.core.db.connection.restrict_writer_middleware" in settings.MIDDLEWARE
