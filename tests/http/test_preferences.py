"""The preference centre: what it shows, what it keeps, and all that changes nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeAlias

import pytest
from django.test import Client

from crm_plugin import clock, contacts
from crm_plugin.contacts import Contact
from crm_plugin.http.preferences import FORM_BYTES, MOST_SAVES
from crm_plugin.messaging.tracking import Found, Links
from crm_plugin.models import Consent, ConsentEvent, Inbox, Message, RefusedTopic

pytestmark = pytest.mark.django_db

FORM = "application/x-www-form-urlencoded"
Agreed: TypeAlias = Callable[[], dict[str, bool]]


@pytest.fixture
def url(links, message) -> str:
    """The address of Ann's page; she agreed to e-mail, has a telephone, and there are two topics."""
    contacts.set_phone(message.contact_id, "+82 10 1234 5678")
    Contact.objects.filter(pk=message.contact_id).update(country="US")
    contacts.save_topic("news", names={"en": "News", "ko": "소식"})
    contacts.save_topic("sales", names={"en": "Sales"})
    return links.preferences_url


@pytest.fixture
def korean(message) -> None:
    """Her message was Korean."""
    Message.objects.filter(pk=message.pk).update(language="ko")


@pytest.fixture
def agreed(message) -> Agreed:
    """Return a function that tells where Ann stands."""

    def states() -> dict[str, bool]:
        return {
            one.channel: one.is_granted for one in contacts.consent_states([message.contact_id])[message.contact_id]
        }

    return states


def boxes(page: str) -> dict[str, bool]:
    """Return the boxes of a page by key, and whether they are ticked."""
    found = re.findall(r'<input type="checkbox" name="on" value="([^"]+)"( checked)?', page)
    return {key: bool(checked) for key, checked in found}


def form(page: str, *, tick: tuple[str, ...] = (), clear: tuple[str, ...] = ()) -> dict[str, list[str]]:
    """Return what a browser sends of a page after some boxes were ticked and others cleared."""
    ticked = {key for key, is_on in boxes(page).items() if is_on}
    was = re.findall(r'<input type="hidden" name="was" value="([^"]+)">', page)
    return {"on": sorted((ticked | set(tick)) - set(clear)), "was": was}


def text(answer: Any) -> str:
    return str(answer.content.decode())


def test_the_page_shows_where_the_person_stands_on_the_channels_that_reach_them(client, url):
    page = text(client.get(url))

    assert boxes(page) == {"email": True, "sms": False, "kakao": False, "topic.news": True, "topic.sales": True}
    assert "The Shop" in page
    assert "1 Street, Town" in page
    assert "You agreed to this." in page


def test_a_channel_that_was_agreed_to_can_be_left_though_nothing_reaches_there_now(client, url, message):
    contacts.set_consent(message.contact_id, channel="web_push", is_granted=True, source="test")

    assert boxes(text(client.get(url)))["web_push"]


def test_a_blocked_address_is_told(client, url):
    contacts.suppress("ann@example.com", channel="email", reason="complaint")

    page = text(client.get(url))

    assert re.search(r'value="email" checked aria-describedby="blocked-email".*<small id="blocked-email">', page, re.S)
    assert "blocked-sms" not in page


def test_saving_keeps_everything_at_once_and_tells_sender_matter_and_date(client, url, message, agreed):
    page = text(client.get(url))

    with clock.travel(to=datetime(2026, 3, 2, 12, tzinfo=UTC)):
        answer = client.post(url, form(page, tick=("sms",), clear=("email", "topic.news")))

    done = text(answer)
    assert (answer.status_code, answer.cookies) == (200, {})
    assert agreed() == {"email": False, "sms": True}
    assert RefusedTopic.objects.values_list("contact_id", "topic__slug").get() == (message.contact_id, "news")
    assert "The Shop recorded this on March 2, 2026. It applies at once." in done
    assert re.findall(r"<li>(.*?)</li>", done) == [
        "E-mail: you no longer agree to advertising e-mails.",
        "Text messages: you agree to advertising text messages.",
        "Topic “News”: you no longer want to hear about it.",
    ]
    assert boxes(done) == {"email": False, "sms": True, "kakao": False, "topic.news": False, "topic.sales": True}


def test_the_log_says_where_it_was_said_and_a_consent_to_which_words(client, url, message):
    page = text(client.get(url))

    client.post(url, form(page, tick=("sms",), clear=("email", "topic.news")))

    log = {line.purpose + line.channel: line for line in ConsentEvent.objects.filter(source="preference_centre")}
    assert set(log) == {"marketingemail", "marketingsms", "topic:news"}
    assert {line.evidence["message"] for line in log.values()} == {str(message.public_id)}
    granted = log["marketingsms"]
    assert (granted.is_granted, granted.basis, granted.evidence["language"]) == (True, "express", "en")
    assert granted.evidence["text"].endswith("free of charge.\nYou agreed to this.")
    assert re.fullmatch("[0-9a-f]{16}", granted.text_version)
    assert log["marketingemail"].evidence == {"message": str(message.public_id)}


