"""The IssueCoupon step, with codes of the coupons room and of the shop behind it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from crm_plugin import activity, automations, clock, coupons
from crm_plugin.automations.checking import check_coupons
from crm_plugin.automations.definition import Definition
from crm_plugin.coupons import Coupon, CouponTemplate, Issued, Refusal, Request
from crm_plugin.errors import InvalidInput
from crm_plugin.models import Contact, Enrollment
from crm_plugin.shop import Customer, Fact, FactKind
from tests.automations.coupon_story import advance, code_of, drain, gift, join, percent, pool, use
from tests.fake_catalogue import FakeProduct
from tests.fake_shop import FakeShop
from tests.stories import definition, on, running, wait
from tests.together import together

pytestmark = pytest.mark.django_db

#: 23:30 in Berlin, the shop's zone.
LATE = datetime(2026, 6, 3, 21, 30, tzinfo=UTC)


def parsed(*steps: dict[str, Any]) -> Definition:
    return Definition.parse(definition(on("signed_up"), steps))


def ends() -> Counter[tuple[str, str, int]]:
    return Counter(Enrollment.objects.values_list("state", "reason", "step"))


def of_runs(key: str) -> list[Any]:
    return [run.context.get(key) for run in Enrollment.objects.order_by("pk")]


@pytest.mark.feature(20)
def test_each_gets_a_code_of_their_own_that_expires_after_seven_days_of_the_shops_zone(fake_shop, shoppers):
    with clock.travel(to=LATE):
        running(on("signed_up"), [gift(percent()), wait()])
        running(on("signed_up"), [gift(percent(), expires_in_days=7), wait()])
        join(shoppers(3))
        advance()

    given = [one for one in of_runs("coupon") if one["expires_on"]]
    assert len({one["code"] for one in of_runs("coupon")}) == 6
    assert {one["expires_on"] for one in given} == {"2026-06-10"}
    assert {one["name"] for one in given} == {"Come back"}
    midnight = datetime(2026, 6, 10, 22, tzinfo=UTC)
    assert {row.expires_at for row in Coupon.objects.filter(expires_at__isnull=False)} == {midnight}
    known = fake_shop.coupons([one["code"] for one in given]).values()
    assert [(one.is_personal, one.ends_at) for one in known] == [(True, midnight)] * 3


@pytest.mark.feature(26)
def test_the_code_stands_beside_what_the_run_knew_already(fake_shop, ann):
    running(on("signed_up"), [gift(percent()), wait()])
    fact = {"kind": FactKind.SIGNED_UP, "source_key": "s", "customer_id": ann.customer_id}
    activity.record(Fact(**fact, data={"source": "footer"}))
    drain()

    advance()

    (context,) = (run.context for run in Enrollment.objects.all())
    row = Coupon.objects.get()
    assert context["coupon"] == {
        "id": row.pk, "code": row.code, "expires_on": None, "name": "Come back", "step": "gift",
    }  # fmt: skip
    assert (context["kind"], context["data"]) == ("signed_up", {"source": "footer"})


@pytest.mark.parametrize(("on_failure", "out"), [("exit", ("exited", "no_coupon", 0)), ("go_on", ("active", "", 1))])
def test_who_gets_no_code_ends_or_goes_on_without_and_remembers_why(fake_shop, shoppers, on_failure, out):
    running(on("signed_up"), [gift(pool("A-1", "A-2"), on_failure=on_failure), wait()])
    join(shoppers(5))

    advance()

    assert ends() == Counter({("active", "", 1): 2}) + Counter({out: 3})
    assert Counter(one["code"] for one in of_runs("coupon") if one) == {"A-1": 1, "A-2": 1}
    assert [one for one in of_runs("no_coupon") if one] == [{"step": "gift", "reason": "pool_empty"}] * 3


def again(*customers: Customer) -> None:
    join(customers, key=f"again{Enrollment.objects.count()}")


@pytest.fixture
def twice(fake_shop: FakeShop, ann: Customer) -> Customer:
    """Somebody who ran through a campaign that lets everybody in each time, and got a code."""
    running(on("signed_up", reentry="always"), [gift(percent(), expires_in_days=7)])
    join([ann])
    advance()
    return ann


def test_a_person_gets_one_code_however_often_they_run_through_the_campaign(twice):
    again(twice)
    advance()

    first, second = of_runs("coupon")
    assert first == second
    assert Coupon.objects.count() == 1


def test_who_has_used_the_code_gets_no_other(fake_shop, twice):
    use(fake_shop, code_of(twice), twice)
    drain()
    again(twice)
    advance()

    assert of_runs("no_coupon") == [None, {"step": "gift", "reason": "used"}]
    assert Enrollment.objects.latest("pk").reason == "no_coupon"
    assert Coupon.objects.count() == 1


def test_whose_code_has_expired_gets_no_other(twice):
    with clock.travel(by=timedelta(days=9)):
        again(twice)
        advance()

    assert of_runs("no_coupon")[1]["reason"] == "expired"
    assert Coupon.objects.count() == 1


def test_a_code_for_each_run_is_another_one_each_time(fake_shop, ann):
    running(on("signed_up", reentry="always"), [gift(percent(), per="run")])
    for _ in range(2):
        again(ann)
        advance()

    assert len({one["code"] for one in of_runs("coupon")}) == Coupon.objects.count() == 2


def test_two_runs_of_a_person_that_come_to_the_step_together_have_the_same_code(fake_shop, ann):
    running(on("liked", reentry="always"), [gift(percent()), wait()])
    like(ann, fake_shop.add_product(), fake_shop.add_product())

    advance()

    assert len(of_runs("coupon")) == 2
    assert {one["code"] for one in of_runs("coupon")} == {code_of(ann)}


# Good for the products of the run only


def like(customer: Customer, *products: FakeProduct) -> None:
    for product in products:
        fact = {"kind": FactKind.LIKED, "customer_id": customer.customer_id, "shop_channel": "default"}
        key = f"l{customer.customer_id}{product.product_id}{Enrollment.objects.count()}"
        activity.record(Fact(**fact, source_key=key, product_id=product.product_id))
    drain()


def goods_of(shop: FakeShop, code: str) -> tuple[str, ...]:
    return shop.series_rows[shop.coupon_rows[code.upper()].series_ref].terms.product_ids


def test_a_code_for_the_items_is_good_for_those_of_its_run_and_another_is_made_for_others(fake_shop, shoppers):
    running(on("liked", reentry="always"), [gift(percent(), for_items=True)])
    lamp, vase = fake_shop.add_product(), fake_shop.add_product()
    ann, bob = shoppers(2)
    for customer, product in ((ann, lamp), (ann, vase), (ann, lamp), (bob, lamp)):
        like(customer, product)
        advance()

    codes = [one["code"] for one in of_runs("coupon")]
    assert [goods_of(fake_shop, code) for code in codes] == [
        (lamp.product_id,), (vase.product_id,), (lamp.product_id,), (lamp.product_id,),
    ]  # fmt: skip
    assert (codes[0] == codes[2], len(set(codes))) == (True, 3)
    assert len(fake_shop.series_rows) == 2


def test_a_run_about_no_product_gets_no_code_that_is_good_for_its_products(fake_shop, ann):
    running(on("signed_up"), [gift(percent(), for_items=True)])
    join([ann])

    advance()

    assert ends() == Counter({("exited", "no_coupon", 0): 1})
    assert of_runs("no_coupon") == [{"step": "gift", "reason": "no_items"}]
    assert not Coupon.objects.exists()


# Faults


def broken(*_args: Any, **_more: Any) -> Mapping[str, Issued | Refusal]:
    raise RuntimeError("the shop is closed")


def test_a_shop_that_breaks_gives_nobody_a_code_and_stops_nobody(fake_shop, ann, monkeypatch, caplog):
    monkeypatch.setattr(coupons, "issue", broken)
    running(on("signed_up"), [gift(percent(), on_failure="go_on"), wait()])
    join([ann])

    with caplog.at_level(logging.ERROR):
        advance()

    assert ends() == Counter({("active", "", 1): 1})
    assert of_runs("no_coupon") == [{"step": "gift", "reason": "failed"}]
    assert "no codes of coupon" in caplog.text


def test_a_later_step_that_gives_one_forgets_that_an_earlier_one_gave_none(fake_shop, ann):
    running(on("signed_up"), [gift(pool(), on_failure="go_on"), gift(percent(), id="other"), wait()])
    join([ann])

    advance()
    advance()

    (context,) = (run.context for run in Enrollment.objects.all())
    assert (context["coupon"]["step"], "no_coupon" in context) == ("other", False)


def test_a_pass_that_was_rolled_back_leaves_one_code(fake_shop, ann):
    running(on("signed_up"), [gift(percent()), wait()])
    join([ann])
    with transaction.atomic():
        automations.advance(10)
        transaction.set_rollback(True)

    advance()

    assert of_runs("coupon")[0]["code"] == Coupon.objects.get().code


def test_however_many_people_there_are_the_statements_are_the_same(fake_shop, shoppers):
    running(on("signed_up"), [gift(percent(), expires_in_days=7), wait()])
    counts = []
    for size in (2, 40):
        join(shoppers(size))
        with CaptureQueriesContext(connection) as queries:
            advance()
        counts.append(len(queries))

    assert counts[1] <= counts[0]
    assert Coupon.objects.count() == 42


@pytest.mark.django_db(transaction=True)
def test_of_two_workers_who_serve_the_same_person_at_once_one_makes_the_code_and_both_have_it(fake_shop, ann):
    template = percent()
    contact_id = Contact.objects.get(customer_id=ann.customer_id).pk
    found: list[Issued | Refusal] = []

    def issue() -> None:
        with transaction.atomic():
            wanted = [Request(key="1", contact_id=contact_id, occasion="campaign:5/gift")]
            found.append(coupons.issue(template.pk, wanted)["1"])

    together(issue, issue)

    assert found[0] == found[1]
    assert Coupon.objects.count() == 1


# Publishing


def test_a_coupon_that_is_not_there_or_was_put_away_cannot_be_given(fake_shop):
    good, away = percent(), percent()
    coupons.archive_template(away.pk)
    refused = []
    for pk in (good.pk, away.pk, away.pk + 1_000):
        try:
            check_coupons(parsed(wait(), gift(pk)))
        except InvalidInput as error:
            refused.append((pk - away.pk, error.field, error.code))

    assert refused == [
        (0, "definition.steps.1.coupon", "IS_ARCHIVED"),
        (1_000, "definition.steps.1.coupon", "NOT_FOUND"),
    ]


def test_a_draft_may_name_a_coupon_that_is_yet_to_come_and_is_not_published_before(fake_shop):
    campaign = running(on("signed_up"), [wait()])
    automations.pause(campaign.pk)

    draft = definition(on("signed_up"), [gift(81_000), wait()])
    automations.update_campaign(campaign.pk, definition=draft)

    with pytest.raises(InvalidInput) as error:
        automations.publish(campaign.pk)
    assert (error.value.field, error.value.code) == ("definition.steps.0.coupon", "NOT_FOUND")


def warnings_of(*templates: CouponTemplate, audience: dict[str, Any] | None = None) -> Sequence[str]:
    steps = [gift(one, id=f"gift{place}") for place, one in enumerate(templates)]
    trigger = on("signed_up") | ({"audience": audience} if audience else {})
    campaign = automations.create_campaign(name="Test", definition=definition(trigger, [*steps, wait()]))
    found = automations.preview_publish(campaign.pk).warnings
    return [one.field for one in found if one.code == "POOL_RUNS_DRY"]


def test_before_publishing_a_pool_with_fewer_codes_than_the_audience_is_warned_of(fake_shop, shoppers):
    shoppers(3)
    everybody = {"include": {"type": "everybody"}}
    empty, small, enough = pool(), pool("S-1", "S-2"), pool("E-1", "E-2", "E-3")

    told = warnings_of(empty, small, enough, percent(), audience=everybody)

    assert told == ["definition.steps.0.coupon", "definition.steps.1.coupon"]
    assert warnings_of(empty, small) == ["definition.steps.0.coupon"]
