"""One code for one person and one occasion."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from crm_plugin import clock, coupons, merchant, pipeline
from crm_plugin.coupons import Issued, Refusal, Request, codes, issuing
from crm_plugin.errors import InvalidInput
from crm_plugin.models import Activity, Coupon, CouponSeries, Inbox
from tests.coupons.conftest import NOON, Give, MakeContact, MakeTemplate, issue, row_of
from tests.fake_shop import FakeShop

pytestmark = pytest.mark.django_db


def test_a_code_is_made_in_the_shop_and_bound_to_its_person(
    shop: FakeShop, make_template: MakeTemplate, make_contact: MakeContact, give: Give
) -> None:
    ann = make_contact()

    got = row_of(give(make_template(prefix="hi-"), ann))

    assert re.fullmatch(r"HI-[2-9A-HJKMNP-Z]{10}", got.code)
    assert (got.contact, got.state, got.occasion, got.name) == (ann, "issued", "campaign:1/gift", "Welcome")
    (made,) = shop.coupons([got.code]).values()
    assert (made.is_usable, made.is_personal, made.ends_at) == (True, True, got.expires_at)


def test_that_it_was_issued_becomes_part_of_the_persons_history(
    make_template: MakeTemplate, make_contact: MakeContact, give: Give
) -> None:
    ann = make_contact()
    got = row_of(give(make_template(), ann))
    staff = row_of(give(make_template(), ann, "staff:sorry"))

    pipeline.pump()

    told = {act.subject: act for act in Activity.objects.filter(kind="coupon_issued")}
    assert set(told) == {got.code, staff.code}
    assert told[got.code].contact == ann
    assert got.expires_at is not None
    assert told[got.code].data == {
        "expires_on": "2026-03-09",
        "expires_at": got.expires_at.isoformat(),
        "name": "Welcome",
        "by": "campaign",
        "coupon_id": got.pk,
    }
    assert told[staff.code].data["by"] == "staff"
    assert Activity.objects.get(subject=got.code).source_key == f"coupon:{got.pk}:issued"


def test_the_same_occasion_gives_the_same_code_and_another_one_another(
    shop: FakeShop, make_template: MakeTemplate, make_contact: MakeContact, give: Give
) -> None:
    template, ann, bob = make_template(), make_contact("ann"), make_contact("bob")

    first = give(template, ann)
    again, in_run, of_bob = give(template, ann), give(template, ann, "run:5/gift"), give(template, bob)

    assert again == first
    assert len({row_of(one).code for one in (first, in_run, of_bob)}) == 3
    assert len(shop.coupon_rows) == 3
    assert Inbox.objects.filter(kind="coupon_issued").count() == 3


def test_one_call_answers_every_request_by_its_key(make_template: MakeTemplate, make_contact: MakeContact) -> None:
    ann, bob = make_contact("ann"), make_contact("bob")
    requests = [Request("a", ann.pk, "o"), Request("b", bob.pk, "o"), Request("c", ann.pk, "o")]

    found = issue(make_template(), requests)

    assert set(found) == {"a", "b", "c"}
    assert found["a"] == found["c"] != found["b"]
    assert Coupon.objects.count() == 2
    assert issue(make_template(), []) == {}


@pytest.mark.parametrize(
    ("zone", "at", "days", "last", "over"),
    [
        ("Europe/Berlin", "2026-03-02T12:00:00+00:00", 7, "2026-03-09", "2026-03-09T23:00:00+00:00"),
        ("Asia/Seoul", "2026-03-02T12:00:00+00:00", 7, "2026-03-09", "2026-03-09T15:00:00+00:00"),
        ("Asia/Seoul", "2026-03-02T16:00:00+00:00", 7, "2026-03-10", "2026-03-10T15:00:00+00:00"),  # tomorrow there
        ("Europe/Berlin", "2026-03-24T12:00:00+00:00", 5, "2026-03-29", "2026-03-29T22:00:00+00:00"),  # 23 hours
        ("Europe/Berlin", "2026-10-20T12:00:00+00:00", 5, "2026-10-25", "2026-10-25T23:00:00+00:00"),  # 25 hours
        ("Africa/Cairo", "2026-04-20T12:00:00+00:00", 3, "2026-04-23", "2026-04-23T22:00:00+00:00"),  # no midnight
        ("UTC", "2026-03-02T23:59:59+00:00", 0, "2026-03-02", "2026-03-03T00:00:00+00:00"),
        ("UTC", "2026-03-02T12:00:00+00:00", None, None, None),
    ],
)
def test_a_code_is_good_until_the_last_second_of_its_last_day(
    make_template: MakeTemplate,
    make_contact: MakeContact,
    zone: str,
    at: str,
    days: int | None,
    last: str | None,
    over: str | None,
) -> None:
    merchant.update(time_zone=zone)
    template = make_template(expires_in_days=days)

    with clock.travel(to=datetime.fromisoformat(at)):
        found = issue(template, [Request("it", make_contact().pk, "o")])["it"]

    assert isinstance(found, Issued)
    assert found.expires_on == (date.fromisoformat(last) if last else None)
    assert found.expires_at == (datetime.fromisoformat(over) if over else None)
    if found.expires_at is not None:
        with clock.travel(to=found.expires_at - timedelta(seconds=1)):
            assert coupons.still_good([found.coupon_id]) == {found.coupon_id}
        with clock.travel(to=found.expires_at):
            assert coupons.still_good([found.coupon_id]) == frozenset()


def test_a_step_may_say_another_end_than_the_template(
    make_template: MakeTemplate, make_contact: MakeContact, give: Give
) -> None:
    template = make_template(expires_in_days=30)

    got = row_of(give(template, make_contact(), expires_in_days=2))

    assert got.expires_on == date(2026, 3, 4)
    assert Issued(got.pk, got.code, got.name, got.expires_on, got.expires_at).to_json() == {
        "id": got.pk,
        "code": got.code,
        "expires_on": "2026-03-04",
        "name": "Welcome",
    }


def test_who_used_it_let_it_expire_or_lost_it_gets_no_other_for_the_occasion(
    shop: FakeShop, make_template: MakeTemplate, make_contact: MakeContact, give: Give
) -> None:
    template, ann = make_template(), make_contact()
    for state, values in (("used", {"used_at": NOON}), ("expired", {}), ("void", {})):
        Coupon.objects.filter(pk=row_of(give(template, ann, state)).pk).update(state=state, **values)
    give(template, ann, "late")

    with clock.travel(to=NOON + timedelta(days=8)):
        late = give(template, ann, "late")

    assert [give(template, ann, state) for state in ("used", "expired", "void")] == [
        Refusal("used"),
        Refusal("expired"),
        Refusal("void"),
    ]
    assert late == Refusal("expired")
    assert len(shop.coupon_rows) == 4


def test_an_archived_template_gives_nothing_new_and_what_is_out_stays_good(
    shop: FakeShop, make_template: MakeTemplate, make_contact: MakeContact, give: Give
) -> None:
    template, ann = make_template(), make_contact("ann")
    had = give(template, ann)
    coupons.archive_template(template.pk)

    refused = give(template, make_contact("bob"))

    assert refused == Refusal("archived")
    assert give(template, ann) == had
    assert Coupon.objects.count() == len(shop.coupon_rows) == 1


def test_codes_of_the_same_day_and_worth_share_a_series(
    shop: FakeShop, make_template: MakeTemplate, make_contact: MakeContact, give: Give
) -> None:
    template, ann, bob = make_template(), make_contact("ann"), make_contact("bob")
    give(template, ann)
    give(template, bob)
    assert len(shop.series_rows) == 1

    give(template, ann, "shorter", expires_in_days=1)
    with clock.travel(to=NOON + timedelta(days=1)):
        give(template, ann, "tomorrow")
    coupons.update_template(template.pk, terms={"kind": "percent", "percent": 20})
    give(template, ann, "dearer")
    coupons.update_template(template.pk, terms={"kind": "percent", "percent": "20.00"})
    give(template, bob, "the same")

    assert len(shop.series_rows) == 4
    assert [one.terms.percent for one in shop.series_rows.values()] == [10, 10, 10, 20]


def test_a_code_for_what_a_run_is_about_is_good_for_these_products_only(
    shop: FakeShop, make_template: MakeTemplate, make_contact: MakeContact, give: Give
) -> None:
    products = [shop.add_product(price=10).product_id for _ in range(25)]
    template, ann, bob = make_template(), make_contact("ann"), make_contact("bob")

    give(template, ann, "o", products[1], products[0])
    give(template, bob, "o", products[0], products[1], products[0])
    give(template, ann, "many", *products)

    goods = [set(one.terms.product_ids) for one in shop.series_rows.values()]
    assert goods == [set(products[:2]), set(products[:20])]


def test_it_does_not_reach_beyond_what_the_template_is_good_for(
    shop: FakeShop, make_template: MakeTemplate, make_contact: MakeContact, give: Give
) -> None:
    a, b, c = (shop.add_product(price=10).product_id for _ in range(3))
    ann = make_contact()
    template = make_template(terms={"kind": "percent", "percent": 10, "product_ids": [a, b]})

    give(template, ann, "some", b, c)
    none = give(template, ann, "none", c)

    assert none == Refusal("series_refused")
    assert [one.terms.product_ids for one in shop.series_rows.values()] == [(b,)]
    assert not Coupon.objects.filter(occasion="none").exists()


def test_a_code_that_the_shop_has_already_is_drawn_again(
    shop: FakeShop,
    make_template: MakeTemplate,
    make_contact: MakeContact,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    people = [make_contact(name) for name in ("ann", "bob", "cid")]
    drawn = iter([["MINE", "THEIRS", "ALSO"], ["THEIRS2", "NEW"], ["OTHER"]])
    monkeypatch.setattr(issuing, "new_codes", lambda count, prefix="": next(drawn)[:count])
    shop.taken_codes = {"theirs", "ALSO", "THEIRS2"}

    found = issue(make_template(), [Request(str(one.pk), one.pk, "o") for one in people])

    assert [row_of(found[str(one.pk)]).code for one in people] == ["MINE", "OTHER", "NEW"]
    assert set(shop.coupon_rows) == {"MINE", "OTHER", "NEW"}


def test_a_code_that_somebody_of_ours_has_is_drawn_again(
    shop: FakeShop,
    make_template: MakeTemplate,
    make_contact: MakeContact,
    give: Give,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    template, ann, bob = make_template(), make_contact("ann"), make_contact("bob")
    drawn = iter([["SAME"], ["same"], ["OTHER"]])
    monkeypatch.setattr(issuing, "new_codes", lambda _count, prefix="": next(drawn))

    first, second = give(template, ann), give(template, bob)

    assert (row_of(first).code, row_of(second).code) == ("SAME", "OTHER")
    assert Coupon.objects.count() == 2


def test_codes_that_collide_for_ever_leave_nothing_behind(
    shop: FakeShop,
    make_template: MakeTemplate,
    make_contact: MakeContact,
    give: Give,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(issuing, "new_codes", lambda _count, prefix="": ["TAKEN"])
    shop.taken_codes = {"TAKEN"}
    template = make_template()

    refused = give(template, make_contact())

    assert refused == Refusal("series_refused")
    assert not Coupon.objects.exists()
    assert not shop.coupon_rows
    assert not Inbox.objects.filter(kind="coupon_issued").exists()


def test_a_series_that_was_deleted_in_the_shop_is_opened_again_once(
    shop: FakeShop, make_template: MakeTemplate, make_contact: MakeContact, give: Give
) -> None:
    template = make_template()
    give(template, make_contact("ann"))
    (gone,) = shop.series_rows
    shop.delete_series(gone)

    second, third = give(template, make_contact("bob")), give(template, make_contact("cid"))

    assert {row_of(one).code for one in (second, third)} == {row.code for row in shop.coupon_rows.values()}
    assert set(shop.series_rows) == {CouponSeries.objects.get().shop_ref} != {gone}


def test_a_series_that_cannot_be_opened_again_gives_nothing_and_leaves_nothing(
    shop: FakeShop, make_template: MakeTemplate, make_contact: MakeContact, give: Give
) -> None:
    template, bob = make_template(), make_contact("bob")
    give(template, make_contact("ann"))
    shop.delete_series(next(iter(shop.series_rows)))
    shop.refuse_terms = InvalidInput("The channel is gone.", field="shop_channels")

    refused = give(template, bob)

    assert refused == Refusal("series_refused")
    assert not Coupon.objects.filter(contact=bob).exists()
    assert not shop.series_rows


@pytest.mark.parametrize("field", ["amounts", "shop_channels"])
def test_terms_that_the_shop_no_longer_offers_are_refused_and_leave_nothing(
    shop: FakeShop, make_template: MakeTemplate, make_contact: MakeContact, give: Give, field: str
) -> None:
    template = make_template(terms={"kind": "fixed", "amounts": {"default": "5.00"}})
    shop.refuse_terms = InvalidInput("The channel is of another currency now.", field=field)

    refused = give(template, make_contact())

    assert refused == Refusal("series_refused")
    assert not Coupon.objects.exists()
    assert not CouponSeries.objects.exists()
    assert not shop.series_rows


def test_a_transaction_that_is_undone_gives_nobody_anything(
    make_template: MakeTemplate, make_contact: MakeContact
) -> None:
    template, ann = make_template(), make_contact()

    with transaction.atomic():
        coupons.issue(template.pk, [Request("it", ann.pk, "o")])
        transaction.set_rollback(True)

    assert not Coupon.objects.exists()
    assert not Inbox.objects.filter(kind="coupon_issued").exists()


def _statements(make_template: MakeTemplate, ids: list[int], **pool: Any) -> int:
    template = make_template(**pool)
    requests = [Request(str(pk), pk, "o") for pk in ids]
    with CaptureQueriesContext(connection) as seen:
        found = issue(template, requests)
    assert len({row.code for row in Coupon.objects.filter(template=template)}) == len(ids)
    assert all(isinstance(one, Issued) for one in found.values())
    return sum("crm_plugin_inbox" not in query["sql"] for query in seen.captured_queries)


def test_any_number_of_codes_takes_the_same_number_of_statements(
    make_template: MakeTemplate, make_contact: MakeContact, many_contacts: list[int]
) -> None:
    of_one = _statements(make_template, [make_contact().pk])
    of_ten_thousand = _statements(make_template, many_contacts)

    assert len(many_contacts) == 10_000
    assert of_ten_thousand == of_one <= 15


def test_so_does_a_pool(make_template: MakeTemplate, make_contact: MakeContact, many_contacts: list[int]) -> None:
    of_one = _statements(make_template, [make_contact().pk], pool=["A1"])
    of_many = _statements(make_template, many_contacts[:500], pool=[f"B{n}" for n in range(500)])

    assert of_many == of_one <= 12


@pytest.fixture
def many_contacts(db: None) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO crm_plugin_contact (email, first_name, last_name, language, country, time_zone, orders_count,
                created_at)
            SELECT 'p' || n || '@example.com', '', '', 'en', '', '', 0, %s FROM generate_series(1, 10000) n RETURNING id
            """,
            [NOON],
        )
        return [pk for (pk,) in cursor.fetchall()]


def test_codes_are_fair_and_never_the_same() -> None:
    made = codes.new_codes(5_000)

    assert len(set(made)) == 5_000
    assert {len(code) for code in made} == {codes.LENGTH}
    assert set("".join(made)) == set(codes.ALPHABET)
    assert codes.new_codes(0) == []
