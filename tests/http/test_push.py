"""Web push in the storefront: who may subscribe, what is kept of it, and the service worker."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest
from django.db import connection, transaction
from django.test import Client

from crm_plugin import contacts, messaging
from crm_plugin.contacts import Endpoint, Person
from crm_plugin.models import Consent, ConsentEvent, Contact, Failure, Visitor
from tests.http.collecting import CHROME, ORIGIN, VISITOR
from tests.messaging.push_server import Browser

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_shop")]

KEY, SUBSCRIBE, UNSUBSCRIBE, WORKER = (
    "/crm/push/key/",
    "/crm/push/subscribe/",
    "/crm/push/unsubscribe/",
    "/crm/crm-sw.js",
)
ADDRESS = "https://fcm.googleapis.com/fcm/send/browser-of-ann"
BROWSER = Browser(ADDRESS)


def post(url, body, *, content_type="text/plain", **headers):
    """Send a body as the storefront's script does; a header that is None is left out."""
    meta = {"HTTP_ORIGIN": ORIGIN, "HTTP_USER_AGENT": CHROME, "CONTENT_TYPE": content_type, **headers}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    told = {name: value for name, value in meta.items() if value is not None}
    return Client().generic("POST", url, content, **told)


def wish(browser=BROWSER, **changes):
    """What the script sends."""
    return {"visitor": VISITOR, "subscription": browser.subscription, "language": "en", "text_version": ""} | changes


def consents():
    return list(Consent.objects.values_list("channel", "is_granted"))


# Subscribing


def test_a_nameless_visitor_subscribes_and_the_consent_is_proven():
    answer = post(SUBSCRIBE, wish(text_version="2026-01"))

    (device,), (line,) = Endpoint.objects.all(), ConsentEvent.objects.all()
    assert (answer.status_code, answer.content) == (202, b"")
    assert answer["Access-Control-Allow-Origin"] == ORIGIN
    assert "Origin" in answer["Vary"]
    assert (device.channel, device.address, device.keys, device.language) == ("web_push", ADDRESS, BROWSER.keys, "en")
    assert device.contact_id == Visitor.objects.get(pk=VISITOR).contact_id == line.contact_id
    assert (line.channel, line.is_granted, line.source, line.text_version) == ("web_push", True, "browser", "2026-01")
    assert (line.evidence["origin"], line.evidence["browser"]) == (ORIGIN, "Chrome")
    assert consents() == [("web_push", True)]


def test_in_the_browser_of_a_known_person_it_is_theirs():
    ann = contacts.get_or_create(Person("7", "ann@example.com"))
    Visitor.objects.create(visitor_id=VISITOR, contact=ann, created_at=ann.created_at, known_at=ann.created_at)

    post(SUBSCRIBE, wish())

    assert Endpoint.objects.get().contact_id == ann.pk
    assert contacts.reach([ann.pk], channel="web_push")[ann.pk].has_consent
    assert Contact.objects.count() == 1


def test_whoever_the_visitor_turns_out_to_be_has_the_device_and_the_consent():
    post(SUBSCRIBE, wish())
    ann = contacts.get_or_create(Person("7", "ann@example.com"))

    with transaction.atomic():
        at = ann.created_at
        found = contacts.resolve([Person("7", "ann@example.com", VISITOR, at, at)], seen_before=at)
        for merge in found.merges:
            contacts.absorb(merge)

    reached = contacts.reach([ann.pk], channel="web_push")[ann.pk]
    assert (reached.has_consent, [one.address for one in reached.endpoints]) == (True, [ADDRESS])


def test_subscribing_again_changes_the_keys_and_logs_nothing_twice():
    post(SUBSCRIBE, wish())
    anew = Browser(ADDRESS, b"another secret..")

    answer = post(SUBSCRIBE, wish(anew))

    assert answer.status_code == 202
    assert Endpoint.objects.get().keys == anew.keys
    assert ConsentEvent.objects.count() == 1


