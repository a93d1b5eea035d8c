"""The packs: labels, senders and ways out, exact and in the right place, per channel and form (features part 5)."""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta

import pytest

from crm_plugin.contacts import ChannelKind, Reach
from crm_plugin.errors import InvalidInput
from crm_plugin.merchant import Merchant
from crm_plugin.messaging import MessageClass, TemplateSource
from crm_plugin.messaging.compliance import ELSEWHERE, EUROPE, KOREA, PACKS, UNITED_STATES, Stamp, pack_of
from crm_plugin.messaging.contents import CONTENTS, ContentTooLong
from tests.messaging.conftest import content, korean

NUMBER = "080-123-4567"
SHORT = "https://s.example/l/abcdefghij/"

VARIANTS = [
    "(광고)", "(광 고)", "[광고]", "( 광고 )", "\uff08광고\uff09", "<광고>", "【광고】", "(광고)(광고)", "(광.고)",
    "[광고] (광고)", "(광\u200b고)", "{광고}", "「광고」", "(광　고)",
]  # fmt: skip


def stamp(**changes: object) -> Stamp:
    """What Korean law adds to an advertisement, with changes."""
    made = Stamp(
        pack=KOREA,
        language="ko",
        is_marketing=True,
        sender_name="상호",
        refusal_number=NUMBER,
        unsubscribe_url="https://s.example/unsubscribe/x/",
        short_url="",
        postal_address="서울시 종로구 1",
        consent_text="회원가입 때 동의하셨습니다.",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def reach(**fields: str) -> Reach:
    """Somebody with an address."""
    person = Reach(1, "a@example.com", "", "", fields.get("language", ""), "", "", True, None, {})  # noqa: FBT003
    return replace(person, country=fields.get("country", ""))


def finished(kind: str, parts: dict[str, str], mark: Stamp) -> object:
    """A finished message of a channel."""
    return CONTENTS[kind].finish(parts, mark)


@pytest.mark.parametrize(
    ("country", "language", "home", "expected"),
    [
        ("KR", "en", "US", "KR"),
        ("", "", "KR", "KR"),
        ("US", "ko", "US", "KR"),
        ("DE", "en", "KR", "EU"),
        ("PR", "en", "", "US"),
        ("", "en", "", ""),
        ("JP", "ja", "KR", ""),
    ],
)
def test_the_law_is_that_of_the_readers_country_else_of_the_merchants_and_korean_text_is_koreas(
    country: str, language: str, home: str, expected: str
) -> None:
    assert pack_of(reach(country=country), Merchant(country=home), language=language).code == expected


@pytest.mark.parametrize("pack", [*PACKS, ELSEWHERE], ids=lambda pack: pack.code or "elsewhere")
def test_every_rule_of_a_pack_names_its_source_and_no_other_does(pack) -> None:
    assert set(pack.rules()) == set(pack.sources)
    assert all(pack.sources.values())


@pytest.mark.feature(63)
@pytest.mark.parametrize("written", VARIANTS)
def test_kr_label_is_exact_first_and_never_doubled_whatever_form_the_merchant_wrote(written: str) -> None:
    """KR label: "(광고)" first, exact form; "(광 고)", "[광고]" and so on are banned variants."""
    assert stamp().labelled(f"{written} 세일") == "(광고) 세일"
    assert stamp().labelled(f"단골 {written} 세일") == "(광고) 단골 세일"
    assert stamp().text_message(f"{written}세일", form="sms") == f"(광고)상호 세일\n무료거부 {NUMBER}"


@pytest.mark.parametrize("text", ["광고 없이 보는 방법", "[쿠폰] 도착", "(광장) 소식", "광고학 개론"])
def test_kr_label_leaves_other_words_alone(text: str) -> None:
    assert stamp().labelled(text) == f"(광고) {text}"


@pytest.mark.feature(63)
def test_kr_email_subject_carries_the_label() -> None:
    """KR e-mail: subject label."""
    parts = {"subject": "[광고] 세일", "preheader": "", "text": "t", "html": "<body></body>"}

    assert finished("email", parts, stamp()).subject == "(광고) 세일"


@pytest.mark.feature(63)
@pytest.mark.parametrize("field", ["mjml", "text"])
@pytest.mark.parametrize(
    ("variable", "code"),
    [
        ("unsubscribe_url", "UNSUBSCRIBE_URL_MISSING"),
        ("sender.name", "SENDER_MISSING"),
        ("consent_text", "CONSENT_TEXT_MISSING"),
    ],
)
def test_kr_email_that_lacks_consent_statement_sender_or_way_out_is_refused_with_the_field(
    field: str, variable: str, code: str
) -> None:
    """KR e-mail: consent statement, sender info, free unsubscribe; an ad mail lacking any is blocked at validation."""
    whole = korean()
    lacking = whole | {field: whole[field].replace(f"{{{{ {variable} }}}}", "")}

    TemplateSource.parse({"ko": whole}).check(message_class=MessageClass.MARKETING)
    with pytest.raises(InvalidInput) as refused:
        TemplateSource.parse({"ko": lacking}).check(message_class=MessageClass.MARKETING)
    assert (refused.value.field, refused.value.code) == (f"ko.{field}", code)


@pytest.mark.feature(64)
def test_kr_sms_label_and_sender_first_and_the_free_refusal_number_last() -> None:
    """KR SMS: body "세일" becomes "(광고)상호 세일 … 무료거부 080-xxx"."""
    sms = finished("sms", {"form": "sms", "title": "", "text": "세일"}, stamp())

    assert (sms.subject, sms.text) == ("", f"(광고)상호 세일\n무료거부 {NUMBER}")


@pytest.mark.feature(64)
@pytest.mark.parametrize(
    "written", [f"무료거부 {NUMBER}", f"무료 수신거부: {NUMBER}", f"\n무료수신거부{NUMBER} ", f"무료 거부:{NUMBER}"]
)
def test_kr_sms_sender_and_refusal_that_the_merchant_wrote_are_not_said_twice(written: str) -> None:
    assert stamp().text_message(f"상호 세일 {written}", form="sms") == f"(광고)상호 세일\n무료거부 {NUMBER}"


@pytest.mark.feature(64)
def test_kr_sms_label_sender_and_refusal_number_count_for_the_byte_limit() -> None:
    """KR SMS: counted in the byte limit: 90 bytes with all that the law adds."""
    added = len("(광고)상호 \n무료거부 ".encode("euc-kr")) + len(NUMBER)
    fits = "세" * ((90 - added) // 2)

    assert len(finished("sms", {"form": "sms", "title": "", "text": fits}, stamp()).text.encode("euc-kr")) <= 90
    with pytest.raises(ContentTooLong):
        finished("sms", {"form": "sms", "title": "", "text": fits + "세"}, stamp())


@pytest.mark.feature(65)
def test_kr_lms_label_in_the_title_and_the_refusal_number_at_the_end_of_the_body() -> None:
    """KR SMS/LMS: label in body (LMS: title), free 080 refusal number."""
    lms = finished("sms", {"form": "lms", "title": "(광 고)봄 세일", "text": "오늘부터"}, stamp())

    assert (lms.subject, lms.text) == ("(광고) 봄 세일", f"상호 오늘부터\n무료거부 {NUMBER}")


@pytest.mark.feature(65)
def test_kr_lms_without_a_title_is_refused() -> None:
    with pytest.raises(InvalidInput, match="an LMS has one") as refused:
        TemplateSource.parse({"ko": {"form": "lms", "title": " ", "text": "세일"}}, channel="sms")
    assert refused.value.field == "ko.title"


@pytest.mark.feature(66)
def test_kr_brand_message_is_labelled_by_its_flag_left_of_the_profile_and_not_in_the_text_again() -> None:
    """KR Kakao: Brand Message; the ad flag is always set; 080 number."""
    parts = {"form": "brand_message", "template_code": "", "text": "[광고] 세일", "image_url": ""}

    made = finished("kakao", parts, stamp())

    assert made.is_advertisement
    assert made.text == f"세일\n무료거부 {NUMBER}"


@pytest.mark.parametrize(("form", "message_class"), [("alimtalk", "marketing"), ("brand_message", "transactional")])
def test_kr_kakao_alimtalk_is_informational_only_and_a_brand_message_always_advertises(
    form: str, message_class: str
) -> None:
    """KR Kakao: Alimtalk = pre-approved, informational only."""
    source = TemplateSource.parse({"ko": {"form": form, "template_code": "T1", "text": "본문"}}, channel="kakao")

    with pytest.raises(InvalidInput) as refused:
        source.check(message_class=MessageClass(message_class))
    assert refused.value.code == "MESSAGE_CLASS"


@pytest.mark.parametrize("kind", ["web_push", "app_push", "inbox"])
def test_kr_label_stands_in_the_title_of_push_messages_and_notes(kind: str) -> None:
    """KR label on push and inbox: in the title."""
    parts = {"title": "[광고]세일", "text": "오늘", "url": "", "image_url": ""}

    made = finished(kind, parts, stamp())

    assert (made.title, made.text) == ("(광고) 세일", "오늘")


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.code)
def test_a_transactional_message_carries_neither_label_nor_refusal(pack) -> None:
    """Everywhere: transactional class separate from ad."""
    mark = stamp(pack=pack, is_marketing=False, short_url=SHORT)

    assert mark.labelled("주문 완료") == "주문 완료"
    assert mark.text_message("주문 완료", form="sms") == "주문 완료"
    assert mark.mail(text="t", html="<body></body>") == ("t", "<body></body>")


def test_kr_free_refusal_by_a_link_where_the_merchant_has_no_080_number() -> None:
    """KR free refusal: no cost; a message without any way to refuse is never made."""
    mark = stamp(refusal_number="", short_url=SHORT)

    assert mark.text_message("세일", form="sms") == f"(광고)상호 세일\n무료거부 {SHORT}"


def test_kr_label_is_due_to_korean_readers_in_any_language() -> None:
    assert stamp(language="en").labelled("Sale") == "(광고) Sale"


@pytest.mark.parametrize("pack", [EUROPE, UNITED_STATES, ELSEWHERE], ids=lambda pack: pack.code)
def test_no_label_where_the_law_asks_for_none(pack) -> None:
    assert stamp(pack=pack, language="en").labelled("Sale") == "Sale"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sale today", "Shop: Sale today\nReply STOP to opt out"),
        ("Shop sale", "Shop sale\nReply STOP to opt out"),
        ("Sale. Text STOP to end.", "Shop: Sale. Text STOP to end."),
        ("Non-stop sale", "Shop: Non-stop sale\nReply STOP to opt out"),
    ],
)
def test_us_tcpa_text_messages_invite_to_answer_stop_once(text: str, expected: str) -> None:
    """US TCPA: any reasonable revocation (STOP…), and who sends it."""
    made = stamp(pack=UNITED_STATES, language="en", sender_name="Shop", refusal_number="")

    assert made.text_message(text, form="sms") == expected


