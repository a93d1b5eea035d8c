"""The operator's settings: read from Django's settings or the environment, and refused by name when they are wrong."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test.utils import override_settings

from crm_plugin import conf


@pytest.fixture(autouse=True)
def read_anew():
    yield
    conf.settings.cache_clear()


@pytest.mark.parametrize(
    "origin", ["*", "dashboard.example", "https://dashboard.example/", "https://a.example; script-src *", "https://a b"]
)
def test_what_is_no_origin_may_frame_nothing(origin):
    with (
        override_settings(CRM_DASHBOARD_ORIGINS=(origin,)),
        pytest.raises(ImproperlyConfigured, match="CRM_DASHBOARD_ORIGINS"),
    ):
        conf.settings()


def test_the_environment_fills_in_what_django_does_not_say_and_lists_have_commas(monkeypatch):
    monkeypatch.setenv("CRM_DASHBOARD_ORIGINS", "https://dashboard.example, http://127.0.0.1:9000,")
    monkeypatch.setenv("CRM_DRAIN_BATCH", "7")
    conf.settings.cache_clear()

    with override_settings(CRM_DRAIN_BATCH=9):
        found = conf.settings()

    assert found.dashboard_origins == ("https://dashboard.example", "http://127.0.0.1:9000")
    assert found.drain_batch == 9
