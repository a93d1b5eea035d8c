"""The Valentine campaign (``tests.perfume``) in a real Saleor: its categories, its orders, its customers' history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import pytest
from saleor.order.models import Order

from crm_plugin import audience, clock, merchant, pipeline
from crm_plugin.audience import AudienceRule
from crm_plugin.models import Activity, Enrollment
from tests import perfume
from tests.perfume import Goods
from tests.saleor.world import SaleorWorld

pytestmark = [pytest.mark.saleor, pytest.mark.django_db]


@dataclass(frozen=True, slots=True)
class Valentine:
    """The goods of the example, and the categories that the interest is searched by."""

    goods: Goods
    groups: list[str]


@pytest.fixture
def valentine(world: SaleorWorld) -> Valentine:
    """Products in three categories below one, and 600 people; 80 of them order L8 in Saleor."""
    merchant.update(time_zone="Asia/Seoul")
    gifts = world.make_category("Gifts")
    groups = [world.make_category(name, parent=gifts) for name in ("Perfume", "Chocolate", "Necklaces")]
    refs = [
        world.make_product(prices=[Decimal(50)], stocks=[500], name=name)[0] for name in ("No 5", "Praline", "Gold")
    ]
    l8 = world.make_product(prices=[Decimal(80)], stocks=[500], name="L8")[0]
    for ref, group in zip((*refs, l8), (*groups, groups[0]), strict=True):
        world.put_in(ref, group)
    goods = Goods(*(ref.product_id for ref in refs), l8=l8.product_id, shop_channel=l8.shop_channel)
    with clock.travel(to=perfume.VALENTINE - timedelta(hours=1)):
        perfume.look_around(goods)
        orders = [world.place_order([(l8, 1)], email=email) for email in perfume.buyers()]
        Order.objects.filter(pk__in=orders).update(created_at=perfume.LAST, updated_at=perfume.LAST)
        pipeline.backfill(lambda _stream, _count: None)
        perfume.drain()
        perfume.agree()
    return Valentine(goods, [gifts, *groups])


def test_of_500_interested_people_80_bought_and_420_are_written_to(valentine: Valentine) -> None:
    gifts, *groups = valentine.groups
    rule = perfume.audience(valentine.goods, groups)
    with clock.travel(to=perfume.VALENTINE - timedelta(minutes=30)):
        told = audience.preview(AudienceRule.parse(rule))
        above = audience.count(AudienceRule.parse({"include": perfume.audience(valentine.goods, [gifts])["include"]}))
        campaign = perfume.schedule(rule)

    with clock.travel(to=perfume.VALENTINE):
        perfume.drain()

    assert Activity.objects.filter(kind="bought").count() == perfume.BOUGHT
    assert above == perfume.INTERESTED  # a category takes in those below it
    assert told.count == perfume.WRITTEN_TO
    assert told.reachable["email"] == perfume.AGREED
    assert Enrollment.objects.filter(campaign=campaign).count() == perfume.WRITTEN_TO
