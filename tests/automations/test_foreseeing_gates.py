"""Dry runs: what the gates would hold and until when, and which channel a message would take in the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from crm_plugin import activity, clock, contacts, pipeline
from crm_plugin.automations.foreseeing import dry_run
from crm_plugin.models import Contact, Message
from crm_plugin.shop import Customer, Fact, FactKind, ShopIdentity
from tests.fake_shop import FakeShop
from tests.stories import definition, open_shop, running, send, wait

pytestmark = pytest.mark.django_db

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)  # 21:00 in Seoul
HOUR = timedelta(hours=1)
DAILY = {
    "type": "audience",
    "audience": {"include": {"type": "everybody"}},
    "schedule": {"type": "daily", "at": "12:00"},
    "reentry": "always",
}
INBOX = {"en": {"title": "In the shop", "text": "There is news."}}
PUSH = {"en": {"title": "On your phone", "text": "There is news."}}
Shoppers = Callable[[int], list[Customer]]


@pytest.fixture(autouse=True)
def _noon(fake_shop: FakeShop) -> Iterator[None]:
    fake_shop.shop_identity = ShopIdentity("Fake Shop", "https://shop.example/", "UTC", "en")
    with clock.travel(to=NOON):
        yield


def log_in(*people: Customer) -> None:
    for one in people:
        activity.record(Fact(kind=FactKind.LOGGED_IN, source_key=f"in:{one.customer_id}", customer_id=one.customer_id))
    pipeline.pump()


def on_login() -> dict[str, Any]:
    return {"type": "activity", "activity": "logged_in"}


def person(who: Customer, *channels: str, **fields: Any) -> Contact:
    row = Contact.objects.get(customer_id=who.customer_id)
    for channel in channels:
        contacts.set_consent(row.pk, channel=channel, is_granted=True, source="test")
    Contact.objects.filter(pk=row.pk).update(**fields)
    return row


def told(found: Any) -> list[tuple[str, str, timedelta, str, str, timedelta | None]]:
    return [
        (one.step_id, one.channel, one.at - NOON, one.outcome.value, one.reason, one.until and one.until - NOON)
        for one in found.foreseen
    ]


def test_the_merchants_quiet_hours_hold_and_what_comes_behind_waits_with_it(shoppers: Shoppers):
    campaign = running(on_login(), [send("first"), wait(), send("second")])
    open_shop(quiet_from=time(11), quiet_to=time(14))
    log_in(*shoppers(1))

    assert told(dry_run(campaign.pk)) == [
        ("first", "email", 0 * HOUR, "held", "quiet_hours", 2 * HOUR),
        ("second", "email", 3 * HOUR, "would_send", "", None),
    ]


def test_quiet_hours_that_skip_are_told_as_that(shoppers: Shoppers):
    campaign = running(on_login(), [send("first"), wait(seconds=7200), send("second")])
    open_shop(quiet_from=time(11), quiet_to=time(14), quiet_action="skip")
    log_in(*shoppers(1))

    assert told(dry_run(campaign.pk)) == [
        ("first", "email", 0 * HOUR, "skipped", "quiet_hours", None),
        ("second", "email", 2 * HOUR, "would_send", "", None),
    ]


def test_a_night_of_the_law_holds_a_push_until_the_morning_of_the_reader(shoppers: Shoppers):
    (kim,) = shoppers(1)
    row = person(kim, "app_push", country="KR")
    contacts.add_endpoint(row.pk, channel="app_push", address="token-of-a-phone-0123456789")
    open_shop()
    steps = [send("push", channel="app_push", template=PUSH), wait(), send("mail")]

    found = dry_run(definition=definition(DAILY, steps), days=1)

    assert told(found) == [
        ("push", "app_push", 0 * HOUR, "held", "night_ban", 11 * HOUR),
        ("mail", "email", 12 * HOUR, "would_send", "", None),
    ]


def test_what_is_held_beyond_the_end_of_the_period_is_not_sent(shoppers: Shoppers):
    campaign = running(on_login(), [send("first"), wait(), send("second")], ends_at=NOON + 2 * HOUR)
    open_shop(quiet_from=time(11), quiet_to=time(14))
    log_in(*shoppers(1))

    assert told(dry_run(campaign.pk)) == [("first", "email", 0 * HOUR, "skipped", "campaign_ended", None)]


@pytest.mark.feature(60)
def test_the_next_channel_is_foreseen_with_its_own_text(shoppers: Shoppers):
    with_app, without = shoppers(2)
    both = [person(one, "app_push", "inbox") for one in (with_app, without)]
    contacts.add_endpoint(both[0].pk, channel="app_push", address="token-of-a-phone-0123456789")
    fallbacks = [{"channel": "inbox", "template": INBOX}]
    open_shop()

    found = dry_run(
        definition=definition(DAILY, [send("news", channel="app_push", template=PUSH, fallbacks=fallbacks)]), days=1
    )

    assert {one.contact_id: (one.channel, one.subject, one.outcome.value) for one in found.foreseen} == {
        both[0].pk: ("app_push", "On your phone", "would_send"),
        both[1].pk: ("inbox", "In the shop", "would_send"),
    }
    assert not Message.objects.filter(channel="inbox").exists()


@pytest.mark.feature(60)
def test_when_no_channel_reaches_the_person_the_last_one_says_why(shoppers: Shoppers):
    shoppers(1)
    open_shop()
    step = send("news", channel="app_push", template=PUSH, fallbacks=[{"channel": "inbox", "template": INBOX}])

    found = dry_run(definition=definition(DAILY, [step]), days=1)

    assert told(found) == [("news", "inbox", 0 * HOUR, "skipped", "no_consent", None)]


@pytest.mark.parametrize("slow", [{"warm_up_from": NOON.date()}, {"domain_limits": {"example.com": 5}}])
def test_mail_that_goes_out_slowly_is_remarked(shoppers: Shoppers, slow: dict[str, Any]):
    mail = running(on_login())
    note = running(on_login(), [send(channel="inbox", template=INBOX)])
    before = [remark.code for remark in dry_run(mail.pk).remarks]
    open_shop(**slow)

    found = {remark.code: remark.sentence for remark in dry_run(mail.pk, language="ko").remarks}

    assert "slowed_down" not in before
    assert "메일" in found["slowed_down"]
    assert "slowed_down" not in [remark.code for remark in dry_run(note.pk).remarks]


def test_a_refused_topic_is_named(shoppers: Shoppers):
    (ann,) = shoppers(1)
    contacts.save_topic("sales", names={"en": "Sales"})
    contacts.refuse_topics(person(ann).pk, ["sales"], source="test")
    campaign = running(on_login(), topic="sales")
    log_in(ann)

    assert told(dry_run(campaign.pk)) == [("mail", "email", 0 * HOUR, "skipped", "topic_refused", None)]


def test_what_was_foreseen_of_quiet_hours_days_and_channels_is_what_happens(shoppers: Shoppers, mailoutbox: list[Any]):
    people = shoppers(4)
    zones = ["Asia/Seoul", "America/New_York", "", "Europe/Berlin"]
    for one, zone in zip(people, zones, strict=True):
        person(one, "inbox", time_zone=zone)
    contacts.set_consent(person(people[2]).pk, channel="email", is_granted=False, source="test")
    fallbacks = [{"channel": "inbox", "template": INBOX}]
    steps = [send("first", fallbacks=fallbacks), wait("a", seconds=5 * 3600), send("second", fallbacks=fallbacks)]
    campaign = running(DAILY, [*steps, wait("b", seconds=7 * 3600), send("third")])
    open_shop(quiet_from=time(21), quiet_to=time(8), caps=[{"channel": "", "count": 2, "days": 1}])

    found = dry_run(campaign.pk, days=3)
    at = NOON
    while at < NOON + timedelta(days=3):
        with clock.travel(to=at):
            for _round in range(3):  # a fallback is made by the delivery of the one before
                pipeline.pump()
                pipeline.deliver()
        at += timedelta(minutes=30)

    foreseen = sorted(
        (one.contact_id, one.step_id, one.channel, one.until or one.at, one.reason if one.outcome == "skipped" else "")
        for one in found.foreseen
    )
    rows = Message.objects.filter(finished_at__isnull=False)
    happened = sorted(
        (*row, reason)
        for *row, reason in rows.values_list("contact_id", "step_id", "channel", "finished_at", "reason")
        if not (reason == "no_consent" and row[2] == "email" and row[1] != "third")  # went on over the next channel
    )
    assert foreseen == happened
    assert {one.outcome.value for one in found.foreseen} == {"would_send", "held", "skipped"}
