"""The acceptance example of row 46: an offer that only customers of one grade get and see."""

from __future__ import annotations

from typing import Any

import pytest

from crm_plugin import contacts, pipeline
from crm_plugin.models import Coupon, Enrollment
from crm_plugin.shop import Actor, Customer
from demo.services.mailsink import MailSink
from tests.automations.coupon_story import gift, join, percent, showing
from tests.fake_shop import FakeShop
from tests.graphql.conftest import Ask
from tests.stories import consenting, on, running, send

pytestmark = pytest.mark.django_db

MINE = "{ crmMe { coupons(first: 9) { edges { node { code name } } } } }"


def seen_by(ask: Ask, customer: Customer) -> list[dict[str, Any]]:
    """What the shop's pages show to the customer who is signed in."""
    me = ask(MINE, caller=Actor(customer_id=customer.customer_id, email=customer.email)).data["crmMe"]
    return [edge["node"] for edge in me["coupons"]["edges"]]


@pytest.mark.feature(46)
def test_a_vip_gets_and_sees_the_coupon_and_nobody_else_does(ask: Ask, shop: FakeShop, smtp: MailSink) -> None:
    contacts.declare_attribute("grade", "text")
    vip, other, graceless = (shop.add_customer(email=f"{name}@example.com") for name in ("vip", "other", "none"))
    for customer, grade in ((vip, "vip"), (other, "silver"), (graceless, None)):
        contacts.set_attributes(consenting(customer.customer_id, customer.email).pk, {"grade": grade} if grade else {})
    is_vip = {"type": "attribute", "name": "grade", "op": "is", "value": "vip"}
    offer = percent(20, name="VIP")
    running(on("signed_up") | {"audience": {"include": is_vip}}, [gift(offer), send(template=showing())])

    join([vip, other, graceless])
    pipeline.pump()
    pipeline.deliver()

    code = Coupon.objects.get().code
    assert [(letter.recipients, code in letter.text) for letter in smtp.letters] == [((vip.email,), True)]
    assert seen_by(ask, vip) == [{"code": code, "name": "VIP"}]
    assert seen_by(ask, other) == seen_by(ask, graceless) == []
    assert Enrollment.objects.count() == 1
    assert shop.series_rows[shop.coupon_rows[code].series_ref].terms.percent == 20
