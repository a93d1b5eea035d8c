"""Previews and test sends: the way of a real message, with nothing written and nobody else told."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from crm_plugin import clock, contacts, messaging
from crm_plugin.errors import InvalidInput, NotFound
from crm_plugin.messaging import MessageClass, PreviewFor, Remark, TemplateSource
from crm_plugin.models import Link, Message, ShortLink, Template
from tests.messaging.conftest import content, korean
from tests.messaging.providers.conftest import gateway

pytestmark = pytest.mark.django_db

__all__ = ["gateway"]

LATER = "Only until Sunday, and only here, so come"


def mail(**changes: str) -> TemplateSource:
    return TemplateSource.parse({"en": content(**changes), "ko": korean()})


def is_untouched() -> bool:
    return not any(table.objects.exists() for table in (Message, Template, Link, ShortLink))


def test_a_preview_is_the_mail_as_a_person_would_get_it(us, fake_shop, make_contact):
    fake_shop.add_product(name="Vase", price="40.00")
    person = make_contact(first_name="Ann <b>")

    found = messaging.preview(mail(preheader="10 % off"), about=PreviewFor(contact_id=person.pk))

    assert (found.language, found.title, found.preheader) == ("en", "News for Ann <b>", "10 % off")
    assert "Hello Ann &lt;b&gt;" in found.html
    assert "Vase: €40.00" in found.html
    assert "Vase: €40.00" in found.text
    assert found.size_bytes == len(found.html.encode())
    assert found.remarks == ()
    assert is_untouched()


def test_links_of_a_preview_lead_nowhere(us, fake_shop):
    fake_shop.add_product(name="Vase")

    found = messaging.preview(mail())
    (token,) = set(re.findall(r"/unsubscribe/([^/\s]+)/", found.text))

    public_id = messaging.read_unsubscribe(token)
    assert public_id is not None
    assert messaging.addressee(public_id) is None


def test_the_language_is_the_persons_unless_another_is_asked_for(us, make_contact):
    person = make_contact(language="ko")

    assert messaging.preview(mail(), about=PreviewFor(contact_id=person.pk)).language == "ko"
    assert messaging.preview(mail(), about=PreviewFor(contact_id=person.pk), language="en").language == "en"
    assert messaging.preview(mail()).language == "en"


def test_a_preview_is_about_the_cart_or_the_order_that_was_chosen(us, fake_shop):
    vase, bowl = fake_shop.add_product(name="Vase", price="40.00"), fake_shop.add_product(name="Bowl", price="5.00")
    cart = fake_shop.add_cart(vase.ref, quantity=2)
    order = fake_shop.place_order(bowl.ref)
    source = mail(subject="{{ cart.quantity }}/{{ cart.total }}/{{ order.number }}")

    of_cart = messaging.preview(source, about=PreviewFor(cart_ref=cart.cart_ref))
    of_order = messaging.preview(source, about=PreviewFor(order_ref=order.order_ref))

    assert of_cart.title == "2/€80.00/"
    assert of_order.title == f"//{order.number}"
    assert ("Vase" in of_cart.text, "Bowl" in of_cart.text) == (True, False)
    assert ("Vase" in of_order.text, "Bowl" in of_order.text) == (False, True)


@pytest.mark.parametrize(
    "about", [PreviewFor(contact_id=10**9), PreviewFor(cart_ref="nothing"), PreviewFor(order_ref="nothing")]
)
def test_what_there_is_not_is_refused(us, about):
    with pytest.raises(NotFound):
        messaging.preview(mail(), about=about)


@pytest.mark.feature(69)
@pytest.mark.parametrize(
    ("channel", "contents", "expected"),
    [
        ("email", content(subject="10 % off", preheader=LATER), f"10 % off {LATER}"),
        ("sms", {"text": f"10 % off. {LATER}"}, f"The Shop: 10 % off. {LATER}"),
        ("web_push", {"title": "10 % off", "text": LATER}, f"10 % off {LATER}"),
        ("app_push", {"title": "10 % off", "text": LATER}, f"10 % off {LATER}"),
        ("inbox", {"title": "10 % off", "text": LATER}, f"10 % off {LATER}"),
        ("kakao", {"form": "brand_message", "text": f"10 % off. {LATER}"}, f"10 % off. {LATER}"),
    ],
)
def test_the_first_40_characters_are_shown_for_each_channel(us, channel, contents, expected):
    found = messaging.preview(TemplateSource.parse({"en": contents}, channel=channel))

    assert found.first_line == expected[:40]


def test_remarks_say_what_is_hardly_meant(us, fake_shop):
    sold_out = fake_shop.add_product(name="Gone", stock=0)
    vase = fake_shop.add_product(name="Vase")
    cart = fake_shop.add_cart(sold_out.ref, vase.ref)
    empty = fake_shop.add_cart(sold_out.ref)
    long = content(preheader="p")["mjml"].replace("Hello", "x" * 103_000)

    assert messaging.preview(mail()).remarks == (Remark.ITEMS_LEFT_OUT, Remark.NO_PREHEADER)
    assert Remark.CLIPPED in messaging.preview(mail(mjml=long)).remarks
    assert Remark.ITEMS_LEFT_OUT in messaging.preview(mail(), about=PreviewFor(cart_ref=cart.cart_ref)).remarks
    assert Remark.NO_ITEMS in messaging.preview(mail(), about=PreviewFor(cart_ref=empty.cart_ref)).remarks
    sms = TemplateSource.parse({"en": {"text": "x" * 200}}, channel="sms")
    assert messaging.preview(sms).remarks == (Remark.SEVERAL_SEGMENTS,)


def test_what_is_too_long_for_the_person_is_told(us, make_contact):
    person = make_contact(first_name="가" * 60)
    source = TemplateSource.parse({"ko": {"text": "{{ contact.first_name }}"}}, channel="sms")

    with pytest.raises(InvalidInput) as refused:
        messaging.preview(source, about=PreviewFor(contact_id=person.pk))

    assert (refused.value.field, refused.value.code) == ("ko.text", "TOO_LONG")


def test_a_test_mail_goes_out_at_once_marked_as_one(us, fake_shop, smtp):
    fake_shop.add_product(name="Vase")

    messaging.send_test(mail(), address=" Boss@Example.com ")

    (letter,) = smtp.letters
    assert letter.recipients == ("boss@example.com",)
    assert letter.subject.startswith("[Test] News for")
    assert "List-Unsubscribe" not in letter.message
    assert is_untouched()


def test_a_test_of_a_korean_mail_is_marked_in_korean(us, smtp):
    messaging.send_test(mail(), address="boss@example.com", language="ko")

    (letter,) = smtp.letters
    assert letter.subject.startswith("[테스트] (광고) ")


def test_a_test_goes_by_sms_as_well(us, gateway):
    source = TemplateSource.parse({"en": {"text": "Sale"}}, channel="sms")

    provider_id = messaging.send_test(source, address="+82 10-1234-5678")

    (message,) = gateway.taken.values()
    assert message["to"] == "+821012345678"
    assert message["text"].startswith("[Test] ")
    assert provider_id.startswith("gw-")
    assert is_untouched()


@pytest.mark.parametrize(
    ("channel", "contents", "address", "field"),
    [
        ("email", content(), "nobody", "address"),
        ("email", content(), "a@b.example\nBcc: x@y.example", "address"),
        ("email", content(), "", "address"),
        ("sms", {"text": "x"}, "12", "address"),
        ("inbox", {"title": "x", "text": "x"}, "a@example.com", "channel"),
    ],
)
def test_a_test_without_an_address_is_refused(us, smtp, channel, contents, address, field):
    with pytest.raises(InvalidInput) as refused:
        messaging.send_test(TemplateSource.parse({"en": contents}, channel=channel), address=address)

    assert refused.value.field == field
    assert not smtp.letters


def test_a_blocked_address_gets_no_tests(us, smtp):
    contacts.suppress("boss@example.com", channel="email", reason="complaint")

    with pytest.raises(InvalidInput, match="blocked"):
        messaging.send_test(mail(), address="boss@example.com")

    assert not smtp.letters


def test_ten_tests_a_minute_are_enough(us, smtp):
    with clock.travel(to=clock.now().replace(second=5)):
        for _ in range(10):
            messaging.send_test(mail(), address="boss@example.com", message_class=MessageClass.TRANSACTIONAL)
        with pytest.raises(InvalidInput) as refused:
            messaging.send_test(mail(), address="boss@example.com")
    with clock.travel(to=clock.now() + timedelta(minutes=1)):
        messaging.send_test(mail(), address="boss@example.com")

    assert refused.value.code == "LIMIT"
    assert len(smtp.letters) == 11


def test_what_the_provider_says_is_told(us, settings, smtp):
    settings.EMAIL_PORT = 1

    with pytest.raises(InvalidInput) as refused:
        messaging.send_test(mail(), address="boss@example.com")

    assert refused.value.code == "NOT_SENT"
