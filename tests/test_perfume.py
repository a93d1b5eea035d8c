"""The Valentine campaign (``perfume``) in the in-memory shop."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from crm_plugin import activity, audience, clock, contacts, pipeline
from crm_plugin.audience import AudienceRule
from crm_plugin.models import Enrollment, Message
from crm_plugin.shop import ShopIdentity
from tests import perfume
from tests.fake_shop import FakeShop
from tests.fake_trade import order_facts
from tests.perfume import Goods

pytestmark = pytest.mark.django_db

GROUPS = ("category:1", "category:2", "category:3")


@pytest.fixture
def goods(fake_shop: FakeShop) -> Goods:
    """The products of the example, and 600 people who have or have not been interested."""
    fake_shop.shop_identity = ShopIdentity("Fake Shop", "https://shop.example/", "Asia/Seoul", "ko")
    perfumes, *others = (fake_shop.add_group(name) for name in ("Perfume", "Chocolate", "Necklaces"))
    made = [fake_shop.add_product(price=50) for _ in range(3)]
    l8 = fake_shop.add_product(price=80)
    for product, group in zip((*made, l8), (perfumes, *others, perfumes), strict=True):
        fake_shop.put_in(product, group)
    found = Goods(*(one.product_id for one in made), l8=l8.product_id, shop_channel="default")
    with clock.travel(to=perfume.VALENTINE - timedelta(hours=1)):
        perfume.look_around(found)
        for email in perfume.buyers():
            activity.record_many(order_facts(fake_shop.place_order(l8.ref, email=email)))
        perfume.drain()
        perfume.agree()
    return found


@pytest.mark.feature(48)
def test_interests_are_joined_and_nobody_is_counted_twice(goods: Goods) -> None:
    with clock.travel(to=perfume.VALENTINE):
        sizes = [_count(goods, [group]) for group in GROUPS]
        together = _count(goods, GROUPS)

    assert sizes == [300, 200, 100]  # a hundred of them in perfume and chocolate
    assert together == perfume.INTERESTED


@pytest.mark.feature(49)
@pytest.mark.feature(50)
def test_the_size_told_before_is_the_size_written_to(goods: Goods, mailoutbox) -> None:
    rule = perfume.audience(goods, GROUPS)
    with clock.travel(to=perfume.VALENTINE - timedelta(minutes=30)):
        told = audience.preview(AudienceRule.parse(rule))
        campaign = perfume.schedule(rule)

    with clock.travel(to=perfume.VALENTINE):
        perfume.drain()
        for _ in range(20):
            if not pipeline.deliver():
                break

    entered = Enrollment.objects.filter(campaign=campaign)
    assert told.count == entered.count() == perfume.WRITTEN_TO
    assert told.reachable["email"] == perfume.AGREED
    assert len(mailoutbox) == perfume.AGREED
    assert Counter(Message.objects.values_list("state", flat=True)) == {"sent": 300, "skipped": 120}
    assert not set(perfume.buyers()) & set(
        contacts.contacts().filter(pk__in=entered.values("contact")).values_list("email", flat=True)
    )


@pytest.mark.feature(50)
def test_tags_and_search_together_are_told_as_probably_a_mistake(goods: Goods) -> None:
    rule = perfume.audience(goods, GROUPS)
    both = {**rule, "include": {**rule["include"], "tags": ["category:perfume"]}}

    with clock.travel(to=perfume.VALENTINE):
        assert audience.preview(AudienceRule.parse(rule)).warnings == ()
        assert len(audience.preview(AudienceRule.parse(both)).warnings) == 1


def _count(goods: Goods, groups: list[str] | tuple[str, ...]) -> int:
    interested = {"include": perfume.audience(goods, groups)["include"]}
    return audience.count(AudienceRule.parse(interested))
