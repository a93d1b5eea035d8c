"""Messages a second through a provider's batch API, beside a bare loop that renders and posts; one worker, and two.

Both talk to the same local API, in a process of its own. The bare loop has its values at hand: it knows of no
consent, no cap, no shop, no outbox and no tracked link.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from statistics import median
from time import perf_counter
from typing import Any

import requests
from django.test.utils import override_settings
from liquid import Environment

from benchmarks.sending import campaign_for, queue, shop_with_goods
from benchmarks.workers import race
from crm_plugin import merchant, pipeline, shop
from crm_plugin.messaging import variables
from crm_plugin.messaging.composing import shared_values
from crm_plugin.models import Campaign, Message, Template

MESSAGES = 6_000
TURNS = 3
#: Postmark takes so many at once.
BATCH = 500
BATCH_PATH = "email/batch"
#: As long as a tracked one.
ADDRESS = "https://shop.example/crm/click/" + "x" * 110

world = shop_with_goods


def measure() -> tuple[float, float]:
    """Return messages a second of one worker, and of the bare loop."""
    with _prepared() as (campaign, api, settings), override_settings(**settings):
        # The loop is made anew each time: its values at hand are a heap that ours would carry too, and collect.
        pairs = [(_ours(campaign), _Bare(campaign, api).rate()) for _ in range(TURNS)]
    return median(mine for mine, _ in pairs), median(theirs for _, theirs in pairs)


def measure_two() -> tuple[float, float]:
    """Return messages a second of two workers, and of one; each is a process of its own."""
    with _prepared() as (campaign, _api, settings):
        pairs = [(_by_workers(campaign, 2, settings), _by_workers(campaign, 1, settings)) for _ in range(TURNS)]
    return median(two for two, _ in pairs), median(one for _, one in pairs)


def deliver_all() -> None:
    """Hand out everything that is due."""
    while pipeline.deliver():
        pass


@contextmanager
def _prepared() -> Iterator[tuple[Campaign, str, dict[str, Any]]]:
    api = subprocess.Popen(
        [sys.executable, "-m", "tests.messaging.esp.esp_server", "--quick"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    before = shop.install(world())
    try:
        if api.stdout is None:
            raise RuntimeError("the API did not come up")
        url = api.stdout.readline().decode().strip()
        settings = {
            "CRM_EMAIL_BACKEND": "anymail.backends.postmark.EmailBackend",
            "ANYMAIL": {"POSTMARK_SERVER_TOKEN": "token", "POSTMARK_API_URL": url},
        }
        yield campaign_for(MESSAGES), url, settings
    finally:
        shop.install(before)
        api.kill()
        api.wait(timeout=10)


def _ours(campaign: Campaign) -> float:
    queue(campaign, count=MESSAGES)
    start = perf_counter()
    deliver_all()
    return _checked(perf_counter() - start)


def _by_workers(campaign: Campaign, count: int, settings: Mapping[str, Any]) -> float:
    queue(campaign, count=MESSAGES)
    return _checked(race("deliver", count, settings=settings))


def _checked(seconds: float) -> float:
    sent = Message.objects.filter(state="sent").count()
    if sent != MESSAGES:
        raise RuntimeError(f"{sent} of {MESSAGES} sent")
    return MESSAGES / seconds


class _Bare:
    """The loop: the same templates, rendered for each person with values at hand, posted in the same batches."""

    def __init__(self, campaign: Campaign, api: str) -> None:
        version = campaign.version
        if version is None:
            raise RuntimeError("the campaign was not published")
        template = Template.objects.get(pk=next(iter(version.templates.values())))
        self.parts = {
            part: _plain_liquid(escapes=part == "html").from_string(source)
            for part, source in template.compiled["en"].items()
            if part != "preheader"
        }
        self.url = f"{api.rstrip('/')}/{BATCH_PATH}"
        self.session = requests.Session()
        shared = shared_values(merchant.load(), shop.current().identity())
        self.values = [_values(number, shared) for number in range(MESSAGES)]

    def rate(self) -> float:
        """Return messages a second."""
        start = perf_counter()
        for at in range(0, MESSAGES, BATCH):
            batch = [self._mail(number) for number in range(at, min(at + BATCH, MESSAGES))]
            self.session.post(self.url, json=batch, timeout=60).raise_for_status()
        return MESSAGES / (perf_counter() - start)

    def _mail(self, number: int) -> dict[str, Any]:
        parts = {name: part.render(self.values[number]) for name, part in self.parts.items()}
        return {
            "From": "The Shop <news@shop.example>",
            "To": f"person{number}@example.com",
            "Subject": parts["subject"],
            "HtmlBody": parts["html"],
            "TextBody": parts["text"],
        }


def _plain_liquid(*, escapes: bool) -> Environment:
    """Return python-liquid as it comes, which is what a loop written by hand would render with."""
    made = Environment(autoescape=escapes)
    made.add_filter("track", lambda _value: ADDRESS)
    return made


def _values(number: int, shared: Mapping[str, Any]) -> dict[str, Any]:
    item = {
        "name": f"Product {number % 30}", "url": f"https://shop.example/{number % 30}/", "price": "€15.00",
        "image_url": "https://shop.example/image.jpg", "regular_price": "€20.00", "baseline_price": "€20.00",
        "drop_percent": 25, "available": 5,
    }  # fmt: skip
    return {
        "contact": {"first_name": f"Person {number}", "last_name": "", "attributes": variables.Lenient()},
        **variables.filled({}, language="en"),
        **shared,
        "unsubscribe_url": ADDRESS,
        "preferences_url": ADDRESS,
        "open_url": ADDRESS,
        "items": [item, item, item],
    }
