"""Persons, proxies and scanners are told apart; only what a person did is a fact."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client

from crm_plugin import clock, contacts
from crm_plugin.messaging.tracking import Found, Links, store_links
from crm_plugin.models import Consent, Inbox, Message
from tests.http.conftest import URL
from tests.stories import BROWSER

pytestmark = pytest.mark.django_db

OTHER = "https://shop.example/bowl"
OUTLOOK = "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.5134; Pro)"
APPLE_MAIL = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
YAHOO = "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html"
BING = "Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/534+ (KHTML, like Gecko) BingPreview/1.0b"
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
PREVIEW = "facebookexternalhit/1.1 Facebot Twitterbot/1.0"


@pytest.fixture
def pair(message):
    """The addresses of a message with two links."""
    found = Found()
    made = Links(message.public_id, public_url="/crm/", found=found)
    made.track(URL)
    made.track(OTHER)
    store_links(found)
    return made


@pytest.fixture
def sent(message):
    """Say how many seconds ago the message was handed out."""

    def call(seconds: float) -> None:
        Message.objects.update(finished_at=clock.now() - timedelta(seconds=seconds))

    return call


def get(url, agent=BROWSER):
    return Client(headers={"user-agent": agent}).get(url)


def facts():
    return list(Inbox.objects.values_list("kind", flat=True))


def is_by_machine():
    return Message.objects.get().machine_opened_at is not None


@pytest.mark.parametrize("agent", [BROWSER, OUTLOOK, APPLE_MAIL, "Outlook-iOS/709.2226530.prod.iphone (3.24.1)", ""])
def test_a_persons_mail_program_opens(pair, agent):
    assert get(pair.open_url, agent).status_code == 200

    assert facts() == ["message_opened"]
    assert not is_by_machine()


@pytest.mark.parametrize("agent", ["Mozilla/5.0", BING, GOOGLEBOT, "Barracuda Sentinel (EE)", "python-requests/2.32"])
def test_what_loads_the_picture_for_nobody_is_kept_apart(pair, agent):
    assert get(pair.open_url, agent).status_code == 200

    assert facts() == []
    assert is_by_machine()


@pytest.mark.parametrize("agent", [GMAIL, YAHOO])
@pytest.mark.parametrize(("seconds", "is_person"), [(1, False), (9, False), (11, True), (86_400, True)])
def test_a_proxy_that_loads_when_the_person_opens_is_a_machine_only_while_the_mail_comes_in(
    pair, sent, agent, seconds, is_person
):
    sent(seconds)

    get(pair.open_url, agent)

    assert (facts() == ["message_opened"], is_by_machine()) == (is_person, not is_person)


def test_a_person_who_opens_after_the_proxy_is_still_seen(pair):
    get(pair.open_url, "Mozilla/5.0")
    get(pair.open_url, BROWSER)

    assert facts() == ["message_opened"]
    assert is_by_machine()


@pytest.mark.parametrize(
    "agent", [BING, GOOGLEBOT, PREVIEW, "Mozilla/5.0 (X11) Proofpoint", "Barracuda", "curl/8.5.0", ""]
)
def test_a_scanners_click_leads_on_and_is_no_click(pair, agent):
    answer = get(pair.track(URL), agent)

    assert (answer.status_code, answer["Location"]) == (302, URL)
    assert facts() == []
    assert is_by_machine()


@pytest.mark.parametrize(("seconds", "is_person"), [(0, False), (1, False), (3, True), (3_600, True)])
def test_nobody_clicks_within_two_seconds(pair, sent, seconds, is_person):
    sent(seconds)

    get(pair.track(URL))

    assert bool(facts()) == is_person


def test_a_click_while_the_message_is_still_being_handed_out_is_a_scanners(pair, message):
    Message.objects.update(
        state="sending", finished_at=None, lease_until=clock.now() + timedelta(minutes=1), lease_token=uuid4()
    )

    assert get(pair.track(URL)).status_code == 302
    assert facts() == []


def test_the_delivery_counts_where_the_provider_tells_it(pair, message):
    Message.objects.update(delivered_at=clock.now() - timedelta(seconds=1))

    get(pair.track(URL))

    assert facts() == []


def test_of_links_that_are_tried_out_one_after_the_other_only_the_first_can_be_a_persons(pair):
    assert get(pair.track(URL)).status_code == 302
    assert get(pair.track(OTHER)).status_code == 302

    assert facts() == ["message_clicked"]
    assert is_by_machine()


def test_the_same_link_twice_is_an_impatient_person(pair):
    get(pair.track(URL))
    get(pair.track(URL))

    assert facts() == ["message_clicked"]
    assert not is_by_machine()


def test_a_person_clicks_after_a_scanner_did(pair):
    get(pair.track(URL), BING)
    get(pair.track(URL))

    assert facts() == ["message_clicked"]


@pytest.mark.parametrize("method", ["get", "head"])
def test_a_scanner_withdraws_nothing(pair, message, method):
    scanner = Client(headers={"user-agent": BING})
    for url in (pair.track(URL), pair.open_url, pair.unsubscribe_url):
        assert getattr(scanner, method)(url).status_code in (200, 302)

    assert Consent.objects.get(contact_id=message.contact_id, channel="email").is_granted


def test_an_erased_persons_message_keeps_nothing_new(pair, message):
    contacts.erase([message.contact_id])

    get(pair.open_url, "Mozilla/5.0")

    assert not is_by_machine()
