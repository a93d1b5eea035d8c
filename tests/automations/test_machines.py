"""What a scanner or a mail program does moves nobody: persons only."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.core.cache import cache

from crm_plugin import clock, messaging, pipeline
from crm_plugin.models import Activity, Enrollment, Message
from tests.stories import BROWSER, on, running, send

pytestmark = pytest.mark.django_db

SCANNER = "Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/534+ (KHTML, like Gecko) BingPreview/1.0b"
RELAY = "Mozilla/5.0"
WAIT = {"type": "wait_for", "id": "clicks", "activity": "message_clicked", "timeout_seconds": 86_400}


@pytest.fixture(autouse=True)
def _mail_stays_here(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    cache.clear()


@pytest.fixture
def mailed(ann, fake_shop, mailoutbox):
    """Ann got a mail a minute ago, waits for her click, and a campaign waits for anybody's; returns visiting it."""

    def story():
        running(on("liked"), [send(), WAIT, send("after", message_class="transactional")])
        running(on("message_clicked"), [send("thanks", message_class="transactional")])
        fake_shop.like(ann.customer_id, fake_shop.add_product(price=50).whole)
        pipeline.pump()
        pipeline.deliver()
        pipeline.pump()
        return mailoutbox[0].alternatives[0][0]

    return story


def visit(client, html, part, agent):
    path = re.search(rf"https://shop\.example/crm(/{part}/[^\"'\s]+)", html).group(1)
    with clock.travel(by=timedelta(minutes=1)):
        client.get(f"/crm{path}", headers={"user-agent": agent})
        pipeline.pump()
        pipeline.deliver()


def steps():
    return sorted(Message.objects.values_list("step_id", flat=True))


def test_a_scanners_click_neither_ends_a_wait_nor_starts_a_campaign_and_a_persons_does_both(mailed, client):
    html = mailed()

    visit(client, html, "click", SCANNER)
    visit(client, html, "open", RELAY)
    before = (steps(), Activity.objects.filter(kind__startswith="message_").count(), Enrollment.objects.count())
    visit(client, html, "click", BROWSER)

    assert before == (["mail"], 0, 1)
    assert steps() == ["after", "mail", "thanks"]


def test_a_test_is_decided_by_persons(mailed, client):
    html = mailed()
    visit(client, html, "click", SCANNER)
    visit(client, html, "open", RELAY)
    message = Message.objects.get()

    found = messaging.responses(message.campaign_id, {"mail": message.template_id}, since=message.created_at)

    assert message.machine_opened_at is not None
    assert (found["mail"].sent, found["mail"].opened, found["mail"].clicked) == (1, 0, 0)
