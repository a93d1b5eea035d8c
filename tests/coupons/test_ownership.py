"""Two contacts that turn out to be one, and contacts who ask to be forgotten."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crm_plugin import activity, clock, coupons, persons, pipeline
from crm_plugin.contacts import Contact, Merge
from crm_plugin.coupons import Refusal
from crm_plugin.models import Activity, Coupon
from tests.coupons.conftest import NOON, Give, MakeContact, MakeTemplate, row_of
from tests.fake_shop import FakeShop
from tests.fake_trade import order_facts

pytestmark = pytest.mark.django_db


def _use(coupon: Coupon, order_ref: str = "o1") -> None:
    Coupon.objects.filter(pk=coupon.pk).update(state="used", used_at=NOON, order_ref=order_ref)


def _absorb(source: Contact, target: Contact) -> None:
    coupons.absorb(Merge(source.pk, target.pk))


def test_the_codes_of_both_are_the_ones_of_the_one(
    make_template: MakeTemplate, make_contact: MakeContact, give: Give
) -> None:
    ann, anna = make_contact("ann"), make_contact("anna")
    template = make_template()
    first, second = give(template, anna, "a"), give(template, ann, "b")

    _absorb(ann, anna)

    assert set(Coupon.objects.filter(contact=anna)) == {row_of(first), row_of(second)}
    assert (give(template, anna, "a"), give(template, anna, "b")) == (first, second)


def test_of_two_codes_for_one_occasion_the_targets_stays_good(
    shop: FakeShop, make_template: MakeTemplate, make_contact: MakeContact, give: Give
) -> None:
    ann, anna = make_contact("ann"), make_contact("anna")
    template = make_template()
    stays, goes = row_of(give(template, anna)), row_of(give(template, ann))

    _absorb(ann, anna)

    stays.refresh_from_db()
    goes.refresh_from_db()
    assert (stays.state, goes.state, goes.contact) == ("issued", "void", anna)
    assert set(shop.coupon_rows) == {stays.code}
    assert row_of(give(template, anna)) == stays


@pytest.mark.parametrize("is_targets", [True, False])
def test_the_one_that_was_used_counts_for_the_occasion(
    shop: FakeShop, make_template: MakeTemplate, make_contact: MakeContact, give: Give, *, is_targets: bool
) -> None:
    ann, anna = make_contact("ann"), make_contact("anna")
    template = make_template()
    used, other = (
        row_of(give(template, anna if is_targets else ann)),
        row_of(give(template, ann if is_targets else anna)),
    )
    _use(used)

    _absorb(ann, anna)

    other.refresh_from_db()
    assert other.state == "void"
    assert other.code not in shop.coupon_rows
    assert give(template, anna) == Refusal("used")


def test_both_used_stay_used_and_neither_is_given_again(
    make_template: MakeTemplate, make_contact: MakeContact, give: Give
) -> None:
    ann, anna = make_contact("ann"), make_contact("anna")
    template = make_template()
    _use(row_of(give(template, anna)))
    _use(row_of(give(template, ann)), "o2")

    _absorb(ann, anna)

    assert list(Coupon.objects.filter(contact=anna).values_list("state", flat=True)) == ["used", "used"]
    assert give(template, anna) == Refusal("used")


def test_a_code_used_by_oneself_under_another_name_is_not_misused(
    make_template: MakeTemplate, make_contact: MakeContact, give: Give
) -> None:
    ann, guest, bob = make_contact("ann"), make_contact("guest"), make_contact("bob")
    got, of_bob = row_of(give(make_template(), ann)), row_of(give(make_template(), bob))
    _use(got)
    _use(of_bob)
    Coupon.objects.filter(pk__in=(got.pk, of_bob.pk)).update(used_by=guest)

    _absorb(guest, ann)

    got.refresh_from_db()
    of_bob.refresh_from_db()
    assert (got.used_by, of_bob.used_by) == (None, ann)


def test_the_whole_way_a_guest_becomes_a_customer_with_the_same_gift(
    shop: FakeShop, make_template: MakeTemplate, make_contact: MakeContact, give: Give
) -> None:
    ann, bob = make_contact("ann"), make_contact("bob")
    template = make_template()
    give(template, ann)
    give(template, bob)

    persons.absorb(Merge(bob.pk, ann.pk))

    assert not Contact.objects.filter(pk=bob.pk).exists()
    assert sorted(Coupon.objects.filter(contact=ann).values_list("state", flat=True)) == ["issued", "void"]


def test_who_is_erased_leaves_counts_and_no_trace(
    shop: FakeShop, make_template: MakeTemplate, make_contact: MakeContact, give: Give
) -> None:
    ann, bob = make_contact("ann"), make_contact("bob")
    template = make_template()
    got, by_hand = row_of(give(template, ann)), row_of(give(template, ann, "staff:sorry, Ann"))
    of_bob = row_of(give(template, bob))
    Coupon.objects.filter(pk=of_bob.pk).update(state="used", used_at=NOON, order_ref="o1", used_by=ann)

    persons.erase(customer_id=ann.customer_id or "")

    for one in (got, by_hand, of_bob):
        one.refresh_from_db()
    assert (got.contact, got.occasion, got.state) == (None, "campaign:1/gift", "issued")
    assert (by_hand.contact, by_hand.occasion) == (None, "staff:")
    assert (of_bob.used_by, of_bob.order_ref, of_bob.state) == (None, "", "used")
    assert not Activity.objects.filter(contact=ann).exists()
    assert coupons.counts([template.pk])[template.pk] == coupons.Counts(given=3, good=2, used=1)


def test_the_code_of_somebody_erased_can_be_used_and_nobody_is_called_a_stranger(
    shop: FakeShop, make_template: MakeTemplate, make_contact: MakeContact, give: Give
) -> None:
    ann, bob = make_contact("ann"), make_contact("bob")
    got = row_of(give(make_template(), ann))
    persons.erase(customer_id=ann.customer_id or "")

    with clock.travel(to=NOON + timedelta(hours=1)):
        product = shop.add_product(price=10)
        order = shop.place_order(product.ref, customer_id=bob.customer_id or "", coupon_codes=[got.code])
        activity.record_many(order_facts(order))
        pipeline.pump()

    got.refresh_from_db()
    assert (got.state, got.contact, got.used_by) == ("used", None, None)
