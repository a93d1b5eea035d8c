"""Mails in batches through a provider's API: what is sent, and what each answer makes of each message."""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from crm_plugin.messaging.channels import ChannelDown, HandOut
from crm_plugin.messaging.channels.email import EmailChannel
from tests.messaging.envelopes import envelope
from tests.messaging.esp.conftest import KEYS
from tests.messaging.esp.esp_server import Fault

ESPS = ["postmark", "resend", "mailjet"]
REFUSALS = {
    "postmark": "406 You tried to send to a recipient that has been marked as inactive.",
    "resend": "Invalid `to` field. The email address needs to follow the `email@example.com` format.",
    "mailjet": '"nobody" is an invalid email address.',
}


def batch(count, **changes):
    return [envelope(number=at, recipient=f"p{at}@example.com", **changes) for at in range(1, count + 1)]


def results(receipts):
    return [receipt.result for receipt in receipts]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    monkeypatch.setattr("crm_plugin.messaging.providers.esp_batches.PAUSE_SECONDS", 0.0)


@pytest.mark.parametrize(("esp", "size"), [("postmark", 500), ("resend", 100), ("mailjet", 50), ("brevo", 1)])
def test_the_provider_says_how_many_go_at_once(settings, esp, size):
    settings.CRM_EMAIL_BACKEND = f"anymail.backends.{esp}.EmailBackend"

    channel = EmailChannel()

    assert (channel.batch_size, channel.has_idempotency_key) == (size, False)


def test_the_backend_of_the_shop_counts_when_campaigns_have_none_of_their_own(settings):
    settings.CRM_EMAIL_BACKEND = None
    settings.EMAIL_BACKEND = "anymail.backends.postmark.EmailBackend"

    assert EmailChannel().batch_size == 500


def test_a_backend_that_does_not_exist_is_said_when_it_is_opened(settings):
    settings.CRM_EMAIL_BACKEND = "no.such.Backend"
    channel = EmailChannel()

    with pytest.raises(ChannelDown, match="no"):
        channel.open()


def test_a_provider_without_its_key_is_down_and_says_which_is_missing(settings):
    settings.ANYMAIL = {}
    settings.CRM_EMAIL_BACKEND = "anymail.backends.postmark.EmailBackend"

    with pytest.raises(ChannelDown, match="POSTMARK_SERVER_TOKEN"):
        EmailChannel().open()


@pytest.mark.parametrize("esp", ESPS)
def test_different_mails_go_in_one_call_each_with_an_id(channel_of, esp_server, esp):
    receipts = channel_of(esp).hand_out([envelope(number=1, subject="One"), envelope(number=2, subject="Two")])

    assert results(receipts) == [HandOut.SENT] * 2
    assert len({receipt.provider_id for receipt in receipts}) == 2
    assert [mail.get("Subject") or mail["subject"] for mail in esp_server.mails] == ["One", "Two"]
    assert len(esp_server.calls) == 1


@pytest.mark.parametrize("esp", ESPS)
def test_each_mail_says_our_id_and_how_to_unsubscribe(channel_of, esp_server, esp):
    channel_of(esp).hand_out([envelope(number=5)])

    said = json.dumps(esp_server.mails[0])
    assert str(UUID(int=5)) in said
    assert "List-Unsubscribe=One-Click" in said
    assert "<https://shop.example/crm/unsubscribe/" in said


def test_what_is_no_advertisement_has_no_way_out_in_its_headers(channel_of, esp_server):
    channel_of("postmark").hand_out([envelope(unsubscribe_url="")])

    assert "List-Unsubscribe" not in json.dumps(esp_server.mails[0])


@pytest.mark.parametrize("esp", ESPS)
def test_one_bad_recipient_spoils_nobody(channel_of, esp_server, esp):
    esp_server.refuse("p3@", REFUSALS[esp])

    receipts = channel_of(esp).hand_out(batch(5))

    assert results(receipts) == [HandOut.SENT, HandOut.SENT, HandOut.ADDRESS_REFUSED, HandOut.SENT, HandOut.SENT]
    assert len(esp_server.mails) == 4
    assert len({receipt.provider_id for receipt in receipts}) == 5
    assert receipts[2].detail


