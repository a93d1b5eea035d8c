"""Web push: what arrives can be read by that browser alone, and whatever a push service answers is understood."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from django.core.management import call_command
from django.db import transaction
from py_vapid import Vapid02

from crm_plugin import clock, contacts, messaging
from crm_plugin.conf import settings as conf
from crm_plugin.contacts import Endpoint, Person
from crm_plugin.errors import InvalidInput
from crm_plugin.messaging import channels, vapid
from crm_plugin.messaging.channels import ChannelDown, HandOut
from crm_plugin.messaging.channels.web_push import MAX_BYTES, payload
from crm_plugin.models import Message
from tests.http.collecting import VISITOR
from tests.messaging.push_server import Browser, PushServer
from tests.messaging.pushing import device, envelope, look_at_something, person, result_of, running_push, subscribed

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
FAMILY = "👨‍👩‍👧‍👦"


@pytest.fixture
def server():
    with PushServer() as running:
        yield running


@pytest.fixture
def set_up(settings):
    """Web push as an operator sets it up; the push service of the test may be called."""
    private, public = messaging.make_vapid_keys()
    settings.CRM_VAPID_PRIVATE_KEY = private
    settings.CRM_VAPID_SUBJECT = "mailto:push@shop.example"
    settings.CRM_PUSH_HOSTS = ("127.0.0.1",)
    settings.CRM_WEBHOOK_ALLOW_PRIVATE = True
    return public


@pytest.fixture
def channel(set_up):
    made = channels.get("web_push")
    made.open()
    return made


# What arrives


def test_the_browser_and_nobody_else_can_read_what_is_pushed(server, channel):
    mine, other = server.browser("mine"), server.browser("other")
    message = envelope(device(mine), title="Hello Ann", image_url="https://shop.example/a.jpg", language="en")

    (receipt,) = channel.hand_out([message])

    (pushed,) = server.told
    assert receipt.result == HandOut.SENT
    assert mine.read(pushed.body) == {
        "title": "Hello Ann",
        "body": "The spring is here.",
        "url": "https://shop.example/crm/click/x/",
        "image": "https://shop.example/a.jpg",
        "tag": f"crm-{message.public_id.hex}",
        "lang": "en",
    }
    assert b"Ann" not in pushed.body
    with pytest.raises(Exception, match="Decryption error"):
        other.read(pushed.body)


def test_the_push_service_is_told_who_calls_and_how_long_it_may_wait(server, channel, set_up, settings):
    settings.CRM_PUSH_TTL_HOURS = 3
    message = envelope(device(server.browser()))

    with clock.travel(to=NOON):
        channel.hand_out([message])

    (pushed,) = server.told
    assert Vapid02.verify(pushed.headers["authorization"])
    assert pushed.headers["authorization"].endswith(f"k={set_up}")
    assert pushed.claims == {
        "aud": server.url,
        "exp": int((NOON + timedelta(hours=12)).timestamp()),
        "sub": "mailto:push@shop.example",
    }
    headers = {name: pushed.headers[name] for name in ("ttl", "urgency", "topic", "content-encoding")}
    assert headers == {
        "ttl": "10800",
        "urgency": "normal",
        "topic": message.public_id.hex,
        "content-encoding": "aes128gcm",
    }


def test_news_about_an_order_is_urgent(server, channel):
    channel.hand_out([envelope(device(server.browser()), is_marketing=False)])

    assert server.told[0].headers["urgency"] == "high"


@pytest.mark.parametrize("letter", ["가", "a", "\\", FAMILY, "é", "\u0001"])
def test_a_long_text_is_cut_between_two_characters(server, channel, letter):
    browser = server.browser()

    (receipt,) = channel.hand_out([envelope(device(browser), text=letter * 4_000)])

    (pushed,) = server.told
    read = browser.read(pushed.body)
    assert receipt.result == HandOut.SENT
    assert len(pushed.body) <= 4_096
    assert len(pushed.body) > 4_000 - len(FAMILY.encode())
    assert read["body"].endswith("…")
    assert read["body"].removesuffix("…").replace(letter, "") == ""


@pytest.mark.feature(62)
def test_a_text_that_just_fits_is_not_cut():
    message = envelope(text="")
    room = MAX_BYTES - len(payload(message)) - len(', "body": ""')

    whole, cut = payload(envelope(text="x" * room)), payload(envelope(text="x" * (room + 1)))

    assert (len(whole), b"\xe2\x80\xa6" in whole) == (MAX_BYTES, False)
    assert (len(cut) <= MAX_BYTES, b"\xe2\x80\xa6" in cut) == (True, True)


def test_where_there_is_no_room_for_the_picture_the_words_go_without(server, channel):
    browser = server.browser()
    long = "https://shop.example/" + "x" * 1_900
    message = envelope(device(browser), url=long, image_url=long + ".jpg", title="가" * 100)

    (receipt,) = channel.hand_out([message])

    assert receipt.result == HandOut.SENT
    assert set(browser.read(server.told[0].body)) == {"title", "body", "url", "tag", "lang"}


def test_what_cannot_be_made_to_fit_is_not_sent(server, channel):
    message = envelope(device(server.browser()), url="https://shop.example/" + "x" * 5_000)

    (receipt,) = channel.hand_out([message])

    assert (receipt.result, receipt.detail) == (HandOut.REJECTED, "The message is too long for a push.")
    assert server.told == []


# What the push service answers


@pytest.mark.parametrize(
    ("status", "headers", "result", "retry", "is_gone"),
    [
        (201, {}, HandOut.SENT, None, False),
        (200, {}, HandOut.SENT, None, False),
        (202, {}, HandOut.SENT, None, False),
        (404, {}, HandOut.ADDRESS_REFUSED, None, True),
        (410, {}, HandOut.ADDRESS_REFUSED, None, True),
        (413, {}, HandOut.REJECTED, None, False),
        (400, {}, HandOut.REJECTED, None, False),
        (403, {}, HandOut.REJECTED, None, False),
        (301, {"location": "http://127.0.0.1:1/"}, HandOut.REJECTED, None, False),
        (429, {}, HandOut.LATER, None, False),
        (429, {"retry-after": "120"}, HandOut.LATER, 120.0, False),
        (429, {"retry-after": format_datetime(NOON + timedelta(minutes=5))}, HandOut.LATER, 300.0, False),
        (429, {"retry-after": "soon"}, HandOut.LATER, None, False),
        (500, {}, HandOut.RETRY, None, False),
        (503, {"retry-after": "7"}, HandOut.RETRY, 7.0, False),
        (0, {}, HandOut.LOST, None, False),
    ],
)
def test_every_answer_is_understood(server, channel, status, headers, result, retry, is_gone):
    browser = server.browser(status=status, headers=headers)

    with clock.travel(to=NOON):
        (receipt,) = channel.hand_out([envelope(device(browser))])

    assert (receipt.result, receipt.retry_seconds) == (result, retry)
    assert receipt.gone == ((browser.address,) if is_gone else ())
    assert len(server.told) == 1


def test_where_nobody_listens_it_is_tried_again(channel):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        browser = Browser(f"http://127.0.0.1:{free.getsockname()[1]}/push/ann")

        receipts = channel.hand_out([envelope(device(browser))])

    assert result_of(receipts) == "retry"


@pytest.mark.parametrize(
    ("statuses", "result", "gone"),
    [
        ((410, 201), HandOut.SENT, 1),
        ((500, 201), HandOut.SENT, 0),
        ((410, 404), HandOut.ADDRESS_REFUSED, 2),
        ((410, 500), HandOut.RETRY, 1),
        ((429, 500), HandOut.LATER, 0),
        ((413, 410), HandOut.REJECTED, 1),
        ((500, 0), HandOut.LOST, 0),
    ],
)
def test_a_person_is_reached_when_any_of_their_devices_is(server, channel, statuses, result, gone):
    browsers = [server.browser(f"b{number}", status=status) for number, status in enumerate(statuses)]

    (receipt,) = channel.hand_out([envelope(*map(device, browsers))])

    assert (receipt.result, len(receipt.gone), len(server.told)) == (result, gone, 2)


def test_receipts_are_in_order_and_one_bad_device_spoils_no_other_message(server, channel):
    good, gone, nobody = server.browser("good"), server.browser("gone", status=410), envelope()
    nonsense = Endpoint(channel="web_push", address=server.browser("odd").address, keys={"p256dh": "AAAA", "auth": "?"})
    batch = [envelope(device(good)), envelope(device(gone)), envelope(nonsense), nobody, envelope(device(good))]

    receipts = channel.hand_out(batch)

    assert [str(one.result) for one in receipts] == ["sent", *["address_refused"] * 3, "sent"]
    assert [len(one.gone) for one in receipts] == [0, 1, 1, 0, 0]
    assert sorted(one.path for one in server.told) == ["/push/gone", "/push/good", "/push/good"]


# What is never called


@pytest.mark.parametrize(
    "address",
    [
        "http://fcm.googleapis.com/fcm/send/x",
        "https://127.0.0.1/push",
        "https://169.254.169.254/latest/meta-data",
        "https://evil.example/push",
        "https://fcm.googleapis.com.evil.example/push",
        "https://evilfcm.googleapis.com@evil.example/push",
        "https://user:secret@fcm.googleapis.com/fcm/send/x",
        "https://[::1/",
        "https://fcm.googleapis.com:99999/x",
        "ftp://fcm.googleapis.com/x",
        "https://xpush.apple.com/x",
        "https://fcm.googleapis.com/" + "x" * 2_000,
        "https://fcm.googleapis.com/a b",
    ],
)
def test_only_push_services_of_browsers_are_registered_and_called(server, channel, settings, address):
    settings.CRM_PUSH_HOSTS = ()
    settings.CRM_WEBHOOK_ALLOW_PRIVATE = False
    keys = Browser(address).keys

    with pytest.raises(InvalidInput) as refused:
        messaging.read_subscription(address=address, keys=keys)

    assert refused.value.field == "address"
    if len(address) < 200 and " " not in address:
        (receipt,) = channel.hand_out([envelope(Endpoint(channel="web_push", address=address, keys=keys))])
        assert (receipt.result, receipt.gone) == (HandOut.ADDRESS_REFUSED, (address,))


@pytest.mark.parametrize(
    "address",
    [
        "https://fcm.googleapis.com/fcm/send/dA:b_c-d",
        "https://updates.push.services.mozilla.com/wpush/v2/gAAAA",
        "https://web.push.apple.com/QGub",
        "https://wns2-db5p.notify.windows.com/w/?token=BQYAAAD",
    ],
)
def test_the_push_services_of_the_browsers_are_known(address):
    assert messaging.read_subscription(address=address, keys=Browser(address).keys).endpoint == address


@pytest.mark.parametrize("private", ["127.0.0.1", "10.0.0.1", "::1", "169.254.169.254", "::ffff:192.168.0.1"])
def test_a_push_service_whose_name_leads_inside_the_network_is_not_called(
    server, channel, settings, monkeypatch, private
):
    settings.CRM_WEBHOOK_ALLOW_PRIVATE = False
    family = socket.AF_INET6 if ":" in private else socket.AF_INET
    found = [(family, socket.SOCK_STREAM, 6, "", (private, 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_more: found)
    address = "https://fcm.googleapis.com/fcm/send/x"

    (receipt,) = channel.hand_out([envelope(device(Browser(address)))])

    assert (receipt.result, receipt.gone) == (HandOut.ADDRESS_REFUSED, ())
    assert "not a public address" in receipt.detail
    assert server.told == []


@pytest.mark.parametrize(
    ("keys", "field"),
    [
        ({"p256dh": "", "auth": "MDEyMzQ1Njc4OWFiY2RlZg"}, "p256dh"),
        ({"p256dh": "AAAA", "auth": "MDEyMzQ1Njc4OWFiY2RlZg"}, "p256dh"),
        ({"p256dh": "A" * 87, "auth": "MDEyMzQ1Njc4OWFiY2RlZg"}, "p256dh"),
        ({"auth": "short"}, "auth"),
        ({"auth": "?" * 22}, "auth"),
        ({"auth": ""}, "auth"),
    ],
)
def test_keys_that_are_none_are_refused(keys, field):
    address = "https://fcm.googleapis.com/fcm/send/x"

    with pytest.raises(InvalidInput) as refused:
        messaging.read_subscription(address=address, keys=Browser(address).keys | keys)

    assert refused.value.field == field


# Setting it up


@pytest.mark.parametrize(
    ("setting", "value", "named"),
    [
        ("CRM_VAPID_PRIVATE_KEY", "", "CRM_VAPID_PRIVATE_KEY is not set"),
        ("CRM_VAPID_PRIVATE_KEY", "nonsense", "CRM_VAPID_PRIVATE_KEY is no private key"),
        ("CRM_VAPID_SUBJECT", "", "CRM_VAPID_SUBJECT is not set"),
        ("CRM_VAPID_SUBJECT", "push@shop.example", "CRM_VAPID_SUBJECT is not set"),
    ],
)
def test_what_is_missing_is_named(set_up, settings, setting, value, named):
    setattr(settings, setting, value)

    with pytest.raises(ChannelDown, match=named):
        channels.get("web_push").open()


def test_the_key_may_be_a_pem_as_well(set_up, settings):
    key = Vapid02()
    key.generate_keys()
    settings.CRM_VAPID_PRIVATE_KEY = key.private_pem().decode()

    channels.get("web_push").open()

    assert messaging.vapid_public_key() == vapid._public(key)


def test_the_operator_gets_a_pair_of_keys_that_belong_together(set_up, settings, capsys):
    call_command("crm", "vapid-keys")

    first, second = capsys.readouterr().out.splitlines()
    settings.CRM_VAPID_PRIVATE_KEY = first.removeprefix("CRM_VAPID_PRIVATE_KEY=")
    channels.get("web_push").open()
    assert second.endswith(f": {messaging.vapid_public_key()}")
    assert settings.CRM_VAPID_PRIVATE_KEY not in repr(conf())


# The whole way


@pytest.mark.feature(62)
@pytest.mark.django_db(transaction=True)
def test_a_campaign_ends_in_a_push_that_only_that_browser_reads_and_its_click_is_counted(
    server, set_up, fake_shop, client
):
    fake_shop.add_customer(customer_id="7", email="c7@example.com", first_name="Ann")
    ann, browser = person(agrees_to="web_push"), server.browser()
    subscribed(ann, browser)
    running_push("web_push")

    look_at_something(ann)

    message = Message.objects.get()
    (pushed,) = server.told
    read = browser.read(pushed.body)
    assert (message.state, message.channel, message.detail) == ("sent", "web_push", "")
    assert (read["title"], read["body"]) == ("Hello Ann", "The spring is here.")
    assert read["url"].startswith("https://shop.example/crm/click/")
    answer = client.get(read["url"].removeprefix("https://shop.example"))
    assert (answer.status_code, answer["Location"]) == (302, "https://shop.example/spring")


@pytest.mark.django_db(transaction=True)
def test_a_visitor_enters_no_campaign_until_they_say_who_they_are_and_is_reached_then(server, set_up, fake_shop):
    fake_shop.add_customer(customer_id="7", email="c7@example.com", first_name="Ann")
    with transaction.atomic():
        nameless = contacts.contact_in_browser(VISITOR)
    browser = server.browser()
    contacts.add_endpoint(nameless, channel="web_push", address=browser.address, keys=browser.keys)
    contacts.set_consent(nameless, channel="web_push", is_granted=True, source="browser")
    running_push("web_push")

    look_at_something(visitor_id=VISITOR)
    before = len(server.told)
    look_at_something(contacts.get_or_create(Person("7")), visitor_id=VISITOR)

    message, (pushed,) = Message.objects.get(), server.told
    assert (before, message.state) == (0, "sent")
    assert browser.read(pushed.body)["title"] == "Hello Ann"


@pytest.mark.feature(62)
@pytest.mark.django_db(transaction=True)
def test_a_korean_advertisement_is_labelled_in_front_of_the_title(server, set_up, fake_shop):
    fake_shop.add_customer(customer_id="7", email="c7@example.com", first_name="안나", country="KR", language="ko")
    browser = server.browser()
    ann = person(agrees_to="web_push", first_name="안나", country="KR", language="ko", time_zone="Asia/Seoul")
    subscribed(ann, browser)
    with clock.travel(to=NOON - timedelta(hours=10)):  # eleven in the morning in Seoul
        running_push("web_push", language="ko", title="봄이 왔어요", text="새 상품을 만나 보세요.")
        look_at_something(ann)

    (pushed,) = server.told
    assert browser.read(pushed.body)["title"] == "(광고) 봄이 왔어요"


@pytest.mark.django_db(transaction=True)
def test_devices_that_are_gone_are_forgotten_and_without_any_the_message_failed(server, set_up, fake_shop):
    ann = person(agrees_to="web_push")
    for name in ("old", "older"):
        subscribed(ann, server.browser(name, status=410))
    running_push("web_push")

    look_at_something(ann)

    message = Message.objects.get()
    assert (message.state, message.reason) == ("failed", "address_refused")
    assert not Endpoint.objects.exists()
    assert len(server.told) == 2


@pytest.mark.django_db(transaction=True)
def test_without_consent_nothing_is_pushed(server, set_up, fake_shop):
    ann = person()
    subscribed(ann, server.browser())
    running_push("web_push")

    look_at_something(ann)

    message = Message.objects.get()
    assert (message.state, message.reason) == ("skipped", "no_consent")
    assert server.told == []
