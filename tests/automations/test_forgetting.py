"""Ways of waves and moments that are over go; none of them can be done a second time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from crm_plugin import automations, clock
from crm_plugin.models import Campaign, FanOut, ScheduleSlot, Wave
from crm_plugin.shop import FactKind
from tests.fake_shop import FakeShop
from tests.stories import running

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
BEFORE = NOW - 400 * DAY
PAST, YOUNG = BEFORE - DAY, BEFORE + DAY
EVERY_DAY = {
    "type": "audience",
    "audience": {"include": {"type": "everybody"}},
    "schedule": {"type": "daily", "at": "10:00"},
}


def forget_past(limit: int = 1_000) -> int:
    with clock.travel(to=NOW), transaction.atomic():
        return automations.forget_past(BEFORE, limit)


@pytest.fixture
def campaign(fake_shop: FakeShop) -> Campaign:
    with clock.travel(to=PAST - 100 * DAY):
        return running()


def way(campaign: Campaign, *, at: datetime, is_done: bool = True) -> FanOut:
    wave = Wave.objects.create(occurred_at=at)
    return FanOut.objects.create(campaign=campaign, wave=wave.pk, created_at=at, is_done=is_done)


def slot(campaign: Campaign, *, at: datetime, state: str = "done") -> datetime:
    ScheduleSlot.objects.create(campaign=campaign, slot_at=at, state=state, created_at=at)
    return at


def test_ways_that_were_gone_to_the_end_go(campaign: Campaign) -> None:
    way(campaign, at=PAST)
    young, on_its_way = way(campaign, at=YOUNG), way(campaign, at=PAST, is_done=False)

    gone = forget_past()

    assert gone == 1
    assert set(FanOut.objects.values_list("pk", flat=True)) == {young.pk, on_its_way.pk}
    assert automations.waves_in_use() == [on_its_way.wave]


def test_moments_that_are_over_go_but_for_open_ones_and_the_newest(campaign: Campaign) -> None:
    other = Campaign.objects.create(name="Other", draft={}, created_at=PAST, updated_at=PAST)
    slot(campaign, at=PAST - 2 * DAY)
    slot(campaign, at=PAST - DAY, state="dropped")
    kept = {slot(campaign, at=PAST, state="open"), slot(campaign, at=YOUNG), slot(other, at=PAST - 3 * DAY)}

    gone = [forget_past(1), forget_past(1), forget_past(1)]

    assert gone == [1, 1, 0]
    assert set(ScheduleSlot.objects.values_list("slot_at", flat=True)) == kept


def test_what_is_not_far_past_its_time_stays(campaign: Campaign, settings: Any) -> None:
    settings.CRM_STALE_AFTER_HOURS = 24 * 300
    slot(campaign, at=PAST)
    slot(campaign, at=YOUNG)

    assert forget_past() == 0


def test_a_campaign_that_waits_to_the_minute_does_not_count_anew(fake_shop: FakeShop) -> None:
    trigger = {"type": "after", "activity": FactKind.VIEWED.value, "unit": "hours", "amounts": [1]}
    with clock.travel(to=PAST - DAY):
        campaign = running(trigger)
    with clock.travel(to=PAST), transaction.atomic():
        automations.fire_timers(100)
    begun = ScheduleSlot.objects.get().slot_at
    slot(campaign, at=YOUNG)

    gone = forget_past()

    assert gone == 0
    assert ScheduleSlot.objects.filter(slot_at=begun).exists()


def test_no_moment_comes_up_a_second_time(fake_shop: FakeShop) -> None:
    with clock.travel(to=PAST - 3 * DAY):
        running(EVERY_DAY)
    for day in (PAST - 2 * DAY, PAST - DAY, YOUNG):
        with clock.travel(to=day), transaction.atomic():
            automations.plan_slots()
            while automations.run_slot() is not None:
                pass
    with clock.travel(to=YOUNG), transaction.atomic():
        planned = automations.plan_slots()
    before = ScheduleSlot.objects.count()
    gone = forget_past()
    with clock.travel(to=YOUNG), transaction.atomic():
        again = automations.plan_slots()

    assert (planned, again) == (0, 0)
    assert gone > 0
    assert ScheduleSlot.objects.count() == before - gone
