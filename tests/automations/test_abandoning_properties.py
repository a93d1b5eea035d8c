"""Whatever the order of cart changes, checkouts, purchases and passes: one run for a content, none after a purchase."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_plugin import activity, clock, contacts, pipeline
from crm_plugin.automations.carts import content_of
from crm_plugin.automations.firing import fire_timers
from crm_plugin.contacts import Person
from crm_plugin.models import Activity, Campaign, Enrollment, Timer
from crm_plugin.shop import Fact, FactKind
from tests.automations.timer_story import DAY, abandoned, begin_checkout, buy
from tests.fake_shop import FakeShop
from tests.fake_trade import cart_changed
from tests.stories import running, send, wait

pytestmark = pytest.mark.django_db

#: More of them on demand: CRM_EXAMPLES=1000 and --hypothesis-profile=default.
EXAMPLES = int(os.environ.get("CRM_EXAMPLES", "25"))
CART, CHECKOUT = timedelta(minutes=60), timedelta(minutes=30)
STEPS = [send("a"), wait("rest", seconds=3 * 3600), send("b")]
CONTENTS = st.lists(st.tuples(st.integers(0, 1), st.integers(1, 2)), max_size=2, unique_by=lambda line: line[0])
FULL = st.sampled_from([[(0, 1)], [(1, 1)], [(0, 1), (1, 2)]])
DEEDS = st.one_of(
    st.tuples(st.just("change"), CONTENTS, st.booleans()),
    st.tuples(st.just("change"), FULL, st.just(value=True)),
    st.tuples(st.just("change"), FULL, st.just(value=True)),
    st.tuples(st.just("check_out")),
    st.tuples(st.just("buy"), st.booleans(), st.booleans()),
    st.tuples(st.just("cancel")),
    st.tuples(st.just("tell_again")),
)
PASSES = st.sampled_from([("pump",), ("pump",), ("fire",)])
STORIES = st.lists(
    st.tuples(DEEDS | st.none(), st.sampled_from([1, 10, 29, 31, 61, 61, 61]), PASSES), min_size=4, max_size=20
)


@pytest.fixture
def campaigns(fake_shop: FakeShop, settings: Any) -> tuple[Campaign, Campaign, FakeShop]:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    with clock.travel(to=DAY):
        exits = {"exit_when": ["ordered"]}
        cart, checkout = running(abandoned(), STEPS, **exits), running(abandoned("checkout", 30), STEPS, **exits)
    return cart, checkout, fake_shop


class Story:
    """One shopper with one cart, and the workers."""

    def __init__(self, cart: Campaign, checkout: Campaign, shop: FakeShop) -> None:
        self.delays = {cart.pk: CART, checkout.pk: CHECKOUT}
        self.cart_campaign, self.shop, self.now = cart, shop, DAY + timedelta(hours=1)
        self.products = [shop.add_product(price=10 + n) for n in range(2)]
        self.ann = shop.add_customer(email="ann@example.com")
        self.contact = contacts.get_or_create(Person(self.ann.customer_id, self.ann.email))
        self.carts, self.orders, self.seen = 1, list[Any](), set[int]()

    @property
    def ref(self) -> str:
        return f"c{self.carts}"

    def change(self, lines: list[tuple[int, int]], is_told: bool) -> None:  # noqa: FBT001 - drawn
        made = [(self.products[n].ref, quantity) for n, quantity in lines]
        cart = self.shop.change_cart(self.ref, *(ref for ref, _q in made), customer_id=self.ann.customer_id)
        again = [self.shop.line(ref, quantity=quantity) for ref, quantity in made]
        self.shop.cart_rows[self.ref] = type(cart)(
            cart.cart_ref, cart.shop_channel, tuple(again), cart.changed_at, cart.customer_id
        )
        if is_told:
            activity.record(cart_changed(self.shop.cart_rows[self.ref]))

    def check_out(self) -> None:
        if self.ref in self.shop.cart_rows:
            begin_checkout(self.ref, customer_id=self.ann.customer_id)

    def buy(self, is_guest: bool, is_the_cart: bool) -> None:  # noqa: FBT001 - drawn
        who = {"email": self.ann.email} if is_guest else {"customer_id": self.ann.customer_id}
        if not is_the_cart:
            self.orders.append(buy(self.shop, self.products[0], **who))
        elif self.ref in self.shop.cart_rows and self.shop.cart_rows[self.ref].lines:
            self.orders.append(buy(self.shop, cart_ref=self.ref, **who))
            self.carts += 1

    def cancel(self) -> None:
        if self.orders:
            order = self.orders.pop()
            activity.record(
                Fact(
                    kind=FactKind.CANCELLED,
                    source_key=f"cancel:{order.order_ref}",
                    order_ref=order.order_ref,
                    email=self.ann.email,
                )
            )

    def tell_again(self) -> None:
        if self.ref in self.shop.cart_rows:
            activity.record(cart_changed(self.shop.cart_rows[self.ref]))

    def work(self, passes: tuple[str, ...]) -> None:
        for name in passes:
            if name == "pump":
                pipeline.pump()
            else:
                with transaction.atomic():
                    fire_timers(10)
            self.check()

    def check(self) -> None:
        for run in Enrollment.objects.exclude(pk__in=self.seen):
            self.seen.add(run.pk)
            cart = self.shop.cart_rows[run.context["cart_ref"]]
            assert run.epoch == content_of(cart), "the run is about what is in the cart"
            assert run.entered_at >= cart.changed_at
            assert run.entered_at + self.delays[run.campaign_id] <= self.now, "the cart was left alone long enough"
            assert not self.stands_since(run.entered_at), "somebody who bought is left alone"
            began = Activity.objects.filter(kind="checkout_started", cart_ref=cart.cart_ref).exists()
            assert (run.campaign_id == self.cart_campaign.pk) is not began, "a begun checkout is no cart any more"
        active = list(Enrollment.objects.filter(state="active").values_list("subject_key", flat=True))
        assert len(active) == len(set(active)), "one run for a cart at a time, of whichever campaign"
        everything = list(Enrollment.objects.values_list("campaign_id", "subject_key", "epoch"))
        assert len(everything) == len(set(everything))

    def stands_since(self, since: datetime) -> bool:
        undone = Activity.objects.filter(kind="cancelled").values("order_ref")
        return Activity.objects.filter(kind="ordered", occurred_at__gt=since).exclude(order_ref__in=undone).exists()

    def settle(self) -> None:
        """Leave the cart alone for long: whoever has to be reminded has been."""
        self.tell_again()
        for minutes in (0, 31, 61, 61):
            self.now += timedelta(minutes=minutes)
            with clock.travel(to=self.now):
                self.work(("pump",))
        assert not Timer.objects.exists()
        cart = self.shop.cart_rows.get(self.ref)
        if cart is not None and cart.lines and not self.stands_since(cart.changed_at):
            assert Enrollment.objects.filter(subject_key=f"cart:{self.ref}", epoch=content_of(cart)).exists()


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(story=STORIES, is_reminded=st.sampled_from([True, True, False]))
def test_one_run_for_each_content_of_a_cart_and_none_after_a_purchase(
    campaigns: Any, story: Any, is_reminded: Any
) -> None:
    undone = transaction.atomic()
    undone._from_testcase = True  # type: ignore[attr-defined] # what is committed for good is undone after each example
    with undone:
        cart, checkout, shop = campaigns
        shop.cart_rows.clear()
        told = Story(cart, checkout, shop)
        before = [(("change", [(0, 1)], True), 1, ("pump",)), (None, 61, ("pump",))]  # a run is under way
        for deed, minutes, passes in [*(before if is_reminded else ()), *story]:
            told.now += timedelta(minutes=minutes, seconds=1)
            with clock.travel(to=told.now):
                if deed is not None:
                    getattr(told, deed[0])(*deed[1:])
                told.work(passes)
        told.settle()
        transaction.set_rollback(True)
