"""The link of a double opt-in, and the sign-up form that asks for it: nothing is granted but by the button."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from crm_plugin import clock, contacts, messaging
from crm_plugin.contacts import Contact
from crm_plugin.http.wording import wording
from crm_plugin.merchant import Merchant
from crm_plugin.models import Consent, ConsentEvent, ConsentNotice, Message
from tests.http.collecting import CHROME, ORIGIN

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def careful(us: Merchant) -> Merchant:
    """A merchant with double opt-in."""
    us.is_double_opt_in = True
    us.save()
    return us


@pytest.fixture
def bob(careful: Merchant, make_contact: Callable[..., Contact]) -> Contact:
    """Somebody who asked for advertisements at noon, in a form that anybody could have filled in."""
    row = make_contact("bob@example.com", agrees=False)
    with clock.travel(to=NOON):
        contacts.set_consent(
            row.pk,
            channel="email",
            is_granted=True,
            source="footer_form",
            text_version="v3",
            evidence={"origin": ORIGIN},
            needs_confirmation=True,
        )
    return row


def url() -> str:
    """The address in the mail that bob got, below the address at which the test project mounts it."""
    return "/crm/" + messaging.confirmation_path(ConsentEvent.objects.get(purpose="confirmation").pk)


def agrees(contact: Contact) -> bool:
    return contacts.reach([contact.pk], channel="email")[contact.pk].has_consent


@pytest.mark.parametrize("method", ["get", "head"])
def test_reading_the_page_changes_nothing(client: Client, bob: Contact, method: str) -> None:
    with clock.travel(to=NOON):
        answer = getattr(client, method)(url())

    assert answer.status_code == 200
    assert not agrees(bob)
    assert ConsentEvent.objects.count() == 1


def test_eu_gdpr_the_button_grants_the_consent_with_its_proof_without_a_cookie(bob: Contact) -> None:
    """EU GDPR: demonstrable consent."""
    stranger = Client(enforce_csrf_checks=True, headers={"User-Agent": CHROME})
    with clock.travel(to=NOON + timedelta(days=7)):
        page = stranger.get(url()).content.decode()
        answer = stranger.post(url())

    assert re.search(r'<form method="post" action="\?">', page)
    assert (answer.status_code, answer.cookies) == (200, {})
    assert "Thank you" in answer.content.decode()
    assert agrees(bob)
    event = ConsentEvent.objects.get(purpose="marketing")
    assert (event.is_granted, event.source, event.text_version) == (True, "footer_form", "v3")
    assert event.evidence == {
        "origin": ORIGIN,
        "confirmed_by": "link",
        "browser": "Chrome",
        "asked": ConsentEvent.objects.get(purpose="confirmation").pk,
        "asked_at": NOON.isoformat(),
    }
    assert ConsentNotice.objects.filter(event=event).exists()


def test_confirming_twice_is_fine_and_logged_once(client: Client, bob: Contact) -> None:
    with clock.travel(to=NOON):
        pages = [client.post(url()).content.decode() for _ in range(2)]

    assert all("Thank you" in page for page in pages)
    assert ConsentEvent.objects.filter(purpose="marketing").count() == 1


def test_a_link_that_is_older_than_a_week_grants_nothing(client: Client, bob: Contact) -> None:
    with clock.travel(to=NOON + timedelta(days=7, seconds=1)):
        answer = client.post(url())

    assert "expired" in answer.content.decode()
    assert "<form" not in answer.content.decode()
    assert not agrees(bob)
    assert ConsentEvent.objects.count() == 1


def test_a_refusal_takes_the_request_back_and_the_link_grants_nothing_any_more(client: Client, bob: Contact) -> None:
    address = url()
    assert contacts.set_consent(bob.pk, channel="email", is_granted=False, source="preferences")

    with clock.travel(to=NOON):
        answer = client.post(address)

    assert "nothing to confirm" in answer.content.decode()
    assert not agrees(bob)


def test_the_link_of_an_erased_person_grants_nothing(client: Client, bob: Contact) -> None:
    address = url()
    contacts.erase([bob.pk])

    answer = client.post(address)

    assert (answer.status_code, "nothing to confirm" in answer.content.decode()) == (200, True)
    assert not Consent.objects.exists()
    assert not ConsentEvent.objects.exists()


@pytest.mark.parametrize("token", ["1", "1:forged", "x" * 500])
def test_a_forged_link_is_not_found(client: Client, bob: Contact, token: str) -> None:
    assert client.post(f"/crm/confirm/{token}/").status_code == 404
    assert not agrees(bob)


def test_the_page_speaks_the_readers_language_and_names_the_merchant(client: Client, bob: Contact) -> None:
    Contact.objects.filter(pk=bob.pk).update(language="ko")
    with clock.travel(to=NOON):
        page = client.get(url()).content.decode()

    assert '<html lang="ko">' in page
    assert "The Shop의" in page
    assert wording("ko").confirming.ask.button in page


def sign_up(body: Any, **headers: Any) -> Any:
    """What the storefront's form sends."""
    meta = {"HTTP_ORIGIN": ORIGIN, "HTTP_USER_AGENT": CHROME, "CONTENT_TYPE": "application/json", **headers}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Client().generic("POST", "/crm/subscribe/", content, **meta)


