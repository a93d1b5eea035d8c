"""The ready-made campaigns: each runs once the sender and the consent text are filled in, and its mails read well."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from html import unescape
from itertools import product
from typing import Any
from uuid import uuid4

import pytest

from crm_plugin import automations, contacts
from crm_plugin.automations import advising
from crm_plugin.automations.definition import Definition
from crm_plugin.automations.recipes import GROUPS, about_recipe, prepare, recipe, recipe_names
from crm_plugin.automations.triggers import WAVES, ActivityTrigger, CouponExpiryTrigger
from crm_plugin.errors import InvalidInput, NotFound
from crm_plugin.messaging import MessageClass, TemplateSource, liquid, variables
from crm_plugin.messaging.tracking import Found, Links
from crm_plugin.models import CouponTemplate
from crm_plugin.money import Money
from tests.stories import open_shop

NAMES = recipe_names()
LANGUAGES = ("en", "ko")
MAILS = [(name, step.id) for name in NAMES for _op, step in Definition.parse(recipe(name)).sends()]
CONSENT = {"en": "You agreed to this mail when you signed up.", "ko": "회원 가입 시 수신에 동의하셨습니다."}
PEOPLE = [("", ""), ("Ada", ""), ("지우", "김")]
CART = {"url": "https://shop.example/cart/7/", "count": 2, "quantity": 3, "total": Money(Decimal(129), "EUR")}
COUPON = {"code": "K7MQ-2D", "expires_on": date(2027, 3, 10), "name": ""}
BRAND = {"logo_url": "", "color": "#1a1a1a", "ink": "#ffffff", "footer": ""}
ORDER = {
    "number": "100042",
    "total": Money(Decimal(80), "EUR"),
    "confirm_url": "https://shop.example/crm/receipt/abc/",
}
ITEM = {
    "name": "Stoneware vase, tall", "url": "https://shop.example/vase/", "image_url": "https://shop.example/vase.jpg",
    "price": "€40.00", "regular_price": "€50.00", "baseline_price": "€50.00", "drop_percent": 20, "available": 3,
    "review_url": "https://shop.example/crm/review/abc/",
}  # fmt: skip
PLAIN = ITEM | {"name": "Bowl", "image_url": "", "regular_price": "€40.00", "available": None, "review_url": ""}

needs_hangul = re.compile(r"[가-힣]")


@cache
def definition(name: str) -> Definition:
    return Definition.parse(recipe(name))


@cache
def compiled(name: str, step_id: str) -> dict[str, dict[str, str]]:
    (step,) = (step for _op, step in definition(name).sends() if step.id == step_id)
    return TemplateSource.parse(step.template).check(message_class=step.message_class)


def message_class(name: str, step_id: str) -> MessageClass:
    (found,) = (step.message_class for _op, step in definition(name).sends() if step.id == step_id)
    return found


@dataclass(frozen=True)
class Mail:
    """The mail as one person gets it, and the addresses behind its links."""

    subject: str
    html: str
    text: str
    targets: frozenset[str]


def write(
    name: str,
    step_id: str,
    language: str,
    *,
    person: tuple[str, str] = ("Ada", "Lee"),
    items: Sequence[dict[str, Any]] = (ITEM,),
    **extras: Any,
) -> Mail:
    """Render one mail of a recipe as the engine does it at dispatch."""
    known = {"coupons": [COUPON], "order": ORDER, "cart": CART, "event": {"name": "tall vases"}, **extras}
    found = Found()
    links = Links(uuid4(), public_url="https://shop.example/crm/", found=found)
    values = {
        "contact": {
            "first_name": person[0],
            "last_name": person[1],
            "attributes": variables.Lenient({"points": 3000}),
        },
        "shop": {"name": "The Shop", "url": "https://shop.example/"},
        "sender": {"name": "The Shop", "postal_address": "1 Street, Town"},
        "consent_text": CONSENT[language],
        "unsubscribe_url": links.unsubscribe_url,
        "preferences_url": links.preferences_url,
        "brand": BRAND,
        "open_url": links.open_url,
        **variables.filled(known, language=language),
        "items": list(items),
        liquid.LINKS: links,
        liquid.LANGUAGE: language,
    }
    parts = compiled(name, step_id)[language]
    written = {part: liquid.parse(parts[part], escapes=part == "html").render(values) for part in parts}
    del written["preheader"]
    return Mail(**written, targets=frozenset(found.links.values()))


def situations(name: str) -> list[dict[str, Any]]:
    """What may be known in a run of the recipe: products, a name, a coupon, a cart; each with and without."""
    is_about_items = isinstance(definition(name).trigger, WAVES)
    baskets = [[ITEM], [ITEM, PLAIN, ITEM]] if is_about_items else [[], [ITEM], [ITEM, PLAIN, ITEM]]
    coupons = [[COUPON], [COUPON, COUPON | {"name": "Spring", "expires_on": None}]]
    return [
        {"items": items, "person": person, "coupon": coupon, "cart": cart, "coupons": held}
        for items, person, coupon, cart, held in product(
            baskets,
            PEOPLE,
            (None, COUPON, COUPON | {"expires_on": None}),
            (None, CART),
            coupons if isinstance(definition(name).trigger, CouponExpiryTrigger) else coupons[:1],
        )
    ]


def visible(html: str) -> str:
    body = re.sub(r"<(style|title)\b.*?</\1>|<!--.*?-->", " ", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


@pytest.mark.django_db
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.feature(73)
def test_a_recipe_runs_after_the_sender_and_the_consent_text_were_filled_in(fake_shop, name):
    open_shop(consent_text=CONSENT["en"])

    campaign = automations.publish(automations.create_from_recipe(name, name=name).pk)

    assert campaign.state == "running"


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(set(NAMES) - {"review_request", "registration_review"}))
def test_nothing_about_a_recipe_has_to_be_looked_at_again(fake_shop, name):
    """Exempt: requests for reviews. A further purchase does not end them, of which every advertisement is warned."""
    open_shop(consent_text=CONSENT["en"], caps=[{"channel": "email", "count": 1, "hours": 16}], languages=["en", "ko"])

    assert advising.warnings(definition(name)) == []


@pytest.mark.feature(73)
def test_there_is_a_recipe_for_each_campaign_that_the_market_is_used_to():
    tason = {
        "first_purchase_nudge", "visit_win_back", "viewed_not_bought", "cart_reminder", "checkout_reminder",
        "spend_repurchase", "review_request", "interest_offer",
    }  # fmt: skip
    datarize = {
        "first_purchase_nudge", "second_purchase", "search_follow_up", "coupon_issued_notice", "coupon_expiry",
        "points_reminder", "viewed_price_drop",
    }  # fmt: skip
    cloudgate = {
        "welcome_series", "cart_reminder", "carted_price_drop", "cart_coupon", "post_purchase_thanks",
        "purchase_confirm", "review_request", "birthday", "first_purchase_anniversary", "win_back", "replenishment",
        "liked_price_drop", "liked_offer", "coupon_expiry", "back_in_stock",
    }  # fmt: skip

    assert (tason | datarize | cloudgate) - set(NAMES) == set()


@pytest.mark.parametrize("name", NAMES)
def test_a_list_can_show_what_a_recipe_is_in_both_languages(name):
    about = about_recipe(name)

    assert about.group in GROUPS
    assert set(about.titles) == set(about.descriptions) == set(LANGUAGES)
    assert all(4 <= len(title) <= 60 for title in about.titles.values())
    assert all(20 <= len(text) <= 500 and "  " not in text for text in about.descriptions.values())
    assert needs_hangul.search(about.titles["ko"])
    assert needs_hangul.search(about.descriptions["ko"])
    assert not needs_hangul.search(about.titles["en"] + about.descriptions["en"])


def test_a_recipe_that_there_is_not_is_refused():
    for read in (recipe, about_recipe, prepare):
        with pytest.raises(NotFound, match="welcome_series"):
            read("perpetual_motion")


def test_a_recipe_is_the_readers_own_to_change():
    recipe("cart_reminder")["steps"].clear()

    assert recipe("cart_reminder")["steps"]


@pytest.mark.django_db
def test_preparing_declares_the_attributes_that_a_recipe_asks_for(fake_shop):
    contacts.declare_attribute("birthday", "date", "Name day")

    for _ in range(2):
        prepare("birthday")
        prepare("points_reminder")
        prepare("win_back")

    declared = [
        (one.name, one.kind, one.label, one.is_shown_to_customer, one.keeps_history) for one in contacts.attributes()
    ]
    assert declared == [
        ("birthday", "date", "Name day", False, False),
        ("points", "number", "Points", True, True),
    ]


@pytest.mark.django_db
def test_an_attribute_of_another_kind_stands_in_the_way(fake_shop):
    contacts.declare_attribute("birthday", "text")

    with pytest.raises(InvalidInput, match="kind"):
        prepare("birthday")


@pytest.mark.django_db
def test_a_label_is_in_the_merchants_language(fake_shop):
    open_shop(default_language="ko")

    prepare("points_reminder")

    assert [one.label for one in contacts.attributes()] == ["적립금"]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("name", "step_id"), MAILS)
def test_a_mail_reads_well_whatever_is_known(name, step_id, language):
    for situation in situations(name):
        mail = write(name, step_id, language, **situation)

        # A token may spell anything.
        for part in (mail.subject, re.sub(r"https?://\S+", "", mail.text), visible(mail.html)):
            for leftover in ("{{", "{%", "[[", "]]", "undefined", "Undefined", "None", " ,", " .", "( ", " )", "''"):
                assert leftover not in part, (situation, part)
        assert 4 <= len(mail.subject) <= 60, mail.subject
        assert mail.subject == " ".join(mail.subject.split())
        assert "  " not in mail.text
        assert "\n\n\n" not in mail.text
        assert not mail.text.startswith("\n")
        assert not re.search(r"[ \t]$", mail.text, re.MULTILINE)


@pytest.mark.parametrize(("name", "step_id"), MAILS)
def test_each_language_is_its_own(name, step_id):
    bare: dict[str, Any] = {"person": ("", ""), "items": [ITEM]}
    english, korean = (write(name, step_id, language, **bare) for language in LANGUAGES)

    assert not needs_hangul.search(english.subject + english.text + visible(english.html))
    assert needs_hangul.search(korean.subject)
    assert "고객님," in korean.text
    assert "고객님" in visible(korean.html)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("name", "step_id"), MAILS)
def test_an_advertisement_says_who_why_and_how_to_stop_and_nothing_else_does(name, step_id, language):
    mail = write(name, step_id, language)
    is_marketing = message_class(name, step_id) is MessageClass.MARKETING

    for written in (mail.text, mail.html):
        assert ("/unsubscribe/" in written) is is_marketing
        assert ("/preferences/" in written) is is_marketing
        assert (CONSENT[language] in written) is is_marketing
        assert "The Shop" in written
        assert "1 Street, Town" in written


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("name", "step_id"), MAILS)
def test_a_mail_can_be_read_by_everybody(name, step_id, language):
    html = write(name, step_id, language, coupon=COUPON).html

    assert f'<html lang="{language}"' in html
    assert "fonts.googleapis" not in html
    assert html.count("<h1>") == 1
    assert all(' alt="' in image for image in re.findall(r"<img\b[^>]*>", html))
    assert "prefers-color-scheme: dark" in html
    assert "max-width:600px" in html
    # Mailbox providers clip what is longer than about 100 kB.
    assert len(html.encode()) < 60_000


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_mail_wears_the_colours_of_the_brand(monkeypatch, language):
    brand = {"logo_url": "https://shop.example/logo.png", "color": "#ffcc00", "ink": "#000000", "footer": "Est. 1999"}
    plain = write("cart_reminder", "hour", language)
    monkeypatch.setitem(globals(), "BRAND", brand)

    branded = write("cart_reminder", "hour", language)

    assert 'src="https://shop.example/logo.png"' in branded.html
    assert 'bgcolor="#ffcc00"' in branded.html
    assert "color:#000000" in branded.html
    assert "Est. 1999" in visible(branded.html)
    assert "Est. 1999" in branded.text
    assert "logo.png" not in plain.html


@pytest.mark.parametrize("name", NAMES)
def test_no_two_mails_of_a_recipe_say_the_same(name):
    subjects = [write(name, step_id, "en").subject for of, step_id in MAILS if of == name]

    assert len(set(subjects)) == len(subjects)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_cart_button_leads_to_the_cart_and_to_the_shop_when_there_is_no_way_back(language):
    with_cart = write("cart_reminder", "hour", language)
    without = write("cart_reminder", "hour", language, cart=None)

    assert CART["url"] in with_cart.targets
    assert CART["url"] not in without.targets
    assert "https://shop.example/" in without.targets


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("name", "step_id"), MAILS)
def test_every_address_in_the_text_is_tracked(name, step_id, language):
    for cart in (CART, None):
        mail = write(name, step_id, language, cart=cart, items=[ITEM, PLAIN])
        addresses = re.findall(r"https://\S+", mail.text)

        assert all(re.match(r"https://shop\.example/crm/(click|unsubscribe|preferences)/", one) for one in addresses)


def test_an_offer_shows_the_code_and_reads_well_without_one():
    for language in LANGUAGES:
        with_code = write("liked_offer", "mail", language, coupon=COUPON)
        assert COUPON["code"] in with_code.text
        assert COUPON["code"] in with_code.html
        assert with_code.subject != write("liked_offer", "mail", language).subject


@pytest.mark.feature(72)
@pytest.mark.parametrize(("language", "words"), [("en", "Only 3 left"), ("ko", "재고 3개 남음")])
@pytest.mark.parametrize("name", ["liked_offer", "cart_offer"])
def test_an_offer_says_how_many_are_left_when_they_are_few(name, language, words):
    few, many = (write(name, "mail", language, items=[one], coupon=COUPON) for one in (ITEM, ITEM | {"available": 60}))

    assert words in few.text
    assert words in visible(few.html)
    assert not re.search(r"Only 60|60개", many.text + visible(many.html))


def steps_of(name: str, **more: Any) -> list[str]:
    return [op.step.type for op in Definition.parse(recipe(name, **more)).program.ops]


@pytest.mark.django_db
def test_a_campaign_of_a_recipe_comes_with_the_coupon_that_it_gives(fake_shop):
    open_shop(default_language="ko")

    campaigns = [automations.create_from_recipe("win_back", name=f"Come back {n}") for n in range(2)]

    programs = [Definition.parse(one.draft).program for one in campaigns]
    steps = [op.step for program in programs for op in program.ops if op.step.type == "issue_coupon"]
    rows = {row.pk: row for row in CouponTemplate.objects.all()}
    assert [step.coupon for step in steps] == sorted(rows)
    assert {(row.name, row.expires_in_days, row.terms["percent"]) for row in rows.values()} == {
        ("다시 만나 반가워요 15% 할인", 7, "15")
    }


def test_without_its_coupons_a_recipe_is_the_same_without_the_steps_that_give_them():
    gifts = {"coupon": 81}

    for name in ("win_back", "liked_offer", "second_purchase", "cart_offer", "review_reward"):
        with_gift, without = steps_of(name, gifts=gifts), steps_of(name)
        assert with_gift.count("issue_coupon") == 1
        assert [kind for kind in with_gift if kind != "issue_coupon"] == without


@pytest.mark.django_db
def test_a_recipe_that_gives_nothing_makes_no_coupon(fake_shop):
    automations.create_from_recipe("cart_reminder", name="Carts")

    assert not CouponTemplate.objects.exists()


def test_each_rung_of_the_win_back_ladder_has_a_mail_of_its_own():
    program = definition("win_back").program

    assert [op.step.id for op in program.ops] == [
        "a_year",
        "year_mail",
        "half_a_year",
        "half_year_mail",
        "quarter_mail",
    ]
    assert definition("win_back").trigger.amounts == (90, 180, 365)
    assert all(op.following == program.end for op in program.sends())


def test_what_nobody_waits_for_does_not_come_at_night():
    """Exempt: what the person did a moment ago or asked for, prices that may rise again, an hour in their own zone."""
    awake = {
        name
        for name in NAMES
        if definition(name).quiet_hours is None and not isinstance(definition(name).trigger, ActivityTrigger)
    }

    assert awake == {
        "liked_price_drop", "carted_price_drop", "birthday", "first_purchase_anniversary", "purchase_confirm",
        "back_in_stock",
    }  # fmt: skip
    for name in NAMES:
        if definition(name).quiet_hours is None:
            steps = definition(name).steps
            late = [at for at, step in enumerate(steps) if step.type == "wait" and step.seconds > 3600]
            assert all(steps[at + 1].type == "wait_until" for at in late), name
