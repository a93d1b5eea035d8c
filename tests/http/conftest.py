"""Fixtures of the public endpoints: the messaging room's, and the tokens of one sent message."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.cache import cache

from crm_plugin import clock
from crm_plugin.messaging.tracking import Found, Links, store_links
from crm_plugin.models import Message
from tests.messaging.conftest import make_contact, queue, us

__all__ = ["make_contact", "queue", "us"]

URL = "https://shop.example/vase?a=1&b=2"


@pytest.fixture(autouse=True)
def _empty_cache():
    cache.clear()


@pytest.fixture
def message(queue) -> Message:
    """A message to Ann, sent an hour ago."""
    made = queue()
    made.state, made.finished_at = "sent", clock.now() - timedelta(hours=1)
    made.save()
    return made


@pytest.fixture
def links(message: Message) -> Links:
    """The addresses in the message, below the address at which the test project mounts them."""
    found = Found()
    made = Links(message.public_id, public_url="/crm/", found=found)
    made.track(URL)
    store_links(found)
    return made
