"""The way out: by page and by one click, without login, cookie or second question."""

from __future__ import annotations

import re
from urllib.parse import urljoin

import pytest
from django.test import Client

from crm_plugin import contacts
from crm_plugin.contacts import Contact
from crm_plugin.messaging.tracking import Found, Links
from crm_plugin.models import ConsentEvent, Message

pytestmark = pytest.mark.django_db

ONE_CLICK = {"data": "List-Unsubscribe=One-Click", "content_type": "application/x-www-form-urlencoded"}


def agrees(contact: Contact | int) -> bool:
    pk = contact if isinstance(contact, int) else contact.pk
    return contacts.reach([pk], channel="email")[pk].has_consent


@pytest.mark.parametrize("method", ["get", "head"])
def test_reading_the_page_changes_nothing(client, links, message, method):
    answer = getattr(client, method)(links.unsubscribe_url)

    assert answer.status_code == 200
    assert agrees(message.contact_id)
    assert ConsentEvent.objects.filter(is_granted=False).count() == 0


def test_one_click_withdraws_the_consent_without_a_cookie_or_a_csrf_token(links, message):
    stranger = Client(enforce_csrf_checks=True)

    answer = stranger.post(links.unsubscribe_url, **ONE_CLICK)

    assert (answer.status_code, answer.cookies) == (200, {})
    assert not agrees(message.contact_id)
    event = ConsentEvent.objects.get(is_granted=False)
    assert (event.channel, event.source) == ("email", "unsubscribe_link")
    assert event.evidence == {"message": str(message.public_id), "via": "one_click"}


def test_the_button_on_the_page_does_the_same(client, links, message):
    page = client.get(links.unsubscribe_url).content.decode()
    (action,) = re.findall(r'<form method="post" action="([^"]*)">', page)

    answer = client.post(links.unsubscribe_url + action)

    assert answer.status_code == 200
    assert "You are unsubscribed" in answer.content.decode()
    assert not agrees(message.contact_id)
    assert ConsentEvent.objects.get(is_granted=False).evidence["via"] == "page"


def test_doing_it_twice_is_fine_and_logged_once(client, links):
    answers = [client.post(links.unsubscribe_url, **ONE_CLICK).status_code for _ in range(2)]

    assert answers == [200, 200]
    assert ConsentEvent.objects.filter(is_granted=False).count() == 1


def test_an_erased_person_and_a_message_that_is_gone_are_fine(client, links, message):
    contacts.erase([message.contact_id])
    assert client.get(links.unsubscribe_url).status_code == 200
    assert client.post(links.unsubscribe_url, **ONE_CLICK).status_code == 200

    Message.objects.all().delete()

    assert client.post(links.unsubscribe_url, **ONE_CLICK).status_code == 200
    assert not ConsentEvent.objects.filter(is_granted=False).exists()


def test_a_huge_body_is_refused_and_changes_nothing(client, links, message):
    answer = client.post(links.unsubscribe_url, data="x" * 5_000, content_type="text/plain")

    assert answer.status_code == 413
    assert agrees(message.contact_id)


@pytest.mark.parametrize("length", ["-1", "many", "\xb2", "9" * 5_000])
def test_a_length_that_is_none_is_refused(client, links, message, length):
    assert client.post(links.unsubscribe_url, CONTENT_LENGTH=length).status_code == 413
    assert agrees(message.contact_id)


@pytest.mark.parametrize(
    ("language", "expected"), [("ko", "수신거부"), ("ko-KR", "수신거부"), ("en", "Unsubscribe"), ("fr", "Unsubscribe")]
)
def test_the_page_speaks_the_language_of_the_message(client, links, message, language, expected):
    Message.objects.filter(pk=message.pk).update(language=language)

    answer = client.get(links.unsubscribe_url)

    page = answer.content.decode()
    assert f"<h1>{expected}</h1>" in page
    assert f'<html lang="{"ko" if expected == "수신거부" else "en"}">' in page
    assert "The Shop" in page
    assert "1 Street, Town" in page


