"""Blocks: a mail as a list of pieces; what they become, and what is refused with its place."""

from __future__ import annotations

import re
from datetime import datetime
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from crm_plugin import clock
from crm_plugin.errors import InvalidInput
from crm_plugin.messaging import Advert, MessageClass, TemplateSource, advertises, liquid, problems, variables
from crm_plugin.messaging.contents.blocks import TAGS, readable_on
from crm_plugin.messaging.tracking import Found, Links

FOOTER = {"type": "footer"}
ITEM = {
    "name": "Vase <1>", "url": "https://shop.example/vase?a=1&b=2", "image_url": "https://shop.example/vase.jpg",
    "price": "€40.00", "regular_price": "€50.00", "baseline_price": "€50.00", "drop_percent": 20, "available": 3,
    "review_url": "https://shop.example/crm/review/abc:def/",
}  # fmt: skip


def parse(*blocks: dict[str, Any], language: str = "en", **more: Any) -> TemplateSource:
    return TemplateSource.parse({language: {"subject": "News", "blocks": [*blocks, FOOTER], **more}})


def values(language: str = "en", **more: Any) -> dict[str, Any]:
    links = Links(uuid4(), public_url="https://shop.example/crm/", found=Found())
    return {
        "contact": {"first_name": "Ann", "last_name": "", "attributes": variables.Lenient()},
        **variables.filled(more.pop("extras", {}), language=language),
        "shop": {"name": "The Shop", "url": "https://shop.example/"},
        "sender": {"name": "The Shop", "postal_address": "1 Street"},
        "brand": {"logo_url": "", "color": "#ffcc00", "ink": "#000000", "footer": "Est. 1999"},
        "consent_text": "You agreed.",
        "unsubscribe_url": links.unsubscribe_url,
        "preferences_url": links.preferences_url,
        "open_url": links.open_url,
        "items": [ITEM],
        liquid.LINKS: links,
        liquid.LANGUAGE: language,
        **more,
    }


def html_of(*blocks: dict[str, Any], language: str = "en", **more: Any) -> str:
    compiled = parse(*blocks, language=language).check(message_class=MessageClass.TRANSACTIONAL)[language]["html"]
    return liquid.parse(compiled, escapes=True).render(values(language, **more))


def text_of(*blocks: dict[str, Any], language: str = "en", **more: Any) -> str:
    compiled = parse(*blocks, language=language).check(message_class=MessageClass.TRANSACTIONAL)[language]["text"]
    return liquid.parse(compiled, escapes=False).render(values(language, **more))


