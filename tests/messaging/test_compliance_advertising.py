"""Everywhere: ad content inside a transactional message is treated as ad: what gives it away."""

from __future__ import annotations

import time

import pytest

from crm_plugin.messaging import Advert, TemplateSource, advertises
from tests.messaging.conftest import content

PLAIN = "<mjml><mj-body><mj-section><mj-column><mj-text>{}</mj-text></mj-column></mj-section></mj-body></mjml>"


def mail(text: str, subject: str = "Your order") -> TemplateSource:
    """A mail that says this."""
    return TemplateSource.parse({"en": content(subject=subject, mjml=PLAIN.format("Hello"), text=text)})


@pytest.mark.parametrize(
    "text",
    [
        "Thank you for order {{ order.number }}: {{ order.total }}",
        "Order {{ order.number }}:{% for item in items %} {{ item.name }} {{ item.price }} {{ item.url }}{% endfor %}",
        "주문이 완료되었습니다. {{ shop.name }}",
        "Your password was changed. 100% safe.",
    ],
)
def test_news_about_the_persons_own_business_does_not_advertise(text: str) -> None:
    assert advertises(mail(text)) == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Order {{ order.number }}. Code {{ coupon.code }}", Advert.COUPON),
        ("{% for one in coupons %}{{ one.code }}{% endfor %}", Advert.COUPON),
        ("{{ order.number }}{% for item in items %}{{ item.drop_percent }}{% endfor %}", Advert.PRICE),
        ("{{ order.number }} {{ items[0].regular_price }}", Advert.PRICE),
        ("{% for item in items %}{{ item.name }}{% endfor %}", Advert.PRODUCTS),
        ("[광 고] 소식", Advert.LABEL),
        ("Now 20% off", Advert.WORDING),
        ("감사 쿠폰을 드립니다", Advert.WORDING),
        ("A discount for you", Advert.WORDING),
    ],
)
def test_kr_record_a_benefit_nobody_asked_for_is_an_advertisement(text: str, expected: Advert) -> None:
    """KR record: coupon and points notices with a benefit the user did not ask for are ads; and price and products."""
    assert advertises(mail(text)) == (expected,)


def test_all_languages_and_fields_are_looked_at_and_named_once() -> None:
    source = TemplateSource.parse({
        "en": {"form": "lms", "title": "Order", "text": "{{ coupon.code }}"},
        "ko": {"form": "lms", "title": "(광고)주문", "text": "{{ coupon.code }}"},
    }, channel="sms")  # fmt: skip

    assert advertises(source) == (Advert.COUPON, Advert.LABEL)


@pytest.mark.parametrize("text", ["-" * 90_000, "(" * 90_000, "( " * 45_000, "(광" * 45_000], ids=lambda text: text[:2])
def test_no_text_takes_long(text: str) -> None:
    begun = time.perf_counter()

    assert advertises(mail(text)) == ()
    assert time.perf_counter() - begun < 5
