"""Fallback channels: tried only when it is certain that the message did not arrive, each person once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crm_plugin import activity, automations, clock, contacts, messaging, pipeline
from crm_plugin.errors import InvalidInput
from crm_plugin.messaging import ReceiptKind, Told
from crm_plugin.models import Enrollment, InboxNote, Message
from crm_plugin.shop import Fact, FactKind
from tests.stories import definition, on, open_shop, running, send, wait

pytestmark = pytest.mark.django_db

NOTE = {"en": {"title": "In your inbox", "text": "Hello {{ contact.first_name }}", "url": "{{ shop.url }}"}}
TO_INBOX = {"channel": "inbox", "template": NOTE}


@pytest.fixture(autouse=True)
def _mail_stays_here(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


@pytest.fixture
def both(ann):
    """Ann, who agreed to e-mail and to the inbox."""
    contacts.set_consent(contact_of(ann), channel="inbox", is_granted=True, source="test")
    return ann


def contact_of(customer):
    return contacts.find(customer_id=customer.customer_id).pk


def sign_up(customer, key="s"):
    activity.record(Fact(kind=FactKind.SIGNED_UP, source_key=key, customer_id=customer.customer_id))
    work()


def work():
    pipeline.pump()
    pipeline.deliver()
    pipeline.pump()


def tell(message, kind):
    messaging.keep([Told(channel=message.channel, kind=kind, provider_id=str(message.public_id))])
    work()


def story(**more):
    """What became of the messages, in the order in which they were made."""
    rows = Message.objects.order_by("pk").values_list("channel", "state", "reason")
    return list(rows.filter(**more))


@pytest.mark.feature(60)
def test_who_got_the_first_message_gets_no_other(both, mailoutbox):
    running(on("signed_up"), [send(fallbacks=[TO_INBOX])])

    sign_up(both)

    assert story() == [("email", "sent", "")]
    assert len(mailoutbox) == 1
    assert not InboxNote.objects.exists()


def test_who_cannot_be_written_to_gets_the_next_channels_message_with_its_own_text(both, mailoutbox):
    running(on("signed_up"), [send(fallbacks=[TO_INBOX])])
    contacts.set_consent(contact_of(both), channel="email", is_granted=False, source="test")

    sign_up(both)

    assert story() == [("email", "skipped", "no_consent"), ("inbox", "sent", "")]
    assert InboxNote.objects.get().title == "In your inbox"
    assert mailoutbox == []
    assert Enrollment.objects.get().state == "completed"


@pytest.mark.feature(60)
@pytest.mark.parametrize("kind", [ReceiptKind.HARD_BOUNCE, ReceiptKind.SOFT_BOUNCE, ReceiptKind.UNDELIVERED])
def test_a_bounce_that_comes_when_the_run_is_over_still_falls_back_and_only_once(both, kind, mailoutbox):
    running(on("signed_up"), [send(fallbacks=[TO_INBOX])])
    sign_up(both)
    assert Enrollment.objects.get().state == "completed"

    for _ in range(2):
        tell(Message.objects.get(channel="email"), kind)

    assert [(channel, state) for channel, state, _ in story()] == [("email", "failed"), ("inbox", "sent")]
    assert InboxNote.objects.count() == 1
    assert len(mailoutbox) == 1


def test_a_bounce_of_somebody_who_has_bought_meanwhile_writes_to_nobody(both, fake_shop):
    vase = fake_shop.add_product(price=50, name="Vase")
    running(on("viewed"), [send(fallbacks=[TO_INBOX])])
    activity.record(
        Fact(
            kind=FactKind.VIEWED, source_key="v", customer_id=both.customer_id, product_id=vase.product_id,
            shop_channel="default",
        )
    )  # fmt: skip
    work()
    order = fake_shop.place_order(vase.ref, customer_id=both.customer_id)
    activity.record(
        Fact(
            kind=FactKind.BOUGHT, source_key="b", customer_id=both.customer_id, product_id=vase.product_id,
            shop_channel="default", order_ref=order.order_ref,
        )
    )  # fmt: skip
    work()

    tell(Message.objects.get(channel="email"), ReceiptKind.HARD_BOUNCE)

    assert [(channel, state, reason) for channel, state, reason in story() if channel == "inbox"] == [
        ("inbox", "skipped", "bought")
    ]
    assert not InboxNote.objects.exists()


@pytest.mark.parametrize("state", ["unknown", "sending"])
def test_what_may_have_arrived_is_not_sent_over_another_channel(both, state):
    running(on("signed_up"), [send(fallbacks=[TO_INBOX])])
    activity.record(Fact(kind=FactKind.SIGNED_UP, source_key="s", customer_id=both.customer_id))
    pipeline.pump()
    until = clock.now() - timedelta(seconds=1)
    Message.objects.update(state="sending", lease_until=until if state == "unknown" else until + timedelta(hours=1))

    pipeline.housekeep()
    work()

    assert [(channel, found) for channel, found, _ in story()] == [("email", state)]


def test_a_message_that_the_cap_held_back_goes_over_no_other_channel(both):
    running(on("signed_up", reentry="always"), [send(fallbacks=[TO_INBOX])])
    open_shop(caps=[{"channel": "email", "count": 1, "hours": 16}])

    sign_up(both, "first")
    sign_up(both, "second")

    assert ("email", "skipped", "frequency_cap") in story()
    assert [channel for channel, *_ in story()] == ["email", "email"]


def test_a_late_fallback_leaves_a_run_alone_that_waits_at_its_next_message(both):
    campaign = running(on("signed_up"), [send("one", fallbacks=[TO_INBOX]), wait(), send("two")])
    sign_up(both)
    first = Message.objects.get()

    with clock.travel(by=timedelta(minutes=61)):
        pipeline.pump()
        automations.pause(campaign.pk)  # the second message is held
        pipeline.deliver()
        automations.resume(campaign.pk)
        tell(first, ReceiptKind.HARD_BOUNCE)

    assert story(step_id="one") == [("email", "failed", "bounced"), ("inbox", "sent", "")]
    assert story(step_id="two") == [("email", "skipped", "suppressed")]
    assert Enrollment.objects.get().state == "completed"


def test_a_campaign_that_is_over_falls_back_no_more(both):
    campaign = running(on("signed_up"), [send(fallbacks=[TO_INBOX])])
    sign_up(both)
    automations.end_campaign(campaign.pk)

    tell(Message.objects.get(), ReceiptKind.HARD_BOUNCE)

    assert [row for row in story() if row[0] == "inbox"] == [("inbox", "skipped", "campaign_ended")]


def test_channels_are_tried_in_their_order_to_the_last(both, settings):
    settings.CRM_SMS_PROVIDERS, settings.CRM_GATEWAY_URL = ("*=gateway",), "http://127.0.0.1:9/"
    sms = {"channel": "sms", "template": {"en": {"text": "Sale"}}}
    open_shop(sms_sender="15881234")
    running(on("signed_up"), [send(fallbacks=[sms, TO_INBOX])])
    contacts.set_consent(contact_of(both), channel="email", is_granted=False, source="test")

    sign_up(both)

    assert story() == [("email", "skipped", "no_consent"), ("sms", "skipped", "no_address"), ("inbox", "sent", "")]


def test_when_no_channel_reaches_somebody_the_run_goes_on(ann):
    running(on("signed_up"), [send(fallbacks=[TO_INBOX]), send("other", message_class="transactional")])
    contacts.set_consent(contact_of(ann), channel="email", is_granted=False, source="test")

    sign_up(ann)
    work()

    assert story(step_id="mail") == [("email", "skipped", "no_consent"), ("inbox", "skipped", "no_consent")]
    assert story(step_id="other") == [("email", "sent", "")]


@pytest.mark.parametrize(
    ("fallbacks", "field"),
    [
        ([{"channel": "email", "template": NOTE}], "definition.steps.0"),
        ([TO_INBOX, TO_INBOX], "definition.steps.0"),
        ([{"channel": "pigeon", "template": NOTE}], "definition.steps.0.fallbacks.0.channel"),
        ([{"channel": "inbox", "template": {"en": {"title": "x"}}}], "definition.steps.0.fallbacks.0.template.en.text"),
        (
            [{"channel": "inbox", "template": {"en": {"title": "x", "text": "{{ nonsense }}"}}}],
            "definition.steps.0.fallbacks.0.template.en.text",
        ),
    ],
)
def test_what_is_wrong_with_a_fallback_is_told_by_its_path(fake_shop, fallbacks, field):
    open_shop()

    with pytest.raises(InvalidInput) as refused:
        automations.create_campaign(name="x", definition=definition(on("signed_up"), [send(fallbacks=fallbacks)]))

    assert refused.value.field == field
    assert not automations.campaigns().exists()


@pytest.mark.feature(61)
def test_of_a_thousand_messages_exactly_those_that_failed_are_sent_over_the_other_channel(fake_shop):
    running(on("signed_up"), [send(fallbacks=[TO_INBOX])])
    people = [fake_shop.add_customer(email=f"p{number}@example.com") for number in range(1_000)]
    for number, one in enumerate(people):
        activity.record(Fact(kind=FactKind.SIGNED_UP, source_key=str(number), customer_id=one.customer_id))
    pipeline.pump()
    for contact in contacts.contacts():
        for channel in ("email", "inbox"):
            contacts.set_consent(contact.pk, channel=channel, is_granted=True, source="test")
    work()
    sent = list(Message.objects.filter(channel="email", state="sent").order_by("pk")[:180])
    messaging.keep(
        [
            Told(channel="email", kind=ReceiptKind.UNDELIVERED, provider_id=str(one.public_id), event_id=f"{one.pk}")
            for one in sent
        ]
    )

    work()

    assert Message.objects.filter(channel="email").count() == 1_000
    assert set(InboxNote.objects.values_list("contact_id", flat=True)) == {one.contact_id for one in sent}
    assert InboxNote.objects.filter(title="In your inbox").count() == 180