@pytest.mark.parametrize("pack", [EUROPE, ELSEWHERE], ids=lambda pack: pack.code)
def test_eu_eprivacy_each_text_message_has_a_way_to_object_once(pack) -> None:
    """EU ePrivacy: opt-out in each message; the sender is not concealed."""
    made = stamp(pack=pack, language="en", sender_name="Shop", short_url=SHORT)

    assert made.text_message("Sale", form="sms") == f"Shop: Sale\nOpt out: {SHORT}"
    assert made.text_message(f"Sale. Stop: {SHORT}", form="sms") == f"Shop: Sale. Stop: {SHORT}"


@pytest.mark.parametrize("pack", [*PACKS, ELSEWHERE], ids=lambda pack: pack.code or "elsewhere")
def test_us_can_spam_postal_address_is_in_each_advertising_mail(pack) -> None:
    """US CAN-SPAM: postal address. It is put at the end where the template does not show it."""
    mark = stamp(pack=pack, postal_address="1 Street & Co, <Town>", sender_name="The Shop", consent_text="You agreed.")

    text, html = mark.mail(text="Sale", html="<html><body><p>Sale</p></body></html>")

    assert "The Shop\n1 Street & Co, <Town>\n" in text
    assert "The Shop<br>1 Street &amp; Co, &lt;Town&gt;" in html
    assert html.endswith("</p></body></html>")
    assert ("You agreed." in text, "You agreed." in html) == (pack is KOREA, pack is KOREA)
    assert mark.mail(text=text, html=html) == (text, html)


