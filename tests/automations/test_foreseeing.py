"""Dry runs: who would get what and when, with nothing changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext

from crm_plugin import activity, automations, clock, contacts, coupons, merchant, pipeline
from crm_plugin.automations.foreseeing import DryRun, Outcome, dry_run
from crm_plugin.automations.foreseeing.reading import reading
from crm_plugin.coupons import Coupon
from crm_plugin.errors import InvalidInput, NotFound
from crm_plugin.models import Campaign, Contact, Enrollment, Message, Segment, SplitTest, Timer
from crm_plugin.shop import Customer, Fact, FactKind, ShopIdentity
from tests.automations.coupon_story import gift, issue, percent, pool
from tests.fake_shop import FakeShop
from tests.stories import definition, open_shop, running, send, wait

pytestmark = pytest.mark.django_db

EVERYBODY = {"include": {"type": "everybody"}}
NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)  # a Monday
HOUR = timedelta(hours=1)
Shoppers = Callable[[int], list[Customer]]


@pytest.fixture(autouse=True)
def _noon(fake_shop: FakeShop):
    fake_shop.shop_identity = ShopIdentity("Fake Shop", "https://shop.example/", "UTC", "en")
    with clock.travel(to=NOON):
        yield


def daily(time: str = "10:00", audience: dict[str, Any] = EVERYBODY, **more: Any) -> dict[str, Any]:
    return {"type": "audience", "audience": audience, "schedule": {"type": "daily", "at": time}, **more}


def on_login(**more: Any) -> dict[str, Any]:
    return {"type": "activity", "activity": "logged_in", **more}


def log_in(*people: Customer) -> None:
    for person in people:
        key = f"login:{person.customer_id}:{clock.now().isoformat()}"
        activity.record(Fact(kind=FactKind.LOGGED_IN, source_key=key, customer_id=person.customer_id))
    pipeline.pump()


def told(found: DryRun) -> list[tuple[str, datetime, str, str]]:
    return [(one.step_id, one.at, one.outcome.value, one.reason) for one in found.foreseen]


def codes(found: DryRun) -> set[str]:
    return {remark.code for remark in found.remarks}


# Who is under way


def test_people_under_way_are_followed_through_their_waits(shoppers: Shoppers):
    campaign = running(on_login(), [wait("a", seconds=3600), send("first"), wait("b", seconds=86_400), send("second")])
    (ann,) = shoppers(1)
    log_in(ann)

    found = dry_run(campaign.pk)

    assert told(found) == [
        ("first", NOON + HOUR, "would_send", ""),
        ("second", NOON + 25 * HOUR, "would_send", ""),
    ]
    run = Enrollment.objects.get()
    assert {(one.contact_id, one.enrollment_id, one.channel) for one in found.foreseen} == {
        (run.contact_id, run.pk, "email")
    }
    assert "for {{ contact.first_name" in found.foreseen[0].subject
    assert (found.people, found.is_complete, found.count) == (1, True, 2)
    assert codes(found) == {"new_activities"}


def test_what_lies_behind_the_last_day_is_not_told(shoppers: Shoppers):
    campaign = running(on_login(), [wait(seconds=2 * 86_400), send()])
    log_in(*shoppers(1))

    assert dry_run(campaign.pk, days=2).count == 0
    assert dry_run(campaign.pk, days=3).count == 1


def test_a_message_in_the_outbox_is_told_and_the_run_goes_on_behind_it(shoppers: Shoppers):
    campaign = running(on_login(), [send("first"), wait(), send("second")])
    log_in(*shoppers(1))
    assert Message.objects.get().state == "queued"

    found = dry_run(campaign.pk)

    assert told(found) == [("first", NOON, "would_send", ""), ("second", NOON + HOUR, "would_send", "")]


def test_the_clock_that_is_waited_for_is_the_persons(shoppers: Shoppers):
    until_nine = {"type": "wait_until", "id": "nine", "at": "09:00", "weekdays": ["wed"]}
    campaign = running(on_login(), [wait(), until_nine, send()])
    people = shoppers(2)
    contact = Contact.objects.get(customer_id=people[0].customer_id)
    Contact.objects.filter(pk=contact.pk).update(time_zone="Asia/Seoul")
    log_in(*people)

    found = dry_run(campaign.pk)

    assert {one.contact_id == contact.pk: one.at for one in found.foreseen} == {
        True: datetime(2027, 3, 3, 0, tzinfo=UTC),
        False: datetime(2027, 3, 3, 9, tzinfo=UTC),
    }


def test_branches_go_by_how_the_person_is_now(shoppers: Shoppers):
    here, elsewhere = shoppers(2)
    audience = {"include": {"type": "attribute", "name": "customer_id", "op": "is", "value": here.customer_id}}
    branch = {"type": "branch", "id": "who", "audience": audience, "then": [send("yes")], "otherwise": [send("no")]}
    campaign = running(on_login(), [wait(), branch])
    log_in(here, elsewhere)

    found = dry_run(campaign.pk)

    names = dict(Contact.objects.values_list("pk", "customer_id"))
    assert {names[one.contact_id]: one.step_id for one in found.foreseen} == {
        here.customer_id: "yes",
        elsewhere.customer_id: "no",
    }
    assert "as_of_now" in codes(found)


def test_splits_send_everybody_where_they_really_go(shoppers: Shoppers):
    arms = [
        {"name": "a", "weight": 1, "steps": [send("mail_a")]},
        {"name": "b", "weight": 1, "steps": [send("mail_b")]},
        {"name": "none", "weight": 1, "is_holdout": True},
    ]
    campaign = running(on_login(), [wait(), {"type": "split", "id": "which", "arms": arms}])
    log_in(*shoppers(20))

    found = dry_run(campaign.pk)
    with clock.travel(to=NOON + HOUR):
        pipeline.pump()

    really = {run.contact_id: run.arms["which"] for run in Enrollment.objects.all()}
    seen = {one.contact_id: one.step_id.removeprefix("mail_") for one in found.foreseen if one.outcome != "exits"}
    seen |= {one.contact_id: "none" for one in found.foreseen if (one.outcome, one.reason) == ("exits", "holdout")}
    assert seen == really
    assert len(set(really.values())) == 3


def test_a_test_without_a_winner_holds_those_who_wait_for_it(shoppers: Shoppers):
    arms = [{"name": name, "weight": 1, "steps": [send(f"mail_{name}")]} for name in ("a", "b")]
    split = {"type": "split", "id": "which", "arms": arms, "winner": {"test_percent": 1}}
    campaign = running(on_login(), [wait(), split])
    log_in(*shoppers(5))

    before = dry_run(campaign.pk)
    SplitTest.objects.create(version_id=campaign.version_id, step_id="which", started_at=NOON, arm="b", decided_at=NOON)
    after = dry_run(campaign.pk)

    assert before.count < 5
    assert "no_winner_yet" in codes(before)
    assert [one.step_id for one in after.foreseen] == ["mail_b"] * 5


def test_what_is_waited_for_is_taken_not_to_happen(shoppers: Shoppers):
    waiting = {
        "type": "wait_for",
        "id": "order",
        "activity": "ordered",
        "timeout_seconds": 7200,
        "then": [send("thanks")],
        "otherwise": [send("reminder")],
    }
    campaign = running(on_login(), [wait(), waiting])
    log_in(*shoppers(1))

    ahead = dry_run(campaign.pk)
    with clock.travel(to=NOON + HOUR):
        pipeline.pump()
        waits = dry_run(campaign.pk)

    assert told(ahead) == told(waits) == [("reminder", NOON + 3 * HOUR, "would_send", "")]
    assert "times_out" in codes(ahead)


# Who would enter


def test_everybody_in_the_audience_enters_at_each_moment(shoppers: Shoppers):
    shoppers(3)
    campaign = running(daily(reentry="always"))

    found = dry_run(campaign.pk, days=3)

    assert [(total.day, total.step_id, total.outcome, total.count) for total in found.totals] == [
        (date(2027, 3, day), "mail", Outcome.WOULD_SEND, 3) for day in (2, 3, 4)
    ]
    assert not Enrollment.objects.exists()


def test_a_draft_is_taken_as_published_now_and_needs_not_even_be_saved(shoppers: Shoppers):
    open_shop()
    shoppers(2)
    drafted = automations.create_campaign(name="Draft", definition=definition(daily()))

    saved = dry_run(drafted.pk, days=3)
    unsaved = dry_run(definition=definition(daily()), days=3)

    assert told(saved) == told(unsaved) == [("mail", datetime(2027, 3, 2, 10, tzinfo=UTC), "would_send", "")] * 2
    assert "draft" in codes(saved) & codes(unsaved)
    assert Campaign.objects.get().state == "draft"


def test_who_entered_once_does_not_enter_again(shoppers: Shoppers):
    shoppers(1)
    campaign = running(daily("12:30"))
    with clock.travel(to=NOON + HOUR):
        pipeline.pump()
        shoppers(1)

        found = dry_run(campaign.pk)

    assert [(one.at, one.enrollment_id is None) for one in found.foreseen] == [
        (NOON + HOUR, False),
        (NOON + timedelta(days=1, minutes=30), True),
    ]


def test_nobody_enters_while_a_run_is_under_way_or_before_the_days_are_over(shoppers: Shoppers):
    shoppers(1)
    two_days = wait(seconds=2 * 86_400 + 60)
    slow = running(daily(reentry="always"), [send(), two_days])
    rare = running(daily(reentry="after", reentry_days=3))

    days = {campaign.pk: [one.at.day for one in dry_run(campaign.pk, days=7).foreseen] for campaign in (slow, rare)}

    assert days == {slow.pk: [2, 5, 8], rare.pk: [2, 5, 8]}


def test_a_run_that_sleeps_beyond_the_last_day_keeps_its_person_out(shoppers: Shoppers):
    shoppers(1)
    campaign = running(daily("12:00", reentry="always"), [wait(seconds=30 * 86_400), send()])
    pipeline.pump()

    assert dry_run(campaign.pk, days=7).people == 0


def test_so_many_days_after(shoppers: Shoppers):
    (ann,) = shoppers(1)
    log_in(ann)
    campaign = running({"type": "after", "activity": "logged_in", "unit": "days", "amounts": [1, 3], "at": "09:00"})

    found = dry_run(campaign.pk)

    assert [(one.at, one.outcome.value) for one in found.foreseen] == [
        (datetime(2027, 3, day, 9, tzinfo=UTC), "would_send") for day in (2, 4)
    ]


@pytest.mark.feature(17)
def test_a_birthday_at_the_persons_own_ten_o_clock(shoppers: Shoppers):
    (ann,) = shoppers(1)
    contacts.declare_attribute("birthday", "date")
    row = Contact.objects.get(customer_id=ann.customer_id)
    contacts.set_attributes(row.pk, {"birthday": "1990-03-04"})
    Contact.objects.filter(pk=row.pk).update(time_zone="Asia/Seoul")
    campaign = running({"type": "date", "attribute": "birthday", "at": "10:00"})

    found = dry_run(campaign.pk)

    assert told(found) == [("mail", datetime(2027, 3, 4, 1, tzinfo=UTC), "would_send", "")]
    assert found.foreseen[0].about == "date:birthday"


@pytest.mark.feature(27)
def test_coupons_that_end_soon_are_one_message(shoppers: Shoppers):
    (ann,) = shoppers(1)
    for name in ("A", "B"):
        issue(percent(10, name=name, expires_in_days=5), ann)
    pipeline.pump()
    campaign = running({"type": "coupon_expiry", "days_before": 3, "at": "10:00"})

    found = dry_run(campaign.pk)

    assert told(found) == [("mail", datetime(2027, 3, 3, 10, tzinfo=UTC), "would_send", "")]


def test_who_would_get_a_coupon_is_told_and_nobody_gets_one(shoppers: Shoppers):
    shoppers(3)
    small, away = pool("P-1", "P-2"), percent(20, name="Gone")
    steps = [
        gift(percent(10, name="Ten")),
        gift(small, id="partner"),
        gift(away, id="gone", on_failure="go_on"),
        send(),
    ]
    campaign = running(daily("13:00"), steps)
    coupons.archive_template(away.pk)

    found = dry_run(campaign.pk)

    assert Counter(
        (one.step_id, one.outcome.value, one.subject) for one in found.foreseen if one.step_id != "mail"
    ) == {
        ("gift", "gets_coupon", "Ten"): 3,
        ("partner", "gets_coupon", "Partner"): 3,
    }
    assert "runs_dry" in {remark.code for remark in found.remarks}
    assert not Coupon.objects.exclude(state="free").exists()
    assert [one.count for one in found.totals if one.outcome == "gets_coupon"] == [3, 3]


def test_whoever_can_get_no_coupon_is_told_to_leave(shoppers: Shoppers):
    shoppers(2)
    away, enough = percent(20), pool("P-1", "P-2")
    coupons.archive_template(away.pk)
    steps = [gift(enough, id="partner"), gift(away), send()]

    found = dry_run(definition=definition(daily("13:00"), steps))

    assert Counter((one.step_id, one.outcome.value, one.reason) for one in found.foreseen) == {
        ("partner", "gets_coupon", ""): 2,
        ("gift", "exits", "no_coupon"): 2,
    }
    assert "runs_dry" not in {remark.code for remark in found.remarks}


def test_a_run_about_no_product_gets_no_coupon_for_its_products(shoppers: Shoppers):
    shoppers(1)
    steps = [gift(percent(10), for_items=True), send()]

    found = dry_run(definition=definition(daily("13:00"), steps))

    assert [(one.outcome.value, one.reason) for one in found.foreseen] == [("exits", "no_coupon")]


def test_timers_that_run_are_told_and_so_is_their_ladder(shoppers: Shoppers):
    (ann,) = shoppers(1)
    campaign = running({"type": "after", "activity": "logged_in", "unit": "hours", "amounts": [2, 5]})
    log_in(ann)
    _arm(campaign, ann, hours=(2, 5))

    found = dry_run(campaign.pk)

    assert [one.at for one in found.foreseen] == [NOON + 2 * HOUR, NOON + 5 * HOUR]


def _arm(campaign: Campaign, who: Customer, *, hours: tuple[int, ...]) -> None:
    from crm_plugin.models import Activity  # noqa: PLC0415

    row = Activity.objects.get(kind="logged_in")
    for hour in hours:
        Timer.objects.get_or_create(
            campaign=campaign,
            contact_id=row.contact_id,
            subject_key="",
            rung=hour * 3600,
            defaults={"starts_at": NOON, "due_at": NOON + hour * HOUR, "activity_id": row.pk},
        )


def test_an_abandoned_cart_that_waits(fake_shop: FakeShop, shoppers: Shoppers):
    (ann,) = shoppers(1)
    product = fake_shop.add_product(price=50)
    campaign = running({"type": "abandoned", "after_minutes": 60})
    cart = fake_shop.add_cart(product.ref, customer_id=ann.customer_id)
    contact = Contact.objects.get(customer_id=ann.customer_id)
    Timer.objects.create(
        campaign=campaign,
        contact=contact,
        subject_key=f"cart:{cart.cart_ref}",
        starts_at=NOON,
        due_at=NOON + HOUR,
    )

    found = dry_run(campaign.pk)

    assert [(one.about, one.at, one.outcome.value) for one in found.foreseen] == [
        (f"cart:{cart.cart_ref}", NOON + HOUR, "would_send")
    ]
    assert "new_carts" in codes(found)


def test_a_cart_that_changed_since_waits_on_and_the_older_run_makes_room(fake_shop: FakeShop, shoppers: Shoppers):
    (ann,) = shoppers(1)
    product = fake_shop.add_product(price=50)
    campaign = running({"type": "abandoned", "after_minutes": 60}, [wait(seconds=7200), send()])
    contact = Contact.objects.get(customer_id=ann.customer_id)
    with clock.travel(to=NOON + timedelta(minutes=30)):
        cart = fake_shop.add_cart(product.ref, customer_id=ann.customer_id)
    about = f"cart:{cart.cart_ref}"
    Timer.objects.create(campaign=campaign, contact=contact, subject_key=about, starts_at=NOON, due_at=NOON + HOUR)
    Enrollment.objects.create(
        campaign=campaign,
        version_id=campaign.version_id,
        contact=contact,
        subject_key=about,
        lane=about,
        epoch=7,
        step=1,
        due_at=NOON + 3 * HOUR,
        entered_at=NOON - HOUR,
    )

    with clock.travel(to=NOON + timedelta(minutes=40)):
        found = dry_run(campaign.pk)

    changed = NOON + timedelta(minutes=90)
    assert told(found) == [
        ("mail", changed, "exits", "superseded"),
        ("mail", changed + 2 * HOUR, "would_send", ""),
    ]


# What would hold, skip or end


def test_each_gate_is_named(shoppers: Shoppers):
    willing, unwilling, blocked, nameless = shoppers(4)
    rows = {one.customer_id: Contact.objects.get(customer_id=one.customer_id) for one in (willing, unwilling, blocked)}
    contacts.set_consent(rows[unwilling.customer_id].pk, channel="email", is_granted=False, source="test")
    contacts.suppress(blocked.email, channel="email", reason="complaint")
    Contact.objects.filter(customer_id=nameless.customer_id).update(email=None)
    campaign = running(daily())

    found = dry_run(campaign.pk, days=1)

    assert sorted((one.outcome.value, one.reason) for one in found.foreseen) == [
        ("skipped", "no_address"),
        ("skipped", "no_consent"),
        ("skipped", "suppressed"),
        ("would_send", ""),
    ]
    assert {total.reason: total.count for total in found.totals} == {
        "": 1,
        "no_address": 1,
        "no_consent": 1,
        "suppressed": 1,
    }


def test_the_frequency_cap_counts_what_was_sent_and_what_is_foreseen(shoppers: Shoppers, mailoutbox: list[Any]):
    shoppers(1)
    campaign = running(daily("12:00", reentry="always"), [send("a"), wait(seconds=4 * 3600), send("b")])
    pipeline.pump()
    pipeline.deliver()
    assert len(mailoutbox) == 1
    open_shop(caps=[{"channel": "email", "count": 1, "hours": 16}])

    found = dry_run(campaign.pk, days=2)

    assert told(found) == [
        ("b", NOON + 4 * HOUR, "skipped", "frequency_cap"),  # "a" went out at noon
        ("a", NOON + 24 * HOUR, "would_send", ""),
        ("b", NOON + 28 * HOUR, "skipped", "frequency_cap"),
    ]


def test_the_campaigns_own_cap(shoppers: Shoppers):
    shoppers(1)
    campaign = running(daily(reentry="always"), cap={"count": 2, "days": 4})

    found = dry_run(campaign.pk, days=6)

    assert [one.reason for one in found.foreseen] == ["", "", "campaign_cap", "campaign_cap", "", ""]


def test_quiet_hours_hold_and_what_comes_behind_waits_with_it(shoppers: Shoppers):
    quiet = {"start": "21:00", "end": "08:00", "zone": "shop"}
    campaign = running(
        on_login(), [wait("a", seconds=10 * 3600), send("night"), wait("b"), send("day")], quiet_hours=quiet
    )
    log_in(*shoppers(1))

    found = dry_run(campaign.pk)

    morning = datetime(2027, 3, 2, 8, tzinfo=UTC)
    assert [(one.at, one.outcome.value, one.reason, one.until) for one in found.foreseen] == [
        (NOON + 10 * HOUR, "held", "quiet_hours", morning),
        (morning + HOUR, "would_send", "", None),
    ]


@pytest.mark.feature(56)
def test_nothing_goes_out_behind_the_end_of_the_period(shoppers: Shoppers):
    quiet = {"start": "21:00", "end": "08:00", "zone": "shop"}
    steps = [wait("a", seconds=10 * 3600), send("night"), wait("b"), send("day")]
    end = NOON + 5 * HOUR
    early = running(on_login(), steps, ends_at=end)
    held = running(on_login(), steps, quiet_hours=quiet, ends_at=NOON + 12 * HOUR)
    entering = running(daily(), ends_at=end)
    log_in(*shoppers(1))

    assert told(dry_run(early.pk)) == [("night", NOON + 10 * HOUR, "exits", "campaign_ended")]
    assert told(dry_run(held.pk)) == [("night", NOON + 10 * HOUR, "skipped", "campaign_ended")]
    assert told(dry_run(entering.pk)) == []


def test_a_message_waits_for_the_period_to_begin(shoppers: Shoppers):
    campaign = running(on_login(), [wait(), send()])
    log_in(*shoppers(1))
    Campaign.objects.update(starts_at=NOON + 24 * HOUR)

    found = dry_run(campaign.pk)

    assert [(one.outcome.value, one.reason, one.until) for one in found.foreseen] == [
        ("held", "campaign_not_started", NOON + 24 * HOUR)
    ]


def test_a_run_whose_exit_condition_holds_ends_before_its_next_step(fake_shop: FakeShop, shoppers: Shoppers):
    ann, ben = shoppers(2)
    campaign = running(on_login(), [wait(), send()], exit_when=["visited"])
    log_in(ann, ben)
    with clock.travel(to=NOON + timedelta(minutes=5)):
        activity.record(Fact(kind=FactKind.VISITED, source_key="visit", customer_id=ann.customer_id))
        Enrollment.objects.update(entered_at=NOON)
        _drain_without_ending()

        found = dry_run(campaign.pk)

    assert sorted((one.outcome.value, one.reason) for one in found.foreseen) == [
        ("exits", "exited"),
        ("would_send", ""),
    ]
    assert Enrollment.objects.filter(state="active").count() == 2


def _drain_without_ending() -> None:
    """Write the activity as another worker would whose transaction has not ended the run yet."""
    batch = activity.claim(10)
    assert batch is not None
    people = activity.people_in(batch)
    contacts.resolve(people, seen_before=batch.oldest_at)
    activity.project(batch, people)


def test_who_is_in_the_exit_audience_leaves_as_soon_as_they_enter(shoppers: Shoppers):
    ann, _ = shoppers(2)
    out = {"include": {"type": "attribute", "name": "customer_id", "op": "is", "value": ann.customer_id}}
    campaign = running(daily(), exit_audience=out)

    found = dry_run(campaign.pk, days=1)

    assert sorted((one.outcome.value, one.reason) for one in found.foreseen) == [
        ("exits", "exited"),
        ("would_send", ""),
    ]


def test_what_nobody_came_by_for_ends_as_stale_unless_the_campaign_was_paused(shoppers: Shoppers):
    campaign = running(on_login(), [wait(), send()])
    log_in(*shoppers(1))

    with clock.travel(to=NOON + timedelta(days=5)):
        late = dry_run(campaign.pk)
        Campaign.objects.update(state="paused")
        paused = dry_run(campaign.pk)

    assert [(one.outcome.value, one.reason) for one in late.foreseen] == [("exits", "stale")]
    assert [(one.outcome.value, one.reason) for one in paused.foreseen] == [("would_send", "")]
    assert "paused" in codes(paused)


def test_a_campaign_that_is_over_lets_everybody_go(shoppers: Shoppers):
    campaign = running(on_login(), [wait(), send()])
    log_in(*shoppers(1))
    Campaign.objects.update(state="archived")

    found = dry_run(campaign.pk)

    assert told(found) == [("mail", NOON + HOUR, "exits", "campaign_archived")]
    assert "over" in codes(found)


def test_people_under_way_stay_on_their_version(shoppers: Shoppers):
    campaign = running(on_login(), [wait(), send("old")])
    log_in(*shoppers(1))
    automations.update_campaign(campaign.pk, definition=definition(on_login(), [wait(), send("new")]))

    changed = dry_run(campaign.pk)
    automations.publish(campaign.pk)
    published = dry_run(campaign.pk)

    assert [one.step_id for one in (*changed.foreseen, *published.foreseen)] == ["old", "old"]
    assert "old_version_runs" in codes(changed) - codes(published)


# What is foreseen comes true


def test_what_was_foreseen_is_what_happens(shoppers: Shoppers, mailoutbox: list[Any]):
    people = shoppers(6)
    contacts.set_consent(Contact.objects.earliest("pk").pk, channel="email", is_granted=False, source="test")
    Contact.objects.filter(customer_id=people[1].customer_id).update(time_zone="America/New_York")
    quiet = {"start": "15:00", "end": "17:30", "zone": "contact"}
    arms = [
        {"name": n, "weight": 1, "steps": [wait(f"w_{n}", seconds=h * 3600), send(n)]} for n, h in (("a", 1), ("b", 5))
    ]
    steps = [send("first"), {"type": "split", "id": "which", "arms": arms}, wait("z", seconds=7200), send("last")]
    campaign = running(daily("13:00", reentry="after", reentry_days=2), steps, quiet_hours=quiet)
    open_shop(caps=[{"channel": "email", "count": 1, "hours": 4}])

    found = dry_run(campaign.pk, days=3)
    at = NOON
    while at < NOON + timedelta(days=3):
        with clock.travel(to=at):
            pipeline.pump()
            pipeline.deliver()
            pipeline.pump()
        at += timedelta(minutes=30)

    foreseen = sorted(
        (one.contact_id, one.step_id, (one.until or one.at), one.reason if one.outcome == "skipped" else "")
        for one in found.foreseen
    )
    happened = sorted(
        Message.objects.filter(finished_at__isnull=False).values_list("contact_id", "step_id", "finished_at", "reason")
    )
    assert foreseen == happened
    assert {reason for *_, reason in happened} == {"", "no_consent", "frequency_cap"}


# No side effects, and bounds


_LIMITS = "SELECT current_setting('transaction_read_only'), current_setting('statement_timeout')"


def _row_counts() -> dict[str, int]:
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        cursor.execute(" UNION ALL ".join(f"SELECT '{name}', count(*) FROM \"{name}\"" for name in tables))  # noqa: S608
        return dict(cursor.fetchall())


def test_nothing_is_written(shoppers: Shoppers, fake_shop: FakeShop, mailoutbox: list[Any]):
    campaign = running(daily("12:00", reentry="always"), [send(), wait(), send("again")])
    shoppers(3)
    pipeline.pump()
    before, runs = _row_counts(), list(Enrollment.objects.order_by("pk").values())
    messages = list(Message.objects.order_by("pk").values())

    with CaptureQueriesContext(connection) as asked:
        found = dry_run(campaign.pk, days=31)

    assert found.count > 3
    assert _row_counts() == before
    assert list(Enrollment.objects.order_by("pk").values()) == runs
    assert list(Message.objects.order_by("pk").values()) == messages
    assert mailoutbox == []
    assert not [query["sql"] for query in asked if query["sql"].lstrip().startswith(("INSERT", "UPDATE", "DELETE"))]


def test_the_database_itself_refuses_to_write_and_only_there(db: None):
    with pytest.raises(DatabaseError, match="read-only"), reading():
        Segment.objects.create(name="A", created_at=NOON)

    with connection.cursor() as cursor:
        cursor.execute(_LIMITS)
        before = cursor.fetchone()
    with reading(), connection.cursor() as cursor:
        cursor.execute(_LIMITS)
        inside = cursor.fetchone()
    with connection.cursor() as cursor:
        cursor.execute(_LIMITS)
        outside = cursor.fetchone()

    assert inside == ("on", "10s")
    assert outside == before == ("off", before[1]) != inside


def test_queries_do_not_grow_with_the_people(shoppers: Shoppers):
    branch = {"type": "branch", "id": "who", "audience": EVERYBODY, "then": [send("yes")], "otherwise": []}
    under_way = running(on_login(), [wait(), branch, wait("b"), send("last")], cap={"count": 5, "days": 3})
    entering = running(daily(reentry="always"), [branch])

    def queries(campaign: Campaign) -> int:
        with CaptureQueriesContext(connection) as asked:
            dry_run(campaign.pk)
        return len(asked)

    log_in(*shoppers(2))
    few = [queries(under_way), queries(entering)]
    log_in(*shoppers(20))
    many = [queries(under_way), queries(entering)]

    assert many == few
    assert max(many) < 60


def test_a_question_that_takes_too_long_is_stopped(shoppers: Shoppers, settings: Any):
    settings.CRM_PREVIEW_SECONDS = 0.05

    with pytest.raises(InvalidInput) as refused, reading(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(5)")

    assert refused.value.code == "TIMEOUT"


def test_rows_are_limited_and_totals_are_not(shoppers: Shoppers):
    shoppers(5)
    campaign = running(daily())

    found = dry_run(campaign.pk, limit=2)

    assert (len(found.foreseen), found.count, [total.count for total in found.totals]) == (2, 5, [5])


def test_more_people_than_are_followed_are_told(shoppers: Shoppers, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("crm_plugin.automations.foreseeing.following.MOST_RUNS", 3)
    shoppers(5)
    campaign = running(daily())

    found = dry_run(campaign.pk)

    assert (found.people, found.is_complete) == (3, False)
    assert "too_many" in codes(found)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"days": 0}, "days"),
        ({"days": 32}, "days"),
        ({"limit": 0}, "limit"),
        ({"limit": 1001}, "limit"),
        ({"definition": {"trigger": {"type": "nonsense"}, "steps": []}}, "definition.trigger"),
        (
            {"definition": definition(daily(audience={"include": {"type": "nonsense"}}))},
            "definition.trigger.audience.include",
        ),
        ({}, "definition"),
    ],
)
def test_wrong_questions_are_refused_by_name(db: None, given: dict[str, Any], field: str):
    with pytest.raises(InvalidInput) as refused:
        dry_run(
            **{
                "definition": None,
                **({"definition": definition(daily())} if "days" in given or "limit" in given else {}),
                **given,
            }
        )

    assert refused.value.field == field


def test_an_unknown_campaign_is_not_found(db: None):
    with pytest.raises(NotFound):
        dry_run(404_404_404)


@pytest.mark.parametrize(
    ("trigger", "code"),
    [
        ({"type": "price_drop"}, "catalogue"),
        ({"type": "back_in_stock"}, "catalogue"),
        ({"type": "activity", "activity": "ordered"}, "new_activities"),
    ],
)
def test_what_cannot_be_foreseen_is_said_in_english_and_korean(db: None, trigger: dict[str, Any], code: str):
    english = dry_run(definition=definition(trigger), language="en")
    korean = dry_run(definition=definition(trigger), language="ko")

    assert code in codes(english) & codes(korean)
    assert {remark.sentence for remark in english.remarks}.isdisjoint(remark.sentence for remark in korean.remarks)


def test_the_subject_line_is_the_one_of_the_persons_language(shoppers: Shoppers):
    (ann,) = shoppers(1)
    Contact.objects.filter(customer_id=ann.customer_id).update(language="ko")
    merchant.load()
    step = send()
    step["template"]["ko"] = {**step["template"]["en"], "subject": "안녕하세요", "mjml": _KOREAN, "text": _KOREAN_TEXT}

    found = dry_run(definition=definition(daily(), [step]), days=1)

    assert [one.subject for one in found.foreseen] == ["안녕하세요"]


_LEGAL = "{{ sender.name }} {{ consent_text }} {{ unsubscribe_url }}"
_KOREAN = f"<mjml><mj-body><mj-section><mj-column><mj-text>{_LEGAL}</mj-text></mj-column></mj-section></mj-body></mjml>"
_KOREAN_TEXT = _LEGAL
