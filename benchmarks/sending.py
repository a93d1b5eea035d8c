"""Row 6: messages a second, claim -> gates -> render -> SMTP -> committed, beside a bare loop of finished messages.

Both talk to the same SMTP sink in a process of its own, over one connection.
"""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from statistics import median
from time import perf_counter

from django.core import mail
from django.core.mail import EmailMultiAlternatives, get_connection
from django.db import connection
from django.test.utils import override_settings

from crm_plugin import automations, clock, pipeline, shop
from crm_plugin.models import Campaign, Enrollment, Message
from demo.services.processes import free_port
from tests.fake_shop import FakeShop
from tests.stories import open_shop

MESSAGES = 2_000
TURNS = 3
PRODUCTS = 30


def measure() -> tuple[float, float]:
    """Return messages a second of ours and of the bare loop."""
    port = free_port()
    sink = subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", "benchmarks.sink", str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    before = shop.install(shop_with_goods())
    try:
        assert sink.stdout is not None
        sink.stdout.readline()
        with override_settings(
            EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend", EMAIL_HOST="127.0.0.1", EMAIL_PORT=port
        ):
            campaign = campaign_for(MESSAGES)
            sample = _one_of_ours(campaign)
            pairs = [(_ours(campaign), _bare(sample)) for _ in range(TURNS)]
        return median(mine for mine, _ in pairs), median(theirs for _, theirs in pairs)
    finally:
        shop.install(before)
        sink.communicate(timeout=10)


def shop_with_goods() -> FakeShop:
    """Return a shop with the thirty products that people like."""
    made = FakeShop()
    for n in range(PRODUCTS):
        made.add_product(price=15, name=f"Product {n}")
    return made


def campaign_for(people: int) -> Campaign:
    """A running campaign with personal product cards: every person liked three of the shop's products."""
    open_shop()
    recipe = automations.recipe("liked_price_drop")
    campaign = automations.publish(automations.create_campaign(name="Bench", definition=recipe).pk)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO crm_plugin_contact (customer_id, email, first_name, last_name, language, country, time_zone,
                orders_count, created_at)
            SELECT n, 'person' || n || '@example.com', 'Person ' || n, '', 'en', '', '', 0, now()
            FROM generate_series(1, %s) n
            """,
            [people],
        )
        cursor.execute(
            "INSERT INTO crm_plugin_consent (contact_id, channel, is_granted, changed_at) "
            "SELECT id, 'email', TRUE, now() FROM crm_plugin_contact"
        )
        for shift in range(3):
            cursor.execute(
                """
                INSERT INTO crm_plugin_interest (contact_id, product_id, shop_channel, variant_id, liked_at,
                    views_count, cart_ref, bought_count, last_interest_at, baseline_price, currency)
                SELECT id, ((id + %s * 7) %% 30 + 1)::text, 'default', '', now(), 0, '', 0, now(), 20, 'EUR'
                FROM crm_plugin_contact
                """,
                [shift],
            )
    return campaign


def queue(campaign: Campaign, *, count: int) -> None:
    """Queue a message for every person anew."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE crm_plugin_enrollment, crm_plugin_message CASCADE")
        cursor.execute(
            """
            INSERT INTO crm_plugin_enrollment (campaign_id, version_id, contact_id, subject_key, epoch, state, reason,
                step, due_at, is_collecting, items, entered_at)
            SELECT %s, %s, contact_id, 'digest', 1, 'active', '', 0, %s, TRUE, jsonb_agg(jsonb_build_object(
                'product_id', product_id, 'variant_id', '', 'shop_channel', shop_channel, 'currency', 'EUR',
                'baseline', '20', 'limit', '18')), %s
            FROM crm_plugin_interest GROUP BY contact_id
            """,
            [campaign.pk, campaign.version_id, clock.now(), clock.now() - timedelta(seconds=1)],
        )
        cursor.execute("UPDATE crm_plugin_interest SET alerted_at = NULL")
    pipeline.pump()
    if Message.objects.filter(state="queued").count() != count:
        raise RuntimeError("the messages were not queued")


def _ours(campaign: Campaign) -> float:
    queue(campaign, count=MESSAGES)
    start = perf_counter()
    while pipeline.deliver():
        pass
    seconds = perf_counter() - start
    sent = Message.objects.filter(state="sent").count()
    if sent != MESSAGES or Enrollment.objects.filter(state="completed").count() != MESSAGES:
        raise RuntimeError(f"{sent} of {MESSAGES} sent")
    return MESSAGES / seconds


def _bare(sample: EmailMultiAlternatives) -> float:
    finished = [_addressed(sample, n) for n in range(MESSAGES)]
    mailer = get_connection()
    start = perf_counter()
    mailer.open()
    for message in finished:
        mailer.send_messages([message])
    mailer.close()
    return MESSAGES / (perf_counter() - start)


def _addressed(sample: EmailMultiAlternatives, n: int) -> EmailMultiAlternatives:
    message = EmailMultiAlternatives(
        subject=sample.subject,
        body=sample.body,
        from_email=sample.from_email,
        to=[f"person{n}@example.com"],
        headers=dict(sample.extra_headers),
    )
    for content, mimetype in sample.alternatives:
        message.attach_alternative(content, mimetype)
    return message


def _one_of_ours(campaign: Campaign) -> EmailMultiAlternatives:
    """Return one of our messages as a finished one, so that both loops carry the same bytes."""
    queue(campaign, count=MESSAGES)
    mail.outbox = []
    with override_settings(EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend", CRM_LOOP_SECONDS=0.05):
        pipeline.deliver()
    finished = mail.outbox[0]
    if not isinstance(finished, EmailMultiAlternatives):
        raise TypeError("the finished message has no HTML")
    return finished