def visible(html: str) -> str:
    body = re.sub(r"<(style|title)\b.*?</\1>|<!--.*?-->", " ", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


EVERY_BLOCK = [
    {"type": "header"},
    {"type": "heading", "text": "Hello {{ contact.first_name | default: 'you' }}", "level": 1},
    {"type": "text", "text": "**bold** and *italic*\nline.\n\nA [link](https://x.example/?a=1&b=2), <b>no HTML</b>."},
    {"type": "image", "url": "https://x.example/banner.png", "alt": "Spring", "href": "https://x.example/spring"},
    {"type": "button", "label": "Go & see", "url": "{{ shop.url }}sale"},
    {"type": "divider"},
    {"type": "spacer", "height": 30},
    {"type": "products", "stock_below": 5, "button": "View"},
    {"type": "products", "layout": "grid", "columns": 2, "limit": 4},
    {"type": "products", "layout": "grid", "columns": 3, "limit": 3},
    {"type": "cart"},
    {"type": "reviews"},
    {"type": "coupon"},
    {"type": "coupon", "code": "SPRING-10", "note": "Until Sunday"},
    {"type": "countdown", "to": "2027-03-10", "text": "The sale ends {{ left }}"},
    {
        "type": "columns",
        "columns": [[{"type": "text", "text": "Left"}], [{"type": "button", "label": "R", "url": "https://x.example"}]],
    },
    {"type": "mjml", "mjml": "<mj-section><mj-column><mj-text>Raw</mj-text></mj-column></mj-section>"},
    {"type": "social", "links": [{"name": "Instagram", "url": "https://instagram.example/shop"}]},
]


@pytest.mark.parametrize("language", ["en", "ko"])
def test_every_block_becomes_html_and_text(language):
    html = html_of(*EVERY_BLOCK, language=language)
    text = text_of(*EVERY_BLOCK, language=language)

    for written in (visible(html), text):
        for expected in ("Hello Ann", "bold", "<b>no HTML</b>", "Go & see", "Vase <1>", "€40.00", "€50.00", "SPRING"):
            assert expected in written
        for leftover in ("{{", "{%", "mj-", "lqzq", "**"):
            assert leftover not in written
    assert f'<html lang="{language}"' in html
    assert len(html.encode()) < 60_000


def test_an_advertisement_of_blocks_holds_what_the_law_asks_for_in_both_parts():
    compiled = parse({"type": "text", "text": "Hi"}, language="ko").check()["ko"]

    html = liquid.parse(compiled["html"], escapes=True).render(values("ko"))
    text = liquid.parse(compiled["text"], escapes=False).render(values("ko"))

    for written in (html, text):
        for expected in ("The Shop", "1 Street", "You agreed.", "/unsubscribe/", "/preferences/", "수신거부", "Est."):
            assert expected in written


def test_an_advertisement_without_a_footer_is_refused():
    source = TemplateSource.parse({"en": {"subject": "News", "blocks": [{"type": "text", "text": "Hi"}]}})

    with pytest.raises(InvalidInput, match="footer block") as refused:
        source.check()

    assert (refused.value.field, refused.value.code) == ("en.blocks", "UNSUBSCRIBE_URL_MISSING")


@pytest.mark.parametrize(
    ("block", "field"),
    [
        ({"type": "button", "label": "Go", "url": "javascript:alert(1)"}, "en.blocks.0.url"),
        ({"type": "button", "label": "Go", "url": "https://x.example/ a"}, "en.blocks.0.url"),
        ({"type": "button", "label": "Go", "url": "https://x.example", "color": "red"}, "en.blocks.0.color"),
        ({"type": "button", "label": "", "url": "https://x.example"}, "en.blocks.0.label"),
        ({"type": "button", "label": "Go"}, "en.blocks.0.url"),
        ({"type": "button", "label": "Go", "url": "https://x.example", "size": 3}, "en.blocks.0.size"),
        ({"type": "image", "url": "data:image/png;base64,xxxx", "alt": ""}, "en.blocks.0.url"),
        ({"type": "image", "url": "https://x.example/a.png"}, "en.blocks.0.alt"),
        ({"type": "image", "url": "https://x.example/" + "a" * 5_000_000, "alt": ""}, "en.blocks.0.url"),
        ({"type": "text", "text": "[a](javascript:alert)"}, "en.blocks.0.text"),
        ({"type": "text", "text": '[a](https://x.example/"><script>)'}, "en.blocks.0.text"),
        ({"type": "text", "text": "[a](ftp://x.example)"}, "en.blocks.0.text"),
        ({"type": "products", "columns": 4}, "en.blocks.0.columns"),
        ({"type": "products", "limit": 1000}, "en.blocks.0.limit"),
        ({"type": "countdown", "to": "soon"}, "en.blocks.0.to"),
        ({"type": "columns", "columns": [[{"type": "text", "text": "x"}]]}, "en.blocks.0.columns"),
        (
            {"type": "columns", "columns": [[{"type": "button", "label": "x", "url": "x"}], [{"type": "divider"}]]},
            "en.blocks.0.columns.0.0.url",
        ),
        ({"type": "columns", "columns": [[{"type": "footer"}], [{"type": "divider"}]]}, "en.blocks.0.columns.0.0"),
        ({"type": "video"}, "en.blocks.0"),
        ({"text": "x"}, "en.blocks.0"),
        ({"type": "social", "links": [{"name": "x", "url": "x"}]}, "en.blocks.0.links.0.url"),
    ],
)
def test_what_is_wrong_with_a_block_is_refused_with_its_place(block, field):
    with pytest.raises(InvalidInput) as refused:
        parse(block)

    assert refused.value.field == field


@pytest.mark.parametrize(
    ("block", "field", "code"),
    [
        ({"type": "heading", "text": "{{ contact.frist_name }}"}, "en.blocks.0.text", "UNKNOWN_VARIABLE"),
        ({"type": "button", "label": "x", "url": "{{ shop.link }}"}, "en.blocks.0.url", "UNKNOWN_VARIABLE"),
        ({"type": "text", "text": "{% if shop.url %}"}, "en.blocks.0.text", "LIQUID"),
        ({"type": "text", "text": "{% for i in (1..99999) %}x{% endfor %}"}, "en.blocks.0.text", "LIMIT"),
        ({"type": "text", "text": "a\x00b"}, "en.blocks.0.text", "INVALID"),
        ({"type": "mjml", "mjml": "<mj-section>"}, "en.blocks", "MJML"),
        ({"type": "mjml", "mjml": '<mj-include path="/etc/passwd"/>'}, "en.blocks", "MJML"),
        ({"type": "mjml", "mjml": '<mj-raw><img src="data:image/png;base64,x"></mj-raw>'}, "en.blocks", "INVALID"),
    ],
)
def test_liquid_in_blocks_is_checked_like_any_other(block, field, code):
    with pytest.raises(InvalidInput) as refused:
        parse(block).check()

    assert (refused.value.field, refused.value.code) == (field, code)


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ({"type": "products"}, {Advert.PRODUCTS, Advert.PRICE}),
        ({"type": "coupon"}, {Advert.COUPON, Advert.WORDING}),
        ({"type": "text", "text": "Your parcel is on its way."}, set()),
    ],
)
def test_what_blocks_say_by_themselves_can_be_an_advertisement_too(block, expected):
    assert set(advertises(parse(block))) == expected


