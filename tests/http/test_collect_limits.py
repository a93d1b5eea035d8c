"""How much one client may tell, and which client it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core.cache import cache
from django.test import RequestFactory

from crm_plugin import clock
from crm_plugin.http import clients
from crm_plugin.models import Inbox
from tests.http.collecting import batch, post, view

pytestmark = pytest.mark.usefixtures("fake_shop")

NOON = datetime(2027, 5, 1, 12, tzinfo=UTC)


def tell(events: int = 10, **headers: str) -> int:
    return post(batch(*(view(number) for number in range(events))), **headers).status_code


@pytest.mark.django_db
def test_a_hundred_thousand_events_from_one_address_do_not_touch_the_database(django_assert_num_queries):
    with clock.travel(to=NOON):
        within = [tell(50) for _ in range(12)]

        with django_assert_num_queries(0):
            beyond = {tell(50) for _ in range(100_000 // 50 - 12)}

    assert within == [202] * 12
    assert beyond == {429}
    assert Inbox.objects.count() == 600


@pytest.mark.django_db
def test_events_are_counted_and_not_requests(settings):
    settings.CRM_COLLECT_EVENTS_PER_MINUTE = 25

    with clock.travel(to=NOON):
        answers = [tell(10), tell(10), tell(10)]

    assert answers == [202, 202, 429]
    assert Inbox.objects.count() == 20


@pytest.mark.django_db
def test_the_next_minute_is_another_one(settings):
    settings.CRM_COLLECT_EVENTS_PER_MINUTE = 10

    with clock.travel(to=NOON + timedelta(seconds=20)):
        first, refused = tell(), post(batch(view()))
    with clock.travel(to=NOON + timedelta(seconds=60)):
        later = tell()

    assert (first, refused.status_code, refused["Retry-After"], later) == (202, 429, "40", 202)


@pytest.mark.django_db
def test_another_address_has_a_limit_of_its_own(settings):
    settings.CRM_COLLECT_EVENTS_PER_MINUTE = 10

    with clock.travel(to=NOON):
        answers = [tell(REMOTE_ADDR=address) for address in ("203.0.113.1", "203.0.113.1", "203.0.113.2")]

    assert answers == [202, 429, 202]


@pytest.mark.django_db
def test_a_client_cannot_choose_its_address(settings):
    settings.CRM_COLLECT_EVENTS_PER_MINUTE = 10
    settings.CRM_PROXIES = 1

    with clock.travel(to=NOON):
        answers = [tell(HTTP_X_FORWARDED_FOR=f"198.51.100.{n}, 203.0.113.1") for n in range(3)]

    assert answers == [202, 429, 429]


@pytest.mark.django_db
@pytest.mark.parametrize("backend", ["django.core.cache.backends.dummy.DummyCache", "tests.http.broken_cache.Broken"])
def test_without_a_cache_everybody_may(settings, backend):
    settings.CACHES = {"default": {"BACKEND": backend}}
    settings.CRM_COLLECT_EVENTS_PER_MINUTE = 5

    assert [tell(), tell()] == [202, 202]


@pytest.mark.parametrize(
    ("proxies", "told", "expected"),
    [
        (0, "", "10.0.0.9"),
        (0, "203.0.113.1", "10.0.0.9"),
        (1, "203.0.113.1", "203.0.113.1"),
        (1, "6.6.6.6, 203.0.113.1", "203.0.113.1"),
        (2, "6.6.6.6, 203.0.113.1, 10.0.0.7", "203.0.113.1"),
        (2, "203.0.113.1", "10.0.0.9"),
        (1, "", "10.0.0.9"),
        (1, "unknown", "10.0.0.9"),
        (1, "203.0.113.1:55123", "203.0.113.1"),
        (1, "::ffff:203.0.113.1", "203.0.113.1"),
        (1, "[2001:db8:1:2:3::4]:443", "20010db800010002/64"),
        (1, "2001:db8:1:2:ffff::", "20010db800010002/64"),
    ],
)
def test_the_address_is_what_the_outermost_proxy_saw(settings, proxies, told, expected):
    settings.CRM_PROXIES = proxies
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.9", HTTP_X_FORWARDED_FOR=told)

    assert clients.address(request) == expected


def test_addresses_are_not_kept_in_the_cache_as_they_are(monkeypatch):
    keys: list[str] = []
    monkeypatch.setattr(cache, "incr", lambda key, _delta: keys.append(key) or 1)

    clients.spend("203.0.113.1", 1)

    assert "203.0.113.1" not in keys[0]