def test_one_bad_recipient_in_a_thousand_is_found(channel_of, esp_server):
    esp_server.refuse("p777@", REFUSALS["postmark"])

    receipts = channel_of("postmark").hand_out(batch(1_000))

    assert [at for at, receipt in enumerate(receipts, 1) if receipt.result != HandOut.SENT] == [777]
    assert [len(call.json) for call in esp_server.calls] == [500, 500]


def test_a_mail_that_cannot_be_written_stays_behind_alone(channel_of, esp_server):
    receipts = channel_of("postmark").hand_out([envelope(recipient="a@b.example, c@d"), *batch(2)])

    assert results(receipts)[1:] == [HandOut.SENT] * 2
    assert len(esp_server.mails) == 2


def test_a_batch_that_is_refused_whole_is_halved_until_the_bad_mail_is_found(channel_of, esp_server):
    refusal = Fault(422, json.dumps({"ErrorCode": 403, "Message": "Invalid request field"}))
    esp_server.next(refusal, refusal, refusal)  # of four, of the first two, of the first

    receipts = channel_of("postmark").hand_out(batch(4))

    assert results(receipts) == [HandOut.REJECTED, HandOut.SENT, HandOut.SENT, HandOut.SENT]
    assert [len(call.json) for call in esp_server.calls] == [4, 2, 1, 1, 2]


def test_a_strict_provider_that_names_no_index_costs_only_the_bad_mail(channel_of, esp_server, monkeypatch):
    from crm_plugin.messaging.providers import esp_apis  # noqa: PLC0415 - of this test only

    monkeypatch.setitem(
        esp_apis.BATCH_APIS, "Resend", esp_apis.ResendApi(path="emails/batch", batch_size=100, largest_bytes=10**7)
    )
    esp_server.refuse("p6@", REFUSALS["resend"])

    receipts = channel_of("resend").hand_out(batch(8))

    assert [at for at, receipt in enumerate(receipts, 1) if receipt.result != HandOut.SENT] == [6]
    assert len(esp_server.mails) == 7


@pytest.mark.parametrize("esp", ESPS)
def test_too_many_requests_wait_as_long_as_the_provider_says(channel_of, esp_server, esp):
    esp_server.next(Fault(429, "{}", {"Retry-After": "17"}))

    receipts = channel_of(esp).hand_out(batch(3))

    assert results(receipts) == [HandOut.LATER] * 3
    assert [receipt.retry_seconds for receipt in receipts] == [17.0] * 3
    assert esp_server.mails == []


def test_after_one_429_the_rest_of_the_messages_is_not_even_offered(channel_of, esp_server):
    esp_server.next(Fault(429, "{}", {"Retry-After": "3"}))

    receipts = channel_of("mailjet").hand_out(batch(120))

    assert results(receipts) == [HandOut.LATER] * 120
    assert len(esp_server.calls) == 1


@pytest.mark.parametrize("esp", ESPS)
@pytest.mark.parametrize(
    ("status", "expected"),
    [(500, HandOut.RETRY), (503, HandOut.RETRY), (401, HandOut.LATER), (504, HandOut.LOST)],
)
def test_what_a_bad_status_makes_of_a_batch(channel_of, esp_server, esp, status, expected):
    esp_server.next(*[Fault(status, "<html>oops</html>")] * 3)

    receipts = channel_of(esp).hand_out(batch(2))

    assert results(receipts) == [expected] * 2
    assert esp_server.mails == []


def test_a_refused_account_is_no_fault_of_the_messages(channel_of, esp_server):
    esp_server.next(Fault(422, json.dumps({"ErrorCode": 405, "Message": "Not allowed to send: no credits"})))

    receipts = channel_of("postmark").hand_out(batch(3))

    assert results(receipts) == [HandOut.LATER] * 3
    assert len(esp_server.calls) == 1


@pytest.mark.parametrize("esp", ["postmark", "mailjet"])
@pytest.mark.parametrize(
    "fault",
    [
        Fault(200, "{not json", is_taken=True),
        Fault(200, "[]", is_taken=True),
        Fault(200, '{"data": 7}', is_taken=True),
        Fault(is_taken=True, is_hanging_up=True),
        Fault(200, "[]", is_taken=True, pause_seconds=3),
    ],
    ids=["malformed", "too short", "wrong form", "hung up", "too slow"],
)
def test_nobody_knows_what_became_of_a_batch_without_a_readable_answer(channel_of, esp_server, esp, fault):
    esp_server.next(fault)

    receipts = channel_of(esp).hand_out(batch(2))

    assert results(receipts) == [HandOut.LOST] * 2
    assert len(esp_server.calls) == 1