@pytest.mark.parametrize("body", [{}, {"mjml": "<mjml></mjml>", "blocks": [FOOTER]}, {"mjml": " "}])
def test_a_mail_has_one_body(body):
    with pytest.raises(InvalidInput) as refused:
        TemplateSource.parse({"en": {"subject": "News", **body}})

    assert refused.value.field in ("en.mjml", "en.blocks")


def test_markup_cannot_become_html():
    html = html_of({"type": "text", "text": "<script>alert(1)</script> [<u>](https://x.example/) **<i>x</i>**"})

    assert "<script>alert" not in html
    assert "<i>x" not in html
    assert "&lt;script&gt;" in html


def test_values_in_blocks_are_escaped():
    html = html_of({"type": "heading", "text": "{{ contact.first_name }}"}, contact={"first_name": "<b>Eve</b>"})

    assert "<b>Eve" not in html
    assert "&lt;b&gt;Eve&lt;/b&gt;" in html


def test_links_of_blocks_are_tracked():
    html = html_of(*EVERY_BLOCK)
    addresses = [unescape(one) for one in re.findall(r'<a[^>]* href="([^"]*)"', html)]

    assert addresses
    assert all(re.match(r"https://shop\.example/crm/(click|unsubscribe|preferences)/", one) for one in addresses)


def test_the_brand_colours_the_buttons():
    html = html_of({"type": "button", "label": "Go", "url": "https://x.example"})

    assert 'bgcolor="#ffcc00"' in html
    assert "color:#000000" in html


@pytest.mark.parametrize(("color", "ink"), [("#1a1a1a", "#ffffff"), ("#ffcc00", "#000000"), ("#d6336c", "#ffffff")])
def test_words_on_a_colour_can_be_read(color, ink):
    assert readable_on(color) == ink


def test_the_header_is_the_logo_or_the_name():
    logo = {"logo_url": "https://x.example/logo.png", "color": "#111111", "ink": "#ffffff", "footer": ""}

    assert 'src="https://x.example/logo.png"' in html_of({"type": "header"}, brand=logo)
    assert (
        "<img"
        not in html_of({"type": "header"}).replace(".gif", "").split('<img src="https://shop.example/crm/open')[0]
    )


@pytest.mark.parametrize(("count", "rows"), [(1, 1), (2, 1), (3, 2), (4, 2), (9, 2)])
def test_a_grid_has_as_many_rows_as_it_needs(count, rows):
    items = [ITEM | {"name": f"Vase {at}"} for at in range(count)]

    html = html_of({"type": "products", "layout": "grid", "columns": 2, "limit": 4}, items=items)

    shown = re.findall(r"Vase \d", visible(html))
    assert shown == [f"Vase {at}" for at in range(min(count, 4))]
    assert html.count('class="card-outlook"') == rows


