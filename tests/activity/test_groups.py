"""The copy of which product is in which group."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crm_plugin import activity, clock, contacts, pipeline
from crm_plugin.contacts import Person
from crm_plugin.models import GroupedProduct, ProductGroup, Touched
from crm_plugin.shop import Fact, FactKind

pytestmark = pytest.mark.django_db


def view(product_id: str, *, key: str = "", **who: str) -> None:
    who = who or {"email": "ann@example.com"}
    activity.record(
        Fact(
            kind=FactKind.VIEWED,
            source_key=key or f"view:{product_id}:{who}",
            product_id=product_id,
            shop_channel="default",
            **who,
        )
    )


def groups_of(product_id: str) -> set[str]:
    return set(ProductGroup.objects.filter(product_id=product_id).values_list("group_key", flat=True))


@pytest.fixture
def perfume(fake_shop):
    """A product in a category below another one."""
    scents = fake_shop.add_group("Scents")
    product = fake_shop.add_product()
    fake_shop.put_in(product, fake_shop.add_group("Perfume", parent=scents))
    return product


def test_the_groups_of_a_product_are_read_when_an_activity_names_it(fake_shop, perfume):
    other = fake_shop.add_product()

    view(perfume.product_id)
    pipeline.pump()

    assert groups_of(perfume.product_id) == {"category:1", "category:2"}
    assert not GroupedProduct.objects.filter(product_id=other.product_id).exists()


def test_a_known_product_is_not_asked_for_again(fake_shop, perfume, monkeypatch):
    view(perfume.product_id)
    pipeline.pump()
    monkeypatch.setattr(fake_shop, "product_groups", lambda ids: pytest.fail(f"asked for {ids}"))

    view(perfume.product_id, key="again")
    pipeline.pump()


def test_a_product_that_the_shop_does_not_have_is_asked_for_once(fake_shop, monkeypatch):
    view("404")
    pipeline.pump()

    assert GroupedProduct.objects.get().product_id == "404"
    assert not ProductGroup.objects.exists()


def test_a_product_that_changed_is_read_at_once_and_its_people_are_looked_at_again(fake_shop, perfume, drain):
    view(perfume.product_id)
    view(perfume.product_id, visitor_id="nobody")
    drain()
    Touched.objects.all().delete()
    sale = fake_shop.add_group("Sale")
    fake_shop.put_in(perfume, sale)

    activity.look_again([perfume.product_id])
    drain()

    assert groups_of(perfume.product_id) == {sale.key}
    assert [row.contact_id for row in Touched.objects.all()] == [contacts.find(email="ann@example.com").pk]


def test_a_changed_product_that_nobody_looked_at_is_not_read(fake_shop, perfume):
    activity.look_again([perfume.product_id])
    pipeline.pump()

    assert not GroupedProduct.objects.exists()


def test_the_products_read_longest_ago_are_read_again_in_bounded_steps(fake_shop, perfume):
    products = [perfume, fake_shop.add_product(), fake_shop.add_product()]
    for product in products:
        view(product.product_id)
    pipeline.pump()
    sale = fake_shop.add_group("Sale")
    for product in products:
        fake_shop.put_in(product, sale)

    assert activity.refresh_groups(10) == 0
    with clock.travel(by=timedelta(hours=1, minutes=1)):
        assert [activity.refresh_groups(2) for _ in range(3)] == [2, 1, 0]

    assert [groups_of(product.product_id) for product in products] == [{sale.key}] * 3


def test_groups_that_did_not_change_touch_nobody(fake_shop, perfume):
    view(perfume.product_id)
    pipeline.pump()
    Touched.objects.all().delete()

    with clock.travel(by=timedelta(hours=2)):
        activity.refresh_groups(10)

    assert not Touched.objects.exists()


def test_people_of_the_kinds_that_segments_ask_for_are_touched_once(fake_shop, perfume, drain):
    for number in range(3):
        view(perfume.product_id, key=str(number))
    view(perfume.product_id, visitor_id="nobody")
    activity.record(Fact(kind=FactKind.SEARCHED, source_key="s", email="bob@example.com", subject="rose"))
    added = drain()
    Touched.objects.all().delete()

    activity.touch_people(added, {FactKind.VIEWED, FactKind.LIKED})

    ann = contacts.get_or_create(Person(email="ann@example.com"))
    assert [row.contact_id for row in Touched.objects.all()] == [ann.pk]


def test_touching_people_of_no_activity_takes_no_statement(django_assert_num_queries):
    with django_assert_num_queries(0):
        activity.touch_people({FactKind.VIEWED: [1]}, frozenset())
