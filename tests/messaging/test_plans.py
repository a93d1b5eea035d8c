"""What is asked of messages after they were sent finds its index on filled tables."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection

from crm_plugin import clock, messaging
from crm_plugin.contacts import suppress
from crm_plugin.messaging import ReceiptKind, Told, bounces
from crm_plugin.models import Message
from tests.test_plans import _filled, busy_shop, plans_of, reads_whole

__all__ = ["_filled", "busy_shop"]

pytestmark = pytest.mark.django_db

MESSAGES, CONTACTS = "crm_plugin_message", "crm_plugin_contact"


def no_shortcut():
    """Have the planner use an index wherever one can be used: these tables are too small to need it."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan TO OFF")


@pytest.mark.parametrize("count", [3, 400])
def test_receipts_find_their_messages_by_the_providers_id_and_by_ours(busy_shop, count):
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {MESSAGES} SET provider_id = 'p' || id")  # noqa: S608
        cursor.execute(f"ANALYZE {MESSAGES}")
    told = [
        Told(channel="email", kind=ReceiptKind.DELIVERED, provider_id=f"p{n}" if n % 2 else str(uuid4()))
        for n in range(count)
    ]
    messaging.keep(told)
    no_shortcut()

    plan = plans_of(lambda: messaging.settle_receipts(count), about=MESSAGES)

    assert "crm_message_provider_id" in plan
    assert "crm_message_public_id" in plan
    assert not reads_whole(plan, MESSAGES)


def test_soft_bounces_are_counted_by_the_contact(busy_shop):
    message = Message.objects.filter(state="sent").first()
    message.recipient = "ann@example.com"

    plan = plans_of(lambda: bounces.count_soft(message, block_after=3), about=MESSAGES)

    assert "crm_message_of_contact" in plan
    assert not reads_whole(plan, MESSAGES)


def test_whom_a_blocked_address_belongs_to_is_looked_up(busy_shop):
    plan = plans_of(lambda: suppress("7@example.com", channel="email", reason="complaint"), about="crm_plugin_touched")

    assert not reads_whole(plan, CONTACTS)


def test_the_watch_reads_a_campaigns_newest_messages(busy_shop):
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {MESSAGES} SET created_at = created_at - make_interval(mins => id::int)")  # noqa: S608
        cursor.execute(f"ANALYZE {MESSAGES}")
    no_shortcut()

    plan = plans_of(lambda: messaging.rates({-1: clock.now() + timedelta(days=3)}), about=MESSAGES)

    assert "crm_message_of_campaign" in plan or "crm_message_created" in plan
    assert not reads_whole(plan, MESSAGES)


def test_the_delivery_log_of_a_campaign_is_read_in_its_order(busy_shop):
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {MESSAGES} SET created_at = created_at - make_interval(mins => id::int)")  # noqa: S608
        cursor.execute(f"ANALYZE {MESSAGES}")
    rows = messaging.messages().filter(campaign_id=-1, channel="email", state="sent")

    plan = plans_of(lambda: list(rows.order_by("-created_at", "-id")[:20]), about=MESSAGES)

    assert "crm_message_of_campaign" in plan or "crm_message_created" in plan
    assert not reads_whole(plan, MESSAGES)


def test_the_tries_of_a_page_are_found_by_their_runs(busy_shop):
    steps = [(run, "mail") for run in Message.objects.order_by("pk").values_list("enrollment_id", flat=True)[:20]]

    plan = plans_of(lambda: messaging.siblings(steps), about=MESSAGES)

    assert "crm_message_once" in plan
    assert not reads_whole(plan, MESSAGES)
