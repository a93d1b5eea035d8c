"""Providers that run on this machine, and settings that lead to them."""

from __future__ import annotations

import pytest

from crm_plugin import merchant
from tests.messaging.providers import solapi_server, twilio_server
from tests.messaging.providers.gateway_server import GatewayServer
from tests.messaging.providers.solapi_server import SolapiServer
from tests.messaging.providers.twilio_server import TwilioServer


@pytest.fixture
def solapi(settings):
    """Solapi, for Korean numbers and Kakao."""
    with SolapiServer() as server:
        settings.CRM_SOLAPI_URL = server.url
        settings.CRM_SOLAPI_API_KEY, settings.CRM_SOLAPI_API_SECRET = solapi_server.KEY, solapi_server.SECRET
        settings.CRM_SMS_PROVIDERS = (*getattr(settings, "CRM_SMS_PROVIDERS", ()), "KR=solapi")
        settings.CRM_KAKAO_PROVIDER = "solapi"
        yield server


@pytest.fixture
def twilio(settings, fake_shop):
    """Twilio, for all numbers that nobody else has."""
    with TwilioServer() as server:
        settings.CRM_TWILIO_URL = server.url
        settings.CRM_TWILIO_ACCOUNT_SID, settings.CRM_TWILIO_AUTH_TOKEN = twilio_server.SID, twilio_server.TOKEN
        settings.CRM_TWILIO_SENDER = "+15005550006"
        settings.CRM_SMS_PROVIDERS = (*getattr(settings, "CRM_SMS_PROVIDERS", ()), "*=twilio")
        yield server


@pytest.fixture
def gateway(settings, db):
    """The merchant's own gateway, for all text messages and Kakao."""
    with GatewayServer() as server:
        server.secrets = merchant.webhook_secrets()
        settings.CRM_GATEWAY_URL = f"{server.url}/messages"
        settings.CRM_SMS_PROVIDERS, settings.CRM_KAKAO_PROVIDER = ("*=gateway",), "gateway"
        yield server
