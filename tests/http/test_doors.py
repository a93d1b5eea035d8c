"""What holds at every public address, whatever stands behind it: a new one is looked at by itself."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test import Client
from django.urls import URLPattern

from crm_plugin.http.urls import urlpatterns
from tests.fake_shop import FakeShop

pytestmark = [pytest.mark.django_db, pytest.mark.urls("crm_plugin.http.urls")]

FORGED = "0123456789abcdef0123456789abcdef:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#: Behind a token of ours. The picture of `open` is the same for a forged one.
KEPT = [one for one in urlpatterns if "<" in str(one.pattern) and one.name != "open"]


def address(pattern: URLPattern, token: str = FORGED) -> str:
    return "/" + re.sub(r"<[^>]*>", token, str(pattern.pattern))


@pytest.fixture(params=urlpatterns, ids=lambda pattern: pattern.name)
def door(request, fake_shop: FakeShop) -> URLPattern:
    return request.param


@pytest.mark.parametrize("method", ["get", "post", "options"])
def test_nothing_is_served_while_the_crm_is_off(door: URLPattern, fake_shop: FakeShop, method: str) -> None:
    fake_shop.is_enabled = False

    answer = getattr(Client(), method)(address(door))

    assert answer.status_code == 404


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_methods_that_no_door_has_are_refused_and_write_nothing(door: URLPattern, method: str) -> None:
    with connection.execute_wrapper(_refuse_writes):
        answer = getattr(Client(), method)(address(door), b"{}", content_type="application/json")

    assert answer.status_code == 405
    assert answer.headers["Allow"]


@pytest.mark.parametrize("kept", KEPT, ids=lambda pattern: pattern.name)
@pytest.mark.parametrize("token", [FORGED, "x", "%00", "%C3%A9", "a" * 1_000, "..%2F..%2Fetc"], ids=range(6))
def test_a_token_that_is_none_opens_nothing_and_writes_nothing(
    fake_shop: FakeShop, kept: URLPattern, token: str
) -> None:
    methods = ("get", "post") if kept.name == "receipts" else ("get", "head", "post")  # providers look by HEAD
    with connection.execute_wrapper(_refuse_writes):
        answers = [getattr(Client(), method)(address(kept, token)) for method in methods]

    assert {answer.status_code for answer in answers} <= {404, 405}


def test_a_body_larger_than_anything_that_is_sent_here_is_not_read(door: URLPattern) -> None:
    answer = Client().generic("POST", address(door), b"", CONTENT_LENGTH=str(10**9))

    assert answer.status_code in {404, 405, 413}


def test_every_answer_says_that_it_is_nobody_elses(door: URLPattern) -> None:
    answer = Client().get(address(door))

    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"]


def _refuse_writes(execute, sql, params, many, context):
    assert not re.match(r"\s*(WITH\b.*\b)?(INSERT|UPDATE|DELETE)\b", sql, re.IGNORECASE | re.DOTALL), sql
    return execute(sql, params, many, context)