def test_the_form_of_the_storefront_asks_and_grants_nothing(careful: Merchant) -> None:
    answer = sign_up({"email": "New@Example.com", "form": "footer_form", "text_version": "v3"})

    event = ConsentEvent.objects.get()
    assert (answer.status_code, answer.content) == (202, b"")
    assert (event.purpose, event.source, event.text_version) == ("confirmation", "footer_form", "v3")
    assert event.contact.email == "new@example.com"
    assert not Consent.objects.get().is_granted


def test_the_form_says_the_same_of_somebody_who_agreed_long_ago_and_sends_nothing(
    careful: Merchant, make_contact: Callable[..., Contact]
) -> None:
    known = make_contact("known@example.com")
    answer = sign_up({"email": "known@example.com"})

    assert (answer.status_code, answer.content) == (202, b"")
    assert agrees(known)
    assert not ConsentEvent.objects.filter(purpose="confirmation").exists()


def test_the_form_of_somebody_else_again_and_again_sends_one_mail_a_day(careful: Merchant) -> None:
    with clock.travel(to=NOON):
        for minute in range(3):
            clock_answer = sign_up({"email": "victim@example.com"}, REMOTE_ADDR=f"10.0.0.{minute}")
            assert clock_answer.status_code == 202
        messaging.uphold_consents(100)

    assert Message.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "status", "headers"),
    [
        (b"{", 400, {}),
        ({"email": "nobody"}, 422, {}),
        ({"email": "a@example.com", "more": 1}, 422, {}),
        ({"email": "a@example.com", "form": "<b>"}, 422, {}),
        ({"email": "a@example.com"}, 403, {"HTTP_ORIGIN": "https://evil.example"}),
        ({"email": "a@example.com"}, 415, {"CONTENT_TYPE": "application/x-www-form-urlencoded"}),
        ({"email": "a@example.com", "text_version": "x" * 5_000}, 413, {}),
    ],
)
def test_what_the_form_does_not_send_leaves_no_trace(
    careful: Merchant, body: Any, status: int, headers: dict[str, str]
) -> None:
    assert sign_up(body, **headers).status_code == status
    assert not Contact.objects.exists()
    assert not ConsentEvent.objects.exists()


def test_a_robot_signs_nobody_up(careful: Merchant) -> None:
    assert sign_up({"email": "a@example.com"}, HTTP_USER_AGENT="curl/8").status_code == 202
    assert not Contact.objects.exists()


def test_without_double_opt_in_nobody_signs_anybody_up(us: Merchant) -> None:
    assert sign_up({"email": "a@example.com"}).status_code == 404
    assert not Contact.objects.exists()
