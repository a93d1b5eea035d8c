"""The way out across channels: at once, free, for as long as anybody keeps the message, and never undone by us."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client

from crm_plugin import clock, contacts, messaging
from crm_plugin.contacts import ChannelKind, Contact
from crm_plugin.merchant import Merchant
from crm_plugin.messaging import Draft, Go, MessageClass, ReceiptKind, TemplateSource, Told
from crm_plugin.messaging.composing import Letter, compose
from crm_plugin.messaging.tracking import Links, store_links
from crm_plugin.models import ConsentEvent, Message
from tests.messaging.conftest import deliver

__all__ = ["deliver"]

pytestmark = pytest.mark.django_db

PHONES = {"DE": "+4915112345678", "KR": "+821012345678", "US": "+12025550123"}
ONE_CLICK = {"data": "List-Unsubscribe=One-Click", "content_type": "application/x-www-form-urlencoded"}

MakeContact = Callable[..., Contact]


def agrees(contact: Contact, channel: str = "email") -> bool:
    return contacts.reach([contact.pk], channel=channel)[contact.pk].has_consent


def texted(contact: Contact) -> str:
    """The text message that the contact gets as an advertisement; its links are stored."""
    now = clock.now()
    source = TemplateSource.parse({"en": {"form": "sms", "text": "Sale"}}, channel="sms")
    template_id = messaging.save_template(source, message_class=MessageClass.MARKETING)
    messaging.enqueue([
        Draft(
            contact_id=contact.pk,
            template_id=template_id,
            channel="sms",
            message_class="marketing",
            due_at=now,
            stale_at=now + timedelta(days=1),
            occasion=f"test:{contact.pk}",
        )
    ])  # fmt: skip
    (claimed,) = messaging.claim(10)
    (composed,), found = compose([claimed], verdicts={claimed.message_id: Go()})
    assert isinstance(composed.result, Letter)
    store_links(found)
    return composed.result.content.text  # type: ignore[union-attr]


@pytest.fixture
def make_reader(make_contact: MakeContact) -> Callable[[str], Contact]:
    """Make a reader with a telephone in a country, who agreed to text messages."""

    def make(country: str) -> Contact:
        row = make_contact(f"{country.lower()}@example.com", country=country, phone=PHONES[country], language="en")
        contacts.set_consent(row.pk, channel="sms", is_granted=True, source="test")
        return row

    return make


@pytest.mark.parametrize("days", [0, 30, 365])
def test_us_can_spam_the_link_of_a_mail_works_for_30_days_and_longer_and_at_once(
    client: Client, links: Links, message: Message, days: int
) -> None:
    """US CAN-SPAM: opt-out works >= 30 d, honoured <= 10 business days; Gmail/Yahoo: <= 2 days. Here: at once."""
    with clock.travel(to=clock.now() + timedelta(days=days)):
        client.post(links.unsubscribe_url, **ONE_CLICK)

        assert not agrees(message.contact)


def test_kr_free_refusal_what_was_queued_before_it_is_not_sent_after_it(
    client: Client, links: Links, smtp, queue, deliver, message: Message
) -> None:
    """KR free refusal: no cost, no login; effective at once; never after refusal."""
    following = queue(message.contact)
    client.post(links.unsubscribe_url, **ONE_CLICK)

    deliver()

    following.refresh_from_db()
    assert (following.state, following.reason) == ("skipped", "no_consent")
    assert not smtp.letters


def test_eu_eprivacy_a_text_message_leads_to_the_way_out_by_a_short_link(
    client: Client, us: Merchant, make_reader: Callable[[str], Contact]
) -> None:
    """EU ePrivacy: opt-out in each message, where no answer ends them."""
    reader = make_reader("DE")

    text = texted(reader)

    found = re.fullmatch(r"The Shop: Sale\nOpt out: (\S*/(l/\w{10}/))", text)
    assert found is not None
    assert len(found[1]) < 60
    answer = client.get(f"/crm/{found[2]}")
    path = "/crm/unsubscribe/" + answer.headers["Location"].partition("/unsubscribe/")[2]
    assert agrees(reader, "sms")
    assert client.post(path).status_code == 200
    assert not agrees(reader, "sms")
    assert agrees(reader, "email")


@pytest.mark.parametrize(
    ("country", "number", "ending"),
    [
        ("KR", "080-123-4567", "무료거부 080-123-4567"),
        ("KR", "", r"무료거부 \S+/l/\w{10}/"),
        ("US", "", "Reply STOP to opt out"),
    ],
)
def test_kr_sms_and_us_tcpa_each_text_message_ends_with_the_way_out_of_its_country(
    us: Merchant, make_reader: Callable[[str], Contact], country: str, number: str, ending: str
) -> None:
    """KR SMS/LMS: free 080 refusal number; US TCPA: STOP."""
    us.sms_refusal_number = number
    us.save()

    assert re.search(f"\n{ending}$", texted(make_reader(country)))


def test_us_tcpa_stop_ends_text_messages_and_start_alone_does_not_bring_them_back(
    us: Merchant, make_reader: Callable[[str], Contact]
) -> None:
    """US TCPA: any reasonable revocation (STOP…); never after refusal: START lifts the block, not the refusal."""
    reader = make_reader("US")
    for kind in (ReceiptKind.UNSUBSCRIBED, ReceiptKind.RESUBSCRIBED):
        messaging.keep([Told(channel=ChannelKind.SMS, kind=kind, address=PHONES["US"])])
        with transaction.atomic():
            messaging.settle_receipts(10)

        assert not agrees(reader, "sms")
    messaging.uphold_consents(10)

    assert not Message.objects.exists(), "the provider's own answer to STOP is the one confirmation"
    event = ConsentEvent.objects.get(is_granted=False)
    assert (event.channel, event.source) == ("sms", "provider_unsubscribed")
    assert agrees(reader, "email")
