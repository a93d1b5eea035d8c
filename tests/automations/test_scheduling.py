"""Campaigns that start by the clock: broadcasts and daily cohorts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_plugin import activity, automations, clock, pipeline
from crm_plugin.errors import InvalidInput
from crm_plugin.models import Enrollment, Message, ScheduleSlot
from crm_plugin.shop import Fact, FactKind, ShopIdentity
from tests.fake_shop import FakeShop
from tests.stories import consenting, definition, open_shop, running, send

pytestmark = pytest.mark.django_db

EVERYBODY = {"include": {"type": "everybody"}}
SEOUL = "Asia/Seoul"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def daily(audience: dict[str, Any], *, time: str = "10:00", **more: Any) -> dict[str, Any]:
    return {"type": "audience", "audience": audience, "schedule": {"type": "daily", "at": time}, **more}


def once(moment: str, audience: dict[str, Any] = EVERYBODY) -> dict[str, Any]:
    return {"type": "audience", "audience": audience, "schedule": {"type": "once", "at": moment}}


def viewed(days_ago: int) -> dict[str, Any]:
    window = {"type": "exactly_ago", "amount": days_ago, "unit": "days"}
    return {"include": {"type": "did", "activity": "viewed", "window": window}}


@pytest.fixture
def in_zone(fake_shop: FakeShop):
    """Return a function that puts the shop into a time zone."""

    def move(zone: str) -> None:
        fake_shop.shop_identity = ShopIdentity("Fake Shop", "https://shop.example/", zone, "en")

    return move


@pytest.mark.parametrize(
    ("zone", "day", "expected"),
    [
        (SEOUL, "2027-02-01", "2027-02-01T01:00"),
        ("Europe/Berlin", "2027-03-27", "2027-03-27T09:00"),
        ("Europe/Berlin", "2027-03-28", "2027-03-28T08:00"),  # the clocks go forward
        ("Europe/Berlin", "2027-10-31", "2027-10-31T09:00"),  # and back
    ],
)
@pytest.mark.feature(57)
def test_ten_o_clock_is_ten_o_clock_of_the_shop(fake_shop, in_zone, mailoutbox, zone, day, expected):
    in_zone(zone)
    with clock.travel(to=at(f"{day}T00:00") - timedelta(hours=10)):
        consenting(fake_shop.add_customer().customer_id)
        running(daily(EVERYBODY, time="10:00"))

    with clock.travel(to=at(expected) - timedelta(minutes=1)):
        pipeline.pump()
        assert pipeline.deliver() == 0
    with clock.travel(to=at(expected)):
        pipeline.pump()
        pipeline.deliver()

    assert len(mailoutbox) == 1
    assert Message.objects.get().due_at == at(expected)


@pytest.mark.feature(52)
def test_a_daily_cohort_is_of_exactly_that_day(fake_shop, in_zone, mailoutbox):
    in_zone(SEOUL)
    product = fake_shop.add_product(price=10)
    people = {day: fake_shop.add_customer(email=f"viewer{day}@example.com") for day in (29, 30, 31)}
    for day, person in people.items():
        with clock.travel(to=at(f"2027-01-{day}T03:00")):
            consenting(person.customer_id)
            record_view(person.customer_id, product.product_id)
            pipeline.pump()
    with clock.travel(to=at("2027-02-01T00:30")):  # 09:30 in Seoul
        running(daily(viewed(2)))

    mailed = {}
    for day in (1, 2, 3, 4):
        with clock.travel(to=at(f"2027-02-0{day}T01:00")):
            pipeline.pump()
            pipeline.deliver()
            mailed[day] = [mail.to[0] for mail in mailoutbox]
            mailoutbox.clear()

    assert mailed == {1: ["viewer30@example.com"], 2: ["viewer31@example.com"], 3: [], 4: []}


def record_view(customer_id: str, product_id: str) -> None:
    activity.record(
        Fact(
            kind=FactKind.VIEWED,
            source_key=f"view:{customer_id}",
            customer_id=customer_id,
            product_id=product_id,
            shop_channel="default",
        )
    )


def test_a_broadcast_goes_out_once_at_its_moment(fake_shop, in_zone, mailoutbox):
    in_zone(SEOUL)
    with clock.travel(to=at("2027-02-01T00:00")):
        for _ in range(3):
            consenting(fake_shop.add_customer().customer_id)
        running(once("2027-02-01T12:00"))

    for moment in ("2027-02-01T02:59", "2027-02-01T03:00", "2027-02-01T03:00", "2027-02-01T04:00", "2027-02-02T03:00"):
        with clock.travel(to=at(moment)):
            pipeline.pump()
            pipeline.deliver()

    assert len(mailoutbox) == 3
    assert ScheduleSlot.objects.values_list("state", "enrolled_count").get() == ("done", 3)


def test_a_late_worker_enrolls_who_was_in_the_audience_at_the_moment(fake_shop, in_zone):
    in_zone(SEOUL)
    product = fake_shop.add_product(price=10)
    with clock.travel(to=at("2027-01-30T03:00")):
        record_view(fake_shop.add_customer().customer_id, product.product_id)
        pipeline.pump()
        running(daily(viewed(2)))

    with clock.travel(to=at("2027-02-02T01:30")):  # a day late: by the beat's clock, that view is three days old
        pipeline.pump()

    assert Enrollment.objects.filter(entered_at=at("2027-02-01T01:00")).count() == 1


def test_a_moment_that_is_no_news_any_more_is_dropped(fake_shop, in_zone):
    in_zone(SEOUL)
    with clock.travel(to=at("2027-02-01T00:00")):
        consenting(fake_shop.add_customer().customer_id)
        running(once("2027-02-01T12:00"))

    with clock.travel(to=at("2027-02-05T00:00")):
        pipeline.pump()

    assert ScheduleSlot.objects.get().state == "dropped"
    assert not Enrollment.objects.exists()


def test_once_ever_or_at_every_moment(fake_shop, in_zone, mailoutbox):
    in_zone(SEOUL)
    with clock.travel(to=at("2027-02-01T00:00")):
        consenting(fake_shop.add_customer().customer_id)
        first = running(daily(EVERYBODY))
        second = running(daily(EVERYBODY, reentry="always"))

    for day in (1, 2, 3):
        with clock.travel(to=at(f"2027-02-0{day}T01:00")):
            pipeline.pump()
            pipeline.deliver()

    assert Enrollment.objects.filter(campaign=first).count() == 1
    assert Enrollment.objects.filter(campaign=second).count() == 3


def test_a_moment_before_the_campaign_ran_or_while_it_was_paused_is_nobodys(fake_shop, in_zone):
    in_zone(SEOUL)
    with clock.travel(to=at("2027-02-01T02:00")):  # 11:00 in Seoul
        consenting(fake_shop.add_customer().customer_id)
        campaign = running(daily(EVERYBODY))
        pipeline.pump()
        automations.pause(campaign.pk)
    with clock.travel(to=at("2027-02-02T01:30")):
        pipeline.pump()
        automations.publish(campaign.pk)
        pipeline.pump()

    assert not ScheduleSlot.objects.exists()


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2027-03-28", "2027-03-28T01:30"),  # 02:30 does not exist: it is 03:30 by the new time
        ("2027-10-31", "2027-10-31T00:30"),  # 02:30 comes twice: the first
    ],
)
def test_an_hour_that_the_clocks_skip_is_later_and_one_that_comes_twice_is_the_first(fake_shop, in_zone, day, expected):
    in_zone("Europe/Berlin")
    with clock.travel(to=at(f"{day}T00:00") - timedelta(hours=10)):
        fake_shop.add_customer()
        running(daily(EVERYBODY, time="02:30"))

    for hour in range(30):
        with clock.travel(to=at(f"{day}T00:00") + timedelta(minutes=30 * hour - 120)):
            pipeline.pump()

    assert [slot.slot_at for slot in ScheduleSlot.objects.all()] == [at(expected)]


def test_only_on_the_days_of_the_week_that_were_chosen(fake_shop, in_zone):
    in_zone(SEOUL)
    schedule = {"type": "daily", "at": "10:00", "weekdays": ["mon", "thu"]}
    with clock.travel(to=at("2027-02-01T00:00")):  # a Monday
        running({"type": "audience", "audience": EVERYBODY, "schedule": schedule})

    for day in range(1, 11):
        with clock.travel(to=at(f"2027-02-{day:02}T01:00")):
            pipeline.pump()

    assert [slot.slot_at.day for slot in ScheduleSlot.objects.order_by("slot_at")] == [1, 4, 8]


def test_again_after_so_many_days_also_where_the_clocks_go_forward_in_between(fake_shop, in_zone):
    in_zone("Europe/Berlin")
    with clock.travel(to=at("2027-03-24T00:00")):
        contact = consenting(fake_shop.add_customer().customer_id)
        running(daily(EVERYBODY, reentry="after", reentry_days=7), [send()])

    for day in range(14):
        with clock.travel(to=at("2027-03-24T12:00") + timedelta(days=day)):
            pipeline.pump()
            pipeline.deliver()

    runs = Enrollment.objects.filter(contact=contact).order_by("entered_at")
    # 10:00 by the clocks of Berlin: in summer time the week was an hour short, and is over all the same
    assert [run.entered_at for run in runs] == [at("2027-03-24T09:00"), at("2027-03-31T08:00")]


def test_only_who_is_in_the_audience_enters_by_what_they_do(fake_shop):
    here, elsewhere = (fake_shop.add_customer() for _ in range(2))
    audience = {"include": {"type": "attribute", "name": "customer_id", "op": "is", "value": here.customer_id}}
    running({"type": "activity", "activity": "logged_in", "audience": audience})

    for person in (here, elsewhere):
        activity.record(Fact(kind=FactKind.LOGGED_IN, source_key=person.customer_id, customer_id=person.customer_id))
    pipeline.pump()

    assert Enrollment.objects.values_list("contact__customer_id", flat=True).get() == here.customer_id


def test_only_who_is_in_the_audience_gets_the_price_alert(fake_shop, mailoutbox):
    product = fake_shop.add_product(price=100)
    ann, ben = (fake_shop.add_customer() for _ in range(2))
    audience = {"include": {"type": "attribute", "name": "customer_id", "op": "is", "value": ann.customer_id}}
    running({"type": "price_drop", "settle_seconds": 0, "audience": audience})
    for person in (ann, ben):
        consenting(person.customer_id)
        fake_shop.like(person.customer_id, product.whole)
    pipeline.pump()

    fake_shop.set_price(product.ref, 50)
    activity.look_again([product.product_id])
    pipeline.pump()
    pipeline.watch_prices()
    pipeline.pump()
    pipeline.deliver()

    assert [mail.to[0] for mail in mailoutbox] == [ann.email]


def test_who_comes_into_the_exit_audience_gets_no_further_mail(fake_shop, mailoutbox):
    ann = fake_shop.add_customer()
    consenting(ann.customer_id)
    searched = {"include": {"type": "did", "activity": "searched"}}
    running(
        {"type": "activity", "activity": "logged_in"},
        [send("first"), {"type": "wait", "id": "pause", "seconds": 60}, send("second")],
        exit_audience=searched,
    )
    activity.record(Fact(kind=FactKind.LOGGED_IN, source_key="login", customer_id=ann.customer_id))
    pipeline.pump()
    pipeline.deliver()
    activity.record(Fact(kind=FactKind.SEARCHED, source_key="search", customer_id=ann.customer_id, subject="bowls"))
    pipeline.pump()

    with clock.travel(to=clock.now() + timedelta(minutes=2)):
        pipeline.pump()
        pipeline.deliver()

    assert len(mailoutbox) == 1
    assert Enrollment.objects.values_list("state", "reason").get() == ("exited", "exited")


@pytest.mark.parametrize(
    ("trigger", "field"),
    [
        (daily({"include": {"type": "nonsense"}}), "definition.trigger.audience.include"),
        (daily({"include": {"type": "did", "activity": "flown"}}), "definition.trigger.audience.include.activity"),
        (daily(EVERYBODY, time="25:00"), "definition.trigger.schedule.at"),
        (daily(EVERYBODY, time="10:00+09:00"), "definition.trigger.schedule.at"),
        (daily(EVERYBODY, reentry="per_subject"), "definition.trigger.reentry"),
        (once("2027-02-01T12:00+09:00"), "definition.trigger.schedule.at"),
    ],
)
def test_a_wrong_audience_or_schedule_is_refused_by_its_path(fake_shop, trigger, field):
    open_shop()

    with pytest.raises(InvalidInput) as refused:
        automations.create_campaign(name="Test", definition=definition(trigger))

    assert refused.value.field == field


def test_a_broadcast_in_the_past_is_not_published(fake_shop):
    open_shop()
    campaign = automations.create_campaign(name="Test", definition=definition(once("2020-01-01T10:00")))

    with pytest.raises(InvalidInput, match="over"):
        automations.publish(campaign.pk)