def test_another_consent_text_is_another_version(client, url, us, message):
    page = text(client.get(url))
    client.post(url, form(page, tick=("sms",)))
    us.consent_text = "Other words."
    us.save()

    client.post(url, form(page, tick=("kakao",)))

    versions = ConsentEvent.objects.filter(source="preference_centre").values_list("text_version", flat=True)
    assert len(set(versions)) == 2


def test_sending_it_twice_is_fine_and_logged_once(client, url, agreed):
    sent = form(text(client.get(url)), tick=("sms",), clear=("topic.news",))

    first, second = (text(client.post(url, sent)) for _turn in range(2))

    assert "Your choices are saved" in first
    assert "Nothing was changed" in second
    assert ConsentEvent.objects.filter(source="preference_centre").count() == 2
    assert agreed() == {"email": True, "sms": True}


def test_an_old_tab_does_not_take_back_what_was_said_since(client, url, links, agreed):
    old = text(client.get(url))
    client.post(links.unsubscribe_url)

    client.post(url, form(old, clear=("topic.news",)))

    assert agreed() == {"email": False}
    assert RefusedTopic.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("", FORM),
        ("List-Unsubscribe=One-Click", FORM),
        ('{"on": ["sms"]}', "application/json"),
        (
            "on=topic.nothing&on=night.email&on=fax&on=web_push&was=inbox&on=%00&on=sms%00",
            FORM,
        ),
        ("on=email&was=email&was=topic.news&on=topic.news", FORM),
        ("on=%FF%FE", FORM),
    ],
)
def test_what_changes_no_box_of_the_page_changes_nothing(client, url, agreed, body, kind):
    answer = client.post(url, data=body, content_type=kind)

    assert answer.status_code == 200
    assert "Nothing was changed" in text(answer)
    assert agreed() == {"email": True}
    assert not ConsentEvent.objects.filter(source="preference_centre").exists()


@pytest.mark.parametrize("method", ["get", "head"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"HTTP_USER_AGENT": "Barracuda Sentinel (EE)", "HTTP_PURPOSE": "prefetch"},
        {
            "HTTP_LIST_UNSUBSCRIBE": "One-Click",
            "HTTP_X_HTTP_METHOD_OVERRIDE": "POST",
            "QUERY_STRING": "everything=1&was=email",
        },
    ],
)
def test_reading_the_page_changes_nothing(client, url, agreed, method, headers):
    answer = getattr(client, method)(url, **headers)

    assert answer.status_code == 200
    assert agreed() == {"email": True}
    assert ConsentEvent.objects.count() == 1  # the one with which Ann was made


def test_saving_takes_no_cookie_no_login_and_no_csrf_token(url, agreed):
    stranger = Client(enforce_csrf_checks=True)

    answer = stranger.post(url, {"was": "email"})

    assert (answer.status_code, answer.cookies) == (200, {})
    assert agreed() == {"email": False}


def test_the_button_for_nothing_at_all_refuses_every_channel(client, url, agreed):
    answers = [text(client.post(url, {"everything": "1"})) for _turn in range(2)]

    assert agreed() == dict.fromkeys(("app_push", "email", "inbox", "kakao", "sms", "web_push"), False)
    assert ConsentEvent.objects.filter(source="preference_centre", is_granted=False).count() == 6
    for page in answers:  # the second time too: it is so
        assert "You are unsubscribed" in page
        assert re.search(r"you no longer agree to advertising on any channel from The Shop", page)
        assert not boxes(page)["email"]


def test_who_left_everything_can_come_back_by_one_channel(client, url, agreed):
    client.post(url, {"everything": "1"})

    client.post(url, form(text(client.get(url)), tick=("kakao",)))

    assert [channel for channel, is_granted in agreed().items() if is_granted] == ["kakao"]


def test_a_reader_in_korea_is_asked_about_the_night_where_it_is_forbidden(client, url, message, korean):
    contacts.set_consent(message.contact_id, channel="sms", is_granted=True, source="test")

    page = text(client.get(url))

    assert set(boxes(page)) == {"email", "sms", "night.sms", "kakao", "night.kakao", "topic.news", "topic.sales"}
    assert "야간 수신 동의 (21:00~08:00)" in page
    assert '<html lang="ko">' in page
    assert "소식" in page


