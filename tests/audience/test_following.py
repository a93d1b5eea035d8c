"""Membership follows what people do and how time passes, and everything that changes is told once."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from crm_plugin import audience, clock, contacts, persons, pipeline
from crm_plugin.audience import Segment
from crm_plugin.contacts import Merge
from crm_plugin.models import Activity, Contact, Inbox, Member, SegmentVersion, Touched
from crm_plugin.shop import FactKind
from tests.audience.living import (
    EVERYBODY,
    did,
    does,
    emails,
    guest,
    is_in,
    limits,
    live,
    quiet,
    should_be,
    told,
    within,
)
from tests.fake_shop import FakeShop

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_shop")]
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
JOINED, LEFT = "segment_joined", "segment_left"


def fresh(segment: Segment) -> Segment:
    return audience.segments().get(pk=segment.pk)


def test_who_does_it_joins_in_the_same_pump_and_it_is_told_once() -> None:
    segment = live("Likers", did("liked", times={"op": "at_least", "count": 2}))

    does("ann@example.com", "liked", key="1", product_id="1")
    pipeline.pump()
    first = emails(segment)
    does("ann@example.com", "liked", key="2", product_id="1")
    does("ann@example.com", "liked", key="3", product_id="1")
    pipeline.pump()
    pipeline.pump()

    assert (first, emails(segment), fresh(segment).members_count) == ([], ["ann@example.com"], 1)
    assert told(segment) == [(JOINED, "ann@example.com")]
    row = Activity.objects.get(kind=JOINED)
    member = Member.objects.get()
    assert row.source_key == f"segment:{segment.pk}:joined:{member.pk}"
    assert Touched.objects.count() == 0


def test_what_no_segment_asks_for_touches_nobody() -> None:
    live("Likers", did("liked"))
    guest("ann@example.com")
    quiet()

    does("ann@example.com", "searched", subject="bowl")
    pipeline._drain_once()
    searched = Touched.objects.count()
    does("ann@example.com", "liked", product_id="1")
    pipeline._drain_once()

    assert (searched, Touched.objects.count()) == (0, 1)


def test_the_watched_kinds_are_those_of_all_live_segments() -> None:
    likers = live("Likers", did("liked"))
    live("Others", {"type": "not", "of": did("searched")})
    both = audience.watched_kinds()
    audience.archive_segment(likers.pk)

    assert both == {FactKind.LIKED, FactKind.SEARCHED}
    assert audience.watched_kinds() == {FactKind.SEARCHED}


def test_leaving_by_an_activity_and_coming_back_are_told_with_the_times() -> None:
    with clock.travel(to=NOON):
        ann = guest("ann@example.com")
        contacts.set_consent(ann, channel="email", is_granted=True, source="test")
        segment = live("Agreed", {"type": "consent", "channel": "email", "is": "granted"})
    for hour, is_granted in ((1, False), (2, True)):
        with clock.travel(to=NOON + timedelta(hours=hour)):
            contacts.set_consent(ann, channel="email", is_granted=is_granted, source="test")
            pipeline.pump()

    assert told(segment) == [(LEFT, "ann@example.com"), (JOINED, "ann@example.com")]
    assert Member.objects.get().joined_at == NOON + timedelta(hours=2)
    assert list(Activity.objects.filter(contact=ann).order_by("pk").values_list("occurred_at", flat=True)) == [
        NOON + timedelta(hours=1),
        NOON + timedelta(hours=2),
    ]


def test_who_stays_keeps_the_row_and_the_time_of_joining() -> None:
    with clock.travel(to=NOON):
        does("ann@example.com", "liked", product_id="1")
        pipeline.pump()
        segment = live("Likers", did("liked"))
    before = Member.objects.values_list("pk", "joined_at").get()
    with clock.travel(to=NOON + timedelta(days=3)):
        does("ann@example.com", "liked", product_id="2")
        quiet()
        audience.update_segment(segment.pk, rule={"include": did("liked", what={"products": ["1", "2"]})})
        quiet()

    assert Member.objects.values_list("pk", "joined_at").get() == before
    assert told(segment) == []


def test_a_new_contact_of_any_kind_is_looked_at() -> None:
    segment = live("Everybody", EVERYBODY)

    guest("ann@example.com")
    does("ben@example.com", "searched", subject="bowl")
    pipeline.pump()

    assert emails(segment) == ["ann@example.com", "ben@example.com"]


def test_time_alone_lets_people_join_and_leave() -> None:
    with clock.travel(to=NOON):
        does("ann@example.com", "liked", product_id="1")
        pipeline.pump()
        recent = live("Recent", did("liked", window=within(2)))
        lapsed = live("Lapsed", did("liked", window={"type": "before", "amount": 2, "unit": "hours"}))
    seen = {}
    for hours in (1.9, 2.1):
        with clock.travel(to=NOON + timedelta(hours=hours)):
            quiet()
            seen[hours] = (emails(recent), emails(lapsed))

    assert seen == {1.9: (["ann@example.com"], []), 2.1: ([], ["ann@example.com"])}
    assert (told(recent), told(lapsed)) == ([(LEFT, "ann@example.com")], [(JOINED, "ann@example.com")])


def test_a_sweep_touches_only_those_whom_the_time_between_concerns() -> None:
    for hour in range(6):
        with clock.travel(to=NOON + timedelta(hours=hour)):
            does(f"{hour}@example.com", "liked", product_id="1")
    with clock.travel(to=NOON + timedelta(hours=6)):
        live("Recent", did("liked", window=within(3)))
    with clock.travel(to=NOON + timedelta(hours=7, minutes=1)):
        touched = audience.sweep()
        again = audience.sweep()

    assert (touched, again) == (2, None)
    ids = Touched.objects.values_list("contact_id", flat=True)
    assert set(Contact.objects.filter(pk__in=ids).values_list("email", flat=True)) == {"3@example.com", "4@example.com"}


def test_workers_that_were_away_for_a_week_catch_up() -> None:
    with clock.travel(to=NOON):
        does("ann@example.com", "liked", product_id="1")
        segment = live("Lapsed", did("liked", window={"type": "before", "amount": 2, "unit": "days"}))
    with clock.travel(to=NOON + timedelta(days=7)):
        quiet()

    assert emails(segment) == ["ann@example.com"]


def test_a_segment_that_is_being_built_leaves_the_contacts_touched_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    likers, busy = live("Likers", did("liked")), live("Busy", did("liked"))
    module = sys.modules["crm_plugin.audience.following"]
    monkeypatch.setattr(module, "try_share_each", lambda _lock, pks: {pk for pk in pks if pk != busy.pk})

    does("ann@example.com", "liked", product_id="1")
    pipeline.pump()
    between = (emails(likers), emails(busy), Touched.objects.count())
    monkeypatch.undo()
    pipeline.pump()

    assert between == (["ann@example.com"], [], 1)
    assert (emails(busy), Touched.objects.count()) == (["ann@example.com"], 0)
    assert (told(likers), told(busy)) == ([(JOINED, "ann@example.com")],) * 2


def test_a_rule_that_fails_blocks_nobody_and_is_built_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    with clock.travel(to=NOON):
        broken, healthy = live("Broken", did("liked")), live("Healthy", did("liked"))
        does("ann@example.com", "liked", product_id="1")
        _refuse(broken, monkeypatch)
        quiet()
        after = (fresh(broken).state, fresh(broken).error, emails(broken), emails(healthy))
        lag = audience.lag()
        monkeypatch.undo()
        quiet()
        paused = emails(broken)
    with clock.travel(to=NOON + timedelta(minutes=6)):
        quiet()

    assert after == ("building", "definition: not any more", [], ["ann@example.com"])
    assert lag["segment_errors"] == {str(broken.pk): "Broken: definition: not any more"}
    assert lag["segments_building"] == 1
    assert paused == []
    assert (fresh(broken).state, fresh(broken).error, emails(broken)) == ("ready", "", ["ann@example.com"])
    assert told(broken) == [(JOINED, "ann@example.com")]


def _refuse(segment: Segment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a release come that refuses the segment's definition."""
    from crm_plugin.audience import nesting  # noqa: PLC0415 - patched here
    from crm_plugin.errors import InvalidInput  # noqa: PLC0415

    real = nesting.rule_of

    def rule_of(version_id: int) -> Any:
        if version_id == segment.version_id:
            raise InvalidInput("not any more", field="definition")
        return real(version_id)

    for name in ("following", "building", "sweeping"):
        module = sys.modules[f"crm_plugin.audience.{name}"]
        monkeypatch.setattr(module if hasattr(module, "rule_of") else module.nesting, "rule_of", rule_of)


