"""Whether codes are still good, taking them back, and clearing away what is over."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from crm_plugin import clock, coupons, pipeline
from crm_plugin.errors import InvalidInput, NotFound
from crm_plugin.models import Coupon, CouponSeries
from tests.coupons.conftest import NOON, Give, MakeContact, MakeTemplate, row_of
from tests.fake_shop import FakeShop

pytestmark = pytest.mark.django_db


def test_a_code_that_was_deleted_in_the_shop_is_void_and_one_that_is_used_there_is_not_good(
    shop: FakeShop, make_template: MakeTemplate, make_contact: MakeContact, give: Give
) -> None:
    template = make_template()
    good, deleted, used = (row_of(give(template, make_contact(name))) for name in ("ann", "bob", "cid"))
    shop.delete_coupon(deleted.code)
    shop.use_coupons([used.code], order_ref="not told yet")

    found = coupons.still_good([good.pk, deleted.pk, used.pk, 10**12])

    assert found == {good.pk}
    assert dict(Coupon.objects.values_list("code", "state")) == {
        good.code: "issued",
        deleted.code: "void",
        used.code: "issued",
    }


def test_the_shop_is_not_asked_about_codes_of_a_pool(
    shop: FakeShop, make_template: MakeTemplate, make_contact: MakeContact, give: Give
) -> None:
    got = row_of(give(make_template(pool=["CINEMA"]), make_contact()))

    assert coupons.still_good([got.pk]) == {got.pk}
    assert coupons.still_good([]) == frozenset()
    got.refresh_from_db()
    assert got.state == "issued"


def test_many_are_asked_about_at_once(
    make_template: MakeTemplate,
    make_contact: MakeContact,
    give: Give,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    template = make_template()
    ids = [row_of(give(template, make_contact(f"p{n}"))).pk for n in range(5)]

    with django_assert_num_queries(1):
        found = coupons.still_good(ids)

    assert found == set(ids)


def test_a_code_that_is_withdrawn_is_gone_from_the_shop(
    shop: FakeShop, make_template: MakeTemplate, make_contact: MakeContact, give: Give
) -> None:
    got = row_of(give(make_template(), make_contact()))

    row = coupons.withdraw(got.pk)

    assert (row.state, row.is_kept_by_shop) == ("void", False)
    assert not shop.coupons([got.code])
    assert coupons.still_good([got.pk]) == frozenset()


def test_what_was_used_or_is_not_there_cannot_be_withdrawn(
    shop: FakeShop, make_template: MakeTemplate, make_contact: MakeContact, give: Give
) -> None:
    got = row_of(give(make_template(), make_contact()))
    Coupon.objects.filter(pk=got.pk).update(state="used", used_at=NOON)

    with pytest.raises(InvalidInput):
        coupons.withdraw(got.pk)
    with pytest.raises(NotFound):
        coupons.withdraw(got.pk + 1_000)

    assert got.code in shop.coupon_rows


def test_what_is_over_expires_and_leaves_the_shop_two_weeks_later(
    shop: FakeShop, make_template: MakeTemplate, make_contact: MakeContact, give: Give
) -> None:
    template = make_template()
    got, kept = row_of(give(template, make_contact("ann"))), row_of(give(template, make_contact("bob")))
    Coupon.objects.filter(pk=kept.pk).update(state="used", used_at=NOON)
    shop.use_coupons([kept.code], order_ref="o1")
    unlimited = row_of(give(make_template(expires_in_days=None), make_contact("ann"), "other"))
    seen = []
    assert got.expires_at is not None

    for later in (timedelta(seconds=-1), timedelta(0), timedelta(days=14, seconds=-1), timedelta(days=14)):
        with clock.travel(to=got.expires_at + later):
            pipeline.housekeep()
        got.refresh_from_db()
        seen.append((got.state, got.is_kept_by_shop, got.code in shop.coupon_rows))

    assert seen == [
        ("issued", True, True),
        ("expired", True, True),
        ("expired", True, True),
        ("expired", False, False),
    ]
    kept.refresh_from_db()
    assert (kept.state, kept.code in shop.coupon_rows) == ("used", True)
    assert unlimited.code in shop.coupon_rows


def test_clearing_away_is_bounded_and_ends(
    shop: FakeShop, make_template: MakeTemplate, make_contact: MakeContact, give: Give
) -> None:
    template = make_template()
    for n in range(5):
        give(template, make_contact(f"p{n}"))

    with clock.travel(to=NOON + timedelta(days=30)):
        steps = [coupons.tidy(2) for _ in range(5)]

    assert steps == [4, 4, 2, 0, 0]
    assert not shop.coupon_rows
    assert not shop.series_rows
    assert not CouponSeries.objects.exists()


def test_who_has_codes_that_end_on_a_day(make_template: MakeTemplate, make_contact: MakeContact, give: Give) -> None:
    ann, bob, cid = (make_contact(name) for name in ("ann", "bob", "cid"))
    week, month = make_template(), make_template(name="Long", expires_in_days=30)
    first, second = row_of(give(week, ann, "a")), row_of(give(week, ann, "b"))
    of_bob, of_cid = row_of(give(week, bob)), row_of(give(week, cid))
    give(month, bob, "other")
    Coupon.objects.filter(pk=of_cid.pk).update(state="used", used_at=NOON)
    assert first.expires_on is not None

    found = coupons.expiring(first.expires_on, after_contact=0, limit=10)

    def held(row: Coupon) -> coupons.Held:
        return coupons.Held(row.pk, row.code, "Welcome", row.expires_on)

    assert found == [(ann.pk, [held(first), held(second)]), (bob.pk, [held(of_bob)])]
    assert coupons.expiring(first.expires_on, after_contact=0, limit=1) == found[:1]
    assert coupons.expiring(first.expires_on, after_contact=ann.pk, limit=1) == found[1:]
    assert coupons.expiring(first.expires_on + timedelta(days=1), after_contact=0, limit=10) == []
