"""Campaigns as workers know them: a pass costs the same for one as for many, and sees at once what a merchant does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm_plugin import automations, clock, pipeline
from crm_plugin.automations import running as cache
from crm_plugin.automations.definition import Definition
from crm_plugin.models import Campaign, Enrollment
from tests.fake_shop import FakeShop
from tests.stories import consenting, definition, on, open_shop

pytestmark = pytest.mark.django_db(transaction=True)

TRIGGERS: tuple[dict[str, Any], ...] = (
    on("liked"),
    {"type": "price_drop"},
    {"type": "abandoned"},
    {"type": "audience", "audience": {"include": {"type": "everybody"}}, "schedule": {"type": "daily", "at": "10:00"}},
)
#: No campaign's moment of the day.
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
PASSES = ("pump", "deliver", "watch_prices", "housekeep", "call_webhooks")


@pytest.fixture
def publish(fake_shop: FakeShop) -> Iterator[Callable[[int], list[Campaign]]]:
    """Publish so many campaigns, of every kind of trigger."""
    open_shop()

    def make(count: int) -> list[Campaign]:
        drafts = [definition(TRIGGERS[number % len(TRIGGERS)]) for number in range(count)]
        return [automations.publish(automations.create_campaign(name="One", definition=one).pk) for one in drafts]

    with clock.travel(to=NOON):
        yield make


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was parsed as a definition since, in a process that has just begun."""
    found: list[Any] = []
    real = Definition.parse

    def parse(raw: Any) -> Definition:
        found.append(raw)
        return real(raw)

    monkeypatch.setattr(Definition, "parse", staticmethod(parse))
    monkeypatch.setattr(cache, "_kept", {})
    return found


def statements() -> int:
    with CaptureQueriesContext(connection) as asked:
        for name in PASSES:
            assert not getattr(pipeline, name)()
    return len(asked)


def test_a_pass_with_nothing_to_do_costs_the_same_for_many_campaigns_and_parses_none(publish, parsed):
    publish(len(TRIGGERS))
    pipeline.pump()
    statements()  # what is written once
    few = statements()
    publish(40)
    parsed.clear()
    pipeline.pump()
    parsed_once = len(parsed)

    many = statements()

    assert parsed_once == 40
    assert len(parsed) == 40
    assert many == few


def test_another_process_sees_a_publication_a_pause_and_a_new_version_at_once(publish, parsed, fake_shop):
    """Nothing of it is told to this process, whose memory was filled before."""
    ann = fake_shop.add_customer(email="ann@example.com")
    consenting(ann.customer_id, ann.email)

    def likes() -> int:
        fake_shop.like(ann.customer_id, fake_shop.add_product(price=50).whole)
        pipeline.pump()
        return Enrollment.objects.count()

    before = likes()
    (campaign,) = publish(1)
    published = likes()
    Campaign.objects.filter(pk=campaign.pk).update(state="paused")
    paused = likes()
    automations.resume(campaign.pk)
    automations.update_campaign(campaign.pk, definition=definition(on("viewed")))
    automations.publish(campaign.pk)
    changed = likes()

    assert (before, published, paused, changed) == (0, 1, 1, 1)
