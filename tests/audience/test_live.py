"""Segments in the whole way: from a fact to a member, to the campaign that waits for members; with two workers too."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from crm_plugin import activity, audience, clock, contacts, persons, pipeline
from crm_plugin.audience import Segment
from crm_plugin.models import Activity, Enrollment, Inbox, Member, Message, Touched
from crm_plugin.shop import Fact, FactKind
from tests.audience.living import EVERYBODY, did, does, emails, guest, is_in, live, quiet, should_be, told, within
from tests.fake_shop import FakeShop
from tests.fake_trade import order_facts
from tests.stories import consenting, on, running
from tests.together import together

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("fake_shop")]
ROUNDS = 4


def fresh(segment: Segment) -> Segment:
    return audience.segments().get(pk=segment.pk)


@pytest.mark.feature(38)
def test_who_comes_to_meet_the_rule_is_a_member_within_a_minute(fake_shop: FakeShop) -> None:
    product = fake_shop.add_product(price=50)
    rule = {"type": "spent", "currency": "EUR", "op": "gte", "value": 100}
    segment = live("Spent a hundred", rule, did("liked"))
    later = fake_shop.add_customer(email="later@example.com")
    small = fake_shop.add_customer(email="small@example.com")

    told_at = time.monotonic()
    for customer, quantity in ((later, 2), (small, 1)):
        order = fake_shop.place_order(product.ref, customer_id=customer.customer_id, quantity=quantity)
        activity.record_many(order_facts(order))
    pipeline.pump()

    assert emails(segment) == ["later@example.com"]
    assert time.monotonic() - told_at < 60


@pytest.mark.feature(55)
def test_a_hard_bounce_leaves_every_list_within_a_minute() -> None:
    lists = [audience.create_segment(name) for name in ("News", "Sale")]
    ann = guest("ann@example.com")
    for made in lists:
        audience.add_members(made.pk, [ann, guest("ben@example.com")])
    pipeline.pump()

    bounced_at = time.monotonic()
    contacts.suppress("ann@example.com", channel="email", reason="hard_bounce")
    pipeline.pump()

    assert [emails(made) for made in lists] == [["ben@example.com"]] * 2
    assert time.monotonic() - bounced_at < 60


def test_a_campaign_that_waits_for_members_mails_who_joins_and_not_who_was_there(
    smtp: Any, fake_shop: FakeShop
) -> None:
    product = fake_shop.add_product(price=50)
    consenting("", "old@example.com")
    consenting("", "new@example.com")
    does("old@example.com", "liked", product_id=product.product_id, shop_channel="default")
    pipeline.pump()
    segment = live("Likers", did("liked"))
    running(on("segment_joined", reentry="once"))

    does("new@example.com", "liked", product_id=product.product_id, shop_channel="default")
    pipeline.pump()
    pipeline.deliver()
    quiet()
    pipeline.deliver()

    assert emails(segment) == ["new@example.com", "old@example.com"]
    assert [letter.recipients for letter in smtp.letters] == [("new@example.com",)]
    assert Message.objects.get().state == "sent"


def test_a_campaign_can_wait_for_who_lapses_by_time_alone(smtp: Any, fake_shop: FakeShop) -> None:
    fake_shop.add_product(price=50)
    consenting("", "ann@example.com")
    does("ann@example.com", "searched", subject="bowl")
    pipeline.pump()
    live("Lapsed", did("searched", window={"type": "before", "amount": 2, "unit": "hours"}))
    running(on("segment_joined"))
    with clock.travel(by=timedelta(hours=1)):
        quiet()
        early = Enrollment.objects.count()
    with clock.travel(by=timedelta(hours=2, minutes=1)):
        quiet()

    assert (early, Enrollment.objects.count()) == (0, 1)


def test_an_import_starts_the_campaign_that_waits_for_it(smtp: Any) -> None:
    consenting("", "ann@example.com")
    made = audience.create_segment("List")
    running(on("segment_joined"))

    audience.start_import(made.pk, b"email\nann@example.com\nnobody-agreed@example.com\n")
    quiet()
    pipeline.deliver()

    assert [letter.recipients for letter in smtp.letters] == [("ann@example.com",)]


@pytest.fixture
def small_batches(settings: Any) -> None:
    """Many transactions, so that two workers meet in all of them."""
    settings.CRM_DRAIN_BATCH = 7
    settings.CRM_FOLLOW_BATCH = 5


def make_sweeps_due() -> None:
    """Let an hour pass for those who look what time has changed, and for nobody else."""
    audience.segments().update(swept_at=clock.now() - timedelta(hours=1))


def people(count: int = 12) -> list[str]:
    return [f"{n}@example.com" for n in range(count)]


def check(*segments: Segment) -> None:
    """What must hold when all is quiet: the members are the rule's, counted right, and every change was told once."""
    assert (Inbox.objects.count(), Touched.objects.count()) == (0, 0)
    for segment in segments:
        assert is_in(segment) == should_be(segment)
        assert fresh(segment).members_count == len(is_in(segment))
        changes = Counter(told(segment))
        for email in {email for _kind, email in changes}:
            joins, leaves = changes["segment_joined", email], changes["segment_left", email]
            assert joins - leaves in (0, 1), email


