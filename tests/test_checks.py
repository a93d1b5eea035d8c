"""System checks: what each one finds, what it says to do, and that a shop that is right hears nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from django.core import checks
from django.db import DatabaseError, connection

from crm_plugin import shop
from crm_plugin.shop import Operator
from tests.fake_shop import FakeShop

ROOT = Path(__file__).resolve().parent.parent
#: Addresses among which the CRM's own are not.
UNMOUNTED = "django.contrib.auth.urls"


@pytest.fixture
def found():
    """Run the CRM's checks; return {id: hint}, and see that each says what to do."""

    def run(*, deploy: bool = False) -> dict[str | None, str]:
        messages = checks.run_checks(tags=["crm"], include_deployment_checks=deploy)
        assert all(message.hint and message.msg for message in messages)
        return {message.id: f"{message.msg} {message.hint}" for message in messages}

    return run


@pytest.fixture
def operated(fake_shop: FakeShop, monkeypatch: pytest.MonkeyPatch):
    """Let the operator decide something else."""

    def decide(**changes: object) -> None:
        decided = replace(fake_shop.operator(), **changes)
        monkeypatch.setattr(fake_shop, "operator", lambda: decided)

    return decide


def test_a_shop_that_is_right_hears_nothing(found, operated):
    operated(public_url="https://shop.example/crm/")

    assert found() == found(deploy=True) == {}


def test_a_process_without_a_shop_is_told_which_setting_names_one(found):
    before = shop.install(None)
    try:
        told = found(deploy=True)
    finally:
        shop.install(before)

    assert list(told) == ["crm.E001"]
    assert "CRM_SHOP" in told["crm.E001"]


def test_another_database_is_refused_by_name(found, monkeypatch):
    monkeypatch.setattr(connection, "vendor", "sqlite")

    told = found()

    assert list(told) == ["crm.E002"]
    assert "sqlite" in told["crm.E002"]


def test_an_oscar_shop_that_did_not_mount_the_addresses_is_told_the_line(found, settings):
    settings.ROOT_URLCONF = UNMOUNTED

    plain, deployed = found(), found(deploy=True)

    assert list(plain) == list(deployed) == ["crm.E003"]
    assert "path('crm/', include('crm_plugin.shops.oscar.urls'))" in plain["crm.E003"]


def test_an_address_of_its_own_needs_no_mounting_here(found, settings):
    settings.ROOT_URLCONF = UNMOUNTED
    settings.CRM_PUBLIC_URL = "https://crm.shop.example/"

    assert found() == {}


def test_links_that_are_not_https_are_told_before_going_live_only(found, operated):
    operated(public_url="http://shop.example/crm/")

    told = found(deploy=True)

    assert found() == {}
    assert list(told) == ["crm.W001"]
    assert "http://shop.example/crm/" in told["crm.W001"]
    assert "CRM_PUBLIC_URL" in told["crm.W001"]


def test_a_database_that_is_not_ready_is_a_warning_and_no_traceback(found, fake_shop, monkeypatch):
    def unready() -> Operator:
        raise DatabaseError("no such table")

    monkeypatch.setattr(fake_shop, "operator", unready)

    told = found(deploy=True)

    assert list(told) == ["crm.W002"]
    assert "manage.py migrate" in told["crm.W002"]


def test_no_process_starts_with_a_wrong_setting():
    wrong = {"CRM_PUMP_SECONDS": "often", "CRM_DRAIN_BATCH": "0", "DJANGO_SETTINGS_MODULE": "tests.settings"}
    command = [sys.executable, "-m", "django", "check"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_VERSION"} | wrong

    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode != 0
    said = done.stderr.splitlines()[-1]
    assert "CRM_PUMP_SECONDS" in said
    assert "CRM_DRAIN_BATCH" in said


def test_a_provider_that_was_chosen_and_cannot_be_used_is_told(found, operated, settings):
    operated(public_url="https://shop.example/crm/")
    settings.CRM_SMS_PROVIDERS, settings.CRM_KAKAO_PROVIDER = ("KR=solapi", "*=twilio"), "solapi"
    settings.CRM_SOLAPI_API_KEY, settings.CRM_SOLAPI_API_SECRET = "key", "secret"

    told = found(deploy=True)

    assert set(told) == {"crm.W003"}
    assert "CRM_TWILIO_ACCOUNT_SID" in told["crm.W003"]
    assert found() == {}
