"""All members of a segment computed at once: by difference, silently when a merchant saved it, and told otherwise."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_plugin import audience, clock, persons, pipeline
from crm_plugin.audience import Segment
from crm_plugin.models import Contact, Member
from tests.audience.living import EVERYBODY, did, does, emails, guest, limits, live, quiet, told
from tests.fake_shop import FakeShop

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_shop")]
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def fresh(segment: Segment) -> Segment:
    return audience.segments().get(pk=segment.pk)


def test_the_first_build_finds_everybody_and_tells_nobody() -> None:
    for n in range(3):
        guest(f"{n}@example.com")
    Contact.objects.create(created_at=clock.now())  # a visitor whom nobody knows
    with clock.travel(to=NOON):
        segment = audience.create_segment("Everybody", {"include": EVERYBODY})
        found = audience.build()
        nothing = audience.build()

    assert (found, nothing) == (3, None)
    row = fresh(segment)
    assert (row.state, row.members_count, row.built_at, row.swept_at) == ("ready", 3, NOON, NOON)
    assert set(Member.objects.values_list("joined_at", flat=True)) == {NOON}
    assert told(segment) == []


def test_a_build_writes_the_difference_only() -> None:
    for n in range(3):
        guest(f"{n}@example.com")
    does("1@example.com", "liked", product_id="1")
    does("9@example.com", "liked", product_id="1")
    pipeline.pump()
    segment = live("Segment", EVERYBODY, did("searched"))
    kept = dict(Member.objects.values_list("contact__email", "pk"))

    audience.update_segment(segment.pk, rule={"include": did("liked")})
    quiet()

    assert dict(Member.objects.values_list("contact__email", "pk")) == {
        email: kept[email] for email in ("1@example.com", "9@example.com")
    }


def test_once_a_day_a_segment_is_verified_and_what_was_missed_is_told() -> None:
    with clock.travel(to=NOON):
        guest("ann@example.com")
        segment = live("Everybody", EVERYBODY)
        Member.objects.all().delete()  # as if something had changed without touching anybody
        quiet()
        missed = emails(segment)
    with clock.travel(to=NOON + timedelta(hours=23)):
        quiet()
        still = emails(segment)
    with clock.travel(to=NOON + timedelta(hours=25)):
        quiet()

    assert (missed, still, emails(segment)) == ([], [], ["ann@example.com"])
    assert told(segment) == [("segment_joined", "ann@example.com")]


def test_a_build_that_takes_too_long_is_stopped_told_and_tried_again_after_a_pause(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = sys.modules["crm_plugin.audience.building"]
    real = module.compile
    settings.CRM_SEGMENT_BUILD_SECONDS = 0.05
    before = limits()

    def slow(rule: Any, **more: Any) -> Any:
        query = real(rule, **more)
        return type(query)(f"SELECT contact_id FROM ({query.sql}) q, pg_sleep(5)", query.params)  # noqa: S608

    guest("ann@example.com")
    monkeypatch.setattr(module, "compile", slow)
    with clock.travel(to=NOON):
        segment = audience.create_segment("Slow", {"include": EVERYBODY})
        failed = (audience.build(), audience.build())
        row = fresh(segment)
        monkeypatch.undo()
        healthy = audience.create_segment("Healthy", {"include": EVERYBODY})
        quiet()
        others = (emails(healthy), emails(segment))
    with clock.travel(to=NOON + timedelta(minutes=6)):
        quiet()

    assert failed == (0, None)
    assert (row.state, row.error[:34]) == ("building", "It took longer than 0.05 seconds. ")
    assert others == (["ann@example.com"], [])
    assert (fresh(segment).state, fresh(segment).error, emails(segment)) == ("ready", "", ["ann@example.com"])
    assert told(segment) == []
    assert limits() == before


def test_an_edit_gives_a_segment_that_failed_its_chance_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    guest("ann@example.com")
    module = sys.modules["crm_plugin.audience.building"]
    monkeypatch.setattr(module, "compile", lambda *_args, **_more: 1 / 0)
    with clock.travel(to=NOON):
        segment = audience.create_segment("Broken", {"include": EVERYBODY})
        quiet()
        error = fresh(segment).error
        monkeypatch.undo()
        audience.update_segment(segment.pk, rule={"include": {"type": "not", "of": did("liked")}})
        quiet()

    assert error == "ZeroDivisionError: division by zero"
    assert (fresh(segment).error, emails(segment)) == ("", ["ann@example.com"])


def test_what_is_edited_while_it_is_built_is_thrown_away_and_built_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    guest("ann@example.com")
    module = sys.modules["crm_plugin.audience.building"]
    real = module._compute

    def edited_meanwhile(cursor: Any, segment: Segment, now: datetime) -> None:
        real(cursor, segment, now)
        monkeypatch.undo()
        audience.update_segment(inner.pk, rule={"include": did("liked")})

    inner = audience.create_segment("Inner", {"include": EVERYBODY})
    quiet()
    outer = audience.create_segment("Outer", {"include": {"type": "segment", "segment": inner.pk}})
    monkeypatch.setattr(module, "_compute", edited_meanwhile)

    thrown_away = audience.build()

    # The edit was made in the transaction of the build here, and is gone with it; that of a merchant is not.
    assert thrown_away == 0
    assert (fresh(outer).state, emails(outer)) == ("building", [])
    quiet()
    assert (fresh(outer).state, emails(outer)) == ("ready", ["ann@example.com"])


def test_counts_are_those_of_the_rows() -> None:
    for n in range(4):
        guest(f"{n}@example.com")
    segment = live("Everybody", EVERYBODY)
    persons.erase(email="0@example.com")
    guest("4@example.com")
    quiet()

    assert fresh(segment).members_count == Member.objects.filter(segment=segment).count() == 4


def test_a_segment_is_built_within_the_next_upkeep(fake_shop: FakeShop) -> None:
    guest("ann@example.com")
    segment = audience.create_segment("Everybody", {"include": EVERYBODY})

    assert pipeline.upkeep_audience() > 0
    assert emails(segment) == ["ann@example.com"]
    assert audience.lag()["segments_building"] == 0