def test_a_statement_that_takes_too_long_is_stopped_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    slow, healthy = live("Slow", did("liked")), live("Healthy", did("liked"))
    module = sys.modules["crm_plugin.audience.following"]
    real = module.matching

    def matching(rule: Any, ids: Any, **more: Any) -> set[int]:
        if rule == module.rule_of(slow.version_id) and not seen:
            seen.append(1)
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(5)")
        return set(real(rule, ids, **more))

    seen: list[int] = []
    monkeypatch.setattr(module, "matching", matching)
    monkeypatch.setattr(module, "STATEMENT_SECONDS", 0.05)
    does("ann@example.com", "liked", product_id="1")
    before = limits()
    pipeline.pump()

    assert (emails(slow), emails(healthy)) == ([], ["ann@example.com"])
    assert fresh(slow).error.startswith("It took longer than 0.05 seconds.")
    assert limits() == before


def test_a_batch_of_many_contacts_takes_as_many_statements_as_one_of_few() -> None:
    live("One", did("liked"))
    live("Two", EVERYBODY)
    counts = []
    for people in (2, 40):
        contacts.touch([guest(f"{people}-{n}@example.com") for n in range(people)])
        with CaptureQueriesContext(connection) as queries, transaction.atomic():
            audience.follow(1_000)
        counts.append(len(queries))

    assert counts[1] <= counts[0] + 1  # more than four facts are told as arrays


