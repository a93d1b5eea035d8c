"""Publishing, pausing, going on, ending and copying; and what publishing says before it is done."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crm_plugin import activity, automations, clock, pipeline
from crm_plugin.errors import InvalidInput, NotFound
from crm_plugin.models import Campaign, Enrollment, Message
from crm_plugin.shop import Fact, FactKind
from tests.stories import CONTENT, definition, on, open_shop, running, send, wait

pytestmark = pytest.mark.django_db

DAY = 24 * 3600


@pytest.fixture(autouse=True)
def _mail_stays_here(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


def sign_up(customer, key="s", **more):
    activity.record(Fact(kind=FactKind.SIGNED_UP, source_key=key, customer_id=customer.customer_id, **more))
    pipeline.pump()


def work():
    pipeline.pump()
    pipeline.deliver()
    pipeline.pump()


def draft(trigger=None, steps=(), **more):
    return automations.create_campaign(name="Test", definition=definition(trigger or on("liked"), steps, **more))


# --- pausing and going on -------------------------------------------------------------------------------------------


def test_a_pause_in_the_middle_of_a_wait_changes_neither_place_nor_time(ann):
    campaign = running(on("signed_up"), [wait(seconds=2 * DAY), send()])
    sign_up(ann)
    before = Enrollment.objects.values("step", "due_at", "version_id").get()

    automations.pause(campaign.pk)
    with clock.travel(by=timedelta(days=1)):
        work()
        automations.resume(campaign.pk)
        work()

    assert Enrollment.objects.values("step", "due_at", "version_id").get() == before
    assert not Message.objects.exists()


def test_what_came_due_in_a_pause_is_done_when_it_is_over_and_not_before(ann, mailoutbox):
    campaign = running(on("signed_up"), [wait(seconds=60), send()])
    sign_up(ann)
    automations.pause(campaign.pk)
    with clock.travel(by=timedelta(days=30)):  # longer than anything may be late
        work()
        in_the_pause = len(mailoutbox)
        automations.resume(campaign.pk)
        work()

    run = Enrollment.objects.get()
    assert (in_the_pause, len(mailoutbox)) == (0, 1)
    assert (run.state, run.reason) == ("completed", "")


def test_a_message_that_waits_in_the_outbox_survives_a_pause_of_any_length(ann, mailoutbox):
    campaign = running(on("signed_up"), [send()])
    sign_up(ann)
    automations.pause(campaign.pk)
    pipeline.deliver()
    held = Message.objects.get()
    with clock.travel(by=timedelta(days=30)):
        work()
        automations.resume(campaign.pk)
        work()

    assert (held.state, held.reason) == ("queued", "campaign_paused")
    assert [message.state for message in Message.objects.all()] == ["sent"]
    assert len(mailoutbox) == 1


def test_publishing_goes_on_after_a_pause_too(ann, mailoutbox):
    campaign = running(on("signed_up"), [send()])
    sign_up(ann)
    automations.pause(campaign.pk)
    with clock.travel(by=timedelta(days=30)):
        automations.publish(campaign.pk)
        work()

    assert len(mailoutbox) == 1


def test_what_is_late_without_a_pause_is_dropped(ann, mailoutbox):
    running(on("signed_up"), [wait(seconds=60), send()])
    sign_up(ann)
    with clock.travel(by=timedelta(days=30)):
        work()

    assert mailoutbox == []
    assert Enrollment.objects.get().reason == "stale"


def test_what_happens_in_a_pause_starts_nothing_afterwards(ann):
    campaign = running(on("signed_up"))
    automations.pause(campaign.pk)
    with clock.travel(by=timedelta(minutes=1)):
        activity.record(Fact(kind=FactKind.SIGNED_UP, source_key="p", customer_id=ann.customer_id))
    with clock.travel(by=timedelta(minutes=2)):
        automations.resume(campaign.pk)
        work()

    assert not Enrollment.objects.exists()


def test_going_on_takes_the_version_that_was_paused_and_leaves_the_draft_alone(ann):
    campaign = running(on("signed_up"))
    automations.pause(campaign.pk)
    changed = definition(on("signed_up"), [wait(), send()])
    automations.update_campaign(campaign.pk, definition=changed)

    gone_on = automations.resume(campaign.pk)

    assert (gone_on.state, gone_on.version, gone_on.draft) == ("running", campaign.version, changed)


@pytest.mark.parametrize("state", ["draft", "running", "ended", "archived"])
def test_only_a_paused_campaign_goes_on(state):
    campaign = running(on("liked"))
    Campaign.objects.update(state=state)

    with pytest.raises(InvalidInput) as refused:
        automations.resume(campaign.pk)

    assert refused.value.code == "NOT_PAUSED"
    assert Campaign.objects.get().state == state


def test_a_paused_campaign_whose_period_is_over_ends():
    campaign = running(on("liked"), ends_at=clock.now() + timedelta(hours=1))
    automations.pause(campaign.pk)
    with clock.travel(by=timedelta(hours=2)):
        with pytest.raises(InvalidInput, match="period is over"):
            automations.resume(campaign.pk)
        automations.end_campaigns()

    assert Campaign.objects.get().state == "ended"


# --- ending and copying ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_paused", [False, True])
def test_ending_lets_everybody_go_at_once_and_nothing_more_is_sent(ann, mailoutbox, is_paused):
    campaign = running(on("signed_up"), [send("first"), wait(seconds=300 * DAY), send("second")])
    sign_up(ann)
    if is_paused:
        automations.pause(campaign.pk)

    ended = automations.end_campaign(campaign.pk)
    work()

    run = Enrollment.objects.get()
    assert ended.state == "ended"
    assert (run.state, run.reason, run.due_at) == ("exited", "campaign_ended", None)
    assert [(m.state, m.reason) for m in Message.objects.all()] == [("skipped", "campaign_ended")]
    assert mailoutbox == []


@pytest.mark.parametrize("state", ["draft", "ended", "archived"])
def test_only_what_runs_or_is_paused_can_be_ended(state):
    campaign = running(on("liked"))
    Campaign.objects.update(state=state)

    with pytest.raises(InvalidInput) as refused:
        automations.end_campaign(campaign.pk)

    assert refused.value.code == "NOT_RUNNING"


def test_those_in_flight_when_a_period_was_over_are_let_go_in_bounded_passes(shoppers):
    campaign = running(on("signed_up"), [wait(seconds=DAY), send()], ends_at=clock.now() + timedelta(hours=1))
    for number, customer in enumerate(shoppers(3)):
        sign_up(customer, f"s{number}")
    with clock.travel(by=timedelta(hours=2)):
        automations.end_campaigns()
        passes = [automations.let_go(2) for _ in range(3)]

    assert passes == [2, 1, 0]
    assert set(Enrollment.objects.values_list("state", "reason")) == {("exited", "campaign_ended")}
    assert automations.in_flight([campaign.pk]) == {}


def test_a_campaign_that_runs_again_after_its_end_takes_nobody_up_again(ann):
    campaign = running(on("signed_up"), [wait(seconds=DAY), send()])
    sign_up(ann)
    Campaign.objects.update(state="ended")

    automations.publish(campaign.pk)

    assert Enrollment.objects.get().state == "exited"


def test_an_archived_campaign_lets_go_with_a_reason_of_its_own(ann):
    campaign = running(on("signed_up"), [wait(seconds=DAY), send()])
    sign_up(ann)
    automations.pause(campaign.pk)
    automations.delete_campaign(campaign.pk)

    automations.let_go(10)

    assert Enrollment.objects.get().reason == "campaign_archived"


@pytest.mark.parametrize("state", ["draft", "running", "paused", "ended", "archived"])
def test_a_campaign_is_copied_in_any_state_into_a_draft_that_says_the_same(ann, state):
    campaign = running(on("signed_up"), [wait(seconds=DAY), send()], ends_at=clock.now() + timedelta(days=1))
    sign_up(ann)
    Campaign.objects.update(state=state)

    copy = automations.clone_campaign(campaign.pk)

    assert (copy.name, copy.state, copy.draft) == ("Copy of Test", "draft", campaign.draft)
    assert (copy.version, copy.running_since, copy.starts_at, copy.ends_at) == (None, None, None, None)
    assert automations.in_flight([copy.pk]) == {}
    assert Campaign.objects.get(pk=campaign.pk).state == state


def test_a_copy_has_a_name_that_fits_in_the_merchants_language():
    open_shop(default_language="ko")
    long = automations.create_campaign(name="가" * 120, definition=definition(on("liked")))

    assert automations.clone_campaign(long.pk).name == "가" * 115 + " 사본"
    assert automations.clone_campaign(long.pk, name=" 봄 ").name == "봄"


@pytest.mark.parametrize(
    "change",
    [automations.resume, automations.end_campaign, automations.clone_campaign, automations.preview_publish],
)
def test_what_does_not_exist_is_not_found(change):
    with pytest.raises(NotFound):
        change(404)


# --- what publishing would do ---------------------------------------------------------------------------------------


def test_the_preview_says_who_is_in_flight_where_and_which_steps_change(shoppers):
    campaign = running(on("signed_up"), [wait("w1", seconds=DAY), send("a"), wait("w2", seconds=DAY), send("b")])
    for number, customer in enumerate(shoppers(2)):
        sign_up(customer, f"s{number}")
    new = [wait("w1", seconds=60), send("b"), {"type": "exit", "id": "end"}]
    automations.update_campaign(campaign.pk, definition=definition(on("signed_up"), new))

    found = automations.preview_publish(campaign.pk)

    standing = [
        (one.standing.version, one.standing.step_id, one.standing.people, one.is_gone) for one in found.in_flight
    ]
    assert standing == [(1, "a", 2, True)]
    assert found.version == 2
    assert [(step.step_id, step.path) for step in found.added] == [("end", "definition.steps.2")]
    assert [step.step_id for step in found.removed] == ["a", "w2"]
    assert [step.step_id for step in found.changed] == ["w1", "b"]  # the one says something else, the other moved
    assert found.problems == ()
    assert Campaign.objects.get().version.number == 1


def test_the_preview_of_what_runs_already_names_its_version_and_no_change():
    campaign = running(on("liked"))

    found = automations.preview_publish(campaign.pk)

    assert (found.version, found.added, found.removed, found.changed, found.in_flight) == (1, (), (), (), ())


def test_a_step_inside_another_is_changed_by_itself():
    def branch(subject):
        inner = send("in") | {"template": {"en": CONTENT | {"subject": subject}}}
        return [{"type": "branch", "id": "b", "audience": {"include": {"type": "everybody"}}, "then": [inner]}]

    campaign = running(on("liked"), branch("one"))
    automations.update_campaign(campaign.pk, definition=definition(on("liked"), branch("two")))

    found = automations.preview_publish(campaign.pk)

    assert [(one.step_id, one.path) for one in found.changed] == [("in", "definition.steps.0.then.0")]


def test_the_preview_tells_every_problem_with_its_path():
    campaign = draft(on("liked"), [send("a"), send("b")])
    broken = {**campaign.draft, "exit_audience": {"include": {"type": "segment", "segment": 404}}}
    broken["steps"][1]["template"]["en"] = CONTENT | {"text": "{{ nobody }}"}
    Campaign.objects.update(draft=broken)

    found = automations.preview_publish(campaign.pk)

    assert {(one.field, one.code) for one in found.problems} >= {
        ("definition.steps.1.template.en.text", "UNKNOWN_VARIABLE"),
        ("sender_name", "REQUIRED"),
        ("sender_email", "REQUIRED"),
        ("postal_address", "REQUIRED"),
    }
    assert any(one.field.startswith("definition.exit_audience") for one in found.problems)


def test_a_draft_that_can_no_longer_be_read_has_all_its_faults_told():
    campaign = draft()
    wrong = [{"type": "wait", "id": "w", "seconds": 0}, {"type": "wait", "id": "No", "seconds": 5}]
    Campaign.objects.update(draft={**campaign.draft, "steps": wrong})

    found = automations.preview_publish(campaign.pk)

    assert [one.field for one in found.problems] == ["definition.steps.0.seconds", "definition.steps.1.id"]


def test_the_preview_counts_the_audience_of_the_trigger(shoppers):
    shoppers(3)
    open_shop(consent_text="You agreed.")
    everybody = {"include": {"type": "everybody"}}
    daily = {"type": "audience", "audience": everybody, "schedule": {"type": "daily", "at": "10:00"}}

    found = automations.preview_publish(draft(daily, exit_when=["ordered"]).pk)

    assert (found.audience_count, found.warnings) == (3, ())
    assert not Enrollment.objects.exists()


def test_an_empty_audience_is_worth_a_warning_in_the_merchants_language():
    open_shop(consent_text="You agreed.")
    daily = {
        "type": "audience",
        "audience": {"include": {"type": "everybody"}},
        "schedule": {"type": "daily", "at": "10:00"},
    }

    (found,) = automations.preview_publish(draft(daily, exit_when=["ordered"]).pk, language="ko").warnings

    assert (found.code, found.field) == ("EMPTY_AUDIENCE", "definition.trigger.audience")
    assert found.message == "현재 대상 고객이 없습니다."


def codes(trigger=None, steps=(), *, settings=None, **more):
    open_shop(**{"consent_text": "You agreed.", **(settings or {})})
    found = automations.preview_publish(draft(trigger, steps, **more).pk).warnings
    return [(one.code, one.field) for one in found]


def test_warnings_of_exits():
    assert codes(on("liked"), exit_when=[]) == [("NO_PURCHASE_EXIT", "definition.exit_when")]
    assert codes(on("signed_up")) == [("ITEM_NEVER_BOUGHT", "definition.exit_when")]
    assert codes(on("liked")) == codes(on("signed_up"), exit_when=["ordered"]) == []


def test_warnings_of_settings_and_content():
    assert codes(settings={"consent_text": ""}) == [("NO_CONSENT_TEXT", "consent_text")]
    transactional = [send(message_class="transactional")]
    assert codes(on("paid"), transactional, settings={"postal_address": ""}) == [
        ("NO_POSTAL_ADDRESS", "postal_address")
    ]
    assert codes(steps=[wait()]) == [("NOTHING_SENT", "definition.steps")]
    assert codes(settings={"languages": ["en", "ko"]}) == [("LANGUAGE_MISSING", "definition.steps.0.template")]


NEWS = "<mjml><mj-body><mj-section><mj-column><mj-text>Thank you.</mj-text></mj-column></mj-section></mj-body></mjml>"


def test_messages_closer_together_than_the_frequency_cap_are_warned_of():
    cap = {"caps": [{"channel": "email", "count": 1, "hours": 16}]}
    close, apart = wait("w", seconds=15 * 3600), wait("w", seconds=16 * 3600)
    soon = [("WITHIN_FREQUENCY_CAP", "definition.steps.2")]

    assert codes(steps=[send("a"), close, send("b")], settings=cap) == soon
    assert codes(steps=[send("a"), apart, send("b")], settings=cap) == []
    news = send(
        "b",
        message_class="transactional",
        offers=False,
        template={"en": {**CONTENT, "subject": "Your order", "mjml": NEWS, "text": "Thank you."}},
    )
    assert codes(steps=[send("a"), close, news], settings=cap) == []
    assert (
        codes(steps=[send("a"), close, send("b")], settings={"caps": [{"channel": "email", "count": 2, "hours": 16}]})
        == []
    )
    three = [send("a"), send("b"), send("c")]
    assert codes(steps=three, settings={"caps": [{"channel": "email", "count": 2, "hours": 16}]}) == soon


def test_only_the_arms_that_go_on_count_for_the_frequency_cap():
    arms = [
        {"name": "a", "weight": 1, "steps": [wait("day", seconds=DAY)]},
        {"name": "none", "weight": 1, "is_holdout": True},
    ]
    ladder = [send("a"), {"type": "split", "id": "s", "arms": arms}, send("b")]

    assert codes(steps=ladder, settings={"caps": [{"channel": "email", "count": 1, "hours": 16}]}) == []