def test_a_body_of_json_is_taken_as_well():
    assert post(SUBSCRIBE, wish(), content_type="application/json").status_code == 202
    assert Endpoint.objects.exists()


# Unsubscribing


def test_the_last_device_that_is_unsubscribed_withdraws_the_consent():
    other = Browser(ADDRESS + "-2")
    post(SUBSCRIBE, wish())
    post(SUBSCRIBE, wish(other))

    first = post(UNSUBSCRIBE, {"endpoint": ADDRESS})
    between = consents()
    second = post(UNSUBSCRIBE, {"endpoint": other.address})

    assert (first.status_code, second.status_code) == (202, 202)
    assert between == [("web_push", True)]
    assert consents() == [("web_push", False)]
    assert not Endpoint.objects.exists()
    last = ConsentEvent.objects.latest("pk")
    assert (last.is_granted, last.source) == (False, "browser")


def test_what_nobody_knows_is_answered_alike_and_changes_nothing():
    post(SUBSCRIBE, wish())

    answer = post(UNSUBSCRIBE, {"endpoint": ADDRESS + "-of-nobody"})

    assert (answer.status_code, answer.content) == (202, b"")
    assert (Endpoint.objects.count(), consents()) == (1, [("web_push", True)])


# What is refused


@pytest.fixture
def nothing_kept():
    yield
    for model in (Endpoint, Consent, ConsentEvent, Contact, Visitor, Failure):
        assert not model.objects.exists()


@pytest.mark.usefixtures("nothing_kept")
@pytest.mark.parametrize("origin", [None, "null", "https://evil.example", "http://shop.example", ORIGIN + ".evil"])
@pytest.mark.parametrize("url", [SUBSCRIBE, UNSUBSCRIBE])
def test_other_origins_may_not(url, origin):
    answer = post(url, wish(), HTTP_ORIGIN=origin)

    assert answer.status_code == 403
    assert "Access-Control-Allow-Origin" not in answer


@pytest.mark.usefixtures("nothing_kept")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"visitor": ""}, "visitor"),
        ({"visitor": "short"}, "visitor"),
        ({"visitor": "x" * 23}, "visitor"),
        ({"visitor": 7}, "visitor"),
        ({"visitor": None}, "visitor"),
        ({"subscription": None}, "subscription"),
        ({"subscription": {}}, "subscription.endpoint"),
        ({"subscription": {"endpoint": ADDRESS}}, "subscription.keys"),
        ({"subscription": BROWSER.subscription | {"keys": {}}}, "subscription.keys.p256dh"),
        ({"subscription": Browser("https://169.254.169.254/latest").subscription}, "subscription.endpoint"),
        ({"subscription": Browser("https://localhost/x").subscription}, "subscription.endpoint"),
        ({"subscription": Browser("http://fcm.googleapis.com/x").subscription}, "subscription.endpoint"),
        ({"subscription": Browser("https://evil.example/x").subscription}, "subscription.endpoint"),
        ({"subscription": Browser("javascript:alert(1)").subscription}, "subscription.endpoint"),
        ({"language": "x" * 13}, "language"),
        ({"language": "en; DROP"}, "language"),
        ({"text_version": "x" * 65}, "text_version"),
        ({"text_version": "\x00"}, "text_version"),
        ({"contact_id": 1}, "contact_id"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_kept(changes, field):
    answer = post(SUBSCRIBE, wish(**changes))

    assert (answer.status_code, answer.json()["field"]) == (422, field)


@pytest.mark.usefixtures("nothing_kept")
@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 413), (b"{", 400), (b"\xff", 400), (b"[" * 5_000, 400), (b"[]", 422), (b"null", 422), (b" " * 9_000, 413)],
)
@pytest.mark.parametrize("url", [SUBSCRIBE, UNSUBSCRIBE])
def test_a_body_that_is_none_is_refused(url, body, status):
    answer = post(url, body)

    assert answer.status_code == status


