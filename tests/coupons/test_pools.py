"""Pools of uploaded codes."""

from __future__ import annotations

import json
import logging
from io import StringIO

import pytest
from django.core.management import call_command
from pytest_django import DjangoCaptureOnCommitCallbacks

from crm_plugin import coupons
from crm_plugin.coupons import Refusal, Upload
from crm_plugin.errors import InvalidInput, NotFound
from crm_plugin.models import Coupon
from tests.coupons.conftest import Give, MakeContact, MakeTemplate, row_of
from tests.fake_shop import FakeShop

pytestmark = pytest.mark.django_db


def test_codes_are_given_out_in_the_order_of_the_upload(
    shop: FakeShop, make_template: MakeTemplate, make_contact: MakeContact, give: Give
) -> None:
    template = make_template(pool=["zebra", "Apple", "M-1"])

    given = [row_of(give(template, make_contact(name))) for name in ("ann", "bob")]

    assert [row.code for row in given] == ["zebra", "Apple"]
    assert {row.is_kept_by_shop for row in given} == {False}
    assert not shop.coupon_rows
    assert coupons.counts([template.pk])[template.pk] == coupons.Counts(given=2, good=2, free=1)


def test_a_dry_pool_says_so_and_leaves_nothing(
    make_template: MakeTemplate, make_contact: MakeContact, give: Give
) -> None:
    template, bob = make_template(pool=["ONE"]), make_contact("bob")
    give(template, make_contact("ann"))

    refused = give(template, bob)

    assert refused == Refusal("pool_empty")
    assert not Coupon.objects.filter(contact=bob).exists()
    coupons.upload(template.pk, ["TWO"])
    assert row_of(give(template, bob)).code == "TWO"


def test_what_was_there_before_is_counted_and_shown_and_the_rest_is_put_in(make_template: MakeTemplate) -> None:
    other = make_template(name="Other", pool=["TAKEN"])
    template = make_template(pool=["OLD"])

    found = coupons.upload(template.pk, ["New", " old ", "taken", "NEW", "Newer"])

    assert found == Upload(2, 1, ("NEW",), 2, ("old", "taken"))
    assert set(Coupon.objects.filter(template=template).values_list("code", flat=True)) == {"OLD", "New", "Newer"}
    assert Coupon.objects.filter(template=other).count() == 1


@pytest.mark.parametrize("wrong", ["", "  ", "two words", "x" * 65, "tab\there", "nul\0", "zero\u200bwidth"])
def test_one_wrong_code_keeps_all_out(make_template: MakeTemplate, wrong: str) -> None:
    template = make_template(pool=[])

    with pytest.raises(InvalidInput) as refused:
        coupons.upload(template.pk, ["FINE", wrong, "ALSO"])

    assert refused.value.field == "codes.1"
    assert not Coupon.objects.exists()


def test_too_many_none_and_nowhere_are_refused(make_template: MakeTemplate) -> None:
    pool, of_shop = make_template(pool=[]), make_template()

    with pytest.raises(InvalidInput):
        coupons.upload(pool.pk, [])
    with pytest.raises(InvalidInput, match="At most"):
        coupons.upload(pool.pk, ["A"] * (coupons.MAX_CODES + 1))
    with pytest.raises(InvalidInput):
        coupons.upload(of_shop.pk, ["A"])
    with pytest.raises(NotFound):
        coupons.upload(of_shop.pk + 1_000, ["A"])
    coupons.archive_template(pool.pk)
    with pytest.raises(InvalidInput):
        coupons.upload(pool.pk, ["A"])

    assert not Coupon.objects.exists()


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("A\nB\r\n\n C \n", ["A", "B", "C"]),
        ("\ufeffcode\nA\nB\n", ["A", "B"]),
        ("name,Code\nx,A\ny,B\n", ["A", "B"]),
        ('Code;value\n"A;1";5\n', ["A;1"]),
        ("", []),
    ],
)
def test_a_text_or_a_column_is_read(text: str, codes: list[str]) -> None:
    assert coupons.read_codes(text) == codes


@pytest.mark.parametrize("text", ["A,B\nC,D\n", 'A\n"B', "A\0"])
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        coupons.read_codes(text)

    assert refused.value.field == "text"


def test_a_pool_that_runs_low_is_told_once(
    make_template: MakeTemplate,
    make_contact: MakeContact,
    give: Give,
    caplog: pytest.LogCaptureFixture,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    template = make_template(pool=["A", "B", "C", "D"], warn_below=3)
    make_template(name="Full", pool=["E"], warn_below=1)
    levels = []
    caplog.set_level(logging.WARNING)

    for n in range(4):
        with django_capture_on_commit_callbacks(execute=True):
            give(template, make_contact(f"person{n}"))
        levels.append((coupons.low([template.pk]), len([one for one in caplog.records if "has" in one.message])))

    low = [{template.pk: f"Cinema: {left} left"} for left in (2, 1, 0)]
    assert levels == [({}, 0), (low[0], 1), (low[1], 1), (low[2], 1)]
    out = StringIO()
    call_command("crm", "status", stdout=out)
    assert json.loads(out.getvalue())["coupons"] == {"low_pools": {str(template.pk): "Cinema: 0 left"}}


def test_a_withdrawn_code_does_not_go_back_into_the_pool(
    make_template: MakeTemplate, make_contact: MakeContact, give: Give
) -> None:
    template = make_template(pool=["ONE"])
    got = row_of(give(template, make_contact("ann")))

    coupons.withdraw(got.pk)

    assert give(template, make_contact("bob")) == Refusal("pool_empty")
