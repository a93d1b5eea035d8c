"""What every hook costs in Saleor's request: one INSERT or nothing, and no question. The rest is the drain's work."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext
from saleor.account.models import User
from saleor.checkout.models import Checkout
from saleor.discount.models import Promotion, Voucher
from saleor.giftcard.models import GiftCard
from saleor.order import FulfillmentStatus
from saleor.order.models import Fulfillment, Order
from saleor.plugins.manager import get_plugins_manager
from saleor.product.models import Category, Collection, Product, ProductVariant
from saleor.warehouse.models import Stock

from crm_plugin.models import Failure
from crm_plugin.plugin import CRMPlugin
from crm_plugin.shops.saleor import marks
from tests.saleor.test_hooks import hooks
from tests.saleor.world import SaleorWorld

pytestmark = [pytest.mark.saleor, pytest.mark.django_db]

Subjects = Mapping[str, Any]

_INSERT = re.compile(r"\s*(SAVEPOINT crm_record; )?INSERT INTO crm_plugin_inbox")
#: Hooks that have nothing to tell of the subject of this test.
SILENT = {"collection_deleted"}


@pytest.fixture
def subjects(world: SaleorWorld) -> Subjects:
    """What Saleor hands to hooks whose name begins so, each as it has it then: read whole, its order at hand."""
    mug = world.make_product(prices=[Decimal(20)], stocks=[50], name="Blue Mug")[0]
    user = world.make_customer(email="ann@example.com")
    order = Order.objects.get(pk=world.place_order([(mug, 1)], email="gus@example.com"))
    order.voucher_code, order.metadata = "CODE", {"delivered": "true"}
    order.save()
    Fulfillment.objects.create(order=order, status=FulfillmentStatus.FULFILLED, metadata={"delivered": "true"})
    variant = ProductVariant.objects.get(pk=mug.variant_id)
    return {
        "account": User.objects.get(pk=user),
        "customer": User.objects.get(pk=user),
        "checkout": Checkout.objects.get(pk=world.make_cart([(mug, 1)], email="gus@example.com")),
        "order_bulk": [Order.objects.get()] * 200,
        "order": Order.objects.get(),
        "fulfillment": Fulfillment.objects.select_related("order").get(),
        "category": Category.objects.first(),
        "collection": Collection.objects.create(name="Spring", slug="spring"),
        "gift_card": GiftCard.objects.create(
            code="GIFT", currency="USD", initial_balance_amount=10, current_balance_amount=10, used_by_id=int(user)
        ),
        "product_variant_back": Stock.objects.get(product_variant=variant),
        "product_variant_out": Stock.objects.get(product_variant=variant),
        "product_variant_discounted": SimpleNamespace(variant_id=variant.pk, channel_slug=mug.shop_channel),
        "product_variant": variant,
        "product": Product.objects.get(pk=mug.product_id),
        "promotion": Promotion.objects.create(name="Sale"),
        "voucher": Voucher.objects.get(pk=world.make_voucher("SPRING")),
    }


@pytest.mark.parametrize("name", hooks())
def test_a_hook_writes_once_and_asks_nothing(name: str, subjects: Subjects) -> None:
    sent = statements(name, subjects[max((key for key in subjects if name.startswith(key)), key=len)])

    assert len(sent) == (0 if name in SILENT else 1), sent
    assert all(_INSERT.match(sql) for sql in sent)
    assert not Failure.objects.exists()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("order_expired", {"voucher_code": None}),
        ("order_created", {"status": "unconfirmed"}),
        ("order_metadata_updated", {"metadata": {}}),
        ("fulfillment_created", {"status": "waiting_for_approval"}),
        ("fulfillment_metadata_updated", {"metadata": {}}),
        ("gift_card_updated", {"used_by_id": None}),
        ("voucher_updated", {"single_use": True}),
    ],
)
def test_a_hook_that_has_nothing_to_tell_costs_nothing(
    name: str, change: Mapping[str, Any], subjects: Subjects
) -> None:
    subject = subjects[max((key for key in subjects if name.startswith(key)), key=len)]
    for field, value in change.items():
        setattr(subject, field, value)

    assert statements(name, subject) == []
    assert not Failure.objects.exists()


def test_only_the_collection_of_nothing_is_made_anew_in_the_request(subjects: Subjects) -> None:
    subject = subjects["collection"]
    subject.private_metadata = {marks.NOWHERE: ""}

    sent = statements("collection_deleted", subject)

    assert [sql.split('"')[0].strip() for sql in sent] == ["INSERT INTO", "SELECT"]  # no voucher names goods
    assert Collection.objects.filter(private_metadata__has_key=marks.NOWHERE).count() == 1


def statements(name: str, subject: Any) -> list[str]:
    """Return what the hook sent, less the savepoints that only a surrounding transaction, here the test's, asks for."""
    manager = get_plugins_manager(allow_replica=False)
    manager.get_all_plugins()
    hook: Callable[..., Any] = getattr(manager.get_plugin(CRMPlugin.PLUGIN_ID), name)
    with CaptureQueriesContext(connections["default"]) as captured:  # in tests, the replica is the writer in disguise
        hook(subject, previous_value=None)
    sent = [query["sql"] for query in captured.captured_queries]
    return [sql for sql in sent if "SAVEPOINT" not in sql or "crm_plugin_inbox" in sql]
