"""Counting who came through a campaign: every number is the number of runs that a plain query finds."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crm_plugin import automations, clock
from crm_plugin.models import CampaignVersion, Enrollment, SplitTest
from tests.stories import consenting, definition, on, running, send, wait

pytestmark = pytest.mark.django_db

SPLIT = {
    "type": "split",
    "id": "ab",
    "arms": [{"name": "a", "weight": 1, "steps": [send("a")]}, {"name": "b", "weight": 1, "steps": [send("b")]}],
}


@pytest.fixture
def enter(fake_shop):
    """Put people into a campaign as they are said to be."""

    def make(campaign, *, count=1, version=None, state="active", **columns):
        ended = {} if state == "active" else {"finished_at": clock.now(), "due_at": None}
        for _ in range(count):
            customer = fake_shop.add_customer()
            Enrollment.objects.create(
                campaign=campaign,
                version=version or campaign.version,
                contact=consenting(customer.customer_id),
                state=state,
                entered_at=clock.now(),
                **({"due_at": clock.now() + timedelta(days=1)} | columns | ended),
            )

    return make


def test_the_parts_add_up_to_those_who_entered(enter):
    campaign = running(on("signed_up"), [wait(), send()])
    enter(campaign, count=3, step=1)
    enter(campaign, count=2, state="completed")
    enter(campaign, count=4, state="converted", reason="bought")
    enter(campaign, state="exited", reason="stale")
    enter(campaign, count=2, state="exited", reason="holdout")

    found = automations.statistics([campaign.pk])[campaign.pk]

    ends = found.ends
    assert (ends.entered, ends.active, ends.completed, ends.exited, ends.converted) == (12, 3, 2, 3, 4)
    assert found.exits == (("holdout", 2), ("stale", 1))


def test_versions_are_counted_apart_and_those_without_people_too(enter):
    campaign = running(on("signed_up"), [wait(), send()])
    first = campaign.version
    automations.update_campaign(campaign.pk, definition=definition(on("signed_up"), [wait(), send("other")]))
    campaign = automations.publish(campaign.pk)
    enter(campaign, count=2, version=first, state="completed")

    found = automations.statistics([campaign.pk])[campaign.pk]

    assert [(one.version, one.ends.entered, one.ends.completed) for one in found.versions] == [(1, 2, 2), (2, 0, 0)]
    assert CampaignVersion.objects.count() == 2


def test_steps_say_who_stands_there_and_who_waits_for_a_message(enter):
    campaign = running(on("signed_up"), [wait("w"), send("mail"), SPLIT])
    enter(campaign, count=2, step=1)
    enter(campaign, count=3, step=1, due_at=None)
    enter(campaign, step=4)
    enter(campaign, step=4, state="completed")

    found = automations.statistics([campaign.pk])[campaign.pk]

    assert [(one.version, one.step_id, one.path, one.people, one.parked) for one in found.steps] == [
        (1, "mail", "steps.1", 5, 3),
        (1, "b", "steps.2.arms.1.steps.0", 1, 0),
    ]
    assert sum(one.people for one in found.steps) == found.ends.active


def test_the_arms_of_a_split_add_up_to_those_who_passed_it(enter):
    campaign = running(on("signed_up"), [wait(), SPLIT])
    enter(campaign, count=3, arms={"ab": "a"})
    enter(campaign, count=2, arms={"ab": "b"}, state="converted", reason="bought")
    enter(campaign, count=1, arms={"ab": "b", "later": "x"}, state="completed")
    enter(campaign, count=5)  # have not come so far

    found = automations.statistics([campaign.pk])[campaign.pk]

    arms = {(one.step_id, one.arm): (one.entered, one.converted) for one in found.arms}
    assert arms == {("ab", "a"): (3, 0), ("ab", "b"): (3, 2), ("later", "x"): (1, 0)}
    passed = Enrollment.objects.filter(arms__has_key="ab").count()
    assert sum(one.entered for one in found.arms if one.step_id == "ab") == passed == 6


def test_the_decision_of_a_test_is_told_with_its_evidence():
    campaign = running(on("signed_up"), [SPLIT])
    now = clock.now()
    SplitTest.objects.create(
        version=campaign.version, step_id="ab", started_at=now, arm="b", decided_at=now, evidence={"b": [50, 9]}
    )

    (found,) = automations.statistics([campaign.pk])[campaign.pk].tests

    assert (found.step_id, found.version, found.arm, found.decided_at) == ("ab", 1, "b", now)
    assert found.evidence == {"b": [50, 9]}


def test_a_campaign_without_people_has_noughts_and_no_other_campaigns_people(enter):
    campaign, empty = running(on("signed_up")), running(on("liked"))
    enter(campaign, count=2)

    found = automations.statistics([campaign.pk, empty.pk])

    assert found[empty.pk].ends.entered == 0
    assert (found[empty.pk].steps, found[empty.pk].arms, found[empty.pk].exits) == ((), (), ())
    assert found[campaign.pk].ends.entered == 2


def test_fifty_campaigns_cost_as_many_queries_as_one(enter, django_assert_max_num_queries):
    campaigns = [running(on("signed_up"), [wait(), SPLIT]) for _ in range(50)]
    for campaign in campaigns[:5]:
        enter(campaign, arms={"ab": "a"})
    automations.statistics([campaign.pk for campaign in campaigns])  # definitions are kept in mind from now on

    with django_assert_max_num_queries(8):
        found = automations.statistics([campaign.pk for campaign in campaigns])

    assert sum(one.ends.entered for one in found.values()) == 5
