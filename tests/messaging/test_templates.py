"""What a merchant may write: checked as a whole at save, with the place and the name of what is wrong."""

from __future__ import annotations

import re
from html import unescape
from uuid import uuid4

import pytest

from crm_plugin import messaging
from crm_plugin.automations.recipes import recipe
from crm_plugin.errors import InvalidInput
from crm_plugin.messaging import MessageClass, TemplateSource, choose_language, liquid
from crm_plugin.messaging.tracking import Found, Links
from crm_plugin.models import Template
from tests.messaging.conftest import MJML, content, korean

PRODUCT = {
    "name": "Vase <1>", "url": "https://shop.example/vase?a=1&b=2", "image_url": "https://shop.example/vase.jpg",
    "price": "€40.00", "regular_price": "€50.00", "baseline_price": "€50.00", "drop_percent": 20, "available": 3,
}  # fmt: skip


def parse(**changes: str) -> TemplateSource:
    return TemplateSource.parse({"en": content(**changes)})


def values(**more: object) -> dict[str, object]:
    links = Links(uuid4(), public_url="https://shop.example/crm/", found=Found())
    return {
        "contact": {"first_name": "Ann", "last_name": "Lee"},
        "shop": {"name": "The Shop", "url": "https://shop.example/"},
        "sender": {"name": "The Shop", "postal_address": "1 Street"},
        "consent_text": "You agreed.",
        "unsubscribe_url": links.unsubscribe_url,
        "preferences_url": links.preferences_url,
        "brand": {"logo_url": "", "color": "#1a1a1a", "ink": "#ffffff", "footer": ""},
        "open_url": links.open_url,
        "items": [PRODUCT],
        liquid.LINKS: links,
        **more,
    }


def body(mjml: str, **more: object) -> str:
    """The HTML that one person gets of an MJML body."""
    section = f"<mj-section><mj-column><mj-text>{mjml}{{{{ unsubscribe_url }}}}</mj-text></mj-column></mj-section>"
    compiled = parse(mjml=f"<mjml><mj-body>{section}</mj-body></mjml>").check()["en"]["html"]
    return liquid.parse(compiled, escapes=True).render(values(**more))


def hrefs(html: str) -> list[str]:
    return [unescape(href) for href in re.findall(r'<a[^>]* href="([^"]*)"', html)]


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("{{ contact.frist_name }}", "contact.frist_name"),
        ("{{ customer.name }}", "customer.name"),
        ("{% if false %}{{ nonsense }}{% endif %}", "nonsense"),
        ("{% for item in items %}{{ item.prise }}{% endfor %}", "item.prise"),
        ("{% for item in items %}{% endfor %}{{ item.name }}", "item.name"),
        ("{% assign best = items | first %}{{ best.prise }}", "best.prise"),
        ("{{ items[0].prise }}", "items[0].prise"),
        ("{% if consent_txt == '' %}x{% endif %}", "consent_txt"),
        ("{{ crm_links }}", "crm_links"),
        ("{{ open_url }}", "open_url"),
        ("{{ contact.first_name.__class__ }}", "contact.first_name.__class__"),
    ],
)
def test_an_unknown_variable_is_refused_with_its_name(written, name):
    with pytest.raises(InvalidInput) as refused:
        parse(subject=written).check()

    assert (refused.value.field, refused.value.code) == ("en.subject", "UNKNOWN_VARIABLE")
    assert name in refused.value.message


