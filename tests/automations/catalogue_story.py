"""What happens to the goods in stories of the automations: stock comes back, a voucher is made, people care.

``watch`` and ``tell`` begin the waves; ``pipeline.pump`` and ``pipeline.deliver`` do what follows.
"""

from __future__ import annotations

from django.db import transaction

from crm_plugin import activity, automations, clock, pipeline
from crm_plugin.models import PriceWatch
from crm_plugin.shop import Customer, Fact, FactKind
from tests.fake_catalogue import FakeProduct, FakeVoucher
from tests.fake_shop import FakeShop
from tests.fake_trade import cart_changed


def like(shop: FakeShop, customer: Customer, *products: FakeProduct) -> None:
    """Somebody likes products."""
    for product in products:
        shop.like(customer.customer_id, product.whole)
    pipeline.pump()


def cart(shop: FakeShop, customer: Customer, *products: FakeProduct) -> None:
    """Somebody puts products in the cart."""
    activity.record(cart_changed(shop.add_cart(*(one.ref for one in products), customer_id=customer.customer_id)))
    pipeline.pump()


def holds(customer: Customer, code: str) -> None:
    """Somebody was issued the code before."""
    key = f"issued:{code}:{customer.customer_id}"
    activity.record(Fact(kind=FactKind.COUPON_ISSUED, source_key=key, customer_id=customer.customer_id, subject=code))
    pipeline.pump()


def watch() -> None:
    """Look at all prices and stocks now; whom that concerns is not enrolled yet."""
    PriceWatch.objects.update(due_at=clock.now())
    pipeline.watch_prices()


def restock(shop: FakeShop, *products: FakeProduct, units: int | None = 10) -> None:
    """Fill up the stock of products, and see it."""
    for product in products:
        shop.set_stock(product.ref, units)
    watch()


def sell_out(shop: FakeShop, *products: FakeProduct) -> None:
    """Let the stock of products run out, and see it."""
    restock(shop, *products, units=0)


def tell(*vouchers: FakeVoucher) -> None:
    """Let the shop tell of vouchers; whom they concern is not enrolled yet."""
    pipeline.pump()
    activity.record_many(voucher.fact for voucher in vouchers)
    with transaction.atomic():
        batch = activity.claim(1_000)
        assert batch is not None
        activity.project(batch, activity.people_in(batch))
        for wave in activity.voucher_waves(batch):
            automations.plan_fan_out(wave)
