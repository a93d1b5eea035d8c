"""Customers register their own devices by the API."""

from __future__ import annotations

from typing import Any

import pytest

from crm_plugin import contacts
from crm_plugin.contacts import Endpoint, Person
from crm_plugin.models import Consent, ConsentEvent
from tests.fake_shop import FakeShop
from tests.graphql.conftest import APP, CUSTOMER, NOBODY, Ask
from tests.messaging.push_server import Browser

pytestmark = pytest.mark.django_db

REGISTER = """mutation($input: CrmDeviceInput!) { crmDeviceRegister(input: $input) {
  isRegistered errors { field code } } }"""
FORGET = """mutation($channel: CrmChannel!, $address: String!) { crmDeviceForget(channel: $channel, address: $address) {
  isForgotten errors { field code } } }"""
TOKEN = "cXy:APA91b-token_of_a_phone"
BROWSER = Browser("https://fcm.googleapis.com/fcm/send/browser")
APP_INPUT = {"channel": "APP_PUSH", "address": TOKEN}
WEB_INPUT = {"channel": "WEB_PUSH", "address": BROWSER.address, **BROWSER.keys}


@pytest.fixture(autouse=True)
def _customer(shop: FakeShop) -> None:
    shop.add_customer(customer_id=CUSTOMER.customer_id, email=CUSTOMER.email)


@pytest.mark.parametrize(
    ("given", "address", "keys"), [(APP_INPUT, TOKEN, {}), (WEB_INPUT, BROWSER.address, BROWSER.keys)]
)
def test_a_device_is_the_callers(ask: Ask, given: Any, address: str, keys: Any) -> None:
    answer = ask(REGISTER, caller=CUSTOMER, input=given | {"language": "ko"})

    (device,) = Endpoint.objects.all()
    assert answer.data["crmDeviceRegister"] == {"isRegistered": True, "errors": []}
    assert (device.contact.customer_id, device.address, device.keys, device.language) == ("7", address, keys, "ko")
    assert not Consent.objects.exists()


@pytest.mark.parametrize("is_granted", [True, False])
def test_what_the_person_said_to_the_app_is_kept(ask: Ask, *, is_granted: bool) -> None:
    ask(REGISTER, caller=CUSTOMER, input=APP_INPUT | {"isGranted": is_granted, "textVersion": "3"})

    (line,) = ConsentEvent.objects.all()
    assert (line.channel, line.is_granted, line.source, line.text_version) == ("app_push", is_granted, "app", "3")
    assert Endpoint.objects.count() == 1


def test_who_signs_in_on_a_phone_has_it_from_then_on(ask: Ask) -> None:
    other = contacts.get_or_create(Person("8", "bob@example.com"))
    contacts.add_endpoint(other.pk, channel="app_push", address=TOKEN)

    ask(REGISTER, caller=CUSTOMER, input=APP_INPUT)

    assert Endpoint.objects.get().contact.customer_id == "7"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"channel": "EMAIL", "address": TOKEN}, "channel"),
        ({"channel": "INBOX", "address": TOKEN}, "channel"),
        ({"channel": "APP_PUSH", "address": ""}, "address"),
        ({"channel": "APP_PUSH", "address": "with space"}, "address"),
        ({"channel": "WEB_PUSH", "address": BROWSER.address}, "p256dh"),
        (WEB_INPUT | {"auth": "x"}, "auth"),
        (WEB_INPUT | {"address": "https://10.0.0.1/push"}, "address"),
        (WEB_INPUT | {"address": "http://fcm.googleapis.com/x"}, "address"),
        (WEB_INPUT | {"address": "https://evil.example/x"}, "address"),
    ],
)
def test_what_is_no_device_is_refused(ask: Ask, given: Any, field: str) -> None:
    answer = ask(REGISTER, caller=CUSTOMER, input=given | {"isGranted": True})

    assert answer.data["crmDeviceRegister"] == {"isRegistered": None, "errors": [{"field": field, "code": "INVALID"}]}
    assert not Endpoint.objects.exists()
    assert not ConsentEvent.objects.exists()


def test_a_device_is_forgotten_by_its_owner_and_consent_stays(ask: Ask) -> None:
    ask(REGISTER, caller=CUSTOMER, input=APP_INPUT | {"isGranted": True})

    answers = [ask(FORGET, caller=CUSTOMER, channel="APP_PUSH", address=TOKEN) for _turn in range(2)]

    assert [one.data["crmDeviceForget"] for one in answers] == [
        {"isForgotten": True, "errors": []},
        {"isForgotten": False, "errors": []},
    ]
    assert not Endpoint.objects.exists()
    assert Consent.objects.get().is_granted


def test_the_device_of_another_stays(ask: Ask) -> None:
    other = contacts.get_or_create(Person("8", "bob@example.com"))
    contacts.add_endpoint(other.pk, channel="app_push", address=TOKEN)
    contacts.get_or_create(Person("7", "ann@example.com"))

    answer = ask(FORGET, caller=CUSTOMER, channel="APP_PUSH", address=TOKEN)

    assert answer.data["crmDeviceForget"]["isForgotten"] is False
    assert Endpoint.objects.get().contact_id == other.pk


@pytest.mark.parametrize("caller", [NOBODY, APP])
def test_who_is_no_customer_registers_nothing(ask: Ask, caller: Any) -> None:
    answer = ask(REGISTER, caller=caller, input=APP_INPUT)

    assert answer.codes == ["PermissionDenied"]
    assert not Endpoint.objects.exists()
