"""The form of a review as a person meets it: without a mouse, on a small phone, in the dark, in their language."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from crm_plugin import reviews
from crm_plugin.models import Review, ReviewPicture
from tests.browser.conftest import PHONE

SMALL = (375, 812)

Open = Callable[..., Page]


@pytest.fixture
def open_form(open_page, live_server, make_contact, fake_shop, settings, tmp_path) -> Open:
    """Return a function that opens the form of Ann, who is asked how she likes a mug."""
    settings.MEDIA_ROOT = str(tmp_path / "media")
    ann = make_contact("ann@example.com")
    mug = fake_shop.add_product(name="A mug with an uncommonly long name " * 2, price=20)

    def visit(language: str = "en", *, size: tuple[int, int] = PHONE) -> Page:
        token = reviews.link(ann.pk, mug.product_id, shop_channel="default", language=language)
        return open_page(f"{live_server.url}/crm/review/{token}/", size=size)

    return visit


@pytest.mark.feature(15)
@pytest.mark.parametrize(
    ("language", "stars", "button", "title"),
    [
        pytest.param("en", "4 stars: good", "Send the review", "Thank you for your review", id="English"),
        pytest.param("ko", "별 4개: 좋아요", "후기 등록", "후기를 남겨 주셔서 감사합니다", id="Korean"),
    ],
)
def test_a_person_writes_a_review_with_the_keyboard_alone(open_form, language, stars, button, title):
    page = open_form(language)
    expect(page.locator("html")).to_have_attribute("lang", language)

    page.keyboard.press("Tab")  # to the group of stars; arrows choose
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name=stars)).to_be_checked()
    page.keyboard.press("Tab")
    page.keyboard.type("Fine")
    page.keyboard.press("Tab")
    page.keyboard.type("Holds tea, and keeps it warm.")
    for _ in range(3):  # past the name and the pictures
        page.keyboard.press("Tab")
    expect(page.get_by_role("button", name=button)).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    kept = Review.objects.get()
    assert (kept.rating, kept.title, kept.body) == (4, "Fine", "Holds tea, and keeps it warm.")
    assert kept.language == language


def test_what_is_wrong_is_announced_and_leads_to_its_field(open_form):
    page = open_form()
    page.get_by_role("radio", name="5 stars").check()
    page.get_by_label("Your review", exact=True).fill("Holds tea.")
    page.get_by_label("Pictures").set_input_files(
        {"name": "letter.txt", "mimeType": "text/plain", "buffer": b"no picture"}
    )

    page.get_by_role("button", name="Send the review").click()

    problem = page.get_by_role("alert").get_by_role("link")
    expect(problem).to_contain_text("This is not a picture")
    problem.click()
    expect(page.get_by_label("Pictures")).to_be_in_viewport()
    expect(page.get_by_label("Pictures")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Your review", exact=True)).to_have_value("Holds tea.")
    expect(page.get_by_role("radio", name="5 stars")).to_be_checked()
    assert not Review.objects.exists()


def test_pictures_are_sent_along(open_form):
    made = io.BytesIO()
    Image.new("RGB", (80, 40), "teal").save(made, "PNG")
    page = open_form()
    page.get_by_role("radio", name="3 stars").check()
    page.get_by_label("Pictures").set_input_files(
        [{"name": f"{n}.png", "mimeType": "image/png", "buffer": made.getvalue()} for n in range(2)]
    )

    page.get_by_role("button", name="Send the review").click()

    expect(page.get_by_role("status")).to_be_visible()
    assert sorted(ReviewPicture.objects.values_list("width", "height")) == [(80, 40), (80, 40)]


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_small_phone_in_the_light_and_in_the_dark(open_form, language, scheme):
    page = open_form(language, size=SMALL)
    page.emulate_media(color_scheme=scheme)

    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for box in page.get_by_role("radio").all():
        assert box.locator("xpath=..").bounding_box()["height"] >= 44
    for field in (*page.get_by_role("textbox").all(), *page.get_by_role("button").all()):
        assert field.bounding_box()["height"] >= 44
    dark = page.evaluate("getComputedStyle(document.querySelector('.card')).backgroundColor") == "rgb(31, 36, 41)"
    assert dark == (scheme == "dark")