def test_it_is_the_readers_law_that_counts_not_the_language(client, url, message):
    Contact.objects.filter(pk=message.contact_id).update(country="KR")

    page = text(client.get(url))

    assert "At night too, from 21:00 to 08:00" in page
    assert "night.email" not in boxes(page)


def test_consent_for_the_night_is_one_of_its_own(client, url, message, korean):
    contacts.set_consent(message.contact_id, channel="sms", is_granted=True, source="test")

    done = text(client.post(url, form(text(client.get(url)), tick=("night.sms",))))

    reach = contacts.reach([message.contact_id], channel="sms")[message.contact_id]
    assert reach.has_night_consent
    line = ConsentEvent.objects.get(source="preference_centre")
    assert (line.purpose, line.channel, line.is_granted) == ("night", "sms", True)
    assert re.search(r"\d{4}년 \d{1,2}월 \d{1,2}일에 The Shop에서 아래와 같이 처리", done)
    assert "문자 메시지: 야간 광고성 문자 메시지 수신에 동의하셨습니다." in done


def test_who_leaves_a_channel_leaves_its_night_too(client, url, message, korean):
    client.post(url, form(text(client.get(url)), tick=("sms", "night.sms")))

    client.post(url, form(text(client.get(url)), clear=("sms",)))

    row = Consent.objects.get(channel="sms")
    assert (row.is_granted, row.is_night_granted) == (False, False)
    assert not boxes(text(client.get(url)))["night.sms"]


def test_the_night_alone_is_nothing(client, url, korean, agreed):
    done = text(client.post(url, form(text(client.get(url)), tick=("night.sms",))))

    assert "변경된 내용이 없습니다" in done
    assert agreed() == {"email": True}


def test_a_purchase_that_stands_for_consent_is_not_made_consent_by_saving(client, url, message):
    """A box that was ticked already is no consent (Planet49, C-673/17)."""
    Consent.objects.filter(channel="email").update(basis="soft_opt_in")

    client.post(url, form(text(client.get(url)), clear=("topic.news",)))

    assert Consent.objects.get(channel="email").basis == "soft_opt_in"


@pytest.mark.parametrize(
    ("language", "header", "expected"),
    [
        ("ko", "en", "수신 설정"),
        ("en", "ko", "Your preferences"),
        ("fr", "de;q=0.9, ko-KR, en;q=0.8", "수신 설정"),
        ("", "ko;q=0.5, en", "Your preferences"),
        ("", "x" * 5_000, "Your preferences"),
        ("", ";;q=,*", "Your preferences"),
    ],
)
def test_the_page_speaks_the_language_of_the_message_else_the_browsers(
    client, url, message, language, header, expected
):
    Message.objects.filter(pk=message.pk).update(language=language)

    page = text(client.get(url, HTTP_ACCEPT_LANGUAGE=header))

    assert f"<h1>{expected}</h1>" in page


@pytest.mark.parametrize("forge", ["unsubscribe", "open"])
def test_a_forged_token_is_not_found_and_leaves_no_trace(client, links, message, agreed, forge):
    other = {"unsubscribe": links.unsubscribe_url, "open": links.open_url.replace(".gif", "/")}[forge]
    wrong = [other.replace(f"/{forge}/", "/preferences/"), links.preferences_url[:-3] + "/", "/crm/preferences/x/"]

    answers = [client.post(path, {"everything": "1"}).status_code for path in wrong]

    assert answers == [404] * 3
    assert agreed() == {"email": True}


def test_erased_people_and_messages_that_are_gone_have_a_page_that_names_nobody(client, url, message):
    contacts.erase([message.contact_id])
    answers = [client.get(url), client.post(url, {"everything": "1"})]
    Message.objects.all().delete()
    answers += [client.get(url), client.post(url, {"everything": "1"})]

    assert {answer.status_code for answer in answers} == {200}
    for answer in answers:
        assert "There is nothing to choose here any more." in text(answer)
        assert "<form" not in text(answer)
    assert not ConsentEvent.objects.exists()


def test_somebody_whom_nothing_reaches_can_still_refuse_everything(client, url, message, agreed):
    Contact.objects.filter(pk=message.contact_id).update(email=None, phone="")
    Consent.objects.all().delete()

    page = text(client.get(url))
    client.post(url, {"everything": "1"})

    assert set(boxes(page)) == {"topic.news", "topic.sales"}
    assert not any(agreed().values())


def test_nobody_elses_choices_are_touched(client, url, queue, make_contact, message):
    other = make_contact("other@example.com")
    elsewhere = Links(queue(other).public_id, public_url="/crm/", found=Found())

    client.post(elsewhere.preferences_url, {"everything": "1"})

    assert not contacts.reach([other.pk], channel="email")[other.pk].has_consent
    assert contacts.reach([message.contact_id], channel="email")[message.contact_id].has_consent