@pytest.mark.parametrize(
    "written",
    [
        "{{ items.size }} {{ items.first.name }} {{ items[0].price }} {{ contact.first_name.size }}",
        "{% assign best = items | last %}{{ best.name }}{% assign copy = best %}{{ copy.price }}",
        "{% for item in items %}{{ forloop.index }}{{ item.name }}{% assign seen = item %}{% endfor %}{{ seen.name }}",
        "{% capture all %}{{ shop.name }}{% endcapture %}{{ all | upcase }}",
        "{{ contact.last_name | default: 'friend' }}{{ items[9].name | default: 'News' }}",
    ],
)
def test_what_is_offered_is_accepted(written):
    parse(subject=written).check()


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"subject": "{{ contact.first_name"}, "en.subject", "LIQUID"),
        ({"subject": "{% if contact.first_name %}"}, "en.subject", "LIQUID"),
        ({"text": "{% include 'secrets' %}{{ unsubscribe_url }}"}, "en.text", "LIQUID"),
        ({"text": "{% render secrets %}{{ unsubscribe_url }}"}, "en.text", "LIQUID"),
        ({"text": "{% render 'secrets' with items %}{{ unsubscribe_url }}"}, "en.text", "LIQUID"),
        ({"text": "a\0b{{ unsubscribe_url }}"}, "en.text", "INVALID"),
        ({"mjml": MJML.replace("</mj-text>", '<img src="data:image/png;base64,x" /></mj-text>')}, "en.mjml", "INVALID"),
        ({"text": "{{ shop.name | base64_decode }}{{ unsubscribe_url }}"}, "en.text", "LIQUID"),
        ({"text": "{% for i in (1..99999999999999999999) %}x{% endfor %}{{ unsubscribe_url }}"}, "en.text", "LIQUID"),
        ({"text": "{% for i in (1..9999999) %}x{% endfor %}{{ unsubscribe_url }}"}, "en.text", "LIMIT"),
        (
            {"text": "{% for i in (1..99) %}{% for j in (1..99) %}x{% endfor %}{% endfor %}{{ unsubscribe_url }}"},
            "en.text",
            "LIMIT",
        ),
        (
            {"text": "{% assign a = 'xxxxxxxx' %}{% for i in (1..60) %}{% assign a = a | append: a %}{% endfor %}"},
            "en.text",
            "LIMIT",
        ),
        ({"mjml": MJML.replace("</mj-body>", "")}, "en.mjml", "MJML"),
        ({"mjml": MJML.replace("<mj-body>", "<mj-body><mj-video/>")}, "en.mjml", "MJML"),
        ({"mjml": MJML.replace("<mj-body>", '<mj-body><mj-include path="/etc/passwd"/>')}, "en.mjml", "MJML"),
        ({"mjml": MJML.replace("unsubscribe_url", "shop.url")}, "en.mjml", "UNSUBSCRIBE_URL_MISSING"),
        ({"text": "no way out"}, "en.text", "UNSUBSCRIBE_URL_MISSING"),
        ({"subject": ""}, "en.subject", "INVALID"),
        ({"colour": "red"}, "en.colour", "INVALID"),
        ({"text": "x" * 100_001}, "en.text", "INVALID"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(changes, field, code):
    with pytest.raises(InvalidInput) as refused:
        parse(**changes).check()

    assert (refused.value.field, refused.value.code) == (field, code)


@pytest.mark.parametrize("source", [{}, {"English!": content()}, {"tlh": content()}, [], "text", None])
def test_a_source_without_languages_is_refused(source):
    with pytest.raises(InvalidInput):
        TemplateSource.parse(source)


@pytest.mark.parametrize("missing", ["sender.name", "consent_text", "unsubscribe_url"])
def test_a_korean_advertisement_must_say_who_why_and_how_to_stop(missing):
    full = korean()
    TemplateSource.parse({"ko": full}).check()

    with pytest.raises(InvalidInput) as refused:
        TemplateSource.parse({"ko": full | {"text": full["text"].replace(missing, "shop.name")}}).check()

    assert refused.value.field == "ko.text"
    assert refused.value.code == f"{missing.partition('.')[0].upper()}_MISSING"


def test_a_transactional_message_needs_no_way_out():
    TemplateSource.parse({"en": content(text="Your order")}).check(message_class=MessageClass.TRANSACTIONAL)


def test_liquid_between_elements_survives_the_compiler():
    compiled = parse(preheader="A & {{ contact.first_name }}").check()["en"]["html"]

    html = liquid.parse(compiled, escapes=True).render(values(items=[PRODUCT] * 3))

    assert html.count("Vase &lt;1&gt;: €40.00") == 3
    assert "A &amp; Ann</div>" in html
    assert "mj-" not in re.sub(r"mj-(column|outlook|full)[\w-]*", "", html)


def test_every_link_is_tracked_but_the_way_out():
    html = body(
        '<a href="https://x.example/?a=1&amp;b=2">1</a><a class="k" href=\'{{ shop.url }}\'>2</a>'
        '<a href="{{ shop.url }}sale?q={{ contact.last_name }}&amp;copy=1">3</a><a href="{{ unsubscribe_url }}">4</a>'
        '<a href="mailto:a@b.example?subject=a&amp;body=b">5</a><a href="#top">6</a>'
    )
    tracked, other = hrefs(html)[:3], hrefs(html)[3:]
    assert all(href.startswith("https://shop.example/crm/click/") for href in tracked)
    assert len(set(tracked)) == 3
    assert other[0].startswith("https://shop.example/crm/unsubscribe/")
    assert other[1:] == ["mailto:a@b.example?subject=a&body=b", "#top"]


def test_the_tracked_address_is_the_one_that_was_written():
    found = Found()
    links = Links(uuid4(), public_url="https://shop.example/crm/", found=found)

    body(
        '<a href="https://x.example/?a=1&amp;b=2">1</a>'
        '<a href="{{ shop.url }}sale?q={{ contact.last_name }}&amp;copy=1">3</a><a href="{{ items[0].url }}">4</a>',
        contact={"first_name": "", "last_name": "a&b"},
        **{liquid.LINKS: links},
    )

    assert sorted(found.links.values()) == [
        "https://shop.example/sale?q=a&b&copy=1",
        "https://shop.example/vase?a=1&b=2",
        "https://x.example/?a=1&b=2",
    ]


def test_an_address_that_is_none_is_dropped():
    html = body('<a href="{{ items[0].url }}">x</a>', items=[PRODUCT | {"url": "javascript:alert(1)"}])

    assert hrefs(html) == [""]


def test_plain_text_links_are_tracked_too():
    text = "{{ items[0].url }}, https://x.example/a). {{ items[0].name }} {{ unsubscribe_url }}"
    compiled = parse(text=text).check()["en"]["text"]
    rendered = liquid.parse(compiled, escapes=False).render(values())

    first, second, *rest = rendered.split()
    assert first.startswith("https://shop.example/crm/click/")
    assert first.endswith("/,")
    assert second.startswith("https://shop.example/crm/click/")
    assert second.endswith("/).")
    assert rest[:2] == ["Vase", "<1>"]
    assert rest[2].startswith("https://shop.example/crm/unsubscribe/")


def test_the_open_pixel_is_the_last_thing():
    html = liquid.parse(parse().check()["en"]["html"], escapes=True).render(values())

    assert re.search(r'<img src="https://shop\.example/crm/open/[^"]+\.gif" alt=""[^>]*></body></html>$', html.strip())


@pytest.mark.django_db
def test_the_same_source_is_the_same_template():
    first, second = messaging.save_template(parse()), messaging.save_template(parse())
    other = messaging.save_template(parse(subject="Other"))

    assert first == second != other
    assert Template.objects.count() == 2


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [("ko", "ko"), ("ko-KR", "ko"), ("pt-BR", "pt-BR"), ("pt_br", "pt-BR"), ("de-AT", "de"), ("fr", "de"), ("", "de")],
)
def test_the_best_language_is_chosen(wanted, expected):
    assert choose_language(["de", "ko", "pt-BR"], wanted=wanted, default="de") == expected


