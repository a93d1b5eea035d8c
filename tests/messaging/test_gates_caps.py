"""Frequency caps on the rows of the outbox: what counts, by which window, and whatever workers do."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm_plugin import clock, contacts, messaging
from crm_plugin.contacts import Contact
from crm_plugin.merchant import DEFAULT_CAPS, Merchant
from crm_plugin.messaging import CampaignCap, Draft, GateTerms, Go, Hold, MessageClass, Reason, Skip, TemplateSource
from crm_plugin.messaging.gates import Gatekeeper
from crm_plugin.messaging.outbox import Claimed
from crm_plugin.models import Message
from tests.messaging.conftest import CONTENT
from tests.messaging.gate_story import merchant_of, person, plan
from tests.together import together

pytestmark = pytest.mark.django_db

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
CAP = {"channel": "email", "count": 1, "hours": 16}
CAPPED = Skip(Reason.FREQUENCY_CAP)
_numbers = count()
Judge = Callable[..., Hold | Skip | None]


@pytest.fixture
def ann(make_contact: Callable[..., Contact]) -> Contact:
    """She agreed to everything, as far as these tests ask."""
    return make_contact()


@pytest.fixture
def got(ann: Contact) -> Callable[..., Message]:
    """A message that Ann got, or did not get."""
    template = messaging.save_template(TemplateSource.parse({"en": CONTENT}), message_class=MessageClass.MARKETING)

    def put(at: datetime | None = NOON, *, channel: str = "email", state: str = "sent", **fields: Any) -> Message:
        values = {"message_class": "marketing", "occasion": f"test:{next(_numbers)}"} | fields
        return Message.objects.create(
            contact=ann,
            template_id=template,
            channel=channel,
            state=state,
            due_at=NOON,
            stale_at=NOON + 99 * HOUR,
            created_at=NOON,
            finished_at=at,
            lease_until=NOON + HOUR if state == "sending" else None,
            **values,
        )

    return put


@pytest.fixture
def judged(ann: Contact) -> Judge:
    """What a gatekeeper says who has just come on duty."""

    def ask(
        *caps: dict[str, Any],
        at: datetime,
        channel: str = "email",
        who: dict[str, Any] | None = None,
        message: Claimed | None = None,
        **fields: Any,
    ) -> Hold | Skip | None:
        us = merchant_of(caps=list(caps))
        keeper = Gatekeeper.on_duty(us, contact_ids=[ann.pk], channel=channel, now=at)
        planned = plan(at, channel=channel, contact_id=ann.pk, **fields)
        return keeper.judge(message or planned, person(contact_id=ann.pk, **who or {}), GateTerms())

    return ask


@pytest.mark.parametrize(("channel", "hours"), [("email", 16), ("sms", 24), ("web_push", 24), ("app_push", 24)])
def test_smart_sending_by_default_is_one_in_so_many_hours(
    got: Callable[..., Message], judged: Judge, channel: str, hours: int
):
    got(channel=channel)
    end = NOON + hours * HOUR

    assert judged(*DEFAULT_CAPS, at=end - SECOND, channel=channel) == CAPPED
    assert judged(*DEFAULT_CAPS, at=end, channel=channel) is None


def test_smart_sending_by_default_is_for_each_channel_by_itself(got: Callable[..., Message], judged: Judge):
    got(channel="email")

    assert all(judged(*DEFAULT_CAPS, at=NOON + HOUR, channel=channel) is None for channel in ("sms", "kakao", "inbox"))


@pytest.mark.parametrize(
    ("fields", "is_counted"),
    [
        ({}, True),
        ({"state": "unknown", "reason": "lease_expired"}, True),
        ({"state": "sending", "at": None}, True),
        ({"state": "failed", "reason": "bounced"}, True),
        ({"state": "failed", "reason": "undelivered"}, True),
        ({"state": "failed", "reason": "address_refused"}, False),
        ({"state": "failed", "reason": "rejected"}, False),
        ({"state": "skipped", "reason": "no_consent"}, False),
        ({"state": "queued", "at": None}, False),
        ({"message_class": "transactional"}, False),
        ({"channel": "sms"}, False),
        ({"at": NOON + 2 * HOUR}, True),  # by the clock of another worker, which goes ahead
    ],
)
def test_what_was_handed_out_or_may_have_been_counts(
    got: Callable[..., Message], judged: Judge, fields: dict[str, Any], *, is_counted: bool
):
    got(**fields)

    assert judged(CAP, at=NOON + HOUR) == (CAPPED if is_counted else None)
    assert judged(CAP, at=NOON + HOUR, message_class="transactional") is None


def test_a_cap_over_all_channels_counts_them_all(got: Callable[..., Message], judged: Judge):
    overall = {"channel": "", "count": 3, "hours": 24}
    for channel in ("email", "sms"):
        got(channel=channel)

    assert judged(overall, at=NOON + HOUR, channel="app_push") is None
    got(channel="inbox")
    assert judged(overall, at=NOON + HOUR, channel="app_push") == CAPPED
    assert judged(overall, at=NOON + 24 * HOUR, channel="app_push") is None


def test_the_strictest_of_several_caps_holds(got: Callable[..., Message], judged: Judge):
    week = {"channel": "", "count": 3, "days": 7}
    for day in range(3):
        got(NOON + day * 24 * HOUR)

    assert judged(CAP, at=NOON + 72 * HOUR) is None
    assert judged(CAP, week, at=NOON + 72 * HOUR) == CAPPED
    assert judged(CAP, week, at=NOON + 72 * HOUR, channel="sms") == CAPPED


def wall(text: str, zone: str) -> datetime:
    """The moment at which a clock of the zone shows this."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


