"""What orders do to coupons, told in any order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_plugin import activity, audience, clock, contacts, coupons, pipeline
from crm_plugin.audience import AudienceRule
from crm_plugin.contacts import Person
from crm_plugin.coupons import Refusal
from crm_plugin.models import Activity, Contact, Coupon, Inbox
from crm_plugin.shop import Fact, FactKind, Order, OrderState, ProductRef
from tests.coupons.conftest import NOON, Give, MakeContact, MakeTemplate, cancelled, let_go, order_fact, row_of, tell
from tests.fake_shop import FakeShop
from tests.fake_trade import order_facts

pytestmark = pytest.mark.django_db

Buy = Callable[..., Order]


@pytest.fixture
def buy(shop: FakeShop) -> Buy:
    """Place an order with coupons, and tell it unless asked not to."""
    product = shop.add_product(price=100)

    def buy(who: Contact, *codes: str, is_told: bool = True) -> Order:
        order = shop.place_order(product.ref, customer_id=who.customer_id or "", coupon_codes=codes)
        if is_told:
            activity.record_many(order_facts(order))
            pipeline.pump()
        return order

    return buy


def _cancel(shop: FakeShop, order: Order, *, state: OrderState = OrderState.CANCELLED) -> None:
    activity.record_many(order_facts(shop.set_order_state(order.order_ref, state)))
    pipeline.pump()


def _state(coupon: Coupon) -> tuple[str, str, int | None]:
    coupon.refresh_from_db()
    return coupon.state, coupon.order_ref, coupon.used_by_id


def test_an_order_uses_its_code(
    shop: FakeShop, make_template: MakeTemplate, make_contact: MakeContact, give: Give, buy: Buy
) -> None:
    ann = make_contact()
    got = row_of(give(make_template(), ann))

    order = buy(ann, got.code)

    assert _state(got) == ("used", order.order_ref, None)
    assert got.used_at == order.placed_at
    used = Activity.objects.get(kind="coupon_used")
    assert (used.contact, used.subject) == (ann, got.code)
    assert used.source_key == f"order:{order.order_ref}:coupon:{got.code}"


def test_an_order_told_twice_uses_it_once_and_a_code_of_nobody_of_ours_is_no_trouble(
    make_template: MakeTemplate, make_contact: MakeContact, give: Give, buy: Buy
) -> None:
    ann = make_contact()
    got = row_of(give(make_template(), ann))
    order = buy(ann, got.code.lower(), "SUMMER")
    told = _state(got)

    activity.record_many(order_facts(order))
    pipeline.pump()

    assert _state(got) == told == ("used", order.order_ref, None)
    assert Activity.objects.filter(kind="coupon_used").count() == 2


def test_a_cancelled_order_gives_the_code_back(
    shop: FakeShop, make_template: MakeTemplate, make_contact: MakeContact, give: Give, buy: Buy
) -> None:
    template, ann = make_template(), make_contact()
    got = row_of(give(template, ann))
    order = buy(ann, got.code)
    assert give(template, ann) == Refusal("used")

    _cancel(shop, order)

    assert _state(got) == ("issued", "", None)
    assert got.used_at is None
    assert shop.coupons([got.code])[got.code].is_usable
    assert row_of(give(template, ann)) == got


@pytest.mark.parametrize("is_used_again", [False, True])
def test_an_order_that_never_counted_lets_go_of_the_code(
    shop: FakeShop, make_template: MakeTemplate, make_contact: MakeContact, give: Give, buy: Buy, *, is_used_again: bool
) -> None:
    ann = make_contact()
    got = row_of(give(make_template(), ann))
    held = shop.coupon_rows[got.code]
    held.order_refs.add("nobody-paid")
    before = shop.coupons([got.code])[got.code].is_usable
    order = buy(ann, got.code) if is_used_again else None

    tell(*[let_go("nobody-paid", got.code)] * 2, let_go("of-a-stranger", "UNKNOWN"))
    pipeline.pump()

    got.refresh_from_db()
    assert not before
    assert _state(got) == (("used", order.order_ref, None) if order else ("issued", "", None))
    assert held.order_refs == ({"nobody-paid", order.order_ref} if order else set())
    assert not Activity.objects.filter(kind=FactKind.COUPON_LET_GO).exists()
    assert not Inbox.objects.filter(kind=FactKind.COUPON_LET_GO).exists()


def test_a_code_that_was_taken_back_stays_so_when_an_order_lets_go_of_it(
    shop: FakeShop, make_template: MakeTemplate, make_contact: MakeContact, give: Give
) -> None:
    got = row_of(give(make_template(), make_contact()))
    shop.coupon_rows[got.code].order_refs.add("nobody-paid")
    coupons.withdraw(got.pk)

    tell(let_go("nobody-paid", got.code))
    pipeline.pump()

    assert not shop.coupons([got.code])[got.code].is_usable


def test_a_refund_does_not_give_it_back(
    shop: FakeShop, make_template: MakeTemplate, make_contact: MakeContact, give: Give, buy: Buy
) -> None:
    ann = make_contact()
    got = row_of(give(make_template(), ann))
    order = buy(ann, got.code)

    _cancel(shop, order, state=OrderState.REFUNDED)

    assert _state(got) == ("used", order.order_ref, None)
    assert not shop.coupons([got.code])[got.code].is_usable


def test_an_order_cancelled_after_the_end_leaves_it_expired(
    shop: FakeShop, make_template: MakeTemplate, make_contact: MakeContact, give: Give, buy: Buy
) -> None:
    ann = make_contact()
    got = row_of(give(make_template(), ann))
    order = buy(ann, got.code)

    with clock.travel(to=NOON + timedelta(days=9)):
        _cancel(shop, order)

    assert _state(got) == ("expired", "", None)
    assert shop.coupon_rows[got.code].order_refs == {order.order_ref}


def test_a_code_that_somebody_else_used_is_used_and_says_by_whom(
    make_template: MakeTemplate, make_contact: MakeContact, give: Give, buy: Buy
) -> None:
    ann, bob = make_contact("ann"), make_contact("bob")
    got = row_of(give(make_template(), ann))

    order = buy(bob, got.code)

    assert _state(got) == ("used", order.order_ref, bob.pk)
    found = coupons.newest(coupons.Wanted(is_misused=True), above=0, below=2**60, limit=5)
    assert found == [got]


def test_an_order_that_is_edited_to_use_another_code_uses_that_too(
    shop: FakeShop, make_template: MakeTemplate, make_contact: MakeContact, give: Give, buy: Buy
) -> None:
    ann = make_contact()
    first, second = row_of(give(make_template(), ann, "a")), row_of(give(make_template(), ann, "b"))
    order = buy(ann, first.code)
    shop.order_rows[order.order_ref] = replace(order, coupon_codes=(first.code, second.code))

    told_again = order_fact(FactKind.ORDERED, order.order_ref, ann.customer_id or "")
    tell(replace(told_again, source_key=f"order:{order.order_ref}:edited"))
    pipeline.pump()

    assert [_state(one) for one in (first, second)] == [("used", order.order_ref, None)] * 2


def test_a_withdrawn_code_that_an_order_used_all_the_same_stays_withdrawn(
    shop: FakeShop, make_template: MakeTemplate, make_contact: MakeContact, give: Give, buy: Buy
) -> None:
    ann = make_contact()
    got = row_of(give(make_template(), ann))
    order = buy(ann, got.code, is_told=False)
    coupons.withdraw(got.pk)

    activity.record_many(order_facts(order))
    pipeline.pump()
    told = _state(got)
    _cancel(shop, order)

    assert told == ("void", order.order_ref, None)
    assert _state(got) == ("void", "", None)


def test_a_code_of_a_pool_that_leaked_is_given_to_nobody(
    shop: FakeShop, make_template: MakeTemplate, make_contact: MakeContact, give: Give, buy: Buy
) -> None:
    bob = make_contact("bob")
    template = make_template(pool=["LEAKED", "SAFE"])
    leaked = Coupon.objects.get(code="LEAKED")

    order = buy(bob, "LEAKED")

    assert _state(leaked) == ("used", order.order_ref, bob.pk)
    assert row_of(give(template, make_contact("ann"))).code == "SAFE"
    _cancel(shop, order)
    assert _state(leaked) == ("free", "", None)


def test_many_facts_are_heard_in_a_fixed_number_of_queries(
    make_template: MakeTemplate, make_contact: MakeContact, give: Give, buy: Buy, django_assert_max_num_queries
) -> None:
    template, ids = make_template(), []
    for n in range(12):
        who = make_contact(f"person{n}")
        got = row_of(give(template, who))
        buy(who, got.code)
        Coupon.objects.filter(pk=got.pk).update(state="issued", used_at=None, order_ref="")
    ids = list(Activity.objects.filter(kind="coupon_used").values_list("pk", flat=True))

    with django_assert_max_num_queries(4):
        changed = coupons.hear({FactKind.COUPON_USED: ids})

    assert changed == 12
    assert coupons.hear({FactKind.COUPON_USED: ids}) == 0
    assert coupons.hear({FactKind.ORDERED: [1]}) == 0


def _told(shop: FakeShop, product: ProductRef, code: str, people: list[Contact]) -> list[Fact]:
    """Place two orders with the same code, cancel the first and pay back the second; return what there is to tell."""
    first, second = (
        shop.place_order(product, customer_id=who.customer_id or "", coupon_codes=[code]) for who in people
    )
    facts = [fact for order in (first, second) for fact in order_facts(order)]
    return [
        *facts,
        cancelled(first.order_ref, people[0].customer_id or ""),
        order_fact(FactKind.REFUNDED, second.order_ref, people[1].customer_id or ""),
    ]


@pytest.mark.parametrize("order", list(permutations(range(4))), ids=str)
def test_the_facts_decide_not_their_order(
    shop: FakeShop, make_template: MakeTemplate, make_contact: MakeContact, give: Give, order: tuple[int, ...]
) -> None:
    ann, bob = make_contact("ann"), make_contact("bob")
    got = row_of(give(make_template(), ann))
    facts = _told(shop, shop.add_product(price=10).ref, got.code, [ann, bob])

    for place in order:
        tell(facts[place])
        pipeline.pump()

    assert _state(got) == ("used", facts[1].order_ref, bob.pk)
    assert shop.coupon_rows[got.code].order_refs == {facts[1].order_ref} | (
        {facts[0].order_ref} if order.index(1) < max(order.index(0), order.index(2)) else set()
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_facts_in_any_order_and_any_batches_end_the_same(
    shop: FakeShop, make_template: MakeTemplate, make_contact: MakeContact, give: Give, data: st.DataObject
) -> None:
    people = [make_contact(name) for name in ("ann", "bob")]
    product = shop.add_product(price=10).ref
    template = make_template(expires_in_days=None)
    occasion = uuid4().hex  # of this example: they share a database
    got = row_of(give(template, people[0], occasion))
    facts, standing = [], []
    for _ in range(data.draw(st.integers(0, 3))):
        who = data.draw(st.sampled_from(people))
        made = shop.place_order(product, customer_id=who.customer_id or "", coupon_codes=[got.code])
        facts += order_facts(made)
        ends = data.draw(st.sets(st.sampled_from([FactKind.CANCELLED, FactKind.REFUNDED])))
        facts += [order_fact(kind, made.order_ref, who.customer_id or "") for kind in sorted(ends)]
        if FactKind.CANCELLED not in ends:
            standing.append((made, who))

    for fact in data.draw(st.permutations(facts + facts[:1])):
        tell(fact)
        if data.draw(st.booleans()):
            pipeline.pump()
        again = give(template, people[0], occasion)
        assert isinstance(again, Refusal) or row_of(again) == got
    pipeline.pump()

    first = min(standing, key=lambda one: (one[0].placed_at, one[0].order_ref), default=None)
    if first is None:
        assert _state(got) == ("issued", "", None)
    else:
        made, who = first
        assert _state(got) == ("used", made.order_ref, None if who == people[0] else who.pk)
    assert Coupon.objects.filter(contact=people[0], occasion=occasion).count() == 1


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_a_use_whose_order_was_cancelled_does_not_count_as_used_in_an_audience(
    shop: FakeShop, make_template: MakeTemplate, make_contact: MakeContact, give: Give, buy: Buy, *, is_cancelled: bool
) -> None:
    ann = make_contact()
    order = buy(ann, row_of(give(make_template(), ann)).code)

    if is_cancelled:
        _cancel(shop, order)

    held = audience.preview(AudienceRule.parse({"include": {"type": "coupon_held"}}))
    assert held.count == int(is_cancelled)


def test_a_guest_with_another_address_is_somebody_else(
    shop: FakeShop, make_template: MakeTemplate, make_contact: MakeContact, give: Give
) -> None:
    got = row_of(give(make_template(), make_contact()))
    product = shop.add_product(price=10)

    activity.record_many(order_facts(shop.place_order(product.ref, email="guest@example.com", coupon_codes=[got.code])))
    pipeline.pump()

    assert _state(got)[0] == "used"
    assert _state(got)[2] == contacts.get_or_create(Person(email="guest@example.com")).pk
