"""Clicks and openings."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import resolve, reverse

from crm_plugin import contacts, messaging
from crm_plugin.messaging.tracking import MAX_URL, Found, Links, store_links
from crm_plugin.models import Inbox
from tests.http.conftest import URL
from tests.stories import BROWSER

pytestmark = pytest.mark.django_db


@pytest.fixture
def client():
    """A person's browser."""
    return Client(headers={"user-agent": BROWSER})


@pytest.fixture
def short(message):
    """The address of the link as a text message has it."""
    found = Found()
    made = Links(message.public_id, public_url="/crm/", found=found, is_short=True).track(URL)
    store_links(found)
    return made


def test_a_click_is_written_down_and_goes_on_to_the_stored_url(client, links, message):
    answer = client.get(links.track(URL))

    assert (answer.status_code, answer["Location"]) == (302, URL)
    assert answer["Referrer-Policy"] == "no-referrer"
    row = Inbox.objects.get()
    assert (row.kind, row.contact_id) == ("message_clicked", message.contact_id)
    assert row.data == {"message": str(message.public_id), "url": URL}
    assert not answer.cookies


def test_the_longest_address_that_is_tracked_is_still_led_to(client, message):
    longest = "https://shop.example/?q=".ljust(MAX_URL, "x")
    made = Links(message.public_id, public_url="/crm/", found=(found := Found()))
    link = made.track(longest)
    store_links(found)

    assert client.get(link)["Location"] == longest


def test_the_same_click_again_is_written_down_once_and_still_goes_on(client, links):
    answers = [client.get(links.track(URL)) for _ in range(3)]

    assert {answer.status_code for answer in answers} == {302}
    assert Inbox.objects.count() == 1


def test_a_scanners_head_request_counts_nothing(client, links):
    assert client.head(links.track(URL)).status_code == 302
    assert client.head(links.open_url).status_code == 200

    assert not Inbox.objects.exists()


def test_an_opening_is_written_down_and_shows_a_pixel(client, links, message):
    answer = client.get(links.open_url)

    assert (answer.status_code, answer["Content-Type"]) == (200, "image/gif")
    assert answer.content.startswith(b"GIF89a")
    assert answer["Cache-Control"] == "no-store, private"
    assert Inbox.objects.values_list("kind", "contact_id").get() == ("message_opened", message.contact_id)


def test_a_short_link_leads_on_and_is_a_click_like_any_other(client, short, message):
    answer = client.get(short)

    assert (answer.status_code, answer["Location"]) == (302, URL)
    assert len(short) < 20
    row = Inbox.objects.get()
    assert (row.kind, row.contact_id) == ("message_clicked", message.contact_id)
    assert row.data == {"message": str(message.public_id), "url": URL}


@pytest.mark.feature(68)
def test_the_way_out_of_a_text_message_is_short_and_no_click(client, fake_shop, message):
    base = fake_shop.operator().public_url
    found = Found()
    made = Links(message.public_id, public_url=base, found=found, is_short=True)
    way_out = made.track(made.unsubscribe_url)
    store_links(found)

    answer = client.get(f"/crm/{way_out.removeprefix(base)}")

    assert (answer.status_code, answer["Location"]) == (302, made.unsubscribe_url)
    assert not Inbox.objects.exists()


@pytest.mark.parametrize("code", ["0000000000", "short", "x" * 12, "a%00aaaaaaaa", "가나다라마바사아자차"])
def test_a_short_link_that_nobody_made_leads_nowhere(client, short, code):
    assert client.get(f"/crm/l/{code}/").status_code == 404
    assert client.post(short).status_code == 405
    assert not Inbox.objects.exists()


@pytest.mark.parametrize("path", ["click/{}/", "open/{}.gif", "unsubscribe/{}/"])
def test_forged_tokens_are_not_found_and_leave_no_trace(client, links, path):
    click = links.track(URL).split("/")[-2]
    opened = links.open_url.split("/")[-1].removesuffix(".gif")
    tokens = {"click/{}/": opened, "open/{}.gif": click, "unsubscribe/{}/": opened}

    for token in (tokens[path], "forged", f"{click}x", "x" * 5_000):
        assert client.get(f"/crm/{path.format(token)}").status_code == 404
    assert not Inbox.objects.exists()


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_other_methods_are_refused(client, links, method):
    assert getattr(client, method)(links.track(URL)).status_code == 405
    assert not Inbox.objects.exists()


def test_an_erased_persons_click_still_leads_on_and_is_not_recorded(client, links, message):
    contacts.erase([message.contact_id])

    assert client.get(links.track(URL)).status_code == 302
    assert client.get(links.open_url).status_code == 200
    assert not Inbox.objects.exists()


def test_a_click_leads_on_when_it_cannot_be_written_down(client, links, monkeypatch):
    def fail(_public_id: object) -> None:
        raise RuntimeError("database away")

    monkeypatch.setattr(messaging, "addressee", fail)

    assert client.get(links.track(URL)).status_code == 302
    assert not Inbox.objects.exists()


def test_nothing_is_served_while_the_crm_is_switched_off(client, links, fake_shop):
    fake_shop.is_enabled = False

    for url in (links.track(URL), links.open_url, links.unsubscribe_url):
        assert client.get(url).status_code == 404
    assert client.post(links.unsubscribe_url).status_code == 404
    assert not Inbox.objects.exists()


def test_addresses_in_mails_are_those_of_the_urlconf(links, short):
    made = {"click": links.track(URL), "open": links.open_url, "unsubscribe": links.unsubscribe_url, "short": short}
    for name, url in made.items():
        match = resolve(url)
        assert match.view_name == f"crm:{name}"
        assert reverse(match.view_name, kwargs=match.kwargs) == url
