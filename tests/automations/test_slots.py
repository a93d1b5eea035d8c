"""One moment of a campaign on its way: planned once, run in chunks, held, dropped, and shared by several workers."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import transaction

from crm_plugin import automations, clock, pipeline
from crm_plugin.models import Enrollment, ScheduleSlot
from crm_plugin.shop import ShopIdentity
from tests.fake_shop import FakeShop
from tests.stories import consenting, definition, running
from tests.together import together

pytestmark = pytest.mark.django_db

EVERYBODY = {"include": {"type": "everybody"}}
SEOUL = "Asia/Seoul"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def in_zone(fake_shop: FakeShop):
    """Return a function that puts the shop into a time zone."""

    def move(zone: str) -> None:
        fake_shop.shop_identity = ShopIdentity("Fake Shop", "https://shop.example/", zone, "en")

    return move


def daily(audience: dict[str, Any], *, time: str = "10:00", **more: Any) -> dict[str, Any]:
    return {"type": "audience", "audience": audience, "schedule": {"type": "daily", "at": time}, **more}


def once(moment: str, audience: dict[str, Any] = EVERYBODY) -> dict[str, Any]:
    return {"type": "audience", "audience": audience, "schedule": {"type": "once", "at": moment}}


def test_many_people_enter_in_chunks_each_a_transaction_of_its_own(fake_shop, in_zone, settings):
    in_zone(SEOUL)
    settings.CRM_FAN_OUT_BATCH = 3
    with clock.travel(to=at("2027-02-01T00:00")):
        people = [consenting(fake_shop.add_customer().customer_id).pk for _ in range(8)]
        running(once("2027-02-01T10:00"))

    entered, seen = [], []
    with clock.travel(to=at("2027-02-01T01:00")):
        automations.plan_slots()
        while (count := automations.run_slot()) is not None:
            entered.append(count)
            seen.append(ScheduleSlot.objects.values_list("after_contact", "state", "enrolled_count").get())

    assert entered == [3, 3, 2]
    assert seen == [(people[2], "open", 3), (people[5], "open", 6), (people[5], "done", 8)]
    assert Enrollment.objects.count() == 8


def test_a_worker_that_died_in_a_chunk_leaves_it_to_the_next_one(fake_shop, in_zone, settings):
    in_zone(SEOUL)
    settings.CRM_FAN_OUT_BATCH = 3
    with clock.travel(to=at("2027-02-01T00:00")):
        for _ in range(5):
            consenting(fake_shop.add_customer().customer_id)
        running(once("2027-02-01T10:00"))

    with clock.travel(to=at("2027-02-01T01:00")):
        automations.plan_slots()
        automations.run_slot()
        with contextlib.suppress(RuntimeError), transaction.atomic():
            automations.run_slot()
            raise RuntimeError("killed")
        assert Enrollment.objects.count() == 3
        automations.plan_slots()  # the beat comes twice
        pipeline.pump()

    assert Enrollment.objects.count() == 5
    assert ScheduleSlot.objects.values_list("state", "enrolled_count").get() == ("done", 5)


def test_a_moment_that_was_begun_before_a_pause_goes_on_after_it(fake_shop, in_zone, settings):
    in_zone(SEOUL)
    settings.CRM_FAN_OUT_BATCH = 2
    with clock.travel(to=at("2027-02-01T00:00")):
        for _ in range(5):
            consenting(fake_shop.add_customer().customer_id)
        campaign = running(daily(EVERYBODY))
    with clock.travel(to=at("2027-02-01T01:00")):
        automations.plan_slots()
        automations.run_slot()
        automations.pause(campaign.pk)
        pipeline.pump()
        held = Enrollment.objects.count()
    with clock.travel(to=at("2027-02-01T20:00")):
        automations.publish(campaign.pk)
        pipeline.pump()

    assert held == 2
    assert Enrollment.objects.count() == 5


def test_a_moment_that_grew_stale_in_a_pause_is_dropped(fake_shop, in_zone, settings, caplog):
    in_zone(SEOUL)
    settings.CRM_FAN_OUT_BATCH = 2
    with clock.travel(to=at("2027-02-01T00:00")):
        for _ in range(5):
            consenting(fake_shop.add_customer().customer_id)
        campaign = running(daily(EVERYBODY))
    with clock.travel(to=at("2027-02-01T01:00")):
        automations.plan_slots()
        automations.run_slot()
        automations.pause(campaign.pk)
    with clock.travel(to=at("2027-02-05T20:00")):
        automations.publish(campaign.pk)
        pipeline.pump()

    assert Enrollment.objects.count() == 2
    assert ScheduleSlot.objects.values_list("state", "enrolled_count").get() == ("dropped", 2)
    assert "is dropped" in caplog.text


def test_a_moment_that_the_new_version_does_not_have_is_dropped(fake_shop, in_zone):
    in_zone(SEOUL)
    with clock.travel(to=at("2027-02-01T00:00")):
        consenting(fake_shop.add_customer().customer_id)
        campaign = running(daily(EVERYBODY, time="10:00"))
    with clock.travel(to=at("2027-02-01T01:30")):
        automations.plan_slots()
        automations.update_campaign(campaign.pk, definition=definition(daily(EVERYBODY, time="11:00")))
        automations.publish(campaign.pk)
        pipeline.pump()
        early = Enrollment.objects.count()
    with clock.travel(to=at("2027-02-01T02:00")):
        pipeline.pump()

    assert early == 0
    assert list(ScheduleSlot.objects.order_by("slot_at").values_list("state", flat=True)) == ["dropped", "done"]
    assert Enrollment.objects.get().entered_at == at("2027-02-01T02:00")


def test_looking_for_moments_costs_no_more_for_many_campaigns(fake_shop, in_zone, django_assert_num_queries):
    in_zone(SEOUL)
    with clock.travel(to=at("2027-02-01T00:00")):
        for _ in range(2):
            running(daily(EVERYBODY))
    with clock.travel(to=at("2027-02-03T00:00")):
        assert automations.plan_slots() == 4
        with django_assert_num_queries(3):  # the campaigns, their newest moments, the zone
            assert automations.plan_slots() == 0
        running(daily(EVERYBODY))
        automations.plan_slots()
        with django_assert_num_queries(3):
            assert automations.plan_slots() == 0


@pytest.mark.django_db(transaction=True)
def test_two_moments_of_a_campaign_at_two_workers_let_nobody_in_twice(fake_shop, in_zone, settings):
    in_zone(SEOUL)
    settings.CRM_FAN_OUT_BATCH = 4
    with clock.travel(to=at("2027-02-01T00:00")):
        people = [consenting(fake_shop.add_customer().customer_id).pk for _ in range(24)]
        running(daily(EVERYBODY, reentry="after", reentry_days=7), [{"type": "exit", "id": "end"}])
    with clock.travel(to=at("2027-02-02T02:00")):
        assert automations.plan_slots() == 2

    def work() -> None:
        with clock.travel(to=at("2027-02-02T02:00")):
            for _ in range(30):
                with transaction.atomic():
                    automations.run_slot()
                with transaction.atomic():
                    automations.advance(50)

    together(work, work, work)

    assert sorted(Enrollment.objects.values_list("contact_id", flat=True)) == people
    # A worker that finds the first moment taken may do a chunk of the second; who has entered does not enter there.
    slots = ScheduleSlot.objects.order_by("slot_at").values_list("state", "enrolled_count")
    assert [state for state, _count in slots] == ["done", "done"]
    assert sum(count for _state, count in slots) == 24
