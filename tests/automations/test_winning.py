"""The winner of a split: when it is found, on which numbers, and that it stays."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from crm_plugin import activity, automations, clock, pipeline
from crm_plugin.automations import winning
from crm_plugin.automations.definition import Definition
from crm_plugin.automations.running import versions
from crm_plugin.automations.steps import SplitStep, Winner
from crm_plugin.automations.winning import Tally, check_winner, judge
from crm_plugin.errors import InvalidInput
from crm_plugin.models import Campaign, Enrollment, Message, SplitTest
from crm_plugin.shop import Fact, FactKind
from tests.stories import definition, on, running, send, wait
from tests.together import together

HOURS = timedelta(hours=1)


def arm(name, weight=1, **more):
    return {"name": name, "weight": weight, "steps": [send(f"mail_{name}")], **more}


def split(*arms, **winner):
    rules = {"metric": "clicks", "after_seconds": 4 * 3600, "min_per_arm": 5, **winner}
    return {"type": "split", "id": "subject", "arms": list(arms) or [arm("a"), arm("b")], "winner": rules}


def enter(customers):
    activity.record_many(
        Fact(kind=FactKind.SIGNED_UP, source_key=f"s{one.customer_id}", customer_id=one.customer_id)
        for one in customers
    )
    while pipeline._drain_once():
        pass
    advance()


def advance():
    with transaction.atomic():
        while automations.advance(1000):
            pass


def respond(**clicks):
    """Hand all messages out; so many of the messages of each arm are clicked."""
    now = clock.now()
    Message.objects.filter(state="queued").update(state="sent", finished_at=now)
    for name, count in clicks.items():
        ids = list(Message.objects.filter(step_id=f"mail_{name}").order_by("pk").values_list("pk", flat=True)[:count])
        assert len(ids) == count
        Message.objects.filter(pk__in=ids).update(clicked_at=now)


# The statistics


def test_the_probability_is_that_of_the_posteriors():
    # Exact, by drawing from the two Beta distributions.
    tallies = {"a": Tally(200, 30), "b": Tally(200, 22)}
    draw = random.Random(1)  # noqa: S311 - no secret
    wins = sum(draw.betavariate(31, 171) > draw.betavariate(23, 179) for _ in range(50_000))

    assert judge(tallies, Winner()).probability == pytest.approx(wins / 50_000, abs=0.01)


@pytest.mark.parametrize(
    ("tallies", "arm", "is_enough"),
    [
        ({"a": (100, 10), "b": (100, 30)}, "b", True),
        ({"a": (100, 10), "b": (100, 12)}, "b", False),  # too close
        ({"a": (49, 1), "b": (100, 30)}, "b", False),  # too few in one arm
        ({"a": (100, 5), "b": (100, 30), "c": (100, 29)}, "b", False),  # better than one, not than the other
        ({"a": (0, 0), "b": (0, 0)}, "a", False),  # nobody: the first
        ({"a": (50, 5), "b": (50, 5)}, "a", False),  # equals: the first
        ({"a": (1000, 0), "b": (1000, 0)}, "a", False),
    ],
)
def test_what_is_enough(tallies, arm, is_enough):
    verdict = judge({name: Tally(*counts) for name, counts in tallies.items()}, Winner())

    assert (verdict.arm, verdict.is_enough) == (arm, is_enough)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=2, max_size=8))
def test_any_numbers_have_a_best_arm_and_a_probability(numbers):
    tallies = {str(index): Tally(max(pair), min(pair)) for index, pair in enumerate(numbers)}

    verdict = judge(tallies, Winner())

    assert verdict.arm in tallies
    assert 0.5 - 1e-9 <= verdict.probability <= 1


# The way of the people


@pytest.mark.django_db
@pytest.mark.feature(70)
def test_two_subjects_to_ten_percent_each_and_the_winner_by_clicks_after_four_hours_to_the_rest(shoppers):
    running(on("signed_up"), [split(test_percent=20)], exit_when=[])
    enter(shoppers(300))
    sent = Counter(Message.objects.values_list("step_id", flat=True))
    respond(b=sent["mail_b"] // 2)
    with clock.travel(by=4 * HOURS - timedelta(minutes=1)):
        advance()
        too_early = Message.objects.count()
    with clock.travel(by=4 * HOURS + timedelta(seconds=1)):
        advance()

    # Thirty each but for chance: four standard deviations of it.
    assert 10 <= sent["mail_a"] <= 51
    assert 10 <= sent["mail_b"] <= 51
    assert too_early == sum(sent.values())
    assert Counter(Message.objects.values_list("step_id", flat=True)) == sent + Counter(mail_b=300 - sum(sent.values()))
    test = SplitTest.objects.get()
    assert (test.arm, test.evidence["best"], test.evidence["is_enough"]) == ("b", "b", True)
    assert test.evidence["arms"]["b"] == {"people": sent["mail_b"], "hits": sent["mail_b"] // 2}


@pytest.fixture
def campaign(shoppers):
    """A running test in which everybody takes part, with people in both arms."""
    made = running(on("signed_up"), [split()], exit_when=[])
    enter(shoppers(60))
    return made


@pytest.mark.django_db
def test_who_comes_after_the_decision_goes_the_winners_way(campaign, shoppers):
    respond(a=15)
    before = Counter(Message.objects.values_list("step_id", flat=True))
    with clock.travel(by=5 * HOURS):
        enter(shoppers(20))

    assert Counter(Message.objects.values_list("step_id", flat=True)) == before + Counter(mail_a=20)
    assert Enrollment.objects.filter(arms__subject="a").count() == before["mail_a"] + 20


@pytest.mark.django_db
def test_while_nothing_is_sure_people_are_divided_and_the_test_goes_on(campaign, shoppers):
    respond()
    with clock.travel(by=5 * HOURS):
        enter(shoppers(20))

    assert SplitTest.objects.get().arm == ""
    assert SplitTest.objects.get().evidence["is_enough"] is False
    assert Message.objects.filter(step_id="mail_b").count() > 20


@pytest.mark.django_db
def test_at_the_deadline_the_best_so_far_wins(campaign, shoppers):
    respond(b=1)
    with clock.travel(by=timedelta(days=7, minutes=1)):
        enter(shoppers(5))

    test = SplitTest.objects.get()
    assert (test.arm, test.evidence["is_enough"]) == ("b", False)


@pytest.mark.django_db
def test_those_who_wait_look_again_every_hour_and_not_after_the_deadline(shoppers):
    running(on("signed_up"), [split(test_percent=10, deadline_seconds=4 * 3600 + 5400)], exit_when=[])
    enter(shoppers(40))
    started_at = SplitTest.objects.get().started_at
    looks = []
    for hours in (0, 4, 5):
        with clock.travel(by=hours * HOURS + timedelta(seconds=1)):
            advance()
            looks.append(Enrollment.objects.filter(arms={}).latest("due_at").due_at - started_at)
    with clock.travel(by=6 * HOURS):
        advance()

    assert looks[0] == 4 * HOURS
    assert 5 * HOURS <= looks[1] <= 5 * HOURS + timedelta(minutes=1)
    assert looks[2] == 5.5 * HOURS
    assert not Enrollment.objects.filter(arms={}).exists()


@pytest.mark.django_db
def test_conversions_are_counted_among_all_who_went_the_arm(shoppers):
    running(on("signed_up"), [split(arm("a"), arm("b", steps=[wait("pause")]), metric="conversions")], exit_when=[])
    enter(shoppers(60))
    Enrollment.objects.filter(arms__subject="b").update(state="converted", finished_at=clock.now(), due_at=None)
    with clock.travel(by=5 * HOURS):
        enter(shoppers(1))

    test, people = SplitTest.objects.get(), Counter(Enrollment.objects.values_list("arms__subject", flat=True))
    assert test.arm == "b"
    assert test.evidence["arms"] == {
        "a": {"people": people["a"], "hits": 0},
        "b": {"people": people["b"] - 1, "hits": people["b"] - 1},
    }


@pytest.mark.django_db
def test_messages_with_other_content_of_an_older_version_do_not_count(campaign):
    respond(a=10)
    row = Campaign.objects.get()
    version = versions([row.version_id])[row.version_id]
    Message.objects.update(created_at=clock.now() - timedelta(days=1))

    step = version.definition.steps[0]
    assert isinstance(step, SplitStep)
    with clock.travel(by=5 * HOURS):
        decided = winning.decide(SplitTest.objects.get(), step, version, row.pk, now=clock.now())

    assert decided is None
    assert SplitTest.objects.get().evidence["arms"] == {"a": {"people": 0, "hits": 0}, "b": {"people": 0, "hits": 0}}


@pytest.mark.django_db(transaction=True)
def test_two_workers_make_one_decision(campaign):
    respond(a=15)
    row = Campaign.objects.get()
    version = versions([row.version_id])[row.version_id]
    step, stale = version.definition.steps[0], [SplitTest.objects.get() for _ in range(2)]
    at, found = clock.now() + 5 * HOURS, []

    def decide(test, delay):
        with transaction.atomic(), connection.cursor() as cursor:
            found.append(winning.decide(test, step, version, row.pk, now=at + timedelta(seconds=delay)))
            cursor.execute("SELECT pg_sleep(0.3)")

    together(lambda: decide(stale[0], 0), lambda: decide(stale[1], 1))
    respond(b=20)
    later = winning.decide(SplitTest.objects.get(), step, version, row.pk, now=at + 100 * HOURS)

    assert [*found, later] == ["a", "a", "a"]
    assert {test.decided_at for test in stale} == {SplitTest.objects.get().decided_at}


# What is refused


@pytest.mark.parametrize(("metric", "is_refused"), [("clicks", True), ("opens", True), ("conversions", False)])
def test_an_arm_that_sends_nothing_cannot_win_by_clicks(metric, is_refused):
    made = Definition.parse(definition(on("liked"), [split(arm("a"), arm("b", steps=[wait()]), metric=metric)]))

    if not is_refused:
        check_winner(made)
        return
    with pytest.raises(InvalidInput) as error:
        check_winner(made)
    assert error.value.field == "definition.steps.0.arms.1.steps"


def test_a_message_deeper_inside_the_arm_can_be_counted():
    deeper = {"type": "branch", "id": "fork", "audience": {}, "otherwise": [send("inside")]}
    made = Definition.parse(definition(on("liked"), [split(arm("a"), arm("b", steps=[deeper]))]))

    check_winner(made)
