"""Codes that the merchant made in the shop itself become somebody's."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from crm_plugin import activity, clock, coupons, pipeline
from crm_plugin.errors import InvalidInput
from crm_plugin.models import Activity, Coupon, Inbox
from tests.coupons.conftest import NOON, Give, MakeContact, MakeTemplate, row_of
from tests.fake_shop import FakeShop
from tests.fake_trade import order_facts

pytestmark = pytest.mark.django_db

#: Midnight in Berlin, where the shop is.
ENDS = datetime(2026, 3, 9, 23, tzinfo=UTC)


def test_a_code_of_the_shop_becomes_somebodys_with_its_end(shop: FakeShop, make_contact: MakeContact) -> None:
    ann = make_contact()
    shop.add_shop_coupon("Sorry-1", name="Sorry", ends_at=ENDS)

    count = coupons.assign([("SORRY-1", ann.pk)])
    pipeline.pump()

    got = Coupon.objects.get()
    assert count == 1
    assert (got.contact, got.template, got.code, got.name, got.state) == (ann, None, "Sorry-1", "Sorry", "issued")
    assert (got.expires_at, got.expires_on, got.is_kept_by_shop) == (ENDS, date(2026, 3, 9), False)
    told = Activity.objects.get(kind="coupon_issued")
    assert (told.subject, told.contact, told.data["by"]) == ("Sorry-1", ann, "shop")
    assert coupons.expiring(date(2026, 3, 9), after_contact=0, limit=5)[0][0] == ann.pk


def test_the_same_again_is_nothing_new(shop: FakeShop, make_contact: MakeContact) -> None:
    ann = make_contact()
    shop.add_shop_coupon("SORRY")
    coupons.assign([("SORRY", ann.pk)])

    assert coupons.assign([("sorry", ann.pk)]) == 0
    assert Inbox.objects.filter(kind="coupon_issued").count() == 1


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ("UNKNOWN", "NOT_FOUND"),
        ("PUBLIC", "INVALID"),
        ("OVER", "INVALID"),
        ("SPENT", "IN_USE"),
        ("FINE", "UNIQUE"),
        ("BOBS", "UNIQUE"),
    ],
)
def test_one_wrong_code_is_named_and_none_is_kept(
    shop: FakeShop, make_contact: MakeContact, wrong: str, code: str
) -> None:
    ann, bob = make_contact("ann"), make_contact("bob")
    shop.add_shop_coupon("FINE")
    shop.add_shop_coupon("PUBLIC", is_personal=False)
    shop.add_shop_coupon("OVER", ends_at=NOON)
    shop.add_shop_coupon("SPENT")
    shop.use_coupons(["SPENT"], order_ref="o1")
    shop.add_shop_coupon("BOBS")
    coupons.assign([("BOBS", bob.pk)])

    with pytest.raises(InvalidInput) as refused:
        coupons.assign([("FINE", ann.pk), (wrong, ann.pk)])

    assert (refused.value.field, refused.value.code) == ("pairs.1.code", code)
    assert not Coupon.objects.filter(contact=ann).exists()
    assert Inbox.objects.filter(kind="coupon_issued").count() == 1


def test_a_thousand_at_once_are_the_most(make_contact: MakeContact) -> None:
    with pytest.raises(InvalidInput) as refused:
        coupons.assign([("A", make_contact().pk)] * 1_001)

    assert refused.value.code == "LIMIT"


def test_it_is_used_deleted_and_expires_like_any_other_but_the_shop_keeps_it(
    shop: FakeShop, make_contact: MakeContact
) -> None:
    ann = make_contact()
    for code in ("USED", "DELETED", "OVER"):
        shop.add_shop_coupon(code, ends_at=ENDS)
    coupons.assign([("USED", ann.pk), ("DELETED", ann.pk), ("OVER", ann.pk)])
    product = shop.add_product(price=10)
    order = shop.place_order(product.ref, customer_id=ann.customer_id or "", coupon_codes=["USED"])
    activity.record_many(order_facts(order))
    pipeline.pump()
    shop.delete_coupon("DELETED")

    rows = {row.code: row for row in Coupon.objects.all()}
    assert coupons.still_good([row.pk for row in rows.values()]) == {rows["OVER"].pk}
    with clock.travel(to=ENDS + timedelta(days=30)):
        pipeline.housekeep()

    assert dict(Coupon.objects.values_list("code", "state")) == {"USED": "used", "DELETED": "void", "OVER": "expired"}
    assert set(shop.coupon_rows) == {"USED", "OVER"}


@pytest.mark.parametrize("ends_at", [ENDS + timedelta(days=7), None])
def test_an_end_that_the_merchant_moves_in_the_shop_is_followed(
    shop: FakeShop, make_contact: MakeContact, ends_at: datetime | None
) -> None:
    shop.add_shop_coupon("SORRY", ends_at=ENDS)
    coupons.assign([("SORRY", make_contact().pk)])
    shop.add_shop_coupon("SORRY", ends_at=ends_at)

    with clock.travel(to=ENDS + timedelta(seconds=1)):
        pipeline.housekeep()

    got = Coupon.objects.get()
    assert (got.state, got.expires_at) == ("issued", ends_at)
    assert got.expires_on == (date(2026, 3, 16) if ends_at else None)


def test_so_is_one_that_is_moved_before_a_message_goes_out(shop: FakeShop, make_contact: MakeContact) -> None:
    shop.add_shop_coupon("SORRY", ends_at=ENDS)
    coupons.assign([("SORRY", make_contact().pk)])
    shop.add_shop_coupon("SORRY", ends_at=NOON)

    assert coupons.still_good([Coupon.objects.get().pk]) == frozenset()
    assert Coupon.objects.get().expires_at == NOON


def test_one_that_was_withdrawn_stays_in_the_shop_and_may_become_somebody_elses(
    shop: FakeShop, make_contact: MakeContact
) -> None:
    ann, bob = make_contact("ann"), make_contact("bob")
    shop.add_shop_coupon("SORRY")
    coupons.assign([("SORRY", ann.pk)])
    coupons.withdraw(Coupon.objects.get().pk)
    assert "SORRY" in shop.coupon_rows

    assert coupons.assign([("SORRY", bob.pk)]) == 1

    assert Coupon.objects.get().contact == bob


def test_a_code_of_ours_is_its_owners_already(
    make_template: MakeTemplate, make_contact: MakeContact, give: Give
) -> None:
    got = row_of(give(make_template(), make_contact("ann")))

    with pytest.raises(InvalidInput) as refused:
        coupons.assign([(got.code, make_contact("bob").pk)])

    assert refused.value.code == "UNIQUE"
