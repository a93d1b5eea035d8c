"""``manage.py crm``, as an operator types it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from crm_plugin import activity, audience, clock, contacts, guard, merchant, pipeline
from crm_plugin.contacts import Person
from crm_plugin.management.commands import crm as crm_command
from crm_plugin.models import Activity, Contact, Enrollment, Inbox, Message, PriceWatch
from crm_plugin.shop import Fact, FactKind
from tests.fake_shop import FakeShop
from tests.stories import consenting, on, running

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parent.parent


def crm(*words: str) -> str:
    out = StringIO()
    call_command("crm", *words, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_run_once_does_everything_that_is_due_without_a_worker(fake_shop: FakeShop, smtp):
    running()
    customer = fake_shop.add_customer(email="ann@example.com")
    consenting(customer.customer_id)
    product = fake_shop.add_product(price=50)
    fake_shop.like(customer.customer_id, product.whole)
    crm("run", "--once")
    fake_shop.set_price(product.ref, 30)
    PriceWatch.objects.update(due_at=clock.now())

    said = crm("run", "--once")

    assert said == "crm run: stopped\n"
    assert len(smtp.letters) == 1


def test_run_once_ends_where_there_is_always_more_to_do(fake_shop: FakeShop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(crm_command, "ONCE_SECONDS", 0.05)
    monkeypatch.setattr(pipeline, "pump", lambda: 1)

    assert crm("run", "--once") == "crm run: more is left to do; run it again\ncrm run: stopped\n"


def test_backfill_reads_history_and_restarting_reads_nothing_twice(fake_shop: FakeShop):
    product = fake_shop.add_product(price=50)
    for _ in range(3):
        customer = fake_shop.add_customer()
        fake_shop.place_order(product.ref, customer_id=customer.customer_id)

    first = crm("backfill")
    second = crm("backfill")
    third = crm("backfill", "--restart")

    assert (first, second) == ("crm backfill: 6 facts read\n", "crm backfill: 0 facts read\n")
    assert third == first
    assert Contact.objects.filter(orders_count=1).count() == 3
    assert Activity.objects.filter(kind="ordered").count() == 3


def test_backfill_says_what_to_do_when_the_crm_is_off(fake_shop: FakeShop):
    fake_shop.is_enabled = False

    with pytest.raises(CommandError, match="switch it on first"):
        crm("backfill")


def test_erase_forgets_a_person_and_wants_to_know_whom(fake_shop: FakeShop):
    consenting("", "ann@example.com")

    said = crm("erase", "--email", " Ann@Example.com ")

    assert said == "crm erase: 1 contacts erased\n"
    assert Contact.objects.get().email is None
    with pytest.raises(CommandError, match="Say whom"):
        crm("erase")


def test_status_is_json_and_fails_when_somebody_should_look(fake_shop: FakeShop):
    healthy = json.loads(crm("status"))
    activity.record(Fact(kind=FactKind.VIEWED, source_key="v", customer_id="1"))
    waiting = json.loads(crm("status"))
    Inbox.objects.update(error="broken")

    with pytest.raises(CommandError, match="set aside"):
        crm("status")

    assert healthy["enabled"] is True
    assert (healthy["activity"]["inbox_rows"], waiting["activity"]["inbox_rows"]) == (0, 1)


def test_status_fails_when_a_hook_failed(fake_shop: FakeShop):
    @guard.guarded("test.hook")
    def hook() -> None:
        raise RuntimeError

    hook()

    with pytest.raises(CommandError, match="failed"):
        crm("status")


def test_status_names_what_waits_and_what_to_do_when_no_worker_runs(fake_shop: FakeShop):
    running(on("liked"))
    ann = fake_shop.add_customer(email="ann@example.com")
    consenting(ann.customer_id)
    fake_shop.like(ann.customer_id, fake_shop.add_product(price=50).whole)
    with clock.travel(by=timedelta(minutes=4)):
        soon = json.loads(crm("status"))["activity"]["inbox_oldest_seconds"]
    with clock.travel(by=timedelta(minutes=6)):
        with pytest.raises(CommandError, match=r"Work waits: facts .*crm\.pump.* s\. Does a worker run") as no_drain:
            crm("status")
        pipeline.pump()
        crm("status")
    with clock.travel(by=timedelta(minutes=12)):
        with pytest.raises(CommandError, match=r"Work waits: messages are due \(crm\.deliver;"):
            crm("status")
        fake_shop.is_enabled = False
        switched_off = json.loads(crm("status"))

    assert 240 <= soon < 300
    assert no_drain.value.returncode == 1
    assert switched_off["enabled"] is False


def test_status_says_what_went_wrong_and_retry_puts_it_right(fake_shop: FakeShop):
    @guard.guarded("test.hook")
    def hook() -> None:
        raise RuntimeError("no such thing")

    hook()
    activity.record(Fact(kind=FactKind.SIGNED_UP, source_key="s", customer_id="77", email="ann@example.com"))
    pk = Inbox.objects.get().pk
    Inbox.objects.update(error="ValueError('bad')\nDETAIL: ann@example.com")
    out = StringIO()

    with pytest.raises(CommandError, match="crm retry"):
        call_command("crm", "status", stdout=out)
    said = crm("retry")

    state = json.loads(out.getvalue())
    assert state["set_aside"] == {str(pk): "signed_up: ValueError('bad')"}
    assert state["last_failures"]["test.hook"].endswith("RuntimeError: no such thing")
    assert said == "crm retry: 1 facts in line again, 1 failed hooks forgotten\n"
    assert json.loads(crm("status"))["activity"]["inbox_rows"] == 1
    crm("run", "--once")
    assert Contact.objects.get().email == "ann@example.com"


def test_status_tells_a_segment_that_cannot_be_computed(fake_shop: FakeShop):
    segment = audience.create_segment("Broken", {"include": {"type": "everybody"}})
    healthy = json.loads(crm("status"))["audience"]
    audience.segments().filter(pk=segment.pk).update(error="It took longer than 300 seconds.")
    out = StringIO()

    with pytest.raises(CommandError, match="segments failed"):
        call_command("crm", "status", stdout=out)

    assert healthy == {
        "imports_open": 0,
        "segment_errors": {},
        "segments_building": 1,
        "sweep_oldest_seconds": 0.0,
        "touched_rows": 0,
    }
    errors = json.loads(out.getvalue())["audience"]["segment_errors"]
    assert errors == {str(segment.pk): "Broken: It took longer than 300 seconds."}


def test_run_once_builds_segments_and_follows(fake_shop: FakeShop):
    consenting("", "ann@example.com")
    audience.create_segment("Everybody", {"include": {"type": "everybody"}})
    audience.create_segment("List")

    crm("run", "--once")
    said = crm("segments")

    rows = [line.split() for line in said.splitlines()]
    assert [row[1:] for row in rows] == [["live", "ready", "1", "Everybody"], ["static", "ready", "0", "List"]]


def test_a_list_is_imported_from_a_file_and_refused_lines_are_told(fake_shop: FakeShop, tmp_path: Path):
    made = audience.create_segment("List")
    path = tmp_path / "people.csv"
    path.write_text("email\nann@example.com\nnonsense\n")

    tried = crm("import-list", str(made.pk), str(path), "--dry-run")
    nobody = Contact.objects.count()
    said = crm("import-list", str(made.pk), str(path))

    refused = "line 3: This is not an e-mail address.\n"
    assert tried == f"{refused}crm import-list: 1 would be added, 1 lines refused\n"
    assert said == f"{refused}crm import-list: 1 added, 1 lines refused\n"
    assert (nobody, Contact.objects.count()) == (0, 1)


@pytest.mark.parametrize(
    ("content", "said"), [("phone\n1\n", "Unknown columns: 'phone'"), (None, "No such file or directory")]
)
def test_a_list_that_cannot_be_imported_says_why(fake_shop: FakeShop, tmp_path: Path, content: str | None, said: str):
    made = audience.create_segment("List")
    path = tmp_path / "people.csv"
    if content is not None:
        path.write_text(content)

    with pytest.raises(CommandError, match=said):
        crm("import-list", str(made.pk), str(path))
    path.write_text("email\n")
    with pytest.raises(CommandError, match="no such segment"):
        crm("import-list", str(made.pk + 1), str(path))


def test_a_slow_segment_does_not_keep_run_from_working(fake_shop: FakeShop, monkeypatch: pytest.MonkeyPatch):
    is_building, may_end, has_pumped = threading.Event(), threading.Event(), threading.Event()

    def build() -> int:
        is_building.set()
        may_end.wait(30)
        return 0

    def pump() -> int:
        if is_building.is_set():
            has_pumped.set()
            os.kill(os.getpid(), signal.SIGTERM)
        return 0

    monkeypatch.setitem(crm_command._ASIDE, "crm.audience", build)
    monkeypatch.setattr(crm_command, "_WORK", {"crm.pump": pump})
    monkeypatch.setattr(crm_command, "STOP_SECONDS", 0.1)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        said = crm("run")
    finally:
        may_end.set()
        for number, handler in before.items():
            signal.signal(number, handler)

    assert has_pumped.is_set()
    assert said == "crm run: stopped\n"


def test_run_works_until_it_is_asked_to_stop():
    merchant.load().save()
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "demo.settings",
        "DATABASE_URL": _url_of_the_test_database(),
        "CRM_PUMP_SECONDS": "0.1",
        "DEMO_SEARCH": "ram",
    }
    activity.record(Fact(kind=FactKind.SIGNED_UP, source_key="s", customer_id="77", email="ann@example.com"))
    process = subprocess.Popen(
        [sys.executable, "-m", "django", "crm", "run"], cwd=ROOT, env=environment, stdout=subprocess.PIPE
    )
    try:
        end = time.monotonic() + 30
        while not Contact.objects.exists() and time.monotonic() < end and process.poll() is None:
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait(30)

    assert Contact.objects.get().email == "ann@example.com"
    assert (process.returncode, said) == (0, b"crm run: stopped\n")


def _url_of_the_test_database() -> str:
    row = connection.settings_dict
    return f"postgres://{row['USER']}:{row['PASSWORD']}@/{row['NAME']}?host={row['HOST']}&port={row['PORT'] or 5432}"


def test_dry_run_shows_who_would_get_what_and_the_totals(fake_shop: FakeShop):
    customer = fake_shop.add_customer(email="ann@example.com")
    consenting(customer.customer_id)
    fake_shop.add_customer(email="bob@example.com")
    contact = contacts.get_or_create(Person("", "bob@example.com"))
    everybody = {"include": {"type": "everybody"}}
    campaign = running({"type": "audience", "audience": everybody, "schedule": {"type": "daily", "at": "10:00"}})

    table = crm("dry-run", str(campaign.pk), "--days", "2", "--limit", "1")
    told = json.loads(crm("dry-run", str(campaign.pk), "--days", "2", "--json"))

    assert "… and 1 more" in table
    assert "2 foreseen of 2 runs" in table
    assert "mail                 skipped (no_consent): 1" in table
    assert {one["contact_id"]: one["outcome"] for one in told["foreseen"]}[contact.pk] == "skipped"
    assert not Enrollment.objects.exists()
    assert not Message.objects.exists()


def test_dry_run_of_a_campaign_that_there_is_not_says_so(fake_shop: FakeShop):
    with pytest.raises(CommandError, match="There is no such campaign") as refused:
        crm("dry-run", "404404")

    assert refused.value.returncode == 1


def test_dry_run_says_how_far_it_can_look(fake_shop: FakeShop):
    campaign = running()

    with pytest.raises(CommandError, match="`days` is between 1 and 31"):
        crm("dry-run", str(campaign.pk), "--days", "32")
