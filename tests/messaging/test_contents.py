"""What each channel takes: its limits at save and when a message is finished, labels and refusal numbers counted."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from crm_plugin import contacts, merchant
from crm_plugin.contacts import Contact
from crm_plugin.errors import InvalidInput
from crm_plugin.merchant import Merchant
from crm_plugin.messaging import MessageClass, TemplateSource, problems, settings_missing
from crm_plugin.messaging.compliance import ELSEWHERE, KOREA, Stamp
from crm_plugin.messaging.contents import CONTENTS, ContentTooLong
from crm_plugin.messaging.contents.limits import (
    cut,
    cut_to_bytes,
    foreign_characters,
    is_gsm,
    korean_bytes,
    segments,
)
from crm_plugin.messaging.finished import KakaoMessage, Notification, TextMessage
from tests.messaging.conftest import content, korean


@pytest.fixture
def shop_in_korea(us: Merchant) -> Merchant:
    us.sender_name, us.sms_refusal_number, us.sms_sender = "상호", "080-123-4567", "0212345678"
    us.kakao_sender_key = "key"
    us.save()
    return us


def stamp(*, is_marketing: bool = True, is_korean: bool = True) -> Stamp:
    return Stamp(
        pack=KOREA if is_korean else ELSEWHERE,
        language="ko" if is_korean else "en",
        is_marketing=is_marketing,
        sender_name="상호" if is_korean else "The Shop",
        refusal_number="080-123-4567",
        unsubscribe_url="",
    )


def sms(text: str, **more: Any) -> TemplateSource:
    return TemplateSource.parse({"ko": {"text": text, **more}}, channel="sms")


def finish(channel: str, parts: dict[str, str], mark: Stamp) -> Any:
    return CONTENTS[channel].finish(parts, mark)


@pytest.mark.feature(64)
def test_label_sender_and_refusal_number_stand_in_the_text_and_count():
    message = finish("sms", {"form": "sms", "title": "", "text": "세일"}, stamp())

    assert isinstance(message, TextMessage)
    assert message.text == "(광고)상호 세일\n무료거부 080-123-4567"
    assert korean_bytes(message.text) == 6 + 4 + 1 + 4 + 1 + 8 + 1 + 12


@pytest.mark.feature(64)
@pytest.mark.parametrize(("letters", "fits"), [(28, True), (29, False)])
def test_the_90_bytes_hold_what_the_law_adds(letters, fits):
    # 90 bytes less "(광고)상호 " (11), the line break (1) and "무료거부 080-123-4567" (21).
    parts = {"form": "sms", "title": "", "text": "가" * letters}

    if fits:
        assert korean_bytes(finish("sms", parts, stamp()).text) <= 90
    else:
        with pytest.raises(ContentTooLong, match="90"):
            finish("sms", parts, stamp())
        assert finish("sms", parts, stamp(is_marketing=False)).text == "가" * letters


@pytest.mark.django_db
@pytest.mark.feature(64)
def test_a_text_that_cannot_fit_is_refused_at_save(shop_in_korea):
    sms("가" * 28).check()

    with pytest.raises(InvalidInput, match="91 bytes") as refused:
        sms("가" * 29).check()

    assert (refused.value.field, refused.value.code) == ("ko.text", "TOO_LONG")
    sms("가" * 45).check(message_class=MessageClass.TRANSACTIONAL)
    sms("가" * 900, form="lms", title="세일").check()


@pytest.mark.django_db
def test_links_count_as_short_as_they_will_be(shop_in_korea, fake_shop):
    fake_shop.public_url = "https://s.kr/"

    sms(f"세일 https://shop.example/{'a' * 500}").check()


@pytest.mark.feature(65)
@pytest.mark.parametrize("title", ["", "  "])
def test_an_lms_without_a_title_is_refused(title):
    with pytest.raises(InvalidInput) as refused:
        sms("세일", form="lms", title=title)

    assert refused.value.field == "ko.title"


@pytest.mark.feature(65)
def test_the_title_of_an_lms_carries_the_label_and_the_text_the_refusal_number():
    message = finish("sms", {"form": "lms", "title": "봄 세일", "text": "본문"}, stamp())

    assert message.subject == "(광고) 봄 세일"
    assert message.text.endswith("무료거부 080-123-4567")


@pytest.mark.django_db
@pytest.mark.feature(65)
def test_the_title_of_an_lms_has_room_for_40_bytes(shop_in_korea):
    with pytest.raises(InvalidInput) as refused:
        sms("세일", form="lms", title="가" * 18).check()

    assert (refused.value.field, refused.value.code) == ("ko.title", "TOO_LONG")


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["세일 😀", "세일 {{ contact.first_name | default: '❤' }}"])
def test_characters_that_korean_telephones_lack_are_named(shop_in_korea, text):
    with pytest.raises(InvalidInput, match=r"😀|❤") as refused:
        sms(text).check()

    assert (refused.value.field, refused.value.code) == ("ko.text", "CHARACTER")


def test_elsewhere_a_text_is_counted_in_segments():
    parts = {"form": "sms", "title": "", "text": "a" * 1_400}

    assert finish("sms", parts, stamp(is_korean=False)).text.startswith("The Shop: a")
    with pytest.raises(ContentTooLong, match="segments"):
        finish("sms", parts | {"text": "가" * 700}, stamp(is_korean=False))


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("가" * 70, 1),
        ("가" * 71, 2),
        ("😀" * 35, 1),
        ("", 1),
    ],
)
def test_segments_are_those_of_the_gsm(text, count):
    assert segments(text) == count


def test_bytes_and_characters_of_korea():
    assert korean_bytes("세일 abc") == 8
    assert korean_bytes("a😀b") == 4
    assert foreign_characters("세일 😀 ❤ ①") == "😀❤"
    assert is_gsm("Hello €")
    assert not is_gsm("Hello 가")


@pytest.mark.parametrize("size", range(12))
def test_a_cut_never_breaks_a_character(size):
    found = cut_to_bytes("가나다라", size)

    assert len(found.encode()) <= size
    assert found.rstrip("…") in "가나다라"


def test_a_cut_says_that_it_is_one():
    assert cut("가나다라", 3) == "가나…"
    assert cut("가나다", 3) == "가나다"


@pytest.mark.feature(66)
@pytest.mark.parametrize("is_marketing", [True, False])
def test_a_brand_message_is_always_flagged_as_advertising(is_marketing):
    parts = {"form": "brand_message", "template_code": "", "text": "세일", "image_url": ""}

    message = finish("kakao", parts, stamp(is_marketing=is_marketing))

    assert isinstance(message, KakaoMessage)
    assert message.is_advertisement


@pytest.mark.feature(66)
@pytest.mark.parametrize(
    ("written", "message_class"),
    [
        ({"form": "alimtalk", "template_code": "A"}, MessageClass.MARKETING),
        ({"form": "brand_message", "text": "세일"}, MessageClass.TRANSACTIONAL),
    ],
)
def test_a_kakao_message_is_of_the_class_that_its_form_allows(written, message_class):
    with pytest.raises(InvalidInput) as refused:
        TemplateSource.parse({"ko": written}, channel="kakao").check(message_class=message_class)

    assert (refused.value.field, refused.value.code) == ("ko.form", "MESSAGE_CLASS")


@pytest.mark.parametrize(
    ("written", "field"),
    [
        ({"form": "brand_message", "text": "x", "image_url": "data:image/png;base64,x"}, "ko.image_url"),
        ({"form": "brand_message", "text": "x", "image_url": "ftp://x.example/a.png"}, "ko.image_url"),
        ({"form": "brand_message", "text": "x", "buttons": [{"name": "x", "url": "javascript:x"}]}, "ko.buttons.0.url"),
        ({"form": "brand_message", "text": "x" * 1_301}, "ko.text"),
        ({"form": "brand_message"}, "ko.text"),
        ({"form": "alimtalk"}, "ko.template_code"),
        ({"form": "friendtalk", "text": "x"}, "ko.form"),
    ],
)
def test_what_is_wrong_with_a_kakao_message_is_refused_with_its_place(written, field):
    with pytest.raises(InvalidInput) as refused:
        TemplateSource.parse({"ko": written}, channel="kakao")

    assert refused.value.field == field


@pytest.mark.parametrize("channel", ["web_push", "app_push", "inbox"])
def test_a_notification_is_cut_at_the_border_of_a_character(channel):
    parts = {"title": "세" * 300, "text": "가" * 5_000, "url": "https://x.example/", "image_url": ""}

    note = finish(channel, parts, stamp())

    assert isinstance(note, Notification)
    assert note.title.startswith("(광고) 세")
    assert len(note.title) <= 150
    assert note.text.endswith("가…")
    if channel != "inbox":
        assert len(f"{note.title}{note.text}{note.url}".encode()) <= 3_000


@pytest.mark.parametrize(
    ("field", "value"), [("url", "javascript:x"), ("image_url", "data:x"), ("title", ""), ("icon", "x")]
)
def test_what_is_wrong_with_a_notification_is_refused_with_its_place(field, value):
    with pytest.raises(InvalidInput) as refused:
        TemplateSource.parse({"en": {"title": "News", "text": "x", field: value}}, channel="web_push")

    assert refused.value.field == f"en.{field}"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("channel", "contents", "message_class", "missing"),
    [
        ("email", {"ko": korean()}, "marketing", {"sender_email", "sender_name", "postal_address", "consent_text"}),
        ("email", {"en": content()}, "marketing", {"sender_email", "sender_name", "postal_address"}),
        ("email", {"ko": korean()}, "transactional", {"sender_email"}),
        (
            "sms",
            {"ko": {"text": "세일"}},
            "marketing",
            {"sender_email", "sender_name", "postal_address", "sms_sender", "sms_refusal_number"},
        ),
        ("sms", {"en": {"text": "Sale"}}, "transactional", {"sms_sender"}),
        ("kakao", {"ko": {"form": "alimtalk", "template_code": "A"}}, "transactional", {"kakao_sender_key"}),
    ],
)
@pytest.mark.feature(63)
def test_settings_that_a_message_needs_are_named(fake_shop, channel, contents, message_class, missing):
    source = TemplateSource.parse(contents, channel=channel)

    found = settings_missing(source, merchant.load(), message_class=MessageClass(message_class))

    assert {error.field for error in found} == missing
    assert {error.code for error in found} == {"REQUIRED"}


@pytest.mark.django_db
def test_settings_that_are_filled_in_are_not_asked_for(shop_in_korea):
    for channel, contents in (("email", {"ko": korean()}), ("sms", {"ko": {"text": "세일"}})):
        source = TemplateSource.parse(contents, channel=channel)
        assert settings_missing(source, shop_in_korea, message_class=MessageClass.MARKETING) == []


@pytest.mark.django_db
@pytest.mark.feature(63)
@pytest.mark.parametrize("missing", ["sender.name", "consent_text", "unsubscribe_url"])
def test_an_advertisement_by_mail_that_lacks_what_the_law_asks_for_is_refused_with_its_field(missing):
    written = korean() | {"text": korean()["text"].replace(missing, "shop.name")}

    found = problems({"ko": written})

    assert [(one.field, one.code) for one in found] == [("ko.text", f"{missing.partition('.')[0].upper()}_MISSING")]


def test_all_problems_are_told_at_once():
    found = problems({
        "en": content(subject="{{ nope }}", text="{{ neither }}"),
        "ko": {"subject": "", "blocks": [{"type": "button", "label": "x", "url": "x"}, {"type": "nothing"}]},
    })  # fmt: skip
    deeper = problems({"en": content(subject="{{ nope }}", text="{{ neither }}"), "de": content(text="no way out")})

    assert [one.field for one in found] == ["ko.subject", "ko.blocks.0.url", "ko.blocks.1"]
    assert [one.field for one in deeper] == ["en.subject", "en.text", "de.text"]
    assert problems({"en": content()}) == []


@pytest.mark.django_db
def test_a_name_that_is_too_long_for_a_text_message_raises(shop_in_korea, make_contact):
    person: Contact = make_contact(first_name="가" * 60)
    reach = contacts.reach([person.pk], channel="sms")[person.pk]
    compiled = sms("{{ contact.first_name }}").check()["ko"]

    from crm_plugin.messaging.composing import personal_values, rendered, shared_values, stamp_of  # noqa: PLC0415
    from crm_plugin.messaging.tracking import Found, Links  # noqa: PLC0415
    from crm_plugin.shop import current  # noqa: PLC0415

    links = Links(uuid4(), public_url="https://s.kr/", found=Found())
    values = personal_values(shared_values(shop_in_korea, current().identity()), reach, {}, language="ko", links=links)
    mark = stamp_of(reach, shop_in_korea, "marketing", language="ko", channel="sms", links=links)

    with pytest.raises(ContentTooLong):
        rendered(compiled, values, CONTENTS["sms"], mark)