def test_the_result_names_sender_matter_and_date(client, links, message):
    Message.objects.filter(pk=message.pk).update(language="ko")

    page = client.post(links.unsubscribe_url).content.decode()

    assert re.search(r"\d{4}년 \d{1,2}월 \d{1,2}일.*The Shop의 광고성 이메일 수신 동의가 철회", page)


def test_the_page_loads_nothing_from_elsewhere_and_escapes_the_merchants_words(client, links, us):
    us.sender_name = "<script>alert(1)</script>"
    us.save()

    answer = client.get(links.unsubscribe_url)

    page = answer.content.decode()
    assert "<script" not in page
    assert not re.search(r'(src|href)="(?!\.\./\.\./preferences/)', page)
    assert "default-src 'none'" in answer["Content-Security-Policy"]


def test_another_persons_token_is_not_touched(client, links, queue, make_contact):
    other = make_contact("other@example.com")
    elsewhere = Links(queue(other).public_id, public_url="/crm/", found=Found())

    client.post(elsewhere.unsubscribe_url, **ONE_CLICK)

    assert not agrees(other)
    assert agrees(contacts.find(email="ann@example.com"))


def test_both_pages_lead_to_the_preference_centre(client, links):
    for page in (client.get(links.unsubscribe_url), client.post(links.unsubscribe_url)):
        (path,) = re.findall(r'href="([^"]*)"', page.content.decode())

        assert urljoin(links.unsubscribe_url, path) == links.preferences_url
        assert client.get(urljoin(links.unsubscribe_url, path)).status_code == 200


def test_only_the_channel_of_the_message_is_left(client, links, message):
    contacts.set_consent(message.contact_id, channel="sms", is_granted=True, source="test")
    Message.objects.filter(pk=message.pk).update(channel="sms")

    asked, done = (getattr(client, how)(links.unsubscribe_url).content.decode() for how in ("get", "post"))

    assert agrees(message.contact_id)
    assert not contacts.reach([message.contact_id], channel="sms")[message.contact_id].has_consent
    assert "Do you want to stop receiving advertising text messages from The Shop?" in asked
    assert re.search(r"On \w+ \d+, \d{4} we recorded that you no longer agree to advertising text messages", done)


def test_the_second_button_leaves_every_channel(client, links, message):
    contacts.set_consent(message.contact_id, channel="sms", is_granted=True, source="test")

    done = client.post(links.unsubscribe_url + "?via=page", {"everything": "1"}).content.decode()

    standing = contacts.standing(message.contact_id)
    assert not any(state.is_granted for state in standing.consents.values())
    assert len(standing.consents) == len(contacts.ChannelKind)
    assert "you no longer agree to advertising on any channel from The Shop" in done
    lines = ConsentEvent.objects.filter(source="unsubscribe_link")
    assert [line.evidence for line in lines] == [{"message": str(message.public_id), "via": "page"}] * len(lines)


def test_one_click_never_leaves_more_than_the_mail(client, links, message):
    contacts.set_consent(message.contact_id, channel="sms", is_granted=True, source="test")

    client.post(links.unsubscribe_url, {"everything": "1", "List-Unsubscribe": "One-Click"})

    assert not agrees(message.contact_id)
    assert contacts.reach([message.contact_id], channel="sms")[message.contact_id].has_consent


def test_the_page_of_somebody_who_is_gone_leads_nowhere(client, links, message):
    contacts.erase([message.contact_id])

    assert "href=" not in client.get(links.unsubscribe_url).content.decode()


@pytest.mark.parametrize("via", ["", "?via=page"])
def test_a_body_that_cannot_be_read_keeps_nobody(client, links, message, via):
    answer = client.post(links.unsubscribe_url + via, data="x", content_type="multipart/form-data")

    assert answer.status_code == 200
    assert not agrees(message.contact_id)
