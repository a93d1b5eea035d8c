"""Whatever the order of events: never two codes for a run or a person, never a message with a code that is gone."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_plugin import activity, clock, coupons, pipeline
from crm_plugin.coupons import Coupon
from crm_plugin.models import Enrollment, Message
from crm_plugin.shop import Fact, FactKind, OrderState
from tests.automations.coupon_story import gift, percent, pool, showing, use
from tests.fake_shop import FakeShop
from tests.fake_trade import order_facts
from tests.stories import consenting, on, running, send, wait

pytestmark = pytest.mark.django_db

#: More of them on demand: CRM_EXAMPLES=1000 and --hypothesis-profile=default.
EXAMPLES = int(os.environ.get("CRM_EXAMPLES", "20"))
START = datetime(2027, 3, 1, 9, tzinfo=UTC)
PEOPLE = st.integers(0, 1)
#: Which of the codes that there are.
ONE = st.integers(0, 7)
DEEDS = st.one_of(
    st.tuples(st.just("enter"), PEOPLE),
    st.tuples(st.just("enter"), PEOPLE),
    st.tuples(st.just("use"), PEOPLE, ONE),
    st.tuples(st.just("cancel"), ONE),
    st.tuples(st.just("withdraw"), ONE),
    st.tuples(st.just("delete"), ONE),
    st.tuples(st.just("read")),
    st.tuples(st.just("deliver")),
)
STORIES = st.lists(st.tuples(DEEDS, st.sampled_from([0, 0, 1, 26, 80])), min_size=4, max_size=16)
STEPS = st.fixed_dictionaries(
    {
        "per": st.sampled_from(["person", "run"]),
        "on_failure": st.sampled_from(["exit", "go_on"]),
        "expires_in_days": st.sampled_from([None, 1, 3]),
    }
)
TEXT = showing("{% if coupon.code != '' %}Code: {{ coupon.code }}{% else %}No code{% endif %}")


class Story:
    """Two people, two campaigns that give codes away, and the workers."""

    def __init__(self, shop: FakeShop, steps: list[dict[str, Any]]) -> None:
        self.shop, self.entered, self.orders = shop, 0, list[str]()
        self.product = shop.add_product(price=50)
        self.people = [shop.add_customer() for _ in range(2)]
        for one in self.people:
            consenting(one.customer_id, one.email)
        sources = (percent(), pool(*(f"POOL-{n}" for n in range(3))))
        for template, step in zip(sources, steps, strict=True):
            every = on("custom", reentry="always")
            running(every, [gift(template, **step), wait(seconds=3600), send(template=TEXT)], exit_when=[])

    def enter(self, who: int) -> None:
        self.entered += 1
        key, customer_id = f"enter{self.entered}", self.people[who].customer_id
        activity.record(Fact(kind=FactKind.CUSTOM, source_key=key, customer_id=customer_id, subject="x"))

    def use(self, who: int, which: int) -> None:
        if (row := self._code(which)) is not None:
            self.orders.append(use(self.shop, row.code, self.people[who], self.product.ref).order_ref)

    def cancel(self, which: int) -> None:
        if self.orders:
            order = self.shop.set_order_state(self.orders[which % len(self.orders)], OrderState.CANCELLED)
            activity.record_many(order_facts(order, changed_at=clock.now()))

    def withdraw(self, which: int) -> None:
        if (row := self._code(which)) is not None and row.state != "used":
            coupons.withdraw(row.pk)

    def delete(self, which: int) -> None:
        if (row := self._code(which)) is not None and row.code.upper() in self.shop.coupon_rows:
            self.shop.delete_coupon(row.code)

    def read(self) -> None:
        pipeline.pump()

    def deliver(self) -> None:
        good = {row.code for row in Coupon.objects.all() if self._is_good(row)}
        mail.outbox.clear()
        pipeline.deliver()
        for letter in mail.outbox:
            first = letter.body.split("\n")[0]
            assert first == "No code" or first.removeprefix("Code: ") in good, "it can be used"
            who = letter.to[0]
            owners = Coupon.objects.filter(code=first.removeprefix("Code: ")).values_list("contact__email", flat=True)
            assert set(owners) <= {who}, "nobody sees another's code"

    def check(self) -> None:
        given = Coupon.objects.exclude(occasion="").values_list("contact_id", "occasion")
        assert len(set(given)) == len(given), "one code for a person and an occasion"
        for run in Enrollment.objects.all():
            assert not ("coupon" in run.context and "no_coupon" in run.context)
        by_run = [occasion for _contact, occasion in given if occasion.startswith("run:")]
        assert len(by_run) == len(set(by_run))

    def _code(self, which: int) -> Coupon | None:
        rows = list(Coupon.objects.exclude(state="free").order_by("pk"))
        return rows[which % len(rows)] if rows else None

    def _is_good(self, row: Coupon) -> bool:
        in_time = row.expires_at is None or row.expires_at > clock.now()
        in_shop = self.shop.coupon_rows.get(row.code.upper())
        is_usable = in_shop is not None and in_shop.is_usable() if row.template.source == "shop" else True
        return row.state == "issued" and in_time and is_usable


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(story=STORIES, steps=st.lists(STEPS, min_size=2, max_size=2))
def test_one_code_for_each_and_none_that_is_gone_is_shown(fake_shop, story, steps) -> None:
    undone = transaction.atomic()
    undone._from_testcase = True
    with undone:
        fake_shop.__dict__.update(FakeShop().__dict__)
        now = START
        with clock.travel(to=now):
            told = Story(fake_shop, steps)
        for (name, *values), hours in [*story, (("read",), 2), (("deliver",), 0)]:
            now += timedelta(hours=hours)
            with clock.travel(to=now):
                getattr(told, name)(*values)
                told.check()
        assert not Message.objects.filter(state="unknown").exists()
        transaction.set_rollback(True)