@pytest.mark.usefixtures("small_batches")
def test_two_workers_follow_without_losing_or_doubling_anything() -> None:
    likers = live("Likers", did("liked", window=within(1)))
    few = live("Few", {"type": "not", "of": did("liked", times={"op": "at_least", "count": ROUNDS})}, did("searched"))
    for number in range(ROUNDS):
        for email in people():
            does(email, "liked", key=str(number), product_id="1")
        does(f"{number}@example.com", "searched", key=str(number), subject="bowl")
        make_sweeps_due()
        together(pipeline.pump, pipeline.pump, pipeline.upkeep_audience)
        make_sweeps_due()
        together(pipeline.pump, pipeline.upkeep_audience)
    quiet()

    check(likers, few)
    assert sorted(told(likers)) == sorted(("segment_joined", email) for email in people())
    keys = Activity.objects.filter(kind__in=("segment_joined", "segment_left")).values_list("source_key", flat=True)
    assert len(set(keys)) == len(keys)


@pytest.mark.usefixtures("small_batches")
def test_building_editing_and_following_at_once_end_in_the_rule() -> None:
    segment = live("Segment", did("liked"))
    rules = [did("liked"), did("searched"), {"type": "any", "of": [did("liked"), did("searched")]}, EVERYBODY]
    for number in range(ROUNDS):
        for email in people():
            does(email, "liked" if number % 2 else "searched", key=str(number), subject="x", product_id="1")
        together(
            pipeline.pump,
            lambda number=number: audience.update_segment(segment.pk, rule={"include": rules[number]}),
            pipeline.upkeep_audience,
            pipeline.pump,
        )
        together(pipeline.upkeep_audience, pipeline.upkeep_audience, pipeline.pump)
    quiet()

    assert is_in(segment) == should_be(segment)
    assert fresh(segment).members_count == len(is_in(segment)) == len(people())
    assert fresh(segment).state == "ready"


@pytest.mark.usefixtures("small_batches")
def test_verifying_while_others_follow_tells_every_change_once() -> None:
    segment = live("Likers", did("liked", window=within(1)))
    for number in range(ROUNDS):
        for email in people():
            does(email, "liked", key=str(number), product_id="1")
        audience.segments().filter(pk=segment.pk).update(built_at=clock.now() - timedelta(days=2))
        make_sweeps_due()
        together(pipeline.pump, pipeline.upkeep_audience, pipeline.pump, pipeline.upkeep_audience)
    quiet()

    check(segment)
    assert sorted(told(segment)) == sorted(("segment_joined", email) for email in people())


