"""The CRM's own endpoint: what it takes, what it refuses, and that it tells nothing of the inside."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpRequest
from django.test import Client
from pytest_django import Settings

from crm_plugin import automations
from crm_plugin.automations.models import Campaign
from crm_plugin.shop import Actor
from tests.fake_shop import FakeShop
from tests.graphql.conftest import MANAGER, NOBODY, STAFF, VIEWER

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.graphql.urls")]

URL = "/crm/graphql/"
READ = "{ crmCampaigns(first: 5) { edges { node { name } } } }"
CREATE = """mutation($input: CrmCampaignCreateInput!) {
  crmCampaignCreate(input: $input) { campaign { name } errors { code } } }"""

Post = Callable[..., Any]


@pytest.fixture
def sign_in(shop: FakeShop, monkeypatch: pytest.MonkeyPatch) -> Callable[[Actor], None]:
    """Say who every request comes from."""

    def call(actor: Actor) -> None:
        monkeypatch.setattr(HttpRequest, "actor", actor, raising=False)

    return call


@pytest.fixture
def post(shop: FakeShop) -> Post:
    """Post a body as JSON, by a browser with a session and its CSRF cookie."""
    client = Client(enforce_csrf_checks=True)
    token = "t" * 32
    client.cookies["csrftoken"] = token

    def call(body: Any, *, headers: dict[str, str] | None = None, content_type: str = "application/json") -> Any:
        content = body if isinstance(body, (str, bytes)) else json.dumps(body)
        given = {"X-CSRFToken": token} if headers is None else headers
        return client.post(URL, content, content_type=content_type, headers=given)

    return call


def test_a_query_is_answered_as_json(
    post: Post, sign_in: Callable[[Actor], None], make_campaign: Callable[..., Campaign]
) -> None:
    make_campaign("Welcome")
    sign_in(VIEWER)

    response = post({"query": READ})

    assert response.status_code == 200
    assert response.json() == {"data": {"crmCampaigns": {"edges": [{"node": {"name": "Welcome"}}]}}}
    assert "no-store" in response.headers["Cache-Control"]


def test_the_operation_that_is_named_runs_with_its_variables(post: Post, sign_in: Callable[[Actor], None]) -> None:
    sign_in(VIEWER)
    query = "query A($n: Int) { crmCampaigns(first: $n) { edges { cursor } } } query B { crmSettings { senderName } }"

    response = post({"query": query, "variables": {"n": 1}, "operationName": "A"})

    assert response.json() == {"data": {"crmCampaigns": {"edges": []}}}


@pytest.mark.parametrize("actor", [NOBODY, STAFF])
def test_a_caller_who_may_not_is_told_so_and_no_error_is_logged(
    post: Post, sign_in: Callable[[Actor], None], actor: Actor, caplog: pytest.LogCaptureFixture
) -> None:
    sign_in(actor)

    answer = post({"query": READ}).json()

    assert answer["data"] == {"crmCampaigns": None}
    assert [error["extensions"]["exception"]["code"] for error in answer["errors"]] == ["PermissionDenied"]
    assert answer["errors"][0]["path"] == ["crmCampaigns"]
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_a_switched_off_crm_says_so(post: Post, sign_in: Callable[[Actor], None], shop: FakeShop) -> None:
    sign_in(MANAGER)
    shop.is_enabled = False

    answer = post({"query": READ}).json()

    assert answer["errors"][0]["extensions"]["exception"]["code"] == "NotActive"


def test_a_signed_in_caller_without_the_token_is_refused_and_changes_nothing(
    post: Post, sign_in: Callable[[Actor], None]
) -> None:
    sign_in(MANAGER)
    body = {"query": CREATE, "variables": {"input": {"name": "x", "recipe": "liked_price_drop"}}}

    response = post(body, headers={})

    assert response.status_code == 403
    assert response.json()["errors"][0]["message"].startswith("Send the header X-CSRFToken.")
    assert not Campaign.objects.exists()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (" ", 400),
        ("{", 400),
        ("[" * 100_000, 400),
        ([{"query": READ}], 400),
        ({}, 400),
        ({"query": ""}, 400),
        ({"query": 1}, 400),
        ({"query": "x" * 100_001}, 400),
        ({"query": READ, "variables": [1]}, 400),
        ({"query": READ, "operationName": "Other"}, 400),
        ({"query": "{"}, 400),
        ({"query": "{ nothing }"}, 400),
        ({"query": "{ a" * 10_000}, 400),
        ({"query": "query($n: Int!) { crmCampaigns(first: $n) { edges { cursor } } }"}, 400),
        ({"query": "query($n: Int) { crmCampaigns(first: $n) { edges { cursor } } }", "variables": {"n": 2**40}}, 400),
        ({"query": READ, "padding": "x" * 1_000_001}, 413),
        (b"\xff\xfe", 400),
    ],
)
def test_what_is_no_request_is_refused_with_json(
    post: Post, sign_in: Callable[[Actor], None], body: Any, status: int
) -> None:
    sign_in(VIEWER)

    response = post(body)

    assert response.status_code == status
    assert response.json()["errors"][0]["message"]
    assert "Traceback" not in response.content.decode()


@pytest.mark.parametrize(("size", "status"), [(13_500_000, 200), (14_000_001, 413)])
def test_who_may_import_may_send_a_file(post: Post, sign_in: Callable[[Actor], None], size: int, status: int) -> None:
    sign_in(MANAGER)

    response = post({"query": READ, "padding": "x" * size})

    assert response.status_code == status


def test_another_content_type_is_refused(post: Post) -> None:
    response = post("query=x", content_type="application/x-www-form-urlencoded")

    assert response.status_code == 415
    assert response.json()["errors"]


@pytest.mark.parametrize("method", ["get", "put", "delete", "patch"])
def test_only_post_is_taken(shop: FakeShop, client: Client, method: str) -> None:
    response = getattr(client, method)(URL)

    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"
    assert "POST" in response.json()["errors"][0]["message"]


def test_what_fails_inside_is_logged_and_not_told(
    post: Post,
    sign_in: Callable[[Actor], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    settings: Settings,
) -> None:
    def fail() -> None:
        raise RuntimeError("the password is 1234")

    settings.DEBUG = True
    sign_in(VIEWER)
    monkeypatch.setattr(automations, "campaigns", fail)

    with caplog.at_level(logging.ERROR, logger="crm_plugin.graphql.view"):
        response = post({"query": READ})

    assert response.json()["errors"] == [
        {
            "message": "Internal error",
            "extensions": {"exception": {"code": "InternalError"}},
            "locations": [{"line": 1, "column": 3}],
            "path": ["crmCampaigns"],
        }
    ]
    assert "1234" not in response.content.decode()
    assert [record.name for record in caplog.records if record.exc_info] == ["crm_plugin.graphql.view"]


def test_staff_get_a_page_to_try_queries_on(client: Client, sign_in: Callable[[Actor], None]) -> None:
    sign_in(STAFF)

    response = client.get(URL)

    page = response.content.decode()
    assert response.status_code == 200
    assert "X-CSRFToken" in page
    assert "https://" not in page
    assert "script-src 'nonce-" in response.headers["Content-Security-Policy"]
    assert "csrftoken" in response.cookies


def test_developers_get_the_page_too(client: Client, shop: FakeShop, settings: Settings) -> None:
    settings.DEBUG = True

    assert client.get(URL).status_code == 200