@pytest.mark.parametrize("zone", ["Asia/Seoul", "America/New_York", "UTC"])
def test_a_calendar_day_is_the_persons_own_so_23_00_and_then_00_01_is_allowed(
    got: Callable[..., Message], judged: Judge, zone: str
):
    daily = {"channel": "email", "count": 1, "days": 1}
    got(wall("2027-03-01T23:00", zone))
    ask = partial(judged, daily, who={"time_zone": zone})

    assert ask(at=wall("2027-03-01T23:59:59", zone)) == CAPPED
    assert ask(at=wall("2027-03-02T00:01", zone)) is None
    got(wall("2027-03-02T00:01", zone))
    assert ask(at=wall("2027-03-02T23:59:59", zone)) == CAPPED


def test_several_calendar_days_are_today_and_those_before(got: Callable[..., Message], judged: Judge):
    three = {"channel": "email", "count": 1, "days": 3}
    got(wall("2027-03-01T00:00", "Asia/Seoul"))
    ask = partial(judged, three, who={"time_zone": "Asia/Seoul"})

    assert ask(at=wall("2027-03-03T23:59:59", "Asia/Seoul")) == CAPPED
    assert ask(at=wall("2027-03-04T00:00", "Asia/Seoul")) is None


def test_a_calendar_day_of_25_hours_is_counted_to_its_beginning(got: Callable[..., Message], judged: Judge):
    zone = "Europe/Berlin"
    daily = {"channel": "email", "count": 1, "days": 1}
    got(wall("2027-10-31T00:00", zone))

    assert judged(daily, at=wall("2027-10-31T23:59", zone), who={"time_zone": zone}) == CAPPED
    assert judged(daily, at=wall("2027-11-01T00:00", zone), who={"time_zone": zone}) is None


def test_a_brand_message_comes_once_a_calendar_day(got: Callable[..., Message], judged: Judge):
    got(wall("2027-03-01T20:59", "Asia/Seoul"), channel="kakao")
    ask = partial(judged, *DEFAULT_CAPS, channel="kakao", who={"country": "KR"})

    assert ask(at=wall("2027-03-01T21:00", "Asia/Seoul")) == Hold(
        wall("2027-03-02T08:00", "Asia/Seoul"), Reason.NIGHT_BAN
    )
    assert ask(at=wall("2027-03-01T20:59:59", "Asia/Seoul")) == CAPPED
    assert ask(at=wall("2027-03-02T08:00", "Asia/Seoul")) is None


@pytest.mark.feature(61)
def test_what_came_back_does_not_stand_in_the_way_of_the_same_steps_next_channel(
    queue: Callable[..., Message], judged: Judge, ann: Contact
):
    overall = {"channel": "", "count": 1, "hours": 24}
    first = queue(ann)
    Message.objects.update(state="failed", reason="bounced", channel="kakao", finished_at=clock.now())
    other = queue(ann)
    Message.objects.filter(pk=other.pk).update(enrollment=first.enrollment)
    (successor,) = messaging.claim(5)

    assert judged(overall, at=clock.now(), channel="sms", message=successor) is None
    Message.objects.filter(pk=other.pk).update(lease_until=None, step_id="another")
    (stranger,) = messaging.claim(5)
    assert judged(overall, at=clock.now(), channel="sms", message=stranger) == CAPPED


def test_the_messages_of_one_chunk_count_for_one_another(ann: Contact):
    us = merchant_of(caps=[CAP | {"count": 2}])
    keeper = Gatekeeper.on_duty(us, contact_ids=[ann.pk], channel="email", now=NOON)
    who = person(contact_id=ann.pk)

    found = [keeper.judge(plan(NOON, contact_id=ann.pk), who, GateTerms()) for _ in range(3)]

    assert found == [None, None, CAPPED]


def test_a_campaigns_own_cap_counts_its_messages_on_every_channel(queue: Callable[..., Message], ann: Contact):
    sent = queue(ann)
    Message.objects.update(state="sent", finished_at=NOON, channel="sms")
    cap = CampaignCap(1, timedelta(days=2))
    ours = sent.campaign_id or 0

    def ask(at: datetime, campaign_id: int) -> Hold | Skip | None:
        keeper = Gatekeeper.on_duty(merchant_of(), contact_ids=[ann.pk], channel="email", now=at, caps={ours: cap})
        message = plan(at, contact_id=ann.pk, campaign_id=campaign_id)
        return keeper.judge(message, person(contact_id=ann.pk), GateTerms(cap=cap))

    assert ask(NOON + 48 * HOUR - SECOND, ours) == Skip(Reason.CAMPAIGN_CAP)
    assert ask(NOON + 48 * HOUR, ours) is None
    assert ask(NOON + HOUR, ours + 1) is None


