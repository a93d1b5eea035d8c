"""What is over goes, what is still needed stays; behaviour is forgotten after its time, business is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from crm_plugin import activity, clock
from crm_plugin.activity import BEHAVIOUR, INTERNAL_KINDS
from crm_plugin.models import (
    Activity,
    Contact,
    Interest,
    PriceDrop,
    Restock,
    StockEpoch,
    StockRequest,
    Touched,
    VoucherProduct,
    Wave,
)
from crm_plugin.shop import Fact, FactKind
from tests.activity.conftest import Drain
from tests.activity.standing_in_line import People, people
from tests.fake_shop import FakeShop
from tests.fake_trade import order_facts

__all__ = ["people"]

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
BEFORE = NOW - 400 * DAY
PAST, YOUNG = BEFORE - DAY, BEFORE + DAY


def forget_past(limit: int = 1_000, *, waves_in_use: tuple[int, ...] = ()) -> int:
    with clock.travel(to=NOW), transaction.atomic():
        return activity.forget_past(BEFORE, limit, waves_in_use=waves_in_use)


def forget_behaviour(limit: int = 1_000, *, touching: frozenset[FactKind] = frozenset()) -> int:
    with clock.travel(to=NOW), transaction.atomic():
        return activity.forget_behaviour(BEFORE, limit, touching=touching)


def wave(at: datetime, *, products: int = 1) -> Wave:
    """A wave with rows of every kind."""
    made = Wave.objects.create(occurred_at=at)
    of = [{"wave": made, "product_id": str(n), "variant_id": str(n), "shop_channel": "kr"} for n in range(products)]
    PriceDrop.objects.bulk_create(
        PriceDrop(**one, currency="EUR", old_price=2, new_price=1, is_new_low=True) for one in of
    )
    Restock.objects.bulk_create(Restock(**one) for one in of)
    VoucherProduct.objects.create(wave=made, voucher_ref="v")
    return made


def request(contact_id: int, *, state: str, at: datetime, variant_id: str = "1", **more: object) -> StockRequest:
    times = {"told_at": at} if state == "told" else {}
    return StockRequest.objects.create(
        contact_id=contact_id,
        product_id="1",
        variant_id=variant_id,
        shop_channel="kr",
        state=state,
        created_at=at,
        queued_at=at,
        **times,
        **more,
    )


def epoch(*, opened_at: datetime, closed_at: datetime | None = None, variant_id: str = "1") -> StockEpoch:
    return StockEpoch.objects.create(
        product_id="1",
        variant_id=variant_id,
        shop_channel="kr",
        opened_at=opened_at,
        closed_at=closed_at,
        next_wave_at=None if closed_at else NOW,
    )


def test_waves_that_are_over_go_with_their_rows_and_one_on_its_way_stays(db: None) -> None:
    wave(PAST, products=3)
    young, in_use = wave(YOUNG), wave(PAST)

    forget_past(waves_in_use=(in_use.pk,))

    assert set(Wave.objects.values_list("pk", flat=True)) == {young.pk, in_use.pk}
    for model in (PriceDrop, Restock, VoucherProduct):
        assert set(model._default_manager.values_list("wave_id", flat=True)) == {young.pk, in_use.pk}


def test_a_large_wave_goes_in_batches_and_is_there_until_its_last_row_went(db: None) -> None:
    wave(PAST, products=5)

    first = forget_past(2)
    left = (PriceDrop.objects.count(), Wave.objects.count())
    while forget_past(2):
        pass

    assert (first, left) == (2 + 2 + 1, (3, 1))
    assert not Wave.objects.exists()
    assert not PriceDrop.objects.exists()


def test_a_request_that_stays_forgets_the_wave_that_goes(people: People) -> None:
    (ann,) = people(1)
    kept = request(ann, state="told", at=YOUNG, wave=wave(PAST))

    forget_past()

    kept.refresh_from_db()
    assert (kept.wave_id, Wave.objects.count()) == (None, 0)


def test_requests_that_were_answered_or_taken_back_go_and_those_who_wait_stay(people: People) -> None:
    ann, bob, eve = people(3)
    request(ann, state="told", at=PAST)
    request(bob, state="cancelled", at=PAST)
    kept = {
        request(eve, state="waiting", at=PAST).pk,
        request(ann, state="told", at=YOUNG).pk,
        request(bob, state="unconfirmed", at=PAST, variant_id="2").pk,
    }

    forget_past()

    assert set(StockRequest.objects.values_list("pk", flat=True)) == kept


def test_who_was_told_in_a_restock_that_goes_on_is_remembered(people: People) -> None:
    ann, bob = people(2)
    epoch(opened_at=PAST - DAY)
    kept = request(ann, state="told", at=PAST)
    request(bob, state="told", at=PAST - 2 * DAY)

    forget_past()

    assert StockRequest.objects.get() == kept


def test_who_is_yet_to_hear_by_a_wave_on_its_way_stays_told(people: People) -> None:
    ann, bob = people(2)
    on_its_way = wave(PAST)
    kept = request(ann, state="told", at=PAST, wave=on_its_way)
    request(bob, state="told", at=PAST, wave=wave(PAST))

    forget_past(waves_in_use=(on_its_way.pk,))

    assert StockRequest.objects.get() == kept


def test_restocks_that_ended_go(db: None) -> None:
    epoch(opened_at=PAST - DAY, closed_at=PAST)
    kept = {epoch(opened_at=PAST, closed_at=YOUNG).pk, epoch(opened_at=PAST).pk}

    forget_past()

    assert set(StockEpoch.objects.values_list("pk", flat=True)) == kept


def view(product_id: str, *, at: datetime, key: str, kind: FactKind = FactKind.VIEWED, customer_id: str = "7") -> Fact:
    return Fact(
        kind=kind,
        source_key=key,
        occurred_at=at,
        customer_id=customer_id,
        product_id=product_id,
        shop_channel="kr",
    )


def test_behaviour_is_forgotten_and_business_is_not(drain: Drain) -> None:
    kinds = [kind for kind in FactKind if kind not in INTERNAL_KINDS]
    with clock.travel(to=NOW):
        for kind in kinds:
            activity.record(Fact(kind=kind, source_key=kind.value, customer_id="7", occurred_at=PAST))
        drain()
    before = set(Activity.objects.values_list("kind", flat=True))

    gone = forget_behaviour()

    assert before >= set(BEHAVIOUR)
    assert set(Activity.objects.values_list("kind", flat=True)) == before - set(BEHAVIOUR)
    assert gone == len(BEHAVIOUR)


def test_what_is_younger_stays_and_a_pass_takes_so_much(drain: Drain) -> None:
    with clock.travel(to=NOW):
        activity.record_many(view("1", at=PAST, key=f"p{n}") for n in range(5))
        activity.record_many(view("1", at=PAST, key=f"s{n}", kind=FactKind.CARTED) for n in range(5))
        activity.record(view("1", at=YOUNG, key="young"))
        drain()

    passes = []
    while done := forget_behaviour(4):
        passes.append(done)

    assert passes == [4, 4, 2]
    assert Activity.objects.get().source_key == "young"


def test_an_interest_that_rests_on_nothing_else_goes_and_views_do_not_count_any_more(drain: Drain) -> None:
    with clock.travel(to=NOW):
        activity.record_many(
            [
                view("seen", at=PAST, key="a1"),
                view("seen", at=PAST, key="a2"),
                view("again", at=PAST, key="b1"),
                view("again", at=YOUNG, key="b2"),
                view("liked", at=PAST, key="c1"),
                view("liked", at=PAST, key="c2", kind=FactKind.LIKED),
                view("bought", at=PAST, key="d1", kind=FactKind.CARTED),
                view("bought", at=PAST, key="d2", kind=FactKind.BOUGHT),
            ]
        )
        drain()

    while forget_behaviour(2):
        pass

    rows = {row.product_id: row for row in Interest.objects.all()}
    assert sorted(rows) == ["again", "bought", "liked"]
    assert (rows["again"].views_count, rows["again"].last_viewed_at) == (1, YOUNG)
    assert (rows["liked"].views_count, rows["liked"].last_viewed_at, rows["liked"].liked_at) == (0, None, PAST)
    assert (rows["bought"].carted_at, rows["bought"].bought_at) == (None, PAST)


def test_only_segments_that_ask_for_it_look_again_at_who_is_known(drain: Drain) -> None:
    with clock.travel(to=NOW):
        activity.record(view("1", at=PAST, key="a"))
        activity.record(view("1", at=PAST, key="b", customer_id="8", kind=FactKind.CARTED))
        activity.record(Fact(kind=FactKind.VIEWED, source_key="c", visitor_id="nobody", occurred_at=PAST))
        drain()
    Touched.objects.all().delete()

    forget_behaviour(touching=frozenset({FactKind.VIEWED, FactKind.ORDERED}))

    assert list(Touched.objects.values_list("contact_id", flat=True)) == [Contact.objects.get(customer_id="7").pk]


def test_an_order_still_counts_after_all_behaviour_is_forgotten(drain: Drain, fake_shop: FakeShop) -> None:
    product = fake_shop.add_product(price=50)
    with clock.travel(to=PAST):
        customer = fake_shop.add_customer()
        order = fake_shop.place_order(product.ref, customer_id=customer.customer_id)
        activity.record_many(order_facts(order))
        drain()
    before = Contact.objects.values("orders_count", "first_order_at", "last_order_at", "last_seen_at").get()

    forget_behaviour()

    assert Contact.objects.values("orders_count", "first_order_at", "last_order_at", "last_seen_at").get() == before
    assert before["orders_count"] == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM crm_plugin_activity WHERE kind IN ('ordered', 'bought')")
        assert cursor.fetchone() == (2,)
