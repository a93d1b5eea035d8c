"""The plain-text part that is made of the HTML, and the filters that say values as their reader expects them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from crm_plugin import clock
from crm_plugin.errors import InvalidInput
from crm_plugin.messaging import TemplateSource, liquid, variables
from crm_plugin.money import Money
from tests.messaging.conftest import MJML
from tests.messaging.test_blocks import ITEM, values

NOON = datetime(2027, 3, 7, 12, tzinfo=UTC)
ZONES = liquid.Zones(reader=ZoneInfo("America/New_York"), shop=ZoneInfo("Asia/Seoul"))


def text_of(mjml: str, **more: Any) -> str:
    """The text part of one person, when the merchant wrote none."""
    body = f"<mjml><mj-body>{mjml}</mj-body></mjml>"
    source = TemplateSource.parse({"en": {"subject": "News", "mjml": body}})
    return liquid.parse(source.check(message_class="transactional")["en"]["text"], escapes=False).render(values(**more))


def column(inside: str) -> str:
    return f"<mj-section><mj-column>{inside}</mj-column></mj-section>"


def render(source: str, *, language: str = "en", **more: Any) -> str:
    with clock.travel(to=NOON):
        made = values(language, **{liquid.ZONES: ZONES}, **more)
        return liquid.parse(source, escapes=False).render(made)


def test_a_mail_without_text_gets_one_that_says_the_same():
    source = TemplateSource.parse({"en": {"subject": "News", "mjml": MJML}})

    text = liquid.parse(source.check()["en"]["text"], escapes=False).render(values(items=[ITEM, ITEM]))

    assert text.count("Vase <1>: €40.00: https://shop.example/crm/click/") == 2
    assert "Hello Ann" in text
    assert re.search(r"Out: https://shop\.example/crm/unsubscribe/\S+ The Shop$", text)


def test_a_text_of_the_merchants_own_is_left_alone():
    source = TemplateSource.parse({"en": {"subject": "N", "mjml": MJML, "text": "  Own {{ unsubscribe_url }}"}})

    assert source.check()["en"]["text"] == "  Own {{ unsubscribe_url }}"


def test_tables_pictures_and_comments_of_the_page_do_not_show():
    text = text_of(
        "<mj-raw><!-- secret --></mj-raw>"
        + column('<mj-image src="https://x.example/a.png" alt="A picture" /><mj-text>One &amp; two<br/>three</mj-text>')
        + column("<mj-divider /><mj-table><tr><td>a</td><td>b</td></tr></mj-table>")
    )

    assert text.split("\n") == ["One & two", "three", "", "a", "b"]


def test_a_block_with_nothing_to_show_leaves_no_hole():
    mjml = (
        column("<mj-text>Before</mj-text>")
        + "{% for item in items %}"
        + column("<mj-text>{{ item.name }}</mj-text>")
        + "{% endfor %}{% if coupon.code != '' %}"
        + column("<mj-text>{{ coupon.code }}</mj-text>")
        + "{% endif %}"
        + column("<mj-text>After</mj-text>")
    )

    assert text_of(mjml, items=[]) == "Before\n\nAfter"
    assert text_of(mjml, items=[ITEM]) == "Before\n\nVase <1>\n\nAfter"


def test_links_to_one_place_in_a_row_are_said_once():
    mjml = column(
        '<mj-image src="https://x.example/a.png" href="{{ shop.url }}" alt="x" />'
        '<mj-text><a href="{{ shop.url }}">The shop</a></mj-text><mj-button href="{{ shop.url }}">Go</mj-button>'
    )

    assert re.fullmatch(r"The shop\n\nGo: https://shop\.example/crm/click/\S+", text_of(mjml))


def test_an_address_that_is_its_own_label_is_said_once():
    text = text_of(column('<mj-text><a href="https://x.example/">https://x.example/</a></mj-text>'))

    assert re.fullmatch(r"https://shop\.example/crm/click/\S+", text)


def test_signs_of_markdown_are_signs():
    assert text_of(column("<mj-text>1. - 2 + 3 * 4 # 5 [x] _y_</mj-text>")) == "1. - 2 + 3 * 4 # 5 [x] _y_"


@pytest.mark.parametrize(
    ("source", "language", "expected"),
    [
        ("{{ 1234.5 | money: 'EUR' }}", "en", "€1,234.50"),
        ("{{ 1234.5 | money: 'EUR' }}", "de", "1.234,50\xa0€"),
        ("{{ '39000' | money: 'KRW' }}", "ko", "₩39,000"),
        ("{{ event.price | money: event.currency }}", "en", "$12.00"),
        ("{{ cart.total | money: 'EUR' }}", "en", "€80.00"),
        ("{{ 'free' | money: 'EUR' }}", "en", "free"),
        ("{{ 5 | money: 'euros' }}", "en", "5"),
        ("{{ '2027-03-10' | date }}", "en", "March 10, 2027"),
        ("{{ '2027-03-10' | date }}", "ko", "2027년 3월 10일"),
        ("{{ '2027-03-10' | date: 'short' }}", "en", "3/10/27"),
        ("{{ coupon.expires_on | date: 'short' }}", "ko", "27. 3. 10."),
        ("{{ coupon.expires_on }}", "en", "March 10, 2027"),
        ("{{ '2027-03-10T02:00:00+00:00' | date }}", "en", "March 9, 2027"),
        ("{{ 'now' | date }}", "en", "March 7, 2027"),
        ("{{ 'soon' | date }}", "en", "soon"),
        ("{{ coupon.expires_on | days_until }}", "en", "3"),
        ("{{ '2027-03-01' | days_until }}", "en", "-6"),
        ("{{ 'soon' | days_until }}", "en", ""),
        ("{{ coupon.expires_on | countdown }}", "en", "in 3 days"),
        ("{{ coupon.expires_on | countdown }}", "ko", "3일 남음"),
        ("{{ coupon.expires_on | countdown }}", "de", "in 3 Tagen"),
        ("{{ coupon.expires_on | countdown: 'short' }}", "ko", "D-3"),
        ("{{ '2027-03-07' | countdown: 'short' }}", "ko", "D-DAY"),
        ("{{ '2027-03-07' | countdown }}", "ko", "오늘 마감"),
        ("{{ '2027-03-08' | countdown }}", "en", "tomorrow"),
        ("{{ '2027-03-06' | countdown }}", "en", ""),
        ("{{ 3 | stock: 5 }}", "en", "Only 3 left"),
        ("{{ 3 | stock: 5 }}", "ko", "재고 3개 남음"),
        ("{{ 6 | stock: 5 }}|{{ 0 | stock: 5 }}|{{ event.nothing | stock: 5 }}", "en", "||"),
        ('{{ contact.last_name | default: "고객님" }}', "ko", "고객님"),
        ("{{ contact.attributes.birthday | date: 'long' }}", "en", ""),
    ],
)
def test_a_filter_says_a_value_as_its_reader_expects_it(source, language, expected):
    extras = {
        "coupon": {"code": "K7", "name": "", "expires_on": date(2027, 3, 10)},
        "event": {"price": 12, "currency": "usd"},
        "cart": {"total": Money(Decimal(80), "EUR")},
    }

    assert render(source, language=language, extras=extras) == expected


@pytest.mark.feature(67)
@pytest.mark.parametrize(("name", "expected"), [("", "고객님을 위한"), ("지우", "지우님을 위한")])
def test_a_missing_name_has_a_fallback(name, expected):
    source = '{% if contact.first_name != "" %}{{ contact.first_name }}님{% else %}고객님{% endif %}을 위한'

    assert render(source, contact={"first_name": name}) == expected
    assert render('{{ contact.first_name | default: "고객님" }}', contact={"first_name": name}) == name or "고객님"


@pytest.mark.feature(67)
def test_a_name_cannot_bring_html_into_a_mail():
    source = TemplateSource.parse({"en": {"subject": "{{ contact.first_name }}", "mjml": MJML}})

    compiled = source.check()["en"]
    html = liquid.parse(compiled["html"], escapes=True).render(values(contact={"first_name": "<script>1</script>"}))

    assert "<script>" not in html
    assert "Hello &lt;script&gt;1" in html


@pytest.mark.parametrize(
    "written",
    [
        "{% for i in (1..2000) %}{% for j in (1..2000) %}x{% endfor %}{% endfor %}",
        "{% capture a %}{% for i in (1..1900) %}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "{% endfor %}{% endcapture %}{{ a }}{{ a }}",
        "{% if true %}" * 40 + "{% endif %}" * 40,
    ],
)
def test_a_template_that_asks_for_too_much_is_refused(written):
    with pytest.raises(InvalidInput) as refused:
        TemplateSource.parse({"en": {"subject": "News", "mjml": MJML, "text": written}}).check()

    assert refused.value.field == "en.text"
    assert refused.value.code in ("LIMIT", "LIQUID")


def test_a_day_in_words_still_knows_its_day():
    filled = variables.filled({"coupon": {"expires_on": date(2027, 3, 10)}}, language="ko")

    assert filled["coupon"]["expires_on"] == "2027년 3월 10일"
