"""Clicks and openings."""

from __future__ import annotations

import pytest
from django.urls import resolve, reverse

from crm_plugin import contacts, messaging
from crm_plugin.messaging.tracking import MAX_URL, Links, store_links
from crm_plugin.models import Inbox
from tests.http.conftest import URL

pytestmark = pytest.mark.django_db


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
    made = Links(message.public_id, public_url="/crm/", found=(found := {}))
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


def test_addresses_in_mails_are_those_of_the_urlconf(links):
    for url, name in ((links.track(URL), "click"), (links.open_url, "open"), (links.unsubscribe_url, "unsubscribe")):
        match = resolve(url)
        assert match.view_name == f"crm:{name}"
        assert reverse(match.view_name, kwargs=match.kwargs) == url
