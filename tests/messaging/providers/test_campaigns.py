"""Campaigns over text messages and Kakao, from the outbox to the provider and back by its receipts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import urlencode

import pytest

from crm_plugin import activity, clock, contacts, merchant, messaging, pipeline
from crm_plugin.models import DeliveryReceipt, Message, Suppression
from crm_plugin.shop import Fact, FactKind
from tests.messaging.providers.serving import CUT, Reply
from tests.messaging.providers.twilio_server import sign
from tests.stories import on, open_shop, running, send

pytestmark = pytest.mark.django_db

BRAND = {"ko": {"form": "brand_message", "text": "여름 세일 {{ contact.first_name | default: '고객님' }}"}}
TEXT_B = {"ko": {"form": "lms", "title": "여름 세일", "text": "문자로만 드리는 혜택"}}
SHORT = {"ko": {"form": "sms", "text": "세일"}}
ENGLISH = {"en": {"form": "sms", "text": "Sale today"}}
ALIMTALK = {"ko": {"form": "alimtalk", "template_code": "KA01TP", "variables": {"이름": "{{ contact.first_name }}"}}}
#: Ten in the morning in Seoul: no night ban.
MORNING = datetime(2026, 6, 3, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _shop(fake_shop, settings):
    settings.CRM_SMS_PROVIDERS = ()
    fake_shop.public_url = "https://shop.example/crm/"
    with clock.travel(to=MORNING):
        yield


@pytest.fixture
def people(fake_shop):
    """Make customers with telephones who agreed to messages over them, the number 010-0000-nnnn in Korea."""

    def make(count=1, *, phone="+8210{:08d}", country="KR", language="ko"):
        made = [
            fake_shop.add_customer(phone=phone.format(number), country=country, language=language, first_name="앤")
            for number in range(1, count + 1)
        ]
        for customer in made:
            sign_up(customer)
        pipeline.pump()
        for contact in contacts.contacts():
            for channel in ("kakao", "sms"):
                contacts.set_consent(contact.pk, channel=channel, is_granted=True, source="test")
        return made

    return make


def sign_up(customer):
    activity.record(
        Fact(kind=FactKind.SIGNED_UP, source_key=f"s{customer.customer_id}", customer_id=customer.customer_id)
    )


def campaign(*steps):
    shop = {
        "country": "KR",
        "default_language": "ko",
        "sms_sender": "1588-1234",
        "sms_refusal_number": "080-123-4567",
        "kakao_sender_key": "KA01PF",
    }
    open_shop(**shop)
    made = running(on("signed_up"), list(steps))
    open_shop(**shop, sender_name="가게")
    return made


def work(rounds=4):
    for _ in range(rounds):
        pipeline.pump()
        pipeline.deliver()


def report(client, solapi, codes, *, times=1):
    """Have Solapi report the codes by its ids, in one call."""
    url = messaging.receipts_url("solapi").removeprefix("https://shop.example")
    body = [one for message_id, code in codes.items() for one in solapi.report(code, message_id=message_id)]
    for _ in range(times):
        assert client.post(url, json.dumps(body), content_type="application/json").status_code == 200


def fates(**which):
    return list(Message.objects.filter(**which).order_by("pk").values_list("channel", "state", "reason"))


def taken(solapi, kind):
    return {name: one for name, one in solapi.taken.items() if one["type"] == kind}


@pytest.mark.feature(64)
def test_an_sms_is_labelled_and_says_how_to_refuse_it_within_90_bytes(solapi, people):
    campaign(send(channel="sms", template=SHORT))
    people()

    work()

    [message] = solapi.taken.values()
    assert message["text"] == "(광고)가게 세일\n무료거부 080-123-4567"
    assert len(message["text"].encode("euc-kr")) <= 90
    sent = Message.objects.get()
    assert (sent.state, sent.form, sent.recipient) == ("sent", "sms", "+821000000001")
    assert (sent.cost, sent.cost_currency) == (Decimal(18), "KRW")
    assert sent.provider_id in solapi.taken


@pytest.mark.feature(65)
def test_an_lms_has_its_title_in_the_title(solapi, people):
    campaign(send(channel="sms", template=TEXT_B))
    people()

    work()

    [message] = solapi.taken.values()
    assert (message["type"], message["subject"]) == ("LMS", "(광고) 여름 세일")
    assert message["text"].endswith("무료거부 080-123-4567")


@pytest.mark.feature(62)
def test_an_alimtalk_is_filled_in_and_is_no_advertisement(solapi, people):
    campaign(send(channel="kakao", template=ALIMTALK, message_class="transactional"))
    people()

    work()

    [message] = solapi.taken.values()
    assert message["kakaoOptions"]["variables"] == {"#{이름}": "앤"}
    assert "광고" not in json.dumps(message, ensure_ascii=False)


@pytest.mark.feature(60)
@pytest.mark.parametrize(("code", "texts"), [("4000", 0), ("3104", 1)])
def test_who_got_the_brand_message_gets_no_text_and_who_did_not_gets_one(client, solapi, people, code, texts):
    campaign(send(channel="kakao", template=BRAND, fallbacks=[{"channel": "sms", "template": TEXT_B}]))
    people()
    work()
    [brand] = taken(solapi, "BMS_FREE")
    assert taken(solapi, "LMS") == {}

    report(client, solapi, {brand: code}, times=2)
    work()

    assert len(taken(solapi, "LMS")) == texts
    assert len(taken(solapi, "BMS_FREE")) == 1
    assert fates(channel="kakao") == [("kakao", *(("failed", "undelivered") if texts else ("sent", "")))]


@pytest.mark.slow
@pytest.mark.feature(61)
def test_of_a_thousand_brand_messages_the_180_that_failed_are_sent_as_lms_with_another_text(client, solapi, people):
    campaign(send(channel="kakao", template=BRAND, fallbacks=[{"channel": "sms", "template": TEXT_B}]))
    people(1_000)
    work()
    brands = taken(solapi, "BMS_FREE")
    assert len(brands) == 1_000
    failing = set(list(brands)[::5][:180])

    report(client, solapi, {name: "3102" if name in failing else "4000" for name in brands})
    work()
    report(client, solapi, {name: "3102" if name in failing else "4000" for name in brands})
    work()

    texts = taken(solapi, "LMS")
    assert len(texts) == 180
    assert {one["to"] for one in texts.values()} == {brands[name]["to"] for name in failing}
    assert {one["subject"] for one in texts.values()} == {"(광고) 여름 세일"}
    assert all("문자로만 드리는 혜택" in one["text"] for one in texts.values())
    assert len(taken(solapi, "BMS_FREE")) == 1_000
    assert Message.objects.filter(channel="kakao", delivered_at__isnull=False).count() == 820
    assert Message.objects.filter(channel="sms", state="sent").count() == 180


def test_one_bad_number_fails_alone_and_is_blocked(solapi, people):
    campaign(send(channel="sms", template=SHORT))
    solapi.codes["01000000007"] = "3010"
    people(20)

    work()

    assert Message.objects.filter(state="sent").count() == 19
    bad = Message.objects.get(state="failed")
    assert (bad.reason, bad.recipient) == ("address_refused", "+821000000007")
    assert Suppression.objects.count() == 1


def test_a_receipt_may_come_before_the_answer_to_the_sending(client, solapi, people):
    campaign(send(channel="sms", template=SHORT))
    people()
    pipeline.pump()
    early = {"to": "01000000001", "type": "SMS", "customFields": {"crm": str(Message.objects.get().public_id)}}
    solapi.taken["M4Vearly"] = early

    report(client, solapi, {"M4Vearly": "4000"})
    work()
    with clock.travel(to=MORNING + timedelta(minutes=5)):
        work()

    message = Message.objects.get()
    assert (message.state, message.delivered_at) == ("sent", MORNING)


def test_a_receipt_for_a_message_that_is_not_ours_is_forgotten(client, solapi, people):
    solapi.taken["M4Vother"] = {"to": "01099999999", "type": "SMS"}

    report(client, solapi, {"M4Vother": "3010"})
    with clock.travel(to=MORNING + timedelta(hours=2)):
        work()

    assert DeliveryReceipt.objects.get().settled_at is not None
    assert not Suppression.objects.exists()


def test_what_nobody_knows_of_is_found_to_have_arrived(client, solapi, people):
    campaign(send(channel="sms", template=SHORT, fallbacks=[]))
    people()
    plain = solapi.respond
    solapi.respond = lambda *request: (plain(*request), CUT)[1]
    work()
    assert fates() == [("sms", "unknown", "connection_lost")]

    report(client, solapi, dict.fromkeys(solapi.taken, "4000"))
    work()

    assert fates() == [("sms", "sent", "")]
    assert len(solapi.taken) == 1


def test_a_busy_provider_is_left_alone_as_long_as_it_asks(solapi, people):
    campaign(send(channel="sms", template=SHORT))
    solapi.troubles.append(Reply.json({"errorCode": "TooManyRequests"}, 429, retry_after="120"))
    people()

    work()

    waiting = Message.objects.get()
    assert (waiting.state, waiting.due_at) == ("queued", MORNING + timedelta(seconds=120))
    assert len(solapi.requests) == 1
    with clock.travel(to=MORNING + timedelta(seconds=121)):
        work()
    assert fates() == [("sms", "sent", "")]


def test_a_missing_setting_is_shown_and_nothing_is_lost(solapi, settings, people):
    campaign(send(channel="sms", template=SHORT))
    settings.CRM_SOLAPI_API_KEY = ""
    people()

    work()

    waiting = Message.objects.get()
    assert (waiting.state, "CRM_SOLAPI_API_KEY" in waiting.detail) == ("queued", True)
    assert solapi.requests == []


def test_who_refuses_by_the_080_number_is_not_written_to_again(client, solapi, people):
    campaign(send(channel="sms", template=SHORT))
    [ann] = people()
    work()

    report(client, solapi, dict.fromkeys(solapi.taken, "2061"))
    work()

    contact = contacts.find(customer_id=ann.customer_id)
    assert not contacts.reach([contact.pk], channel="sms")[contact.pk].has_consent
    assert contacts.reach([contact.pk], channel="kakao")[contact.pk].has_consent
    assert fates() == [("sms", "failed", "undelivered")]


def test_an_american_gets_a_text_by_twilio_and_its_status_comes_back(client, twilio, people, settings):
    campaign(send(channel="sms", template=ENGLISH))
    merchant.Merchant.objects.update(default_language="en", country="US")
    with clock.travel(to=datetime(2026, 6, 3, 18, tzinfo=UTC)):
        people(phone="+1415555267{}", country="US", language="en")
        work()
        [(sid, form)] = twilio.taken.items()
        fields = {"MessageSid": sid, "MessageStatus": "undelivered", "ErrorCode": "30005", "To": form["To"]}
        path = form["StatusCallback"].removeprefix("https://shop.example")

        for _ in range(2):
            answer = client.post(
                path,
                urlencode(fields),
                content_type="application/x-www-form-urlencoded",
                headers={"X-Twilio-Signature": sign(form["StatusCallback"], fields)},
            )
            assert answer.status_code == 200
        work()

    assert "Sale today" in form["Body"]
    assert "STOP" in form["Body"]
    assert fates() == [("sms", "failed", "bounced")]
    assert Suppression.objects.get().reason == "hard_bounce"
