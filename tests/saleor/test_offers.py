"""An offer from end to end: somebody likes a product, a mail brings a code for it, and a real checkout redeems it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from saleor.account.models import User
from saleor.discount.models import VoucherCode
from saleor.graphql.tests.fixtures import ApiClient
from saleor.order.models import Order

from crm_plugin import clock, coupons
from crm_plugin.models import Coupon, Enrollment, Failure
from crm_plugin.shop import ProductRef
from demo.services.mailsink import MailSink
from tests.saleor import asking, checkout, engine
from tests.saleor.sale import put_on_sale
from tests.saleor.world import SaleorWorld
from tests.stories import CONTENT, on, running, send, wait

pytestmark = [pytest.mark.saleor, pytest.mark.django_db]

LETTER = {**CONTENT, "text": "Code: {{ coupon.code }} until {{ coupon.expires_on }}\n{{ unsubscribe_url }}"}
HOUR = timedelta(hours=1, seconds=5)


@pytest.fixture
def goods(world: SaleorWorld) -> tuple[ProductRef, ProductRef]:
    """A mug and a bowl."""
    mug, bowl = (world.make_product(prices=[Decimal(80)], stocks=[50], name=name)[0] for name in ("Blue Mug", "Bowl"))
    return mug, bowl


@pytest.fixture
def offer(world: SaleorWorld) -> None:
    """A running campaign: an hour after a like, a tenth off that product, for a week."""
    template = coupons.create_template("Ten", terms={"kind": "percent", "percent": "10"}, expires_in_days=7)
    issue = {"type": "issue_coupon", "id": "gift", "coupon": template.pk, "for_items": True}
    running(on("liked"), [issue, wait(), send(template={"en": LETTER})])


@pytest.fixture
def fan(world: SaleorWorld, goods: tuple[ProductRef, ProductRef], offer: None) -> Callable[[], ApiClient]:
    """Let Ann, who agreed to mail, like the mug; returns her storefront."""

    def like() -> ApiClient:
        client = asking.register(world)
        asking.ask(client, asking.LIKE, product=asking.gid("Product", goods[0].product_id), channel=world.channel.slug)
        engine.run()
        return client

    return like


def later() -> None:
    with clock.travel(by=HOUR):
        engine.run()


@pytest.mark.feature(71)
def test_an_offer_for_what_somebody_likes_is_redeemed_on_top_of_a_sale(
    fan: Callable[[], ApiClient], goods: tuple[ProductRef, ProductRef], world: SaleorWorld, smtp: MailSink
) -> None:
    mug, bowl = goods
    client = fan()
    put_on_sale(world, mug, percent=25)
    later()
    (letter,) = smtp.letters
    (code,) = re.findall(r"Code: (\S+) until", letter.text)

    refused = checkout.refused(client, checkout.start(client, bowl), code)
    checkout.buy(client, mug, quantity=2, codes=[code])
    engine.drain()

    assert letter.recipients == ("ann@example.com",)
    assert refused == "VOUCHER_NOT_APPLICABLE"
    assert Order.objects.get().total_gross_amount == 2 * 60 * Decimal("0.9")
    row = Coupon.objects.get()
    assert (row.code, row.state, row.contact.email, row.used_by) == (code, "used", "ann@example.com", None)
    assert User.objects.get(email="ann@example.com").pk == Order.objects.get().user_id
    assert not Failure.objects.exists()


def test_a_code_that_staff_delete_before_the_mail_is_due_is_not_mailed(
    fan: Callable[[], ApiClient], smtp: MailSink
) -> None:
    fan()
    issued = Coupon.objects.get().state

    VoucherCode.objects.all().delete()
    later()

    assert (issued, Coupon.objects.get().state) == ("issued", "void")
    assert not smtp.letters
    assert Enrollment.objects.get().state != "active"
