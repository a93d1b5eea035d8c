"""Row 1: a shop mutation (an Oscar shopper adds a product to the basket) with the CRM on and off, by turns."""

from __future__ import annotations

from decimal import Decimal
from statistics import median
from time import perf_counter

from django.core.cache import cache
from django.test import Client
from django.test.utils import override_settings
from oscar.test.factories import UserFactory, create_product, create_stockrecord

from crm_plugin.models import Inbox

TURNS = 300


def measure() -> tuple[float, float]:
    """Return the median seconds of the request with the CRM on, and off."""
    user = UserFactory()
    product = create_product(num_in_stock=None)
    create_stockrecord(product, price=Decimal("19.90"), num_in_stock=10**6)
    client = Client()
    client.force_login(user, backend="oscar.apps.customer.auth_backends.EmailBackend")
    url = f"/basket/add/{product.pk}/"
    for is_on in (True, False) * 5:
        _request(client, url, is_on=is_on)
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(TURNS):
        for is_on in (True, False) if turn % 2 else (False, True):
            seconds[is_on].append(_request(client, url, is_on=is_on))
    if not Inbox.objects.exists():
        raise RuntimeError("the CRM recorded nothing while it was on")
    return median(seconds[True]), median(seconds[False])


def _request(client: Client, url: str, *, is_on: bool) -> float:
    cache.clear()
    with override_settings(CRM_ENABLED=is_on):
        start = perf_counter()
        response = client.post(url, {"quantity": 1})
        seconds = perf_counter() - start
    if response.status_code != 302:
        raise RuntimeError(f"adding to the basket answered {response.status_code}")
    return seconds