@pytest.mark.parametrize(("available", "expected"), [(3, "Only 3 left"), (5, "Only 5 left"), (6, None), (None, None)])
@pytest.mark.feature(72)
def test_stock_is_named_when_it_is_short(available, expected):
    html = visible(html_of({"type": "products", "stock_below": 5}, items=[ITEM | {"available": available}]))

    assert ("left" in html) is (expected is not None)
    assert (expected or "") in html


def test_a_product_without_promotion_shows_one_price():
    html = html_of({"type": "products"}, items=[ITEM | {"regular_price": "€40.00", "drop_percent": 0}])

    assert "<s " not in html
    assert "%</strong>" not in html


def test_the_cart_leads_back_to_the_cart_or_to_the_shop():
    cart = {"url": "https://shop.example/cart/7", "count": 1, "quantity": 1, "total": "€40.00"}
    found, other = Found(), Found()

    html_of({"type": "cart"}, extras={"cart": cart}, **{liquid.LINKS: Links(uuid4(), public_url="/", found=found)})
    html_of({"type": "cart"}, **{liquid.LINKS: Links(uuid4(), public_url="/", found=other)})

    assert cart["url"] in found.links.values()
    assert cart["url"] not in other.links.values()
    assert "https://shop.example/" in other.links.values()


def test_a_coupon_that_nobody_issued_is_not_shown():
    assert "coupon code" not in visible(html_of({"type": "coupon"}))
    assert "K7" in visible(html_of({"type": "coupon"}, extras={"coupon": {"code": "K7"}}))


@pytest.mark.parametrize(
    ("today", "language", "expected"),
    [
        ("2027-03-07T12:00:00+00:00", "en", "Ends in 3 days"),
        ("2027-03-07T12:00:00+00:00", "ko", "Ends 3일 남음"),
        ("2027-03-10T12:00:00+00:00", "en", "Ends today"),
        ("2027-03-11T12:00:00+00:00", "en", None),
    ],
)
def test_a_countdown_counts_days_and_is_gone_when_it_is_over(today, language, expected):
    with clock.travel(to=datetime.fromisoformat(today)):
        html = visible(html_of({"type": "countdown", "to": "2027-03-10", "text": "Ends {{ left }}"}, language=language))

    assert ("Ends" in html) is (expected is not None)
    assert (expected or "") in html


_WORDS = some.sampled_from([
    "x", "", "{{ contact.first_name }}", "{{ nope }}", "{% if %}", "**b** *i* [l](https://x.example)", "<b>&amp;</b>",
    "lqzq0qzql", "{{", "}}", "\x00", "\ud83d\ude00", "[[intro]]", "](", "{% raw %}", "https://x.example/?a=1&b=2",
])  # fmt: skip
_FIELDS = some.dictionaries(
    some.sampled_from(
        ["text", "label", "url", "href", "alt", "color", "to", "code", "title", "links", "mjml", "level"]
    ),
    _WORDS | some.integers() | some.none() | some.lists(_WORDS, max_size=2),
    max_size=4,
)


@given(some.lists(some.tuples(some.sampled_from(sorted(TAGS)), _FIELDS, _WORDS), max_size=4))
@settings(max_examples=60, deadline=None)
def test_whatever_is_written_is_a_mail_or_refused_with_its_place(written):
    needed = {"button": ("label", "url"), "text": ("text",), "heading": ("text",), "image": ("url", "alt")}
    blocks = [{"type": tag} | dict.fromkeys(needed.get(tag, ()), words) | fields for tag, fields, words in written]

    found = problems({"en": {"subject": "News", "blocks": [*blocks, FOOTER]}})

    assert all(one.field.startswith("en.blocks") for one in found)


@pytest.mark.parametrize(("language", "label"), [("en", "Write a review"), ("ko", "후기 쓰기")])
def test_a_reviews_block_leads_to_the_form_of_each_product_and_else_to_the_product(language, label):
    links = Links(uuid4(), public_url="https://shop.example/crm/", found=(found := Found()))
    items = [ITEM, ITEM | {"name": "Bowl", "review_url": "", "url": "https://shop.example/bowl"}]

    html = html_of({"type": "reviews"}, language=language, items=items, **{liquid.LINKS: links})
    text = text_of({"type": "reviews"}, language=language, items=items)

    assert visible(html).count(label) == 2
    assert {ITEM["review_url"], "https://shop.example/bowl"} <= set(found.links.values())
    assert text.count(f"{label}: https://shop.example/crm/click/") == 2