@pytest.mark.parametrize(
    "fault", [Fault(200, "{not json", is_taken=True), Fault(is_taken=True, is_hanging_up=True), Fault(504, "")]
)
def test_a_lost_batch_is_offered_again_under_the_same_key_and_taken_once(channel_of, esp_server, fault):
    esp_server.next(fault)

    receipts = channel_of("resend").hand_out(batch(3))

    assert results(receipts) == [HandOut.SENT] * 3
    assert len(esp_server.mails) == 3
    keys = [call.headers["Idempotency-Key"] for call in esp_server.calls]
    assert (len(keys), len(set(keys))) == (2, 1)


def test_after_a_lost_batch_busy_is_no_answer(channel_of, esp_server):
    esp_server.next(Fault(is_taken=True, is_hanging_up=True), Fault(429, "{}"), Fault(500, "{}"))

    receipts = channel_of("resend").hand_out(batch(3))

    assert results(receipts) == [HandOut.LOST] * 3


def test_two_batches_have_two_keys(channel_of, esp_server):
    channel = channel_of("resend")

    channel.hand_out(batch(1))
    channel.hand_out(batch(2))

    assert len({call.headers["Idempotency-Key"] for call in esp_server.calls}) == 2


def test_nobody_at_home_means_later(channel_of, esp_server):
    channel = channel_of("postmark", POSTMARK_API_URL="http://127.0.0.1:9/")

    receipts = channel.hand_out(batch(2))

    assert results(receipts) == [HandOut.LATER] * 2
    assert esp_server.calls == []


def test_a_call_is_never_longer_than_the_provider_takes(channel_of, esp_server):
    channel = channel_of("mailjet", REQUESTS_TIMEOUT=60.0)  # a busy machine takes its time for 20 MB

    receipts = channel.hand_out(batch(40, html="<p>" + "x" * 500_000 + "</p>"))

    assert results(receipts) == [HandOut.SENT] * 40
    assert len(esp_server.calls) == 2
    assert max(len(call.body) for call in esp_server.calls) < 15_000_000


def test_a_mail_that_is_far_too_large_stays_behind_alone(channel_of, esp_server):
    picture = envelope(html='<img src="data:image/png;base64,' + "A" * 5_000_000 + '">')

    receipts = channel_of("postmark").hand_out([picture, *batch(1)])

    assert results(receipts) == [HandOut.REJECTED, HandOut.SENT]
    assert "too large" in receipts[0].detail
    assert len(esp_server.mails) == 1


def test_what_the_operator_says_of_every_message_is_kept(channel_of, esp_server):
    channel_of("mailjet", MAILJET_SEND_DEFAULTS={"esp_extra": {"SandboxMode": True}}).hand_out(batch(2))
    channel_of("postmark", POSTMARK_MESSAGE_STREAM="broadcast").hand_out(batch(1))

    assert esp_server.calls[0].json["SandboxMode"] is True
    assert esp_server.calls[1].json[0]["MessageStream"] == "broadcast"
    assert esp_server.calls[1].headers["X-Postmark-Server-Token"] == KEYS["POSTMARK_SERVER_TOKEN"]


def test_a_header_cannot_be_smuggled_in_through_names_and_subjects(channel_of, esp_server):
    channel_of("postmark").hand_out([envelope(subject="Hi\r\nBcc: eve@e.example", sender_name="Shop\nX: 1")])

    (mail,) = esp_server.mails
    assert mail["Subject"] == "Hi Bcc: eve@e.example"
    assert "\n" not in mail["From"]
    assert "Bcc" not in mail


def test_a_foreign_domain_goes_out_in_punycode(channel_of, esp_server):
    channel_of("postmark").hand_out([envelope(recipient="ann@bücher.example", sender_name="Müller & Co")])

    assert esp_server.mails[0]["To"] == "ann@xn--bcher-kva.example"


def test_a_slow_provider_does_not_outlive_the_lease(channel_of, esp_server, settings):
    settings.CRM_LEASE_SECONDS = 0.4
    esp_server.next(Fault(400, "{}", pause_seconds=0.3))

    receipts = channel_of("postmark").hand_out(batch(4))

    assert results(receipts) == [HandOut.LATER] * 4
    assert len(esp_server.calls) == 1
