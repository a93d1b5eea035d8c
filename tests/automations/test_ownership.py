"""What becomes of runs when two contacts turn out to be one, and when a contact asks to be forgotten."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crm_plugin import activity, automations, clock, contacts, messaging, persons, pipeline
from crm_plugin.contacts import Merge, Person
from crm_plugin.messaging.models import WebhookCall
from crm_plugin.models import Enrollment, Message, ScheduleSlot, Timer
from crm_plugin.shop import Fact, FactKind
from tests.stories import on, running, send, wait

pytestmark = pytest.mark.django_db

DAY = 24 * 3600


@pytest.fixture
def pair(fake_shop):
    """Two contacts that are one person: the source, whose rows go to the target."""
    source = contacts.get_or_create(Person("", "guest@example.com"))
    target = contacts.get_or_create(Person("7", "ann@example.com"))
    return source, target


@pytest.fixture
def campaign(fake_shop):
    return running(on("signed_up"), [wait(seconds=DAY), send()])


def enter(campaign, contact, **columns):
    values = {"due_at": clock.now() + timedelta(days=1), "entered_at": clock.now()} | columns
    if values.get("state", "active") != "active":
        values |= {"due_at": None, "finished_at": clock.now()}
    return Enrollment.objects.create(campaign=campaign, version=campaign.version, contact=contact, **values)


def merge(pair):
    source, target = pair
    automations.absorb(Merge(source.pk, target.pk))


def after(run):
    run.refresh_from_db()
    return run.contact_id, run.state, run.reason


def test_a_run_moves_to_the_target(campaign, pair):
    run = enter(campaign, pair[0], subject_key="order:7", lane="order:7")

    merge(pair)

    assert after(run) == (pair[1].pk, "active", "")


def test_of_a_run_that_both_have_the_source_s_ends(campaign, pair):
    theirs = enter(campaign, pair[0], subject_key="order:7", lane="order:7")
    kept = enter(campaign, pair[1], subject_key="order:7", lane="order:7")

    merge(pair)

    assert after(theirs) == (pair[1].pk, "exited", "merged")
    assert theirs.epoch == -theirs.pk
    assert after(kept) == (pair[1].pk, "active", "")


def test_two_runs_in_one_lane_do_not_go_on_side_by_side(campaign, pair):
    theirs = enter(campaign, pair[0], subject_key="order:7", waits_for="liked", waits_since=clock.now())
    kept = enter(campaign, pair[1], subject_key="order:8")

    merge(pair)

    assert after(theirs) == (pair[1].pk, "exited", "merged")
    assert (theirs.subject_key, theirs.epoch, theirs.due_at) == ("order:7", 0, None)  # it was that order's one time
    assert (theirs.waits_for, theirs.waits_since) == ("", None)
    assert after(kept) == (pair[1].pk, "active", "")


def test_a_run_of_the_source_goes_on_when_the_target_s_in_that_lane_has_ended(campaign, pair):
    theirs = enter(campaign, pair[0], subject_key="order:7")
    enter(campaign, pair[1], subject_key="order:8", state="completed")

    merge(pair)

    assert after(theirs) == (pair[1].pk, "active", "")


def test_runs_that_have_ended_keep_their_end_and_take_no_lane(campaign, pair):
    theirs = enter(campaign, pair[0], subject_key="order:7", state="converted", reason="bought")
    kept = enter(campaign, pair[1], subject_key="order:8")

    merge(pair)

    assert after(theirs) == (pair[1].pk, "converted", "bought")
    assert after(kept) == (pair[1].pk, "active", "")


def test_other_campaigns_and_other_lanes_are_no_obstacle(campaign, pair):
    elsewhere = running(on("liked"), [wait(seconds=DAY), send()])
    runs = [enter(campaign, pair[0], lane="a", subject_key="a"), enter(elsewhere, pair[0])]
    enter(campaign, pair[1], lane="b", subject_key="b")

    merge(pair)

    assert [after(run) for run in runs] == [(pair[1].pk, "active", "")] * 2


def test_a_moment_of_a_schedule_does_not_pass_over_who_moved_behind_it(campaign, pair):
    target, source = sorted(pair, key=lambda one: one.pk)
    slot = ScheduleSlot.objects.create(
        campaign=campaign, slot_at=clock.now(), created_at=clock.now(), after_contact=target.pk
    )

    automations.absorb(Merge(source.pk, target.pk))

    slot.refresh_from_db()
    assert slot.after_contact == target.pk - 1


def test_timers_and_webhook_calls_go_to_the_target(campaign, pair):
    run = enter(campaign, pair[0])
    call = webhook_call(run)
    Timer.objects.create(
        campaign=campaign, contact=pair[0], subject_key="cart:1", starts_at=clock.now(), due_at=clock.now()
    )

    merge(pair)
    messaging.absorb(pair[0].pk, pair[1].pk)

    call.refresh_from_db()
    assert call.contact_id == Timer.objects.get().contact_id == pair[1].pk


def webhook_call(run):
    return WebhookCall.objects.create(
        contact=run.contact,
        enrollment=run,
        campaign=run.campaign,
        step_id="hook",
        url="https://example.com/",
        payload={"email": "ann@example.com"},
        due_at=clock.now(),
        created_at=clock.now(),
    )


def test_who_is_forgotten_leaves_only_counts(ann):
    campaign = running(on("signed_up"), [wait(seconds=DAY), send()])
    activity.record(Fact(kind=FactKind.SIGNED_UP, source_key="s", customer_id=ann.customer_id))
    pipeline.pump()
    run = Enrollment.objects.get()
    Enrollment.objects.update(
        context={"data": {"name": "Ann"}}, arms={"s": "a"}, waits_for="liked", waits_since=clock.now()
    )
    call = webhook_call(run)
    Timer.objects.create(campaign=campaign, contact=run.contact, starts_at=clock.now(), due_at=clock.now())

    persons.erase(customer_id=ann.customer_id)

    run.refresh_from_db()
    call.refresh_from_db()
    assert (run.state, run.reason, run.items, run.context) == ("exited", "erased", [], {})
    assert (run.arms, run.waits_for, run.waits_since) == ({"s": "a"}, "", None)
    assert (call.payload, call.state) == ({}, "failed")
    assert not Timer.objects.exists()
    assert not Message.objects.exists()
