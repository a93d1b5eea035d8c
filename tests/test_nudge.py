"""Nudges: quick, gathered, and harmless when the broker is away."""

from __future__ import annotations

import time

import pytest
from celery import Celery
from django.db import transaction

from crm_plugin import nudge
from crm_plugin.nudge import _Sender


@pytest.fixture
def broker(tmp_path, settings, monkeypatch):
    """A Celery app whose messages land in a folder, and a function that counts them."""
    settings.CRM_NUDGE_SECONDS = 0.3
    monkeypatch.delenv("CELERY_BROKER_URL")  # it would win over the argument
    app = Celery("nudged", broker="filesystem://", set_as_current=False)
    folder = tmp_path / "queue"
    folder.mkdir()
    app.conf.broker_transport_options = {
        "data_folder_in": str(folder),
        "data_folder_out": str(folder),
        "control_folder": str(tmp_path / "control"),
    }

    def count(*, at_least: int = 0) -> int:
        end = time.monotonic() + 5
        while time.monotonic() < end and len(list(folder.iterdir())) < at_least:
            time.sleep(0.02)
        return len(list(folder.iterdir()))

    return app, count


def test_nudges_close_together_are_one_and_the_last_one_is_not_lost(broker):
    app, count = broker
    sender = _Sender()
    sender.app = app

    sender.want("crm.pump")
    first = count(at_least=1)
    for _ in range(50):
        sender.want("crm.pump")
    later = count(at_least=2)
    time.sleep(0.5)

    assert (first, later, count()) == (1, 2, 2)


def test_a_broker_that_is_away_costs_no_time_and_is_left_alone_for_a_while(settings, caplog, monkeypatch):
    monkeypatch.delenv("CELERY_BROKER_URL")
    settings.CRM_BROKER_PAUSE_SECONDS = 60
    sender = _Sender()
    sender.app = Celery("nudged", broker="amqp://guest@127.0.0.1:9//", set_as_current=False)

    start = time.monotonic()
    for _ in range(100):
        sender.want("crm.pump")
    seconds = time.monotonic() - start
    end = time.monotonic() + 10
    while "broker not reached" not in caplog.text and time.monotonic() < end:
        time.sleep(0.02)
    sender.want("crm.pump")
    time.sleep(0.2)

    assert seconds < 1
    assert len([record for record in caplog.records if "broker not reached" in record.message]) == 1


@pytest.mark.django_db(transaction=True)
def test_a_nudge_waits_for_the_commit(monkeypatch):
    nudged: list[str] = []
    monkeypatch.setattr(nudge, "now", nudged.append)

    with transaction.atomic():
        nudge.after_commit("crm.pump")
        inside = list(nudged)

    assert (inside, nudged) == ([], ["crm.pump"])
