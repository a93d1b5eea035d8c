"""What a merchant may give away."""

from __future__ import annotations

from typing import Any

import pytest

from crm_plugin import coupons
from crm_plugin.coupons.terms import checked, kept
from crm_plugin.errors import InvalidInput, NotFound
from crm_plugin.models import CouponTemplate
from crm_plugin.shop import CouponKind
from tests.coupons.conftest import TEN_PERCENT, MakeTemplate
from tests.fake_shop import FakeShop

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({}, "terms"),
        ({"kind": "half"}, "terms.kind"),
        ({"kind": "percent"}, "terms.percent"),
        ({"kind": "percent", "percent": 0}, "terms.percent"),
        ({"kind": "percent", "percent": "100.01"}, "terms.percent"),
        ({"kind": "percent", "percent": "NaN"}, "terms.percent"),
        ({"kind": "percent", "percent": 10, "amounts": {"default": 5}}, "terms.amounts"),
        ({"kind": "fixed"}, "terms.amounts"),
        ({"kind": "fixed", "amounts": {"default": -5}}, "terms.amounts.default"),
        ({"kind": "fixed", "amounts": {"default": "Infinity"}}, "terms.amounts.default"),
        ({"kind": "fixed", "amounts": {"default": 5}, "percent": 5}, "terms.percent"),
        ({"kind": "fixed", "amounts": {"default": 5}, "shop_channels": ["default", "kr"]}, "terms.amounts"),
        ({"kind": "fixed", "amounts": {"nowhere": 5}}, "terms.shop_channels"),
        ({"kind": "free_shipping", "min_spend": {"kr": 5}, "shop_channels": ["default"]}, "terms.min_spend"),
        ({"kind": "free_shipping", "shop_channels": ["nowhere"]}, "terms.shop_channels"),
        ({"kind": "percent", "percent": 10, "product_ids": ["404"]}, "terms.product_ids"),
        ({"kind": "percent", "percent": 10, "group_keys": ["category:404"]}, "terms.group_keys"),
        ({"kind": "percent", "percent": 10, "product_ids": [str(n) for n in range(501)]}, "terms.product_ids"),
        ({"kind": "percent", "percent": 10, "surprise": 1}, "terms.surprise"),
        ("ten percent", "terms"),
    ],
)
def test_terms_that_make_no_sense_are_refused_with_their_place(shop: FakeShop, terms: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        coupons.create_template("X", terms=terms)

    assert refused.value.field == field
    assert not CouponTemplate.objects.exists()


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"prefix": "no space"}, "prefix"),
        ({"prefix": "x" * 11}, "prefix"),
        ({"expires_in_days": -1}, "expires_in_days"),
        ({"expires_in_days": 3_651}, "expires_in_days"),
        ({"warn_below": 5}, "warn_below"),
        ({"source": "pool", "terms": TEN_PERCENT}, "terms"),
        ({"source": "pool", "terms": None, "prefix": "A"}, "prefix"),
        ({"source": "pool", "terms": None, "warn_below": -1}, "warn_below"),
    ],
)
def test_so_is_what_else_is_wrong(shop: FakeShop, values: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        coupons.create_template(**{"name": "X", "terms": TEN_PERCENT, **values})

    assert refused.value.field == field
    assert not CouponTemplate.objects.exists()


def test_terms_come_back_as_they_went_in(shop: FakeShop) -> None:
    product = shop.add_product(price=10).product_id
    written = {
        "kind": "fixed",
        "amounts": {"kr": "5000.00", "default": "5.50"},
        "min_spend": {"default": 20},
        "product_ids": [product, product],
    }

    made = coupons.create_template("Five", terms=written)

    assert made.terms == {
        "kind": "fixed",
        "amounts": {"default": "5.5", "kr": "5000"},
        "min_spend": {"default": "20"},
        "product_ids": [product],
    }
    assert kept(made.terms).terms == checked(written).terms
    assert set(kept(made.terms).terms.shop_channels) == {"default", "kr"}
    assert kept(made.terms).terms.kind is CouponKind.FIXED


def test_what_is_left_out_of_a_change_stays(make_template: MakeTemplate) -> None:
    template = make_template(prefix="a", expires_in_days=7)

    changed = coupons.update_template(template.pk, name="New", expires_in_days=None)

    assert (changed.name, changed.prefix, changed.expires_in_days, changed.terms) == ("New", "A", None, template.terms)


def test_a_wrong_change_changes_nothing(make_template: MakeTemplate) -> None:
    template = make_template()

    with pytest.raises(InvalidInput):
        coupons.update_template(template.pk, name="New", terms={"kind": "percent", "percent": 0})
    with pytest.raises(NotFound):
        coupons.update_template(template.pk + 1_000, name="New")
    coupons.archive_template(template.pk)
    with pytest.raises(InvalidInput) as refused:
        coupons.update_template(template.pk, name="New")

    assert refused.value.code == "IS_ARCHIVED"
    template.refresh_from_db()
    assert (template.name, template.is_archived) == ("Welcome", True)
