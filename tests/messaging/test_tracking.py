"""Tokens and what they stand for; openings and clicks on the message."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from crm_plugin import clock, ids, messaging
from crm_plugin.messaging import Tracked
from crm_plugin.messaging.tracking import Found, Links, store_links
from crm_plugin.models import Link
from crm_plugin.shop import FactKind

pytestmark = pytest.mark.django_db


def token(url: str) -> str:
    return url.rstrip("/").rpartition("/")[2].removesuffix(".gif")


@pytest.fixture
def links():
    found = Found()
    made = Links(uuid4(), public_url="https://shop.example/crm/", found=found)
    made.track("https://shop.example/vase")
    store_links(found)
    store_links(found)
    return made


def test_a_click_token_leads_to_its_message_and_its_stored_url(links):
    click = token(links.track("https://shop.example/vase"))

    found = messaging.read_click(click)

    assert found is not None
    assert (found[0].hex, found[1]) == (links._message, "https://shop.example/vase")
    assert Link.objects.count() == 1


def test_forged_cut_and_swapped_tokens_stand_for_nothing(links):
    click, opened, out = (
        token(url) for url in (links.track("https://shop.example/vase"), links.open_url, links.unsubscribe_url)
    )
    value, _, signature = click.partition(":")
    forged = f"{value[:-1]}{'0' if value[-1] != '0' else '1'}:{signature}"

    for bad in (forged, click[:-1], value, "", "x" * 100_000, opened, out, "a.b:c"):
        assert messaging.read_click(bad) is None
    for bad in (click, out, opened[:-1], "", "..", "x:y"):
        assert messaging.read_open(bad) is None
    for bad in (click, opened, out[:-1], ""):
        assert messaging.read_unsubscribe(bad) is None


def test_a_link_that_is_not_stored_leads_nowhere():
    signed = ids.sign("click", f"{uuid4().hex}.{'0' * 32}")

    assert messaging.read_click(signed) is None


@pytest.mark.feature(68)
@pytest.mark.parametrize("is_short", [False, True])
def test_two_people_have_two_tokens_for_one_link(is_short):
    found = Found()
    people = [Links(uuid4(), public_url="/", found=found, is_short=is_short) for _ in range(2)]

    first, second = (one.track("https://shop.example/") for one in people)

    assert first != second
    assert len(found.links) == 1
    assert len(found.codes) == (2 if is_short else 0)


def test_a_short_code_leads_to_its_message_and_its_stored_url():
    public_id, found = uuid4(), Found()
    made = Links(public_id, public_url="/crm/", found=found, is_short=True)
    code = made.track("https://shop.example/vase").split("/")[-2]
    store_links(found)

    assert messaging.read_short(code) == (public_id, "https://shop.example/vase")
    assert made.track("https://shop.example/vase").endswith(f"/l/{code}/")
    for bad in (code[:-1], code.swapcase(), f"{code}x", "", "\0" * 10, "가" * 10, "x" * 100_000):
        assert messaging.read_short(bad) is None


def test_an_address_too_long_to_redirect_to_stands_in_the_mail_as_it_is():
    found = Found()
    links = Links(uuid4(), public_url="/crm/", found=found)
    longest = "https://shop.example/?q=".ljust(2_048, "x")

    assert links.track(longest).startswith("/crm/click/")
    assert links.track(longest + "x") == longest + "x"
    assert list(found.links.values()) == [longest]


def test_the_first_opening_and_click_are_kept(queue):
    message, other = queue(), queue()
    at = clock.now()
    opened, clicked = FactKind.MESSAGE_OPENED, FactKind.MESSAGE_CLICKED

    messaging.project_tracking(
        [
            Tracked(message.public_id, opened, at + timedelta(hours=1)),
            Tracked(message.public_id, opened, at),
            Tracked(message.public_id, clicked, at + timedelta(hours=2)),
            Tracked(uuid4(), opened, at),
        ]
    )
    messaging.project_tracking([Tracked(message.public_id, clicked, at + timedelta(hours=3))])
    messaging.project_tracking([])

    message.refresh_from_db()
    other.refresh_from_db()
    assert (message.opened_at, message.clicked_at) == (at, at + timedelta(hours=2))
    assert (other.opened_at, other.clicked_at) == (None, None)
