"""Nudges: quick, gathered, and harmless when the broker is away."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path

import pytest
from celery import Celery
from django.db import transaction

from crm_plugin import nudge, tasks
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


def test_of_many_nudges_that_wait_one_is_heeded(monkeypatch):
    monkeypatch.setattr(nudge, "_begun", {})
    done = []

    def work() -> None:
        done.append(1)

    waiting = [time.time() for _ in range(50)]
    for sent_at in waiting:
        nudge.heed("crm.pump", work, sent_at=sent_at)
    nudge.heed("crm.deliver", work, sent_at=waiting[0])
    time.sleep(0.01)
    nudge.heed("crm.pump", work, sent_at=time.time())
    nudge.heed("crm.pump", work)

    assert len(done) == 4


def test_a_nudge_that_was_sent_while_the_work_was_under_way_is_heeded(monkeypatch):
    monkeypatch.setattr(nudge, "_begun", {})
    sent: list[float] = []

    def work() -> None:
        time.sleep(0.01)
        sent.append(time.time())
        time.sleep(0.01)

    nudge.heed("crm.pump", work, sent_at=time.time())
    nudge.heed("crm.pump", work, sent_at=sent[0])

    assert len(sent) == 2


def test_a_nudge_says_when_it_was_sent_and_a_worker_takes_it(broker, monkeypatch):
    app, count = broker
    sender, begun = _Sender(), time.time()
    sender.app = app
    monkeypatch.setattr(nudge, "_begun", {})
    calls: list[str] = []
    for name in ("pump", "deliver", "call_webhooks", "watch_prices", "upkeep_audience"):
        monkeypatch.setattr(tasks.pipeline, name, lambda *_turn, name=name: calls.append(name))

    sender.want("crm.pump")
    count(at_least=1)
    folder = Path(app.conf.broker_transport_options["data_folder_in"])
    (message,) = (json.loads(path.read_text()) for path in folder.iterdir())
    _args, kwargs, _embed = json.loads(base64.b64decode(message["body"]))
    for task in (tasks.pump, tasks.deliver, tasks.call_webhooks, tasks.watch_prices, tasks.upkeep_audience):
        task(**kwargs)
        task(**kwargs)

    assert begun <= kwargs["sent_at"] <= time.time()
    assert calls == ["pump", "deliver", "call_webhooks", "watch_prices", "upkeep_audience"]