def test_the_number_of_queries_depends_on_nothing(
    make_contact: Callable[..., Contact], queue: Callable[..., Message], settings: Any
):
    settings.CRM_EMAIL_PER_MINUTE = 5
    us = merchant_of(
        time_zone="",
        caps=[*DEFAULT_CAPS, {"channel": "", "count": 5, "days": 7}],
        domain_limits={"example.com": 3, "example.org": 3},
        warm_up_from=NOON.date(),
        warm_up_first=10,
    )

    def queries(people: int) -> int:
        them = [make_contact(f"p{number}@example.{('com', 'org')[number % 2]}") for number in range(people)]
        for one in them:
            queue(one)
        Message.objects.update(state="sent", finished_at=NOON)
        caps = {number: CampaignCap(3, timedelta(days=number + 1)) for number in range(people)}
        ids = [one.pk for one in them]
        with CaptureQueriesContext(connection) as asked:
            keeper = Gatekeeper.on_duty(
                us, contact_ids=ids, channel="email", now=NOON, caps=caps, addresses=[str(one.email) for one in them]
            )
            for one in them:
                keeper.judge(plan(NOON, contact_id=one.pk), person(contact_id=one.pk, address=one.email), GateTerms())
            keeper.off_duty()
        return len(asked)

    assert queries(2) == queries(12) <= 6


# Several workers


@pytest.fixture
def on_channel(us: Merchant) -> Callable[..., None]:
    """Queue an advertisement for a contact, by e-mail or to the inbox."""
    inbox = {"en": {"title": "News", "text": "There is news."}}
    templates = {
        "email": messaging.save_template(TemplateSource.parse({"en": CONTENT}), message_class=MessageClass.MARKETING),
        "inbox": messaging.save_template(
            TemplateSource.parse(inbox, channel="inbox"), message_class=MessageClass.MARKETING
        ),
    }

    def put(contact: Contact, channel: str) -> None:
        now = clock.now()
        values: dict[str, Any] = {"due_at": now, "stale_at": now + 48 * HOUR, "message_class": "marketing"}
        draft = Draft(
            contact_id=contact.pk,
            template_id=templates[channel],
            channel=channel,
            occasion=f"test:{uuid.uuid4()}",
            **values,
        )
        messaging.enqueue([draft])

    return put


def hand_out(mine: list[Claimed]) -> None:
    messaging.deliver(mine, verdicts={one.message_id: Go() for one in mine}, on_outcomes=lambda _some: None)


@pytest.mark.django_db(transaction=True)
def test_two_workers_on_two_channels_keep_the_cap_over_all_channels(
    smtp: Any, make_contact: Callable[..., Contact], on_channel: Callable[..., None], us: Merchant, settings: Any
):
    settings.CRM_HANDOUT_BATCH = 3
    us.caps = [{"channel": "", "count": 1, "hours": 24}]
    us.save()
    people = [make_contact(f"p{number}@example.com", customer_id=f"c{number}") for number in range(12)]
    for one in people:
        contacts.set_consent(one.pk, channel="inbox", is_granted=True, source="test")
        for channel in ("email", "inbox"):
            on_channel(one, channel)
    claimed = messaging.claim(100)

    # One worker has everybody's e-mail, the other everybody's note in the inbox.
    together(*(partial(hand_out, [one for one in claimed if one.channel == kind]) for kind in ("email", "inbox")))

    sent = Message.objects.filter(state="sent")
    assert sorted(sent.values_list("contact_id", flat=True)) == sorted(one.pk for one in people)
    assert set(Message.objects.exclude(state="sent").values_list("state", "reason")) == {("skipped", "frequency_cap")}
    assert len(smtp.letters) == sent.filter(channel="email").count()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("round_", range(3))
def test_three_workers_with_all_kinds_of_messages_keep_every_cap(
    smtp: Any,
    make_contact: Callable[..., Contact],
    on_channel: Callable[..., None],
    us: Merchant,
    settings: Any,
    round_: int,
):
    settings.CRM_HANDOUT_BATCH = 2
    us.caps = [{"channel": "", "count": 3, "days": 1}, {"channel": "email", "count": 2, "hours": 24}]
    us.save()
    people = [make_contact(f"p{number}@example.com", customer_id=f"c{number}") for number in range(5)]
    for one in people:
        contacts.set_consent(one.pk, channel="inbox", is_granted=True, source="test")
        for channel in ("email", "inbox") * 4:
            on_channel(one, channel)
    claimed = messaging.claim(100)

    together(*(partial(hand_out, claimed[worker::3]) for worker in range(3)))

    for one in people:
        mine = list(Message.objects.filter(contact=one, state="sent").values_list("channel", flat=True))
        assert len(mine) == 3
        assert mine.count("email") <= 2
