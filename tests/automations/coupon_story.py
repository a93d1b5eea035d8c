"""Ingredients of stories about coupons: templates, steps that give them away, orders that use them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from crm_plugin import activity, automations, contacts, coupons, pipeline
from crm_plugin.contacts import Person
from crm_plugin.coupons import Coupon, CouponSource, CouponTemplate, Issued, Request
from crm_plugin.shop import Customer, Fact, FactKind, Order, ProductRef
from tests.fake_shop import FakeShop
from tests.fake_trade import order_facts
from tests.stories import CONTENT


def percent(value: int = 15, *, name: str = "Come back", **more: Any) -> CouponTemplate:
    """A coupon of so many per cent, whose codes the shop makes."""
    return coupons.create_template(name, terms={"kind": "percent", "percent": value}, **more)


def pool(*codes: str, name: str = "Partner") -> CouponTemplate:
    """A coupon whose codes were uploaded."""
    template = coupons.create_template(name, source=CouponSource.POOL)
    if codes:
        coupons.upload(template.pk, list(codes))
    return template


def gift(template: CouponTemplate | int, id: str = "gift", **more: Any) -> dict[str, Any]:
    """The step that gives it away."""
    pk = template if isinstance(template, int) else template.pk
    return {"type": "issue_coupon", "id": id, "coupon": pk, **more}


def showing(text: str = "Code: {{ coupon.code }}", *, subject: str = "News") -> dict[str, Any]:
    """The template of a Send step with a text of its own."""
    return {"en": CONTENT | {"subject": subject, "text": f"{text}\n{{{{ unsubscribe_url }}}}"}}


def join(customers: Sequence[Customer], *, key: str = "s") -> None:
    """Tell that these people signed up, and let it be read."""
    activity.record_many(
        Fact(kind=FactKind.SIGNED_UP, source_key=f"{key}{one.customer_id}", customer_id=one.customer_id)
        for one in customers
    )
    drain()


def drain() -> None:
    """Read everything that was told."""
    while pipeline._drain_once():
        pass


def advance() -> None:
    """Move every run that is due by one step."""
    with transaction.atomic():
        automations.advance(1000)


def use(shop: FakeShop, code: str, customer: Customer, *refs: ProductRef) -> Order:
    """Place an order with the code, and tell it; nobody has read it yet."""
    goods = refs or (shop.add_product(price=50).ref,)
    order = shop.place_order(*goods, customer_id=customer.customer_id, coupon_codes=[code])
    activity.record_many(order_facts(order))
    return order


def issue(template: CouponTemplate, customer: Customer, **more: Any) -> Issued:
    """Give somebody a code, as staff does."""
    contact_id = contacts.get_or_create(Person(customer.customer_id, customer.email)).pk
    wanted = Request(key="1", contact_id=contact_id, occasion=f"{coupons.STAFF}{template.pk}")
    with transaction.atomic():
        got = coupons.issue(template.pk, [wanted], **more)["1"]
    assert isinstance(got, Issued)
    return got


def code_of(customer: Customer) -> str:
    """The one code that somebody has got."""
    return Coupon.objects.get(contact__customer_id=customer.customer_id).code
