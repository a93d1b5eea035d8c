"""Moving people in flight to the version that runs: where to, who stays, and never the same step twice."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crm_plugin import activity, automations, clock, pipeline
from crm_plugin.errors import InvalidInput
from crm_plugin.models import Campaign, CampaignVersion, Enrollment, Message
from crm_plugin.shop import Fact, FactKind
from tests.stories import CONTENT, definition, on, running, send, wait
from tests.together import together

pytestmark = pytest.mark.django_db

DAY = 24 * 3600


@pytest.fixture(autouse=True)
def _mail_stays_here(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


def sign_up(customer, key="s"):
    activity.record(Fact(kind=FactKind.SIGNED_UP, source_key=key, customer_id=customer.customer_id))
    pipeline.pump()


def work():
    pipeline.pump()
    pipeline.deliver()
    pipeline.pump()


def republish(campaign, *steps):
    automations.update_campaign(campaign.pk, definition=definition(on("signed_up"), steps))
    return automations.publish(campaign.pk).version


def other(step):
    """The same step with other words."""
    return step | {"template": {"en": CONTENT | {"subject": "The new words"}}}


def where(run=None):
    found = run or Enrollment.objects.get()
    found.refresh_from_db()
    ids = [step["id"] for step in found.version.definition["steps"]]
    return found.version.number, ids[found.step]


def test_a_run_moves_to_the_step_of_its_own_id_and_keeps_its_time(ann, mailoutbox):
    campaign = running(on("signed_up"), [wait("w", seconds=DAY), send("mail")])
    sign_up(ann)
    due_at = Enrollment.objects.get().due_at
    republish(campaign, {"type": "exit", "id": "never"}, wait("w", seconds=DAY), other(send("mail")))

    moved = automations.move_in_flight(campaign.pk)

    assert (moved.moved, moved.stayed) == (1, 0)
    assert where() == (2, "mail")
    assert Enrollment.objects.get().due_at == due_at
    with clock.travel(by=timedelta(days=1, seconds=1)):
        work()
    assert [letter.subject for letter in mailoutbox] == ["The new words"]


def test_nobody_moves_without_being_asked(ann):
    campaign = running(on("signed_up"), [wait("w", seconds=DAY), send("mail")])
    sign_up(ann)
    republish(campaign, wait("w", seconds=DAY), other(send("mail")))

    assert where() == (1, "mail")


def test_who_stands_at_a_step_that_is_gone_stays_unless_another_is_named(ann):
    campaign = running(on("signed_up"), [wait("w", seconds=DAY), send("mail")])
    sign_up(ann)
    republish(campaign, wait("w", seconds=DAY), send("letter"))

    stayed = automations.move_in_flight(campaign.pk)
    before = where()
    moved = automations.move_in_flight(campaign.pk, mapping={"mail": "letter"})

    assert (stayed.moved, stayed.stayed, before) == (0, 1, (1, "mail"))
    assert (moved.moved, moved.stayed, where()) == (1, 0, (2, "letter"))


def test_a_message_that_was_sent_is_not_sent_again_behind_the_move(ann, mailoutbox):
    """The steps were put into another order: in front of the new place lies one that the run has been through."""
    campaign = running(on("signed_up"), [send("a"), wait("w", seconds=DAY), send("b")])
    sign_up(ann)
    work()
    republish(campaign, wait("w", seconds=DAY), send("b"), wait("v", seconds=60), send("a"))

    found = automations.move_in_flight(campaign.pk)
    with clock.travel(by=timedelta(days=2)):
        work()

    assert (found.moved, found.stayed) == (0, 1)
    assert list(Message.objects.order_by("id").values_list("step_id", "state")) == [("a", "sent"), ("b", "sent")]
    assert len(mailoutbox) == 2
    assert Enrollment.objects.get().state == "completed"


def test_a_choice_that_leads_back_is_refused_by_its_name(ann):
    campaign = running(on("signed_up"), [send("a"), wait("w", seconds=DAY), send("b")])
    sign_up(ann)
    work()
    republish(campaign, other(send("a")), wait("w", seconds=DAY), send("b"))

    with pytest.raises(InvalidInput) as refused:
        automations.move_in_flight(campaign.pk, mapping={"b": "a"})

    assert refused.value.field == "mapping.b"
    assert where() == (1, "b")


def test_what_was_sent_on_an_older_version_still_counts_after_two_moves(ann):
    campaign = running(on("signed_up"), [send("a"), wait("w", seconds=DAY), send("b")])
    sign_up(ann)
    work()
    republish(campaign, send("b"))
    first = automations.move_in_flight(campaign.pk)
    republish(campaign, send("b"), send("a"))

    second = automations.move_in_flight(campaign.pk)

    assert (first.moved, second.moved, second.stayed) == (1, 0, 1)
    assert where() == (2, "b")


def test_a_run_whose_message_is_on_its_way_moves_only_to_the_same_step(shoppers, mailoutbox):
    campaign = running(on("signed_up"), [send("a"), wait("w", seconds=60), send("b")])
    (ann,) = shoppers(1)
    sign_up(ann)  # in the outbox, nothing delivered yet
    republish(campaign, send("x"), send("y"), send("b"))

    named = automations.move_in_flight(campaign.pk, mapping={"a": "x"})
    republish(campaign, other(send("a")), send("c"))
    same = automations.move_in_flight(campaign.pk)
    work()
    work()

    assert (named.moved, named.stayed) == (0, 1)
    assert (same.moved, same.stayed) == (1, 0)
    assert list(Message.objects.order_by("id").values_list("step_id", "state")) == [("a", "sent"), ("c", "sent")]
    assert mailoutbox[0].subject != "The new words"  # it was in the outbox already
    assert Enrollment.objects.get().state == "completed"


def test_what_a_run_waits_for_goes_with_it_when_the_new_step_waits_for_the_same(shoppers):
    def waiting(activity_name, timeout=DAY):
        return {"type": "wait_for", "id": "w", "activity": activity_name, "timeout_seconds": timeout}

    campaign = running(on("signed_up"), [waiting("liked"), send("a")])
    for number, customer in enumerate(shoppers(2)):
        sign_up(customer, f"s{number}")
    first, second = Enrollment.objects.order_by("pk")
    Enrollment.objects.filter(pk=second.pk).update(waits_for="carted")
    republish(campaign, waiting("liked", 2 * DAY), send("b"))

    automations.move_in_flight(campaign.pk)

    assert [where(first), where(second)] == [(2, "w"), (2, "w")]
    assert (first.waits_for, second.waits_for) == ("liked", "")
    assert first.waits_since is not None
    assert Enrollment.objects.filter(due_at=first.due_at, pk=first.pk).exists()


def test_arms_are_kept_and_those_who_have_ended_are_left_alone(shoppers):
    campaign = running(on("signed_up"), [wait("w", seconds=DAY), send("mail")])
    for number, customer in enumerate(shoppers(2)):
        sign_up(customer, f"s{number}")
    first, second = Enrollment.objects.order_by("pk")
    Enrollment.objects.filter(pk=first.pk).update(arms={"s": "a"})
    Enrollment.objects.filter(pk=second.pk).update(state="exited", due_at=None, finished_at=clock.now())
    republish(campaign, wait("w", seconds=DAY), other(send("mail")))

    found = automations.move_in_flight(campaign.pk)

    assert (found.moved, where(first)[0]) == (1, 2)
    assert first.arms == {"s": "a"}
    second.refresh_from_db()
    assert second.version.number == 1


def test_a_call_moves_so_many_at_most_and_the_next_ones_the_rest(shoppers):
    campaign = running(on("signed_up"), [wait("w", seconds=DAY), send("mail")])
    for number, customer in enumerate(shoppers(5)):
        sign_up(customer, f"s{number}")
    republish(campaign, wait("w", seconds=DAY), other(send("mail")))

    found = [automations.move_in_flight(campaign.pk, limit=2) for _ in range(4)]

    assert [(one.moved, one.stayed) for one in found] == [(2, 3), (2, 1), (1, 0), (0, 0)]


@pytest.mark.parametrize(("mapping", "field"), [({"nowhere": "mail"}, "nowhere"), ({"mail": "nowhere"}, "mail")])
def test_steps_that_are_not_there_are_refused_by_name(ann, mapping, field):
    campaign = running(on("signed_up"), [wait("w", seconds=DAY), send("mail")])
    sign_up(ann)
    republish(campaign, wait("w", seconds=DAY), other(send("mail")))

    with pytest.raises(InvalidInput) as refused:
        automations.move_in_flight(campaign.pk, mapping=mapping)

    assert (refused.value.field, refused.value.code) == (f"mapping.{field}", "NOT_FOUND")
    assert where()[0] == 1


@pytest.mark.parametrize("state", ["draft", "ended", "archived"])
def test_people_are_moved_only_while_it_runs_or_is_paused(state):
    campaign = running(on("liked"))
    Campaign.objects.update(state=state)

    with pytest.raises(InvalidInput) as refused:
        automations.move_in_flight(campaign.pk)

    assert refused.value.code == "NOT_RUNNING"


def test_people_of_a_paused_campaign_are_moved_and_go_on_there(ann, mailoutbox):
    campaign = running(on("signed_up"), [wait("w", seconds=60), send("mail")])
    sign_up(ann)
    republish(campaign, wait("w", seconds=60), other(send("mail")))
    automations.pause(campaign.pk)

    automations.move_in_flight(campaign.pk)
    with clock.travel(by=timedelta(days=30)):
        automations.resume(campaign.pk)
        work()

    assert [letter.subject for letter in mailoutbox] == ["The new words"]


@pytest.mark.django_db(transaction=True)
def test_moving_while_two_workers_advance_loses_nobody_and_sends_each_message_once(shoppers):
    campaign = running(on("signed_up"), [wait("w", seconds=1), send("a"), wait("v", seconds=1), send("b")])
    for number, customer in enumerate(shoppers(30)):
        sign_up(customer, f"s{number}")
    republish(campaign, wait("w", seconds=1), send("a"), wait("v", seconds=1), other(send("b")))

    def move():
        for _ in range(20):
            automations.move_in_flight(campaign.pk, limit=3)

    def advance():
        with clock.travel(by=timedelta(seconds=5)):
            for _ in range(4):
                work()

    together(move, advance, advance)
    for seconds in (10, 20, 30):
        with clock.travel(by=timedelta(seconds=seconds)):
            work()

    assert set(Enrollment.objects.values_list("state", flat=True)) == {"completed"}
    assert Message.objects.filter(state="sent").count() == 60
    assert CampaignVersion.objects.count() == 2