@pytest.mark.usefixtures("small_batches")
def test_merges_and_erasures_while_segments_are_built_and_followed(fake_shop: FakeShop) -> None:
    segment = live("Likers", did("liked"))
    accounts = [fake_shop.add_customer(email=f"account{n}@example.com") for n in range(6)]
    for n, account in enumerate(accounts):
        does(f"guest{n}@example.com", "liked", product_id="1")
        activity.record(Fact(kind=FactKind.SIGNED_UP, source_key=f"s{n}", customer_id=account.customer_id))
    pipeline.pump()
    for n, account in enumerate(accounts):
        fake_shop.change_customer(account.customer_id, email=f"guest{n}@example.com")
        activity.record(Fact(kind=FactKind.CUSTOMER_CHANGED, source_key=f"c{n}", customer_id=account.customer_id))
        does(f"other{n}@example.com", "liked", product_id="1")
    audience.update_segment(segment.pk, rule={"include": did("liked", what={"products": ["1"]})})

    def erase() -> None:
        for n in range(3):
            persons.erase(email=f"other{n}@example.com")

    together(pipeline.pump, pipeline.upkeep_audience, pipeline.pump, erase)
    quiet()

    assert is_in(segment) == should_be(segment)
    assert fresh(segment).members_count == len(is_in(segment))
    erased = Member.objects.exclude(contact__erased_at=None)
    assert not erased.exists()


def test_two_workers_do_one_import_once(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    step = audience.import_step
    monkeypatch.setattr(audience, "import_step", lambda **more: step(**more, limit=3))
    made = audience.create_segment("List")
    started = [
        audience.start_import(made.pk, b"email\n" + b"".join(b"%d@example.com\n" % n for n in range(20)))
        for _ in range(2)
    ]

    together(pipeline.upkeep_audience, pipeline.upkeep_audience, pipeline.pump)
    quiet()

    rows = [audience.imports().get(pk=one.pk) for one in started]
    assert [(row.state, row.done_count) for row in rows] == [("done", 20)] * 2
    assert sum(row.added_count for row in rows) == 20
    assert sorted(told(made)) == sorted(("segment_joined", f"{n}@example.com") for n in range(20))


def aside(body: Callable[[], object]) -> threading.Thread:
    """Run something beside the test."""

    def run() -> None:
        try:
            body()
        finally:
            connection.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_an_activity_of_a_drain_that_began_before_the_segment_was_saved_is_not_lost() -> None:
    guest("ann@example.com")
    quiet()
    may_end, has_read = threading.Event(), threading.Event()

    def drain_slowly() -> None:
        with transaction.atomic():
            kinds = audience.watched_kinds()
            Activity.objects.create(
                contact_id=guest("ann@example.com"), kind="liked", source_key="x", occurred_at=clock.now()
            )
            has_read.set()
            may_end.wait(30)
            assert kinds == frozenset()

    drain = aside(drain_slowly)
    assert has_read.wait(30)
    segment = audience.create_segment("Likers", {"include": did("liked")})
    build = aside(pipeline.upkeep_audience)
    time.sleep(0.3)
    while_draining = fresh(segment).state
    may_end.set()
    drain.join(30)
    build.join(30)

    assert (while_draining, fresh(segment).state, emails(segment)) == ("building", "ready", ["ann@example.com"])


def test_a_merchant_edits_and_the_drain_goes_on_while_a_segment_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys  # noqa: PLC0415 - the module is hidden behind a function of its package

    module = sys.modules["crm_plugin.audience.building"]
    real, is_computing, may_go = module._compute, threading.Event(), threading.Event()

    def slowly(*args: Any) -> None:
        real(*args)
        is_computing.set()
        may_go.wait(30)

    does("ann@example.com", "liked", product_id="1")
    pipeline.pump()
    other = live("Other", did("liked"))
    segment = audience.create_segment("Slow", {"include": EVERYBODY})
    monkeypatch.setattr(module, "_compute", slowly)
    build = aside(pipeline.upkeep_audience)
    assert is_computing.wait(30)

    started = time.monotonic()
    does("ben@example.com", "liked", product_id="1")
    pipeline.pump()
    persons.erase(email="ann@example.com")
    audience.update_segment(segment.pk, rule={"include": did("liked")})
    took = time.monotonic() - started
    followed, waiting = emails(other), Touched.objects.count()
    monkeypatch.setattr(module, "_compute", real)
    may_go.set()
    build.join(30)
    quiet()

    assert took < 10
    assert (followed, waiting > 0) == (["ben@example.com"], True)
    check(other, segment)