@pytest.mark.usefixtures("nothing_kept")
def test_other_types_of_content_are_refused():
    assert post(SUBSCRIBE, wish(), content_type="application/x-www-form-urlencoded").status_code == 415


@pytest.mark.usefixtures("nothing_kept")
@pytest.mark.parametrize("agent", ["", "curl/8.5.0", "Mozilla/5.0 (compatible; Googlebot/2.1)"])
def test_programs_are_not_people(agent):
    assert post(SUBSCRIBE, wish(), HTTP_USER_AGENT=agent).status_code == 202


@pytest.mark.usefixtures("nothing_kept")
@pytest.mark.parametrize("url", [SUBSCRIBE, UNSUBSCRIBE, KEY, WORKER])
def test_while_the_crm_is_off_there_is_nothing_here(fake_shop, url, client):
    fake_shop.is_enabled = False

    assert (post(url, wish()).status_code, client.get(url).status_code) == (404, 404)


def test_one_address_subscribes_so_often_a_minute_and_no_more(settings):
    settings.CRM_COLLECT_EVENTS_PER_MINUTE = 25

    answers = [post(SUBSCRIBE, wish(Browser(f"{ADDRESS}-{number}"))) for number in range(3)]

    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert 0 < int(answers[2]["Retry-After"]) <= 60
    assert Endpoint.objects.count() == 2


def test_a_person_has_so_many_devices_and_the_oldest_makes_room():
    for number in range(22):
        post(SUBSCRIBE, wish(Browser(f"{ADDRESS}-{number}")))

    assert {one.address for one in Endpoint.objects.all()} == {f"{ADDRESS}-{number}" for number in range(2, 22)}


def test_browsers_ask_before_they_send_json_from_another_origin():
    answer = Client().options(SUBSCRIBE, HTTP_ORIGIN=ORIGIN)

    assert (answer.status_code, answer["Access-Control-Allow-Methods"]) == (204, "POST")
    assert answer["Access-Control-Allow-Origin"] == ORIGIN


@pytest.mark.parametrize("url", [SUBSCRIBE, UNSUBSCRIBE])
def test_nobody_reads_there(url, client):
    assert client.get(url).status_code == 405


@pytest.mark.django_db(transaction=True)
def test_when_the_database_fails_the_browser_is_to_try_again_and_nothing_is_half_kept():
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE crm_plugin_consentevent RENAME TO away")
    try:
        answer = post(SUBSCRIBE, wish())
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO crm_plugin_consentevent")

    assert (answer.status_code, answer["Retry-After"]) == (503, "30")
    assert not Endpoint.objects.exists()
    assert not Consent.objects.exists()
    assert Failure.objects.get().door == "http.push"
    assert post(SUBSCRIBE, wish()).status_code == 202


# The key and the worker


def test_the_public_key_is_told_to_pages_of_the_shop(settings, client):
    private, public = messaging.make_vapid_keys()
    settings.CRM_VAPID_PRIVATE_KEY = private

    mine, other = client.get(KEY, HTTP_ORIGIN=ORIGIN), client.get(KEY, HTTP_ORIGIN="https://evil.example")

    assert (mine.status_code, mine.json()) == (200, {"key": public})
    assert mine["Access-Control-Allow-Origin"] == ORIGIN
    assert "Access-Control-Allow-Origin" not in other
    assert private not in mine.content.decode()


def test_without_keys_there_is_no_web_push(client):
    assert client.get(KEY).status_code == 404


def test_the_worker_is_served_for_the_whole_origin(client):
    answer = client.get(WORKER)

    assert (answer.status_code, answer["Content-Type"]) == (200, "text/javascript; charset=utf-8")
    assert answer["Service-Worker-Allowed"] == "/"
    assert answer.content == (files("crm_plugin.http") / "static" / "crm-sw.js").read_bytes()
    assert client.get(WORKER, HTTP_IF_NONE_MATCH=answer["ETag"]).status_code == 304
