"""Saving, editing, archiving and restoring segments."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from crm_plugin import audience, clock, pipeline
from crm_plugin.audience import Segment
from crm_plugin.errors import InvalidInput, NotFound
from crm_plugin.models import Inbox, Member, SegmentVersion
from tests.audience.living import EVERYBODY, did, emails, guest, live, quiet, told
from tests.fake_shop import FakeShop

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_shop")]
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def fresh(segment: Segment) -> Segment:
    return audience.segments().get(pk=segment.pk)


def named(pk: int, *, is_member: bool = True) -> dict[str, Any]:
    return {"type": "segment", "segment": pk, "is_member": is_member}


def test_a_saved_rule_is_version_one_and_waits_to_be_built() -> None:
    segment = audience.create_segment(" Everybody ", {"include": EVERYBODY})

    assert (segment.name, segment.kind, segment.state) == ("Everybody", "live", "building")
    assert (segment.version.number, segment.version.definition) == (1, {"include": EVERYBODY})


def test_without_a_rule_it_is_a_list_and_ready() -> None:
    segment = audience.create_segment("List")

    assert (segment.kind, segment.state, segment.version) == ("static", "ready", None)


@pytest.mark.parametrize(
    ("name", "rule", "field"),
    [
        (" ", None, "name"),
        ("x" * 121, None, "name"),
        ("a\0b", None, "name"),
        ("Taken", None, "name"),
        ("New", {"include": {"type": "nothing"}}, "definition.include"),
        ("New", {"include": named(99)}, "definition.include.segment"),
        ("New", {"include": {"type": "all", "of": [EVERYBODY, did("flown")]}}, "definition.include.of.1.activity"),
        ("New", [], "definition"),
    ],
)
def test_bad_input_is_refused_with_its_place_and_leaves_nothing(name: str, rule: Any, field: str) -> None:
    audience.create_segment("Taken")

    with pytest.raises(InvalidInput) as caught:
        audience.create_segment(name, rule)

    assert caught.value.field == field
    assert (audience.segments().count(), SegmentVersion.objects.count()) == (1, 0)


def test_only_so_many_live_segments_as_can_be_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["crm_plugin.audience.segments"], "MAX_LIVE", 1)
    audience.create_segment("One", {"include": EVERYBODY})
    audience.create_segment("List")

    with pytest.raises(InvalidInput, match="archive one first"):
        audience.create_segment("Two", {"include": EVERYBODY})


def test_an_edit_is_a_new_version_and_the_old_members_stay_until_it_is_built() -> None:
    guest("ann@example.com")
    segment = live("Segment", EVERYBODY)

    audience.update_segment(segment.pk, rule={"include": did("liked")})
    pipeline.pump()
    between = (fresh(segment).state, fresh(segment).version.number, emails(segment))
    quiet()

    assert between == ("building", 2, ["ann@example.com"])
    assert (fresh(segment).state, fresh(segment).members_count, emails(segment)) == ("ready", 0, [])
    assert told(segment) == []


def test_saving_the_same_rule_again_or_another_name_computes_nothing() -> None:
    segment = live("Segment", EVERYBODY)

    audience.update_segment(segment.pk, rule={"include": EVERYBODY, "exclude": []})
    audience.update_segment(segment.pk, name="Other")

    assert (fresh(segment).name, fresh(segment).state, fresh(segment).version.number) == ("Other", "ready", 1)


def test_a_saved_version_cannot_be_changed() -> None:
    audience.create_segment("Segment", {"include": EVERYBODY})

    with pytest.raises(IntegrityError), transaction.atomic():
        SegmentVersion.objects.update(number=7)


def test_a_list_takes_no_rule() -> None:
    segment = audience.create_segment("List")

    with pytest.raises(InvalidInput, match="no rule"):
        audience.update_segment(segment.pk, rule={"include": EVERYBODY})


def test_a_segment_cannot_come_to_stand_on_itself() -> None:
    inner = audience.create_segment("Inner", {"include": EVERYBODY})
    outer = audience.create_segment("Outer", {"include": named(inner.pk)})

    with pytest.raises(InvalidInput):
        audience.update_segment(inner.pk, rule={"include": named(outer.pk)})
    with pytest.raises(InvalidInput):
        audience.update_segment(inner.pk, rule={"include": named(inner.pk)})

    assert fresh(inner).version.number == 1


def test_an_edit_that_would_break_a_segment_that_uses_it_is_refused() -> None:
    deep: dict[str, Any] = EVERYBODY
    inner = audience.create_segment("Inner", {"include": EVERYBODY})
    for _ in range(5):
        deep = {"type": "not", "of": deep}
    wrapped: dict[str, Any] = named(inner.pk)
    for _ in range(5):
        wrapped = {"type": "not", "of": wrapped}
    audience.create_segment("Outer", {"include": wrapped})

    with pytest.raises(InvalidInput, match="'Outer' uses this one"):
        audience.update_segment(inner.pk, rule={"include": deep})

    assert fresh(inner).version.number == 1
    assert SegmentVersion.objects.count() == 2


def test_editing_a_segment_builds_those_again_that_name_it_and_tells_nobody() -> None:
    guest("ann@example.com")
    inner = live("Inner", EVERYBODY)
    middle = live("Middle", named(inner.pk))
    outer = live("Outer", named(middle.pk, is_member=False))

    audience.update_segment(inner.pk, rule={"include": did("liked")})
    states = [fresh(one).state for one in (inner, middle, outer)]
    quiet()

    assert states == ["building"] * 3
    assert [emails(one) for one in (inner, middle, outer)] == [[], [], ["ann@example.com"]]
    assert [told(one) for one in (inner, middle, outer)] == [[], [], []]


def test_what_another_segment_uses_cannot_be_archived() -> None:
    inner = audience.create_segment("Inner")
    outer = audience.create_segment("Outer", {"include": named(inner.pk)})

    with pytest.raises(InvalidInput, match="'Outer' uses this one") as caught:
        audience.archive_segment(inner.pk)
    audience.archive_segment(outer.pk)
    audience.archive_segment(inner.pk)

    assert caught.value.code == "IN_USE"
    assert fresh(inner).state == "archived"


def test_archiving_frees_the_name_at_once_and_the_members_go_in_batches(settings: Any) -> None:
    settings.CRM_FOLLOW_BATCH = 2
    for n in range(5):
        guest(f"{n}@example.com")
    segment = live("Segment", EVERYBODY)
    other = live("Other", EVERYBODY)

    audience.archive_segment(segment.pk)
    left = Member.objects.filter(segment=segment).count()
    audience.create_segment("Segment")
    quiet()

    assert left == 5
    assert (len(emails(segment)), fresh(segment).members_count) == (0, 0)
    assert (len(emails(other)), fresh(other).members_count) == (5, 5)
    assert Inbox.objects.count() == 0
    assert told(segment) == []


def test_what_is_archived_follows_no_longer_and_cannot_be_changed() -> None:
    segment = live("Segment", EVERYBODY)
    audience.archive_segment(segment.pk)

    guest("ann@example.com")
    quiet()

    assert emails(segment) == []
    assert audience.segments_of([guest("ann@example.com")]) == {}
    for change in (audience.archive_segment, audience.update_segment):
        with pytest.raises(InvalidInput) as caught:
            change(segment.pk)
        assert caught.value.code == "IS_ARCHIVED"


def test_a_restored_segment_is_built_anew_and_needs_a_name_that_is_free() -> None:
    guest("ann@example.com")
    segment = live("Segment", EVERYBODY)
    audience.archive_segment(segment.pk)
    quiet()
    other = audience.create_segment("Segment")

    with pytest.raises(InvalidInput, match="has this name"):
        audience.restore_segment(segment.pk)
    audience.update_segment(other.pk, name="Other")
    audience.restore_segment(segment.pk)
    quiet()

    assert (fresh(segment).state, emails(segment), told(segment)) == ("ready", ["ann@example.com"], [])


def test_a_list_cannot_be_restored() -> None:
    segment = audience.create_segment("List")
    audience.archive_segment(segment.pk)

    with pytest.raises(InvalidInput, match="members are gone"):
        audience.restore_segment(segment.pk)


def test_what_does_not_exist_is_not_found() -> None:
    for change in (audience.archive_segment, audience.update_segment, audience.restore_segment):
        with pytest.raises(NotFound):
            change(99)


def test_the_segments_of_contacts_come_by_name_in_one_query(django_assert_num_queries: Any) -> None:
    ann, ben = guest("ann@example.com"), guest("ben@example.com")
    second, first = live("B", EVERYBODY), live("A", EVERYBODY)

    with django_assert_num_queries(1):
        found = audience.segments_of([ann, ben, 99])

    assert found == {ann: [first, second], ben: [first, second]}


def test_members_are_listed_with_when_they_joined(fake_shop: FakeShop) -> None:
    with clock.travel(to=NOON):
        guest("ann@example.com")
        segment = live("Segment", EVERYBODY)
    with clock.travel(to=NOON + timedelta(hours=1)):
        guest("ben@example.com")
        quiet()

    rows = audience.members(segment.pk).order_by("joined_at").values_list("contact__email", "joined_at")
    assert list(rows) == [("ann@example.com", NOON), ("ben@example.com", NOON + timedelta(hours=1))]
