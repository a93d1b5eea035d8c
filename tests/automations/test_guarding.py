"""A campaign whose mail bounces or annoys pauses itself."""

from __future__ import annotations

import logging
from datetime import timedelta
from decimal import Decimal

import pytest

from crm_plugin import automations, clock
from crm_plugin.automations.guarding import LEAST_SENT, guard_campaigns
from crm_plugin.models import Campaign, Contact, Enrollment, Message, Template
from tests.stories import on, open_shop, running

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def sent():
    """Have so many e-mails of a campaign sent, some of which came back or were complained about."""

    def make(campaign: Campaign, count: int, *, bounced: int = 0, complained: int = 0, ago=HOUR, **values) -> None:
        at = clock.now() - ago
        template = Template.objects.first()
        people = [Contact(created_at=at) for _ in range(count)]
        runs = [
            Enrollment(
                campaign=campaign, version=campaign.version, contact=one, lane=f"run:{number}:{at}", entered_at=at
            )
            for number, one in enumerate(Contact.objects.bulk_create(people))
        ]
        columns = {"channel": "email", "message_class": "marketing", "due_at": at, "stale_at": at, "created_at": at}
        Message.objects.bulk_create(
            Message(
                contact_id=run.contact_id, enrollment=run, campaign=campaign, template=template, step_id="mail",
                finished_at=at, complained_at=at if bounced <= number < bounced + complained else None,
                **columns | ({"state": "failed", "reason": "bounced"} if number < bounced else {"state": "sent"})
                | values,
            )
            for number, run in enumerate(Enrollment.objects.bulk_create(runs))
        )  # fmt: skip

    return make


@pytest.fixture
def campaign(fake_shop) -> Campaign:
    made = running(on("signed_up"))
    Campaign.objects.update(running_since=clock.now() - timedelta(days=9))
    return made


def state(campaign: Campaign) -> tuple[str, str]:
    campaign.refresh_from_db()
    return campaign.state, campaign.pause_reason


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ({"count": 100, "bounced": 5}, ("running", "")),
        ({"count": 100, "bounced": 6}, ("paused", "bounce_rate")),
        ({"count": 1_000, "complained": 3}, ("running", "")),
        ({"count": 1_000, "complained": 4}, ("paused", "complaint_rate")),
        ({"count": LEAST_SENT - 1, "bounced": 90}, ("running", "")),
        ({"count": 100, "bounced": 50, "ago": timedelta(hours=25)}, ("running", "")),
        ({"count": 100, "bounced": 50, "channel": "sms"}, ("running", "")),
        ({"count": 200, "state": "failed", "reason": "rejected"}, ("running", "")),
        ({"count": 100, "state": "failed", "reason": "address_refused"}, ("paused", "bounce_rate")),
        ({"count": 100, "bounced": 6, "complained": 2}, ("paused", "complaint_rate")),
        ({"count": 100, "complained": 1}, ("running", "")),
    ],
)
def test_above_the_rate_of_a_day_it_pauses_itself(campaign, sent, numbers, expected, caplog):
    sent(campaign, **numbers)

    with caplog.at_level(logging.WARNING):
        paused = guard_campaigns()

    assert state(campaign) == expected
    assert paused == (expected[0] == "paused")
    assert ("paused itself" in caplog.text) == bool(paused)


@pytest.mark.parametrize("limits", [{"pause_bounce_percent": Decimal(0)}, {"pause_bounce_percent": Decimal("50.00")}])
def test_the_merchant_says_where_to_stop(campaign, sent, limits):
    open_shop(**limits)
    sent(campaign, 100, bounced=40)

    assert guard_campaigns() == 0
    assert state(campaign) == ("running", "")


def test_with_both_off_nothing_is_counted(campaign, sent, django_assert_num_queries):
    open_shop(pause_bounce_percent=0, pause_complaint_percent=0)
    sent(campaign, 100, bounced=100, complained=0)

    with django_assert_num_queries(1):
        assert guard_campaigns() == 0


def test_other_campaigns_go_on_and_all_are_asked_at_once(campaign, sent, django_assert_num_queries):
    others = [running(on("viewed")) for _ in range(3)]
    for one in others:
        sent(one, 100, bounced=1)

    with django_assert_num_queries(3):  # the settings, the campaigns, their rates
        assert guard_campaigns() == 0

    sent(campaign, 100, bounced=20)
    assert guard_campaigns() == 1
    assert [state(one)[0] for one in others] == ["running"] * 3


def test_after_going_on_only_what_was_sent_since_counts(campaign, sent):
    sent(campaign, 100, bounced=20)
    guard_campaigns()

    automations.resume(campaign.pk)
    resumed = state(campaign)
    again = guard_campaigns()
    with clock.travel(by=2 * HOUR):
        sent(campaign, 100, bounced=20)
        later = guard_campaigns()

    assert (resumed, again) == (("running", ""), 0)
    assert (later, state(campaign)) == (1, ("paused", "bounce_rate"))


def test_who_pauses_by_hand_leaves_no_reason(campaign):
    automations.pause(campaign.pk)

    assert state(campaign) == ("paused", "")


def test_one_that_ends_while_paused_keeps_no_reason(campaign, sent):
    sent(campaign, 100, bounced=20)
    guard_campaigns()

    automations.end_campaign(campaign.pk)

    assert state(campaign) == ("ended", "")