def test_a_huge_body_is_refused_and_changes_nothing(client, url, agreed):
    answer = client.post(url, data="was=email&x=" + "x" * FORM_BYTES, content_type=FORM)

    assert answer.status_code == 413
    assert agreed() == {"email": True}


def test_a_form_of_all_topics_that_there_can_be_is_not_too_long(client, url, message):
    for number in range(48):
        contacts.save_topic(f"topic-{number:02}-".ljust(40, "x"), names={"en": f"Topic {number}"})
    page = text(client.get(url))

    sent = form(page)
    answer = client.post(url, {"on": [], "was": sent["was"], "x": sent["was"]})

    assert answer.status_code == 200
    assert RefusedTopic.objects.count() == 50


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("x", "multipart/form-data"),
        ("x", "multipart/form-data; boundary=\xff"),
        ("was=email&" + "x&" * 2_000, FORM),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_and_changes_nothing(client, url, agreed, body, kind):
    assert client.post(url, data=body, content_type=kind).status_code == 400
    assert agreed() == {"email": True}


def test_who_changes_their_mind_too_often_can_still_refuse(client, url, agreed):
    answers = [client.post(url, {"on": "email"}).status_code for _turn in range(MOST_SAVES)]

    refused = client.post(url, {"on": "sms", "was": "email"})
    after_refusal = agreed()
    left = client.post(url, {"was": "email"})

    assert set(answers) == {200}
    assert (refused.status_code, refused["Retry-After"]) == (429, "3600")
    assert (after_refusal, left.status_code, agreed()) == ({"email": True}, 200, {"email": False})


def test_a_cache_that_is_away_keeps_nobody_from_choosing(client, url, agreed, settings):
    settings.CACHES = {"default": {"BACKEND": "tests.http.broken_cache.Broken"}}

    client.post(url, {"on": "sms"})

    assert agreed() == {"email": True, "sms": True}


@pytest.mark.parametrize("method", ["put", "patch", "delete", "options"])
def test_other_methods_are_refused(client, url, agreed, method):
    assert getattr(client, method)(url).status_code == 405
    assert agreed() == {"email": True}


def test_the_page_loads_nothing_but_the_logo_and_escapes_the_merchants_words(client, url, us):
    us.sender_name = us.consent_text = us.brand_footer = "<script>alert(1)</script>{{ words }}"
    us.logo_url = "https://cdn.shop.example:8443/logo.png?a=1&b=2"
    us.save()
    contacts.save_topic("news", names={"en": "<b>News"})

    answer = client.get(url)

    page = text(answer)
    assert "<script" not in page
    assert "<b>" not in page
    assert re.findall(r'(?:src|href)="([^"]*)"', page) == ["https://cdn.shop.example:8443/logo.png?a=1&amp;b=2"]
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert policy.endswith("img-src https://cdn.shop.example:8443")
    assert (answer["Referrer-Policy"], answer["Cache-Control"]) == ("no-referrer", "no-store, private")


def test_only_the_dashboard_may_show_the_page_in_a_frame(client, url, fake_shop):
    nobody = client.get(url)["Content-Security-Policy"]
    fake_shop.dashboard_origins = ("https://dashboard.shop.example", "http://127.0.0.1:9000")

    dashboard = client.get(url)["Content-Security-Policy"]

    assert "frame-ancestors 'none'" in nobody
    assert "frame-ancestors https://dashboard.shop.example http://127.0.0.1:9000" in dashboard


@pytest.mark.parametrize(
    "logo",
    ["", "javascript:alert(1)", "https://a.example;script-src *", "https://[", "https://a.example:99999999/", "//x/y"],
)
def test_a_logo_that_cannot_stand_in_the_policy_is_left_out(client, url, us, logo):
    us.logo_url = logo
    us.save()

    answer = client.get(url)

    assert "<img" not in text(answer)
    assert "img-src" not in answer["Content-Security-Policy"]


def test_saving_takes_as_many_queries_however_many_topics_there_are(client, url, django_assert_max_num_queries):
    sent = form(text(client.get(url)), tick=("sms",), clear=("email",))
    for number in range(20):
        contacts.save_topic(f"t{number}", names={"en": f"T{number}"})

    with django_assert_max_num_queries(80):
        client.post(url, sent)


@pytest.mark.feature(68)
def test_the_ways_out_are_no_clicks(client, url, links):
    for path in (url, links.unsubscribe_url):
        client.get(path)
        client.post(path)

    assert not Inbox.objects.exists()
