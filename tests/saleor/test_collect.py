"""A storefront of Saleor's tells behaviour below the plugin's address."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from crm_plugin import ids
from crm_plugin.http import shopfront
from crm_plugin.models import Activity, Inbox
from crm_plugin.shop import FactKind
from tests.http.collecting import CHROME, VISITOR, batch, event, view
from tests.saleor import engine
from tests.saleor.world import SaleorWorld

pytestmark = [pytest.mark.saleor, pytest.mark.django_db]

BELOW = "/plugins/global/crm/"
#: Where "Product page in the storefront" leads, and where Saleor itself is reached.
STOREFRONT, SALEOR = "https://shop.example", "https://api.shop.example"


@pytest.fixture(autouse=True)
def _fresh_shopfront() -> Iterator[None]:
    shopfront.forget()
    yield
    shopfront.forget()


def tell(body: Any, *, origin: str = STOREFRONT, below: str = BELOW) -> Any:
    client = Client(enforce_csrf_checks=True)
    headers = {"origin": origin, "user-agent": CHROME}
    return client.post(f"{below}collect/", json.dumps(body), content_type="text/plain;charset=UTF-8", headers=headers)


def test_what_a_storefront_tells_with_saleors_ids_becomes_the_visitors_history(world: SaleorWorld) -> None:
    product = ids.to_global("Product", 12)
    category = ids.to_global("Category", 3)

    answer = tell(
        batch(view(product=product), event("group_view", number=1, group=category), channel=world.channel.slug)
    )
    engine.drain()

    assert (answer.status_code, answer.json()) == (202, {"stored": 2})
    rows = Activity.objects.order_by("id").values_list("kind", "product_id", "subject", "shop_channel")
    assert list(rows) == [
        (FactKind.VIEWED, "12", "", world.channel.slug),
        (FactKind.GROUP_VIEWED, "", "category:3", world.channel.slug),
    ]
    assert Activity.objects.values("contact").distinct().count() == 1
    assert VISITOR in Activity.objects.earliest("id").source_key


@pytest.mark.parametrize("origin", [STOREFRONT, SALEOR])
@pytest.mark.parametrize("below", [BELOW, "/plugins/crm/"])
def test_the_storefront_and_saleor_itself_may_tell(world: SaleorWorld, origin: str, below: str) -> None:
    answer = tell(batch(view()), origin=origin, below=below)

    assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (202, origin)
    assert Inbox.objects.count() == 1


def test_another_origin_and_another_channel_are_refused(world: SaleorWorld) -> None:
    answers = [tell(batch(view()), origin="https://evil.example"), tell(batch(view(), channel="moon"))]

    assert [answer.status_code for answer in answers] == [403, 422]
    assert answers[1].json()["field"] == "channel"
    assert not Inbox.objects.exists()


def test_a_flood_asks_the_database_nothing(world: SaleorWorld, settings: Any, django_assert_num_queries: Any) -> None:
    settings.CRM_COLLECT_EVENTS_PER_MINUTE = 1
    assert [tell(batch(view())).status_code for _ in range(2)] == [202, 429]
    asked_by_saleor = 1  # the plugin's configuration, before we are called

    with django_assert_num_queries(asked_by_saleor):
        answer = tell(batch(view()))

    assert answer.status_code == 429


def test_the_script_is_served(crm: Any) -> None:
    first = Client().get(f"{BELOW}crm.js")
    again = Client().get(f"{BELOW}crm.js", headers={"if-none-match": first["ETag"]})

    content = gzip.decompress(first.content) if first.get("Content-Encoding") == "gzip" else first.content
    assert (first.status_code, first["Content-Type"]) == (200, "text/javascript; charset=utf-8")
    assert b"crm_visitor" in content
    assert (again.status_code, again.content) == (304, b"")


def test_while_the_plugin_is_off_nothing_is_taken_or_served(world: SaleorWorld, configure: Any) -> None:
    configure(active=False)

    assert [tell(batch(view())).status_code, Client().get(f"{BELOW}crm.js").status_code] == [404, 404]
    assert not Inbox.objects.exists()
