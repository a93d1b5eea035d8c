"""The whole way with everything real: Saleor's web server, worker and beat, Redis, PostgreSQL, HTTP and SMTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.conf import settings
from django.db import connections
from psycopg import sql
from saleor.tests.settings import RSA_PRIVATE_KEY

from demo.services.mailsink import MailSink
from demo.services.processes import Processes, free_port
from tests.saleor.asking import CONSENT, LIKE, PRICE, REGISTER, gid

pytestmark = [pytest.mark.saleor, pytest.mark.slow]

BROKER = os.environ.get("CRM_TEST_REDIS_URL", "redis://127.0.0.1:6379/0")
PASSWORD = "a-Long-passw0rd"
SWITCH_ON = """
mutation { pluginUpdate(id: "crm", input: {active: true, configuration: [
  {name: "storefront_product_url", value: "https://shop.example/{channel}/products/{slug}"}]}) {
  errors { field code message } } }
"""
TOKEN = (
    'mutation($email: String!) { tokenCreate(email: $email, password: "a-Long-passw0rd") { token errors { code } } }'
)
SETTINGS = """
mutation { crmSettingsUpdate(input: {senderName: "The Shop", senderEmail: "news@shop.example",
  consentText: "You agreed.", postalAddress: "1 Street, Town"}) { errors { field code message } } }
"""
CREATE = """
mutation { crmCampaignCreate(input: {name: "Drops", recipe: "liked_price_drop"}) {
  campaign { id definition } errors { field code message } } }
"""
UPDATE = """
mutation($id: ID!, $definition: JSON!) { crmCampaignUpdate(id: $id, input: {definition: $definition}) {
  errors { field code message } } }
