"""The preference centre as a person meets it: without a mouse, on a small phone, in the dark, in their language."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from crm_plugin import contacts
from crm_plugin.models import Contact
from tests.browser.conftest import PHONE

SMALL = (375, 812)

Open = Callable[..., Page]


@pytest.fixture
def open_preferences(open_page, live_server, links, message) -> Open:
    """Return a function that opens Ann's page: she agreed to e-mail, has a telephone, and there are two topics."""
    contacts.set_phone(message.contact_id, "+82 10 1234 5678")
    Contact.objects.filter(pk=message.contact_id).update(country="US")
    contacts.save_topic("news", names={"en": "News", "ko": "신상품 소식"})
    contacts.save_topic("sales", names={"en": "Sales", "ko": "할인"})

    def visit(language: str, *, size: tuple[int, int] = PHONE) -> Page:
        message.language = language
        message.save()
        return open_page(f"{live_server.url}{links.preferences_url}", size=size)

    return visit


def agreed(contact_id: int) -> dict[str, bool]:
    return {one.channel: one.is_granted for one in contacts.consent_states([contact_id])[contact_id]}


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


@pytest.mark.parametrize(
    ("language", "email", "texts", "sales", "title", "lines"),
    [
        pytest.param(
            "en",
            "E-mail",
            "Text messages",
            "Sales",
            "Your choices are saved",
            [
                "E-mail: you no longer agree to advertising e-mails.",
                "Text messages: you agree to advertising text messages.",
                "Topic “Sales”: you no longer want to hear about it.",
            ],
            id="English",
        ),
        pytest.param(
            "ko",
            "이메일",
            "문자 메시지",
            "할인",
            "설정이 저장되었습니다",
            [
                "이메일: 광고성 이메일 수신 동의를 철회하셨습니다.",
                "문자 메시지: 광고성 문자 메시지 수신에 동의하셨습니다.",
                "주제 “할인”: 받지 않기로 하셨습니다.",
            ],
            id="Korean",
        ),
    ],
)
def test_a_person_chooses_and_saves_with_the_keyboard_alone(
    open_preferences, message, language, email, texts, sales, title, lines
):
    page = open_preferences(language)
    expect(page.locator("html")).to_have_attribute("lang", language)
    night = language == "ko"

    press(page, "Tab")
    expect(page.get_by_role("checkbox", name=email, exact=True)).to_be_focused()
    press(page, "Space", "Tab")
    expect(page.get_by_role("checkbox", name=texts, exact=True)).to_be_focused()
    press(page, "Space", *["Tab"] * (4 if night else 2))  # past the nights and KakaoTalk
    press(page, "Tab")
    expect(page.get_by_role("checkbox", name=sales, exact=True)).to_be_focused()
    press(page, "Space", "Enter")

    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    expect(page.get_by_role("status").get_by_role("listitem")).to_have_text(lines)
    assert title in page.title()
    expect(page.get_by_role("checkbox", name=email, exact=True)).not_to_be_checked()
    expect(page.get_by_role("checkbox", name=texts, exact=True)).to_be_checked()
    assert agreed(message.contact_id) == {"email": False, "sms": True}
    assert contacts.refused_topics_of([message.contact_id])[message.contact_id] == {"sales"}


def test_the_first_button_saves_and_the_second_leaves_everything(open_preferences, message):
    page = open_preferences("en")
    before = agreed(message.contact_id)

    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Your choices are what they were before.")
    after_saving = agreed(message.contact_id)
    page.get_by_role("button", name="Unsubscribe from everything").click()

    expect(page.get_by_role("status")).to_contain_text("advertising on any channel from The Shop")
    assert (before, after_saving) == ({"email": True}, {"email": True})
    assert not any(agreed(message.contact_id).values())


def test_the_night_is_below_its_channel_and_says_which(open_preferences, message):
    page = open_preferences("ko")

    page.get_by_role("checkbox", name="카카오톡", exact=True).check()
    page.get_by_role("checkbox", name="카카오톡: 야간 수신 동의 (21:00~08:00)").check()
    page.get_by_role("button", name="저장").click()

    expect(page.get_by_role("status")).to_contain_text("카카오톡: 야간 광고성 카카오톡 메시지 수신에 동의하셨습니다.")
    assert contacts.reach([message.contact_id], channel="kakao")[message.contact_id].has_night_consent


def test_a_reload_shows_what_is_kept_and_not_what_was_ticked(open_preferences):
    page = open_preferences("en")
    box = page.get_by_role("checkbox", name="KakaoTalk", exact=True)

    box.check()
    page.reload()

    expect(box).not_to_be_checked()


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_small_phone_in_the_light_and_in_the_dark(open_preferences, us, language, scheme):
    us.brand_color = "#ffe14d"
    us.postal_address = "A very long street name without any place to break it ".replace(" ", "") * 3
    us.save()
    page = open_preferences(language, size=SMALL)
    page.emulate_media(color_scheme=scheme)

    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for box in page.get_by_role("checkbox").all():
        assert box.locator("xpath=..").bounding_box()["height"] >= 44
    for button in page.get_by_role("button").all():
        assert button.bounding_box()["height"] >= 44
    fieldsets = page.get_by_role("group")
    assert fieldsets.count() == 2
    assert all(name for name in fieldsets.locator("legend").all_inner_texts())
    dark = page.evaluate("getComputedStyle(document.querySelector('.card')).backgroundColor") == "rgb(31, 36, 41)"
    assert dark == (scheme == "dark")


def test_it_works_without_scripts_and_loads_nothing_but_the_logo(chromium, live_server, open_preferences, us, links):
    us.logo_url = "https://cdn.shop.example/logo.png"
    us.save()
    open_preferences("en")
    context = chromium.new_context(java_script_enabled=False)
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    context.route("https://cdn.shop.example/*", lambda route: route.fulfill(status=404))
    page = context.new_page()
    url = f"{live_server.url}{links.preferences_url}"

    page.goto(url)
    page.get_by_label("KakaoTalk").check()
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("status")).to_contain_text("KakaoTalk: you agree")
    expect(page.get_by_role("img", name="The Shop")).to_be_attached()
    assert set(asked) == {url, f"{url}?", us.logo_url}
    context.close()


def test_the_unsubscribe_page_leads_here(open_page, live_server, links, message):
    page = open_page(f"{live_server.url}{links.unsubscribe_url}", size=SMALL)

    page.get_by_role("link", name="Choose what you want instead").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Your preferences")
    assert page.url == f"{live_server.url}{links.preferences_url}"
    assert agreed(message.contact_id) == {"email": True}