def test_a_merge_keeps_the_membership_that_is_older_and_doubles_none() -> None:
    with clock.travel(to=NOON):
        old = guest("old@example.com")
        segment = live("Everybody", EVERYBODY)
    with clock.travel(to=NOON + timedelta(hours=1)):
        new = guest("new@example.com")
        quiet()
        with transaction.atomic():
            persons.absorb(Merge(source_id=old, target_id=new))
        quiet()

    assert Member.objects.values_list("contact_id", "joined_at").get() == (new, NOON)
    assert fresh(segment).members_count == 1


def test_a_merge_moves_the_membership_and_the_rule_decides_whether_it_stays() -> None:
    likes, agrees = guest("likes@example.com"), guest("agrees@example.com")
    contacts.set_consent(agrees, channel="email", is_granted=False, source="test")
    does("likes@example.com", "liked", product_id="1")
    likers = live("Likers", did("liked"))
    unasked = live("Unasked", {"type": "consent", "channel": "email", "is": "unasked"})
    with transaction.atomic():
        persons.absorb(Merge(source_id=likes, target_id=agrees))
    quiet()

    assert (is_in(likers), is_in(unasked)) == ({agrees}, set())
    assert (fresh(likers).members_count, fresh(unasked).members_count) == (1, 0)
    assert is_in(likers) == should_be(likers)


def test_who_is_erased_leaves_every_segment_at_once_and_nothing_is_told() -> None:
    guest("ann@example.com")
    segment, made = live("Everybody", EVERYBODY), audience.create_segment("List")
    audience.add_members(made.pk, [guest("ann@example.com")])
    quiet()

    persons.erase(email="ann@example.com")
    at_once = (emails(segment), emails(made))
    quiet()

    assert at_once == ([], [])
    assert (fresh(segment).members_count, fresh(made).members_count) == (0, 0)
    assert (Inbox.objects.count(), Activity.objects.count(), Touched.objects.count()) == (0, 0, 0)


def test_joining_is_no_sign_of_life() -> None:
    guest("ann@example.com")
    live("Everybody", EVERYBODY)
    guest("ben@example.com")
    quiet()

    assert Activity.objects.filter(kind=JOINED).count() == 1
    assert set(Contact.objects.values_list("last_seen_at", flat=True)) == {None}


def test_a_segment_can_ask_who_joined_another() -> None:
    inner = live("Likers", did("liked"))
    what = {"subject": {"op": "is", "value": f"segment:{inner.pk}"}}
    outer = live("Joined", did("segment_joined", what=what))

    does("ann@example.com", "liked", product_id="1")
    quiet()

    assert emails(outer) == ["ann@example.com"]


def test_without_segments_the_queue_empties_itself() -> None:
    guest("ann@example.com")

    pipeline.pump()

    assert Touched.objects.count() == SegmentVersion.objects.count() == 0


def test_when_the_crm_is_off_nothing_follows(fake_shop: FakeShop) -> None:
    segment = live("Everybody", EVERYBODY)
    guest("ann@example.com")
    fake_shop.is_enabled = False
    pipeline.pump()
    pipeline.upkeep_audience()
    off = emails(segment)
    fake_shop.is_enabled = True
    quiet()

    assert (off, emails(segment)) == ([], ["ann@example.com"])