@pytest.mark.parametrize("language", ["en", "de"])
def test_an_advertising_mail_without_a_way_out_is_refused_in_any_language(language: str) -> None:
    """Gmail/Yahoo, US CAN-SPAM, EU ePrivacy: a visible unsubscribe link."""
    lacking = content(text="Sale")

    with pytest.raises(InvalidInput) as refused:
        TemplateSource.parse({language: lacking}).check(message_class=MessageClass.MARKETING)
    assert (refused.value.field, refused.value.code) == (f"{language}.text", "UNSUBSCRIBE_URL_MISSING")


def test_kr_night_is_from_21_to_8_on_every_channel_but_email_and_lifted_by_a_consent_of_its_own() -> None:
    """KR night: 21:00 to 08:00 unless separate night consent; e-mail exempt. What is done about it: ``test_gates``."""
    ban = KOREA.night_ban

    assert (ban.begins, ban.ends, ban.night_consent_lifts) == (time(21), time(8), True)
    assert {ChannelKind.SMS, ChannelKind.KAKAO, ChannelKind.APP_PUSH, ChannelKind.WEB_PUSH} == ban.channels


def test_us_tcpa_text_messages_come_between_8_and_21_only_and_no_consent_lifts_that() -> None:
    """US TCPA: 08 to 21 local."""
    ban = UNITED_STATES.night_ban

    assert (ban.begins, ban.ends, ban.night_consent_lifts, ban.channels) == (time(21), time(8), False, {"sms"})


def test_soft_opt_in_lasts_six_months_in_korea_and_until_objected_in_the_eu_and_is_none_for_texts_in_the_us() -> None:
    """KR consent: same-kind goods within 6 months of the deal; EU ePrivacy: soft opt-in; US: none."""
    assert timedelta(days=180) <= KOREA.soft_opt_in.lasts <= timedelta(days=184)
    assert EUROPE.soft_opt_in.lasts is None
    assert UNITED_STATES.soft_opt_in is None
