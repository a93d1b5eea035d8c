"""Two workers at once, on real connections."""

from __future__ import annotations

import pytest
from django.db import transaction

from crm_plugin import coupons
from crm_plugin.coupons import CouponTemplate, Issued, Refusal, Request
from crm_plugin.models import Coupon, CouponSeries, Inbox
from tests.coupons.conftest import MakeContact, MakeTemplate
from tests.fake_shop import FakeShop
from tests.together import together

pytestmark = pytest.mark.django_db(transaction=True)

PEOPLE = 40


@pytest.fixture
def shop(fake_shop: FakeShop) -> FakeShop:
    """The shop, by the clock on the wall: a thread knows nothing of a frozen one."""
    return fake_shop


@pytest.fixture
def people(make_contact: MakeContact) -> list[int]:
    return [make_contact(f"person{n}").pk for n in range(PEOPLE)]


def _issue(template: CouponTemplate, people: list[int], found: list[dict[str, Issued | Refusal]]) -> None:
    with transaction.atomic():
        found.append(dict(coupons.issue(template.pk, [Request(str(pk), pk, "o") for pk in people])))


@pytest.mark.parametrize("is_pool", [False, True], ids=["shop", "pool"])
def test_two_workers_that_issue_for_the_same_people_give_each_one_code(
    shop: FakeShop, make_template: MakeTemplate, people: list[int], *, is_pool: bool
) -> None:
    template = make_template(pool=[f"C{n}" for n in range(2 * PEOPLE)]) if is_pool else make_template()
    found: list[dict[str, Issued | Refusal]] = []

    together(lambda: _issue(template, people, found), lambda: _issue(template, people[::-1], found))

    assert found[0] == found[1]
    assert Coupon.objects.exclude(state="free").count() == PEOPLE
    assert Inbox.objects.filter(kind="coupon_issued").count() == PEOPLE
    assert Coupon.objects.filter(state="free").count() == (PEOPLE if is_pool else 0)
    assert len(shop.coupon_rows) == (0 if is_pool else PEOPLE)


def test_two_workers_open_one_series(shop: FakeShop, make_template: MakeTemplate, people: list[int]) -> None:
    template = make_template()
    found: list[dict[str, Issued | Refusal]] = []

    together(lambda: _issue(template, people[:20], found), lambda: _issue(template, people[20:], found))

    assert len(shop.series_rows) == CouponSeries.objects.count() == 1
    assert Coupon.objects.count() == PEOPLE


def test_two_workers_that_find_the_series_gone_open_one_other(
    shop: FakeShop, make_template: MakeTemplate, make_contact: MakeContact, people: list[int]
) -> None:
    template = make_template()
    found: list[dict[str, Issued | Refusal]] = []
    _issue(template, [make_contact("first").pk], found)
    shop.delete_series(next(iter(shop.series_rows)))

    together(lambda: _issue(template, people[:20], found), lambda: _issue(template, people[20:], found))

    assert [row.shop_ref for row in CouponSeries.objects.all()] == list(shop.series_rows)
    assert len(shop.coupon_rows) == PEOPLE


def test_two_workers_never_take_the_same_code_out_of_a_pool(make_template: MakeTemplate, people: list[int]) -> None:
    template = make_template(pool=[f"C{n}" for n in range(PEOPLE - 5)])
    found: list[dict[str, Issued | Refusal]] = []

    together(lambda: _issue(template, people[:20], found), lambda: _issue(template, people[20:], found))

    answers = [*found[0].values(), *found[1].values()]
    given = [one.code for one in answers if isinstance(one, Issued)]
    assert sorted(given) == sorted(f"C{n}" for n in range(PEOPLE - 5))
    assert answers.count(Refusal("pool_empty")) == 5


def test_codes_are_only_issued_in_a_transaction(make_template: MakeTemplate, people: list[int]) -> None:
    template = make_template()

    with pytest.raises(RuntimeError):
        coupons.issue(template.pk, [Request("it", people[0], "o")])

    assert not Coupon.objects.exists()


def test_two_uploads_of_the_same_codes_put_each_in_once(make_template: MakeTemplate) -> None:
    template = make_template(pool=[])
    codes = [f"C{n}" for n in range(500)]

    together(lambda: coupons.upload(template.pk, codes), lambda: coupons.upload(template.pk, codes[::-1]))

    assert Coupon.objects.count() == 500