"""
PUBLISH = "mutation($id: ID!) { crmCampaignPublish(id: $id) { campaign { state } errors { field code message } } }"
CONTACTS = '{ crmContacts(first: 5, email: "ann@example.com") { edges { node { consents { isGranted } } } } }'
MESSAGES = "{ crmMessages(first: 5) { edges { node { state subject } } } }"


@dataclass(frozen=True, slots=True)
class Live:
    """A running Saleor."""

    url: str
    ids: dict[str, Any]
    mail: MailSink
    processes: Processes

    def ask(self, query: str, *, token: str = "", **variables: Any) -> Any:
        """Ask over HTTP; nothing may have gone wrong."""
        headers = {"Content-Type": "application/json", **({"Authorization": f"JWT {token}"} if token else {})}
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql/", body, headers)
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = json.load(response)
        assert "errors" not in answer, answer["errors"]
        (found,) = answer["data"].values()
        assert not found.get("errors"), found["errors"]
        return found

    def token(self, email: str) -> str:
        """Sign in."""
        found: str = self.ask(TOKEN, email=email)["token"]
        return found


@pytest.fixture
def database(django_db_setup: None) -> Iterator[str]:
    """A copy of the test database: the processes commit, and tests must not see it."""
    connections.close_all()
    here = settings.DATABASES["default"]
    name, template = f"{here['NAME'].removeprefix('test_')}_live", here["NAME"]
    template = template if template.startswith("test_") else f"test_{template}"
    server = f"//{here['USER']}:{here['PASSWORD']}@{here['HOST']}:{here['PORT'] or 5432}"
    copy, drop = (
        sql.SQL(text).format(name=sql.Identifier(name), template=sql.Identifier(template))
        for text in ("CREATE DATABASE {name} TEMPLATE {template}", "DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    )
    with psycopg.connect(f"postgresql:{server}/postgres", autocommit=True) as admin:
        admin.execute(drop)
        admin.execute(copy)
        yield f"postgres:{server}/{name}"
        admin.execute(drop)


@pytest.fixture
def live(database: str, mail_sink: MailSink, tmp_path: Path) -> Iterator[Live]:
    """Saleor with the CRM as in production: web server, one worker, beat."""
    port, prefix = free_port(), f"crm-tests-{uuid4().hex[:8]}:"
    env = {
        "ALLOWED_CLIENT_HOSTS": "localhost,127.0.0.1",
        "ALLOWED_HOSTS": "127.0.0.1",
        "BEAT_PRICE_RECALCULATION_SCHEDULE": "2 seconds",
        "CELERY_BROKER_URL": BROKER,
        "CRM_PRICE_SCAN_SECONDS": "2",
        "CRM_TEST_PASSWORD": PASSWORD,
        "CRM_TEST_PREFIX": prefix,
        "DATABASE_URL": database,
        "DEBUG": "False",
        "DJANGO_SETTINGS_MODULE": "tests.saleor.live_settings",
        "ENABLE_RESTRICT_WRITER_MIDDLEWARE": "True",
        "EMAIL_URL": f"smtp://{mail_sink.host}:{mail_sink.port}",
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "RSA_PRIVATE_KEY": RSA_PRIVATE_KEY,
        "SECRET_KEY": "only-for-tests",
    }
    seeded = subprocess.run(
        [sys.executable, "-m", "tests.saleor.live_seed"], env={**os.environ, **env}, capture_output=True, check=False
    )
    assert seeded.returncode == 0, seeded.stderr.decode()
    celery = [sys.executable, "-m", "celery", "--app", "saleor.celeryconf:app"]
    with Processes(tmp_path) as running:
        serve = [sys.executable, "-m", "uvicorn", "saleor.asgi:application", "--port", str(port), "--lifespan", "off"]
        running.start("web", serve, env=env)
        running.start("worker", [*celery, "worker", "--concurrency", "1", "--loglevel", "INFO"], env=env)
        schedule = ["--scheduler", "saleor.schedulers.schedulers.DatabaseScheduler"]
        running.start("beat", [*celery, "beat", *schedule, "--pidfile", ""], env=env)
        url = f"http://127.0.0.1:{port}"
        running.wait_for_http(f"{url}/plugins/global/crm/", timeout_seconds=90)
        yield Live(url, json.loads(seeded.stdout.splitlines()[-1]), mail_sink, running)
    _forget(prefix)


def _forget(prefix: str) -> None:
    from redis import Redis  # noqa: PLC0415 - Celery's own, wherever its broker is Redis

    with Redis.from_url(BROKER) as redis:
        for key in redis.scan_iter(f"{prefix}*"):
            redis.delete(key)


@pytest.mark.feature(22)
def test_a_like_and_a_lower_price_bring_the_mail_and_its_way_out_works(live: Live) -> None:
    admin = live.token("admin@example.com")
    live.ask(SWITCH_ON, token=admin)
    live.ask(SETTINGS, token=admin)
    campaign = live.ask(CREATE, token=admin)["campaign"]
    campaign["definition"]["trigger"]["settle_seconds"] = 0
    live.ask(UPDATE, token=admin, id=campaign["id"], definition=campaign["definition"])
    published = live.ask(PUBLISH, token=admin, id=campaign["id"])
    person = {"email": "ann@example.com", "password": PASSWORD, "firstName": "Ann", "channel": live.ids["slug"]}

    live.ask(REGISTER, input=person)
    ann = live.token("ann@example.com")
    live.ask(CONSENT, token=ann)
    live.ask(LIKE, token=ann, product=gid("Product", live.ids["product"]), channel=live.ids["slug"])
    listing = [{"channelId": gid("Channel", live.ids["channel"]), "price": "60"}]
    live.ask(PRICE, token=admin, id=gid("ProductVariant", live.ids["variant"]), input=listing)
    seconds = live.processes.wait_until(lambda: bool(_drops(live)), what="the mail", timeout_seconds=60)

    (letter,) = _drops(live)
    assert published["campaign"]["state"] == "RUNNING"
    assert letter.recipients == ("ann@example.com",)
    assert "$60.00" in letter.text
    assert seconds < 60
    live.processes.wait_until(
        lambda: _nodes(live.ask(MESSAGES, token=admin))[0]["state"] == "SENT", what="the outcome", timeout_seconds=10
    )
    _leave(letter.message["List-Unsubscribe"].strip("<>"))
    assert _nodes(live.ask(CONTACTS, token=admin))[0]["consents"] == [{"isGranted": False}]
    for child in live.processes.children:
        log = child.log.read_text(errors="replace")
        assert not [line for line in log.splitlines() if "Unsafe access" in line and "crm_plugin" in line]
        assert "the shop goes on" not in log


def _drops(live: Live) -> list[Any]:
    return [letter for letter in live.mail.letters if "Blue Mug" in letter.subject]


def _nodes(page: Any) -> list[Any]:
    return [edge["node"] for edge in page["edges"]]


def _leave(url: str) -> None:
    """Do what a mailbox provider does when somebody clicks on its own unsubscribe button."""
    with urllib.request.urlopen(url, b"List-Unsubscribe=One-Click", timeout=10) as response:
        assert response.status == 200
