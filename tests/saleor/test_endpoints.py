"""The public endpoints below Saleor's plugin address."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from crm_plugin import activity, contacts, ids
from crm_plugin.contacts import Person
from crm_plugin.models import Activity, Consent, Message
from crm_plugin.shop import Fact, FactKind
from demo.services.mailsink import MailSink
from tests.saleor import engine
from tests.saleor.world import SaleorWorld
from tests.stories import on, running

pytestmark = [pytest.mark.saleor, pytest.mark.django_db]

HERE = "https://api.shop.example"


@pytest.fixture
def letter(world: SaleorWorld, smtp: MailSink) -> Any:
    """A mail that was really sent: a greeting to somebody who agreed to it."""
    running(on("signed_up"))
    customer_id = world.make_customer(email="ann@example.com")
    contact = contacts.get_or_create(Person(customer_id, "ann@example.com"))
    contacts.set_consent(contact.pk, channel="email", is_granted=True, source="test")
    activity.record(Fact(kind=FactKind.SIGNED_UP, source_key="c:1", customer_id=customer_id))
    engine.run()
    (found,) = smtp.letters
    return found


def _path(letter: Any) -> str:
    url = letter.message["List-Unsubscribe"].strip("<>")
    assert url.startswith(f"{HERE}/plugins/global/crm/unsubscribe/")
    return str(url.removeprefix(HERE))


def test_the_way_out_of_a_mail_is_one_post_without_cookies(letter: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    page = client.get(_path(letter))
    still_granted = Consent.objects.get().is_granted

    answer = client.post(_path(letter), "List-Unsubscribe=One-Click", content_type="application/x-www-form-urlencoded")

    assert (page.status_code, still_granted, answer.status_code) == (200, True, 200)
    assert not Consent.objects.get().is_granted


def test_an_opened_mail_is_an_activity(letter: Any) -> None:
    (path,) = [part.split('"')[0] for part in letter.html.split(HERE) if part.startswith("/plugins/global/crm/open/")]

    answer = Client().get(path)
    engine.drain()

    assert answer["Content-Type"] == "image/gif"
    assert Activity.objects.filter(kind=FactKind.MESSAGE_OPENED).count() == 1
    assert Message.objects.get().opened_at is not None


@pytest.mark.parametrize("path", ["", "nothing/", "click/forged/", "unsubscribe/forged/", "../../graphql/"])
def test_other_addresses_are_not_found(crm: Any, path: str) -> None:
    assert Client().get(f"/plugins/global/crm/{path}").status_code == 404


def test_the_older_address_of_plugins_works_as_well(letter: Any) -> None:
    assert Client().get(_path(letter).replace("/global/", "/")).status_code == 200


@pytest.mark.parametrize("prefix", ["/plugins/global/crm/", "/plugins/crm/"])
def test_while_the_plugin_is_off_nothing_is_served(letter: Any, configure: Any, prefix: str) -> None:
    path = _path(letter).replace("/plugins/global/crm/", prefix)
    configure(active=False)

    answers = [Client().get(path), Client().post(path)]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert Consent.objects.get().is_granted


def test_a_token_for_one_purpose_opens_no_other(letter: Any) -> None:
    token = _path(letter).rstrip("/").rsplit("/", 1)[1]

    assert ids.unsign("click", token) is None
    assert Client().get(f"/plugins/global/crm/click/{token}/").status_code == 404


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_are_refused_and_change_nothing(letter: Any, method: str) -> None:
    answer = Client().generic(method, _path(letter))

    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD, POST")
    assert Consent.objects.get().is_granted


@pytest.mark.parametrize(
    "address",
    [
        "/plugins/global/crm/crm/{rest}",
        "/plugins/global/crm//{rest}",
        "/plugins/channel/crm/crm/{rest}",
        "/plugins/global/crmx/{rest}",
        "/plugins/global/x/crm/{rest}",
        "/plugins/global/CRM/{rest}",
    ],
)
def test_an_address_that_only_looks_like_one_is_not_found(letter: Any, address: str) -> None:
    rest = _path(letter).removeprefix("/plugins/global/crm/")

    answers = [Client().get(address.format(rest=rest)), Client().post(address.format(rest=rest))]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert Consent.objects.get().is_granted


def test_a_prefix_with_the_plugins_name_in_it_does_no_harm(letter: Any) -> None:
    assert Client().get(_path(letter), SCRIPT_NAME="/crm-api").status_code == 200
