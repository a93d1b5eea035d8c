"""What no hook told is found by Saleor's own timestamps: imports, crashed processes, the history of before."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from saleor.order import OrderEvents
from saleor.order.models import Order
from saleor.plugins.webhook.plugin import WebhookPlugin
from saleor.tax.models import TaxClass

from crm_plugin import activity, clock, pipeline
from crm_plugin.models import Activity, Contact, Inbox
from crm_plugin.shop import FactKind, Position, ProductRef
from demo.services.mailsink import MailSink
from tests.saleor import asking, checkout, engine
from tests.saleor.world import SaleorWorld
from tests.stories import on, running

pytestmark = [pytest.mark.saleor, pytest.mark.django_db]

BULK = """
mutation($orders: [OrderBulkCreateInput!]!) { orderBulkCreate(orders: $orders) {
  count results { errors { path message code } } errors { path message code } } }
"""


@pytest.fixture
def mug(world: SaleorWorld) -> ProductRef:
    world.channel.allow_unpaid_orders = True
    world.channel.save()
    return world.make_product(prices=[Decimal(20)], stocks=[50], name="Blue Mug")[0]


def _kinds() -> list[str]:
    return list(Activity.objects.order_by("id").values_list("kind", flat=True))


def test_what_hooks_told_is_not_told_again_by_reconcile(mug: ProductRef, world: SaleorWorld) -> None:
    checkout.buy(asking.anybody(), mug, email="gus@example.com")
    engine.drain()
    before = _kinds()

    activity.restart(activity.Purpose.RECONCILE)
    with clock.travel(by=timedelta(hours=-1)):
        pipeline.reconcile()
    told_again = Inbox.objects.count()
    engine.drain()

    assert told_again > 0
    assert _kinds() == before
    assert Contact.objects.get().orders_count == 1


def test_an_order_that_no_hook_told_is_found_by_reconcile(mug: ProductRef, world: SaleorWorld) -> None:
    pipeline.reconcile()
    order_ref = world.place_order([(mug, 1)], email="gus@example.com")
    never_told = not Inbox.objects.exists()

    pipeline.reconcile()
    engine.drain()

    assert never_told
    assert Activity.objects.get(kind=FactKind.ORDERED).order_ref == order_ref
    assert Contact.objects.get(email="gus@example.com").orders_count == 1


def test_an_order_that_another_plugin_kept_from_the_crm_is_found_by_reconcile(
    mug: ProductRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.reconcile()
    for name in ("order_created", "order_confirmed", "order_fully_paid"):
        monkeypatch.setattr(WebhookPlugin, name, _raise)

    with pytest.raises(NotImplementedError):  # Saleor has committed the order by then
        checkout.buy(asking.anybody(), mug, email="gus@example.com")
    told = Inbox.objects.filter(kind=FactKind.ORDERED).exists()
    monkeypatch.undo()
    pipeline.reconcile()
    engine.drain()

    assert Order.objects.count() == 1
    assert not told
    assert Contact.objects.get(email="gus@example.com").orders_count == 1


def _raise(*_args: Any, **_kwargs: Any) -> None:
    raise NotImplementedError("No payload was provided for regular webhooks.")


def test_imported_orders_are_told_with_the_time_they_were_placed(mug: ProductRef, world: SaleorWorld) -> None:
    importer = asking.app("manage_orders", "manage_orders_import", "manage_users", "impersonate_user")
    placed_at = datetime(2024, 5, 1, 12, tzinfo=UTC)
    price = {"gross": 20, "net": 20}
    tax_class = TaxClass.objects.create(name="None")
    order = {
        "channel": world.channel.slug,
        "createdAt": placed_at.isoformat(),
        "status": "UNFULFILLED",
        "user": {"email": "old@example.com"},
        "billingAddress": checkout.ADDRESS,
        "languageCode": "EN",
        "currency": "USD",
        "lines": [
            {
                "variantId": asking.gid("ProductVariant", mug.variant_id),
                "createdAt": placed_at.isoformat(),
                "isShippingRequired": False,
                "isGiftCard": False,
                "quantity": 1,
                "totalPrice": price,
                "undiscountedTotalPrice": price,
                "taxRate": 0,
                "taxClassId": asking.gid("TaxClass", tax_class.pk),
                "warehouse": asking.gid("Warehouse", world.warehouse.pk),
            }
        ],
    }

    answer = asking.ask(importer, BULK, orders=[order])
    told = Inbox.objects.filter(kind=FactKind.ORDERED).count()
    engine.drain()

    assert answer["count"] == 1, answer
    assert told == 1
    contact = Contact.objects.get(email="old@example.com")
    assert (contact.orders_count, contact.last_order_at) == (1, placed_at)


def test_an_import_whose_hook_never_ran_is_found_by_reconcile(mug: ProductRef, world: SaleorWorld) -> None:
    pipeline.reconcile()
    template = Order.objects.get(pk=world.place_order([(mug, 1)], email="a@example.com"))
    template.pk, template.number = None, template.number + 1_000_000
    template.user_email, template.created_at = "b@example.com", datetime(2024, 5, 1, tzinfo=UTC)
    template._state.adding = True
    Order.objects.bulk_create([Order(**_values(template))])

    pipeline.reconcile()
    engine.drain()

    assert Contact.objects.get(email="b@example.com").last_order_at == datetime(2024, 5, 1, tzinfo=UTC)


def test_the_stream_knows_when_an_order_was_paid_and_cancelled(crm: Any, mug: ProductRef, world: SaleorWorld) -> None:
    order = Order.objects.get(pk=world.place_order([(mug, 1)], email="gus@example.com"))
    paid_at, cancelled_at = datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 1, 2, tzinfo=UTC)
    order.events.create(type=OrderEvents.ORDER_FULLY_PAID, date=paid_at)
    order.events.create(type=OrderEvents.CANCELED, date=cancelled_at)
    order.status, order.charge_status = "canceled", "full"
    order.save()

    page = crm.changed_since("orders", Position(datetime(2000, 1, 1, tzinfo=UTC)), limit=10)

    times = {fact.kind: fact.occurred_at for fact in page.facts}
    assert times[FactKind.PAID] == paid_at
    assert times[FactKind.CANCELLED] == cancelled_at


def test_backfill_reads_the_shops_history_and_mails_nobody(mug: ProductRef, world: SaleorWorld, smtp: MailSink) -> None:
    running(on("ordered"))
    customer_id = world.make_customer(email="ann@example.com", first_name="Ann")
    for _ in range(2):
        world.place_order([(mug, 1)], customer_id=customer_id)
    world.place_order([(mug, 3)], email="gus@example.com")
    world.make_draft_order([(mug, 1)], customer_id=customer_id)
    world.make_cart([(mug, 1)], customer_id=customer_id)
    Order.objects.update(created_at=datetime(2024, 5, 1, tzinfo=UTC))
    read: Counter[str] = Counter()

    pipeline.backfill(lambda stream, count: read.update({stream: count}))
    first = _kinds()
    pipeline.backfill(lambda _stream, _count: None)
    engine.run()

    assert set(read) == {"customers", "checkouts", "orders", "fulfilments", "likes", "vouchers", "gift_cards"}
    assert dict(Contact.objects.values_list("email", "orders_count")) == {"ann@example.com": 2, "gus@example.com": 1}
    assert _kinds() == first
    assert not smtp.letters


def _values(row: Any) -> dict[str, Any]:
    names = [field.attname for field in row._meta.concrete_fields if field.attname != "id"]
    return {name: getattr(row, name) for name in names}
