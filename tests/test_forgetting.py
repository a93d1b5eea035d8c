"""The whole of it: housekeeping deletes what is over and forgets behaviour, and segments hear of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import transaction

from crm_plugin import activity, audience, clock, pipeline
from crm_plugin.models import Activity, FanOut, Interest, Member, PriceWatch, Touched, Wave
from crm_plugin.shop import Fact, FactKind
from tests.fake_shop import FakeShop
from tests.stories import consenting, running
from tests.together import together

DAY = timedelta(days=1)


@pytest.mark.django_db
def test_housekeeping_deletes_what_is_over_and_nothing_comes_of_it_again(
    fake_shop: FakeShop, mailoutbox: list[object]
) -> None:
    ann = fake_shop.add_customer()
    consenting(ann.customer_id)
    running()
    product = fake_shop.add_product(price=50)
    fake_shop.like(ann.customer_id, product.whole)
    activity.record(
        Fact(kind=FactKind.VISITED, source_key="visit", customer_id=ann.customer_id, occurred_at=clock.now())
    )
    pipeline.pump()
    fake_shop.set_price(product.ref, 40)
    PriceWatch.objects.update(due_at=clock.now())
    pipeline.watch_prices()
    pipeline.pump()
    before = (Wave.objects.count(), FanOut.objects.count(), Activity.objects.filter(kind="visited").count())

    with clock.travel(by=399 * DAY):
        pipeline.housekeep()
        young = (Wave.objects.count(), FanOut.objects.count())
    with clock.travel(by=402 * DAY):
        pipeline.housekeep()
        old = (Wave.objects.count(), FanOut.objects.count(), Activity.objects.filter(kind="visited").count())
    with clock.travel(by=762 * DAY):
        pipeline.housekeep()

    assert (before, young, old) == ((1, 1, 1), (1, 1), (0, 0, 1))
    assert set(Activity.objects.values_list("kind", flat=True)).isdisjoint(activity.BEHAVIOUR)
    assert Interest.objects.get().liked_at is not None


@pytest.mark.django_db
@pytest.mark.parametrize(
    "window", [None, {"type": "within", "amount": 1_000, "unit": "days"}], ids=["ever", "longer than it is known"]
)
def test_who_is_in_a_segment_for_what_is_forgotten_leaves_it(
    fake_shop: FakeShop, window: dict[str, object] | None
) -> None:
    ann = fake_shop.add_customer()
    activity.record(Fact(kind=FactKind.SEARCHED, source_key="s", customer_id=ann.customer_id, subject="vase"))
    pipeline.pump()
    rule = {"include": {"type": "did", "activity": "searched", **({"window": window} if window else {})}}
    audience.create_segment("Searched", rule)
    pipeline.upkeep_audience()
    pipeline.housekeep()
    pipeline.pump()
    before = (Member.objects.count(), Touched.objects.count())

    with clock.travel(by=761 * DAY):
        pipeline.housekeep()
        pipeline.pump()

    assert (before, Member.objects.count()) == ((1, 0), 0)


@pytest.mark.django_db(transaction=True)
def test_a_view_that_comes_while_old_ones_are_forgotten_is_counted(fake_shop: FakeShop) -> None:
    customers = [fake_shop.add_customer() for _ in range(6)]
    product = fake_shop.add_product(price=50)

    def view(number: int, *, days: int) -> None:
        activity.record_many(
            Fact(
                kind=FactKind.VIEWED,
                source_key=f"{number}:{one.customer_id}",
                customer_id=one.customer_id,
                product_id=product.product_id,
                shop_channel="default",
                occurred_at=clock.now() - days * DAY,
            )
            for one in customers
        )

    for number in range(6):
        view(number, days=800)
    pipeline.pump()
    view(7, days=1)

    together(pipeline.pump, _forget_all(3), _forget_all(2))

    counts = Interest.objects.values_list("views_count", flat=True)
    assert sorted(counts) == [1] * 6
    assert Activity.objects.filter(kind="viewed").count() == 6


def _forget_all(limit: int) -> Callable[[], None]:
    def forget() -> None:
        before = clock.now() - 760 * DAY
        done = 1
        while done:
            with transaction.atomic():
                done = activity.forget_behaviour(before, limit, touching=())

    return forget
