"""Waiting for stock: who may ask, who confirms, and what ends a wait."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crm_plugin import activity, clock, contacts
from crm_plugin.activity import AskStanding, waiting
from crm_plugin.contacts import Merge, Person
from crm_plugin.errors import InvalidInput
from crm_plugin.models import Inbox, PriceWatch, StockRequest
from crm_plugin.shop import FactKind, ProductRef
from tests.activity.conftest import Drain
from tests.activity.standing_in_line import DAY, HOUR, MINUTE, START, People, ask, line, look, mug, people, turn
from tests.fake_catalogue import FakeProduct
from tests.fake_shop import FakeShop
from tests.fake_trade import order_facts

__all__ = ["mug", "people"]

pytestmark = pytest.mark.django_db


def test_who_asks_waits_is_watched_and_is_told_of_as_a_fact(people: People, mug: FakeProduct) -> None:
    (ann,) = people(1)

    with clock.travel(to=START):
        asked = activity.ask_for_stock(ann, mug.ref)
    with clock.travel(to=START + HOUR):
        again = activity.ask_for_stock(ann, mug.ref)

    assert (asked.is_available, asked.request_id is None, again.request_id) == (False, False, None)
    assert [(one.ref, one.asked_at) for one in activity.awaited_by(ann)] == [(mug.ref, START)]
    assert PriceWatch.objects.values_list("variant_id", "available").get() == (mug.variant_id, 0)
    assert Inbox.objects.values_list("kind", "contact_id", "variant_id").get() == (
        FactKind.STOCK_AWAITED,
        ann,
        mug.variant_id,
    )


def test_what_is_there_is_not_waited_for(people: People, fake_shop: FakeShop) -> None:
    product = fake_shop.add_product(stock=1)

    asked = activity.ask_for_stock(people(1)[0], product.ref)

    assert asked.is_available
    assert not StockRequest.objects.exists()
    assert not PriceWatch.objects.exists()
    assert not Inbox.objects.exists()


def test_what_a_shopper_cannot_see_is_refused(people: People, fake_shop: FakeShop, mug: FakeProduct) -> None:
    hidden = fake_shop.add_product(stock=0)
    fake_shop.unpublish(hidden.whole)
    (ann,) = people(1)

    for ref in (hidden.ref, ProductRef(mug.product_id, "default", "999999"), ProductRef("999999", "default", "1")):
        with pytest.raises(InvalidInput) as refused:
            activity.ask_for_stock(ann, ref)
        assert (refused.value.field, refused.value.code) == ("variant_id", "NOT_FOUND")

    assert not StockRequest.objects.exists()


def test_one_person_waits_for_so_much_at_most(
    people: People, fake_shop: FakeShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "MOST_REQUESTS", 2)
    (ann,) = people(1)
    products = [fake_shop.add_product(stock=0) for _ in range(3)]
    for product in products[:2]:
        activity.ask_for_stock(ann, product.ref)

    with pytest.raises(InvalidInput) as refused:
        activity.ask_for_stock(ann, products[2].ref)
    activity.stop_waiting(ann, variant_id=products[0].variant_id, shop_channel="default")
    activity.ask_for_stock(ann, products[2].ref)

    assert refused.value.code == "LIMIT"
    assert [one.ref for one in activity.awaited_by(ann)] == [products[2].ref, products[1].ref]


def test_the_wait_is_taken_back(people: People, mug: FakeProduct) -> None:
    (ann,) = people(1)
    activity.ask_for_stock(ann, mug.ref)

    assert activity.stop_waiting(ann, variant_id=mug.variant_id, shop_channel="default")
    assert not activity.stop_waiting(ann, variant_id=mug.variant_id, shop_channel="default")
    assert activity.awaited_by(ann) == []


def test_the_watch_keeps_what_is_waited_for_and_forgets_it_afterwards(people: People, mug: FakeProduct) -> None:
    (ann,) = people(1)
    activity.ask_for_stock(ann, mug.ref)

    kept = activity.forget_unwanted(100)
    activity.stop_waiting(ann, variant_id=mug.variant_id, shop_channel="default")

    assert (kept, activity.forget_unwanted(100)) == (0, 1)


def test_who_bought_it_meanwhile_is_passed_over(
    people: People, fake_shop: FakeShop, mug: FakeProduct, drain: Drain
) -> None:
    other = fake_shop.add_variant(mug, price=50)
    customers = [fake_shop.add_customer() for _ in range(2)]
    ann, bob = [contacts.get_or_create(Person(one.customer_id)).pk for one in customers]
    with clock.travel(to=START):
        activity.ask_for_stock(ann, mug.ref)
        activity.ask_for_stock(bob, mug.ref)
    with clock.travel(to=START + HOUR):
        for ref, customer in zip((mug.ref, other), customers, strict=True):
            activity.record_many(order_facts(fake_shop.place_order(ref, customer_id=customer.customer_id)))
        drain()
        fake_shop.set_stock(mug.ref, 4)
        look()

        assert turn() == [bob]
    assert StockRequest.objects.get(contact_id=ann).state == "cancelled"


def test_a_purchase_that_the_shop_tells_late_takes_the_telling_back(
    people: People, fake_shop: FakeShop, mug: FakeProduct, drain: Drain
) -> None:
    customer = fake_shop.add_customer()
    ann = contacts.get_or_create(Person(customer.customer_id)).pk
    ask([ann], mug.ref)
    with clock.travel(to=START + HOUR):
        early = order_facts(fake_shop.place_order(mug.ref, customer_id=customer.customer_id))
        fake_shop.set_stock(mug.ref, 4)
        look()
    with clock.travel(to=START + HOUR + MINUTE):
        told = turn()
        activity.record_many(early)
        drain()

    assert told == [ann]
    assert StockRequest.objects.get().state == "cancelled"


def test_who_heard_nothing_has_their_place_back(people: People, fake_shop: FakeShop, mug: FakeProduct) -> None:
    everybody = people(5)
    ask(everybody, mug.ref)
    with clock.travel(to=START + HOUR):
        fake_shop.set_stock(mug.ref, 1)
        look()
        turn()
    lost = StockRequest.objects.get(contact_id=everybody[1])

    assert activity.put_back([lost.pk]) == 1
    assert activity.put_back([lost.pk]) == 0
    assert line(mug.ref) == [everybody[1], *everybody[3:]]


def test_an_address_that_anybody_typed_in_waits_for_its_owner(
    people: People, fake_shop: FakeShop, mug: FakeProduct
) -> None:
    (ann,) = people(1)
    with clock.travel(to=START):
        asked = activity.ask_unconfirmed(ann, mug.ref)
        again = activity.ask_unconfirmed(ann, mug.ref)
    request = asked.request_id or 0
    with clock.travel(to=START + DAY):
        unconfirmed = line(mug.ref)
        done = [activity.confirm_ask(request), activity.confirm_ask(request)]

    assert (again.request_id, unconfirmed) == (None, [])
    assert activity.look_at_ask(request).standing is AskStanding.DONE
    assert done == [AskStanding.DONE, AskStanding.DONE]
    assert [(one.ref, one.asked_at) for one in activity.awaited_by(ann)] == [(mug.ref, START + DAY)]


def test_the_place_is_that_of_the_confirmation(people: People, mug: FakeProduct) -> None:
    ann, bob = people(2)
    with clock.travel(to=START):
        asked = activity.ask_unconfirmed(ann, mug.ref)
    with clock.travel(to=START + HOUR):
        activity.ask_for_stock(bob, mug.ref)
    with clock.travel(to=START + 2 * HOUR):
        activity.confirm_ask(asked.request_id or 0)

    assert line(mug.ref) == [bob, ann]


def test_the_customer_who_asks_for_themself_confirms_what_somebody_typed_in(people: People, mug: FakeProduct) -> None:
    (ann,) = people(1)
    asked = activity.ask_unconfirmed(ann, mug.ref)

    assert activity.ask_for_stock(ann, mug.ref).request_id == asked.request_id
    assert line(mug.ref) == [ann]


@pytest.mark.parametrize(
    ("later", "stock", "standing"),
    [(7 * DAY, 0, AskStanding.DONE), (7 * DAY + MINUTE, 0, AskStanding.EXPIRED), (DAY, 2, AskStanding.AVAILABLE)],
)
def test_the_link_holds_for_a_week_and_says_when_it_is_there_already(
    people: People, fake_shop: FakeShop, mug: FakeProduct, later: timedelta, stock: int, standing: AskStanding
) -> None:
    with clock.travel(to=START):
        asked = activity.ask_unconfirmed(people(1)[0], mug.ref)
    fake_shop.set_stock(mug.ref, stock)
    with clock.travel(to=START + later):
        assert activity.confirm_ask(asked.request_id or 0) is standing

    assert (line(mug.ref) == []) == (standing is not AskStanding.DONE)


def test_what_was_taken_back_cannot_be_confirmed(people: People, mug: FakeProduct) -> None:
    asked = activity.ask_unconfirmed(people(1)[0], mug.ref)
    activity.cancel_ask(asked.request_id or 0)

    assert activity.confirm_ask(asked.request_id or 0) is AskStanding.GONE
    assert activity.confirm_ask(2**40) is AskStanding.GONE
    assert line(mug.ref) == []


def test_an_address_is_asked_five_times_a_day_at_most(people: People, fake_shop: FakeShop, mug: FakeProduct) -> None:
    (ann,) = people(1)
    products = [fake_shop.add_product(stock=0) for _ in range(7)]
    with clock.travel(to=START):
        activity.ask_for_stock(ann, mug.ref)  # by themself
        asked = [activity.ask_unconfirmed(ann, product.ref).request_id for product in products]
        activity.cancel_ask(asked[0] or 0)
        again = activity.ask_unconfirmed(ann, products[0].ref).request_id
    with clock.travel(to=START + DAY + MINUTE):
        tomorrow = activity.ask_unconfirmed(ann, products[6].ref).request_id

    assert [request is not None for request in asked] == [True] * 5 + [False] * 2
    assert (again, tomorrow is None) == (None, False)


def test_what_nobody_confirmed_is_deleted_after_a_week(people: People, fake_shop: FakeShop, mug: FakeProduct) -> None:
    ann, bob = people(2)
    with clock.travel(to=START):
        activity.ask_unconfirmed(ann, mug.ref)
        activity.ask_for_stock(bob, mug.ref)
    with clock.travel(to=START + 7 * DAY):
        kept = activity.forget_unconfirmed(10)
    with clock.travel(to=START + 7 * DAY + MINUTE):
        gone = activity.forget_unconfirmed(10)

    assert (kept, gone) == (0, 1)
    assert line(mug.ref) == [bob]


def test_of_one_person_in_two_contacts_the_better_place_stays(people: People, mug: FakeProduct) -> None:
    ann, guest, bob = people(3)
    ask([guest, bob, ann], mug.ref)

    waiting.absorb(Merge(source_id=guest, target_id=ann))

    assert line(mug.ref) == [ann, bob]
    assert not StockRequest.objects.filter(contact_id=guest).exists()


def test_who_is_forgotten_waits_for_nothing(people: People, mug: FakeProduct) -> None:
    ann, bob = people(2)
    ask([ann, bob], mug.ref)

    activity.forget([ann], customer_ids=[])

    assert line(mug.ref) == [bob]


def test_the_lists_say_how_many_wait_since_when_and_what_is_being_told(
    people: People, fake_shop: FakeShop, mug: FakeProduct
) -> None:
    bowl = fake_shop.add_product(stock=0)
    everybody = people(6)
    ask(everybody, mug.ref)
    ask(everybody[:2], bowl.ref)
    with clock.travel(to=START + HOUR):
        fake_shop.set_stock(mug.ref, 1)
        look()
        turn()

    first, second = activity.waiting_lists()

    assert (first.variant_id, first.people, first.since) == (mug.variant_id, 3, START + timedelta(seconds=3))
    assert first.epoch is not None
    assert (first.epoch.next_wave_at, first.epoch.waves_count, first.epoch.told_count) == (START + 2 * HOUR, 1, 3)
    assert (second.variant_id, second.people, second.since, second.epoch) == (bowl.variant_id, 2, START, None)
    assert activity.waiting_lists(shop_channel="kr") == []