def test_any_language_is_better_than_none():
    assert choose_language(["ko", "ja"], wanted="fr", default="en") == "ja"


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_recipe_shows_what_the_law_and_the_reader_ask_for(language):
    (step,) = (step for step in recipe("liked_price_drop")["steps"] if step["type"] == "send")
    compiled = TemplateSource.parse(step["template"]).check()[language]

    html = liquid.parse(compiled["html"], escapes=True).render(values())
    text = liquid.parse(compiled["text"], escapes=False).render(values())

    for written in (html, unescape(text)):
        for expected in ("€40.00", "€50.00", "1 Street", "You agreed.", "The Shop", "/unsubscribe/", "/click/"):
            assert expected in written
    assert f'<html lang="{language}"' in html
    assert 'src="https://shop.example/vase.jpg"' in html
    assert "<s " in html
    assert "fonts.googleapis" not in html


@pytest.mark.parametrize(
    "element", ["<a>", '<a title="/>">', "<a title='>'>", "<a\n>", "<b/ >", "<mj-section>", "<td style='a/b'>"]
)
def test_elements_inside_each_other_end_before_the_stack_does(element):
    """The compiler is native code: what overflows its stack takes the whole worker with it."""
    with pytest.raises(InvalidInput) as refused:
        body(element * 12_000)

    assert (refused.value.field, refused.value.code) == ("en.mjml", "MJML")


def test_a_mark_that_somebody_wrote_is_only_a_word():
    html = body("lqzq0qzql lqzq7qzql lqzq99999999999999qzql {{ shop.name }}")

    assert "lqzq99999999999999qzql The Shop" in html
