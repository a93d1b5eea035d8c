"""What e-mail providers call back to say, through the endpoint: proven, understood, kept once, put to its message."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from django.test import Client

from crm_plugin import clock, contacts, messaging
from crm_plugin.messaging.models import DeliveryReceipt, Message
from crm_plugin.messaging.providers.esp_receipts import ESP_VIEWS
from tests.messaging.esp import payloads

pytestmark = pytest.mark.django_db

TENTH = datetime(2026, 1, 5, 10, tzinfo=UTC)
HARD, SOFT, LOST = "hard_bounce", "soft_bounce", "undelivered"


@pytest.fixture(autouse=True)
def _set_up(settings, fake_shop):
    settings.ANYMAIL = payloads.ANYMAIL


@pytest.fixture
def tell():
    """Call the endpoint as a provider."""

    def call(esp, payload, *, headers=payloads.BASIC):
        body = payload if isinstance(payload, (bytes, str)) else json.dumps(payload)
        return Client().post(f"/crm/receipts/{esp}/", body, content_type="application/json", headers=headers)

    return call


@pytest.fixture
def message(queue) -> Message:
    """A message to Ann that a provider took."""
    made = queue()
    made.state, made.finished_at, made.recipient = "sent", clock.now(), "ann@example.com"
    made.provider_id = "of-the-provider"
    made.save()
    return made


def settle():
    with transaction.atomic():
        messaging.settle_receipts(100)


CASES = [
    ("postmark", lambda i: payloads.postmark("delivery", i), ["delivered"]),
    ("postmark", lambda i: payloads.postmark("bounce", i), [HARD]),
    ("postmark", lambda i: payloads.postmark("bounce", i, Type="SoftBounce", Details="smtp;452 full"), [SOFT]),
    ("postmark", lambda i: payloads.postmark("bounce", i, Details="smtp;550 5.7.1 blocked by policy"), [LOST]),
    ("postmark", lambda i: payloads.postmark("bounce", i, Details="smtp;552 5.2.2 mailbox full"), [SOFT]),
    ("postmark", lambda i: payloads.postmark("bounce", i, Type="Transient"), []),
    ("postmark", lambda i: payloads.postmark("bounce", i, Type="Blocked"), [LOST]),
    ("postmark", lambda i: payloads.postmark("bounce", i, Type="BadEmailAddress"), [HARD]),
    ("postmark", lambda i: payloads.postmark("complaint", i), ["complaint"]),
    ("postmark", lambda i: payloads.postmark("subscription", i), ["unsubscribed"]),
    ("postmark", lambda i: payloads.postmark("subscription", i, SuppressionReason="HardBounce"), [HARD]),
    ("postmark", lambda i: payloads.postmark("subscription", i, SuppressSending=False), []),
    ("postmark", lambda i: payloads.postmark("open", i), []),
    ("postmark", lambda i: payloads.postmark("click", i), []),
    ("resend", lambda i: payloads.resend("delivered", i), ["delivered"]),
    ("resend", lambda i: payloads.resend("sent", i), []),
    ("resend", lambda i: payloads.resend("delivery_delayed", i), []),
    ("resend", lambda i: payloads.resend("complained", i), ["complaint"]),
    ("resend", lambda i: payloads.resend("opened", i), []),
    ("resend", lambda i: payloads.resend("bounced", i, bounce={"message": "hard", "type": "Permanent"}), [HARD]),
    ("resend", lambda i: payloads.resend("bounced", i, bounce={"message": "full", "type": "Transient"}), [SOFT]),
    ("mailgun", lambda i: payloads.mailgun("delivered", i), ["delivered"]),
    ("mailgun", lambda i: payloads.mailgun("failed", i, severity="permanent", reason="bounce"), [HARD]),
    ("mailgun", lambda i: payloads.mailgun("failed", i, severity="permanent", reason="old"), [SOFT]),
    ("mailgun", lambda i: payloads.mailgun("failed", i, severity="temporary", reason="generic"), []),
    ("mailgun", lambda i: payloads.mailgun("complained", i), ["complaint"]),
    ("mailgun", lambda i: payloads.mailgun("unsubscribed", i), ["unsubscribed"]),
    ("sendgrid", lambda i: payloads.sendgrid("delivered", i), ["delivered"]),
    ("sendgrid", lambda i: payloads.sendgrid("bounce", i, type="bounce", reason="550 5.1.1 unknown user"), [HARD]),
    ("sendgrid", lambda i: payloads.sendgrid("bounce", i, type="blocked", reason="busy"), [SOFT]),
    ("sendgrid", lambda i: payloads.sendgrid("dropped", i, reason="Bounced Address"), [HARD]),
    ("sendgrid", lambda i: payloads.sendgrid("dropped", i, reason="Unsubscribed Address"), [LOST, "unsubscribed"]),
    ("sendgrid", lambda i: payloads.sendgrid("spamreport", i), ["complaint"]),
    ("mailjet", lambda i: payloads.mailjet("sent", i), ["delivered"]),
    ("mailjet", lambda i: payloads.mailjet("bounce", i, hard_bounce=True, error="user unknown"), [HARD]),
    ("mailjet", lambda i: payloads.mailjet("bounce", i, hard_bounce=False, error="quota exceeded"), [SOFT]),
    ("mailjet", lambda i: payloads.mailjet("blocked", i, error="spam reporter"), [LOST, "unsubscribed"]),
    ("mailjet", lambda i: payloads.mailjet("unsub", i), ["unsubscribed"]),
    ("brevo", lambda i: payloads.brevo("delivered", i), ["delivered"]),
    ("brevo", lambda i: payloads.brevo("hard_bounce", i), [HARD]),
    ("brevo", lambda i: payloads.brevo("soft_bounce", i), [SOFT]),
    ("brevo", lambda i: payloads.brevo("spam", i), ["complaint"]),
    ("brevo", lambda i: payloads.brevo("list_addition", i), []),
    ("sparkpost", lambda i: payloads.sparkpost("delivery", i), ["delivered"]),
    ("sparkpost", lambda i: payloads.sparkpost("bounce", i, bounce_class="10"), [HARD]),
    ("sparkpost", lambda i: payloads.sparkpost("bounce", i, bounce_class="22"), [SOFT]),
    ("sparkpost", lambda i: payloads.sparkpost("bounce", i, bounce_class="51"), [LOST]),
    ("sparkpost", lambda i: payloads.sparkpost("list_unsubscribe", i), ["unsubscribed"]),
]  # fmt: skip


@pytest.mark.parametrize(("esp", "payload", "kinds"), CASES, ids=[f"{case[0]}-{at}" for at, case in enumerate(CASES)])
def test_what_a_provider_says_means_one_thing(tell, message, esp, payload, kinds):
    answer = tell(esp, payload(str(message.public_id)))

    assert answer.status_code == 200, answer.content
    rows = DeliveryReceipt.objects.all()
    assert sorted(row.kind for row in rows) == kinds
    assert all(row.provider_id == str(message.public_id) and row.channel == "email" for row in rows)


def test_a_hard_bounce_fails_its_message_and_blocks_the_address(tell, message):
    tell("postmark", payloads.postmark("bounce", str(message.public_id)))
    settle()

    message.refresh_from_db()
    assert (message.state, message.reason) == ("failed", "bounced")
    assert "5.1.1" in message.detail
    assert contacts.reach([message.contact_id], channel="email")[message.contact_id].suppressed_for


def test_a_receipt_that_names_only_the_providers_id_finds_its_message(tell, message):
    tell("postmark", payloads.postmark("delivery", MessageID="of-the-provider"))
    settle()

    message.refresh_from_db()
    assert message.delivered_at == TENTH


def test_a_receipt_before_the_send_returned_is_put_to_its_message_by_our_id(tell, message):
    message.state, message.provider_id, message.finished_at = "sending", "", None
    message.lease_until = clock.now() + timedelta(minutes=5)
    message.save()

    tell("postmark", payloads.postmark("delivery", str(message.public_id), MessageID="not known yet"))
    settle()
    Message.objects.filter(pk=message.pk).update(
        state="sent", lease_until=None, provider_id="known now", finished_at=clock.now()
    )
    with clock.travel(to=clock.now() + timedelta(minutes=5)):
        settle()

    message.refresh_from_db()
    assert message.delivered_at == TENTH


def test_the_same_receipt_twice_is_one(tell, message):
    for _ in range(3):
        assert tell("postmark", payloads.postmark("bounce", str(message.public_id))).status_code == 200

    assert DeliveryReceipt.objects.count() == 1


def test_one_call_may_tell_of_many_messages(tell, message):
    told = payloads.sendgrid("delivered", str(message.public_id)) + payloads.sendgrid("open", str(message.public_id))
    told += payloads.sendgrid("spamreport", "", sg_event_id="2")

    assert tell("sendgrid", told).status_code == 200

    assert sorted(DeliveryReceipt.objects.values_list("kind", flat=True)) == ["complaint", "delivered"]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic Y3JtOndyb25n"}, {"Authorization": "Basic \xff"}])
def test_a_call_without_the_password_is_forged(tell, message, headers):
    answer = tell("postmark", payloads.postmark("bounce", str(message.public_id)), headers=headers)

    assert answer.status_code == 403
    assert not DeliveryReceipt.objects.exists()


@pytest.mark.parametrize("change", [{"signature": "0" * 64}, {"timestamp": "1"}, {"token": "ü"}])
def test_a_wrong_signature_is_forged(tell, message, change):
    payload = payloads.mailgun("failed", str(message.public_id), severity="permanent", reason="bounce")
    payload["signature"] |= change

    assert tell("mailgun", payload).status_code == 403
    assert not DeliveryReceipt.objects.exists()


def test_a_signed_call_must_be_signed_over_its_very_bytes(tell, message, settings):
    settings.ANYMAIL = {"RESEND_SIGNING_SECRET": payloads.SVIX_SECRET}
    body = json.dumps(payloads.resend("delivered", str(message.public_id))).encode()
    signed = payloads.resend_signature(body, at=int(clock.now().timestamp()))

    forged = tell("resend", body.replace(b"delivered", b"bounced"), headers=signed)
    old = tell("resend", body, headers=payloads.resend_signature(body, at=1))
    true = tell("resend", body, headers=signed)

    assert [answer.status_code for answer in (forged, old, true)] == [403, 403, 200]
    assert DeliveryReceipt.objects.get().kind == "delivered"


@pytest.mark.parametrize("esp", ["postmark", "resend", "sendgrid", "mailjet", "brevo", "sparkpost"])
def test_a_provider_is_not_believed_before_there_is_anything_to_prove_it_by(tell, message, settings, esp):
    settings.ANYMAIL = {}

    assert tell(esp, payloads.postmark("bounce", str(message.public_id))).status_code == 404
    assert not DeliveryReceipt.objects.exists()


@pytest.mark.parametrize("esp", ["mailersend", "unisender_go"])
def test_a_provider_that_signs_is_not_set_up_without_its_key(tell, message, esp):
    assert tell(esp, payloads.postmark("bounce", str(message.public_id))).status_code == 404
    assert not DeliveryReceipt.objects.exists()


@pytest.mark.parametrize("esp", ["nobody", "mailgun.evil", "..", "base", "Postmark"])
def test_an_unknown_provider_is_not_found(tell, esp):
    assert tell(esp, {}).status_code == 404


@pytest.mark.parametrize(
    "esp", sorted(set(ESP_VIEWS) - {"amazon_ses", "mailgun", "mandrill", "postal", "unisender_go"})
)
@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"7", b"null", b'"x"', b'[{"x": []}]', b'{"RecordType": []}', b"[" * 5_000]
)
def test_a_malformed_call_leaves_no_trace(tell, settings, esp, body):
    settings.ANYMAIL = payloads.ANYMAIL | {"MAILERSEND_SIGNING_SECRET": "x", "MAILTRAP_SIGNING_SECRET": None}

    answer = tell(esp, body)

    assert answer.status_code in {200, 400, 403}
    assert not DeliveryReceipt.objects.exists()


@pytest.mark.parametrize(
    "metadata", ["x", 7, None, ["crm_message"], {"crm_message": 5}, {"crm_message": "x' or 1=1"}, {"crm_message": None}]
)
def test_metadata_that_is_not_ours_is_no_id(tell, metadata):
    tell("mailjet", payloads.mailjet("sent", "", Payload=json.dumps(metadata)))

    assert DeliveryReceipt.objects.get().provider_id == "19421777835146490"


def test_a_receipt_of_somebody_elses_message_changes_none_of_ours(tell, message):
    assert tell("postmark", payloads.postmark("bounce", MessageID="of another system")).status_code == 200
    settle()

    message.refresh_from_db()
    assert message.state == "sent"


def test_a_get_does_nothing():
    assert Client().get("/crm/receipts/postmark/").status_code == 405
