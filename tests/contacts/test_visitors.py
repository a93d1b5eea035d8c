"""How browsers become people: made, linked, taken over, forgotten."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from crm_plugin import clock, contacts
from crm_plugin.contacts import Contact, Merge, Person, Resolution
from crm_plugin.models import Touched, Visitor
from tests.contacts.conftest import NOON, Resolve

pytestmark = pytest.mark.django_db

MakeContact = Callable[..., Contact]
HOUR = timedelta(hours=1)


def owner(visitor_id: str) -> Contact:
    return Visitor.objects.get(pk=visitor_id).contact


def seen(visitor_id: str, *, customer_id: str = "", email: str = "", at: datetime = NOON) -> Person:
    return Person(customer_id, email, visitor_id, seen_at=at, first_seen_at=at)


@pytest.fixture
def play(resolve: Resolve) -> Callable[..., Resolution]:
    """Resolve people and do what the pipeline does with the merges."""

    def call(*people: Person) -> Resolution:
        result = resolve(*people)
        for merge in result.merges:
            contacts.absorb(merge)
        return result

    return call


def test_a_browser_that_nobody_knows_gets_a_nameless_contact(shop, play):
    play(seen("a"), seen("b"))
    play(seen("a", at=NOON + HOUR))

    assert Contact.objects.filter(customer_id=None, email=None).count() == 2
    assert owner("a") != owner("b")
    assert Visitor.objects.filter(known_at=None).count() == 2


def test_a_nameless_contact_has_been_seen_when_it_was(shop, play):
    play(seen("a"))

    assert owner("a").last_seen_at == NOON


@pytest.mark.parametrize("who", [{"customer_id": "7"}, {"email": "ann@example.com"}], ids=["account", "guest"])
def test_who_says_who_they_are_takes_the_nameless_history_over(shop, play, who):
    shop.add_customer(customer_id="7", email="ann@example.com")
    play(seen("a"))
    nameless = owner("a")

    result = play(seen("a", **who, at=NOON + HOUR))

    ann = contacts.find(**who)
    assert result.merges == (Merge(source_id=nameless.pk, target_id=ann.pk),)
    assert (owner("a"), Visitor.objects.get().known_at) == (ann, NOON + HOUR)
    assert not Contact.objects.filter(pk=nameless.pk).exists()


def test_who_is_known_before_the_browser_is_needs_no_nameless_contact(shop, play):
    shop.add_customer(customer_id="7")

    result = play(seen("a", customer_id="7"), seen("a"))

    assert result.merges == ()
    assert owner("a").customer_id == "7"
    assert Contact.objects.count() == 1


def test_all_browsers_of_a_person_come_together(shop, play):
    shop.add_customer(customer_id="7")
    play(seen("a"), seen("b"))

    play(seen("a", customer_id="7"), seen("b", customer_id="7"))

    assert owner("a") == owner("b")
    assert Contact.objects.count() == 1


def test_another_person_takes_a_browser_over_and_no_history_moves(shop, play):
    ann, bob = (shop.add_customer(email=f"{name}@example.com").customer_id for name in ("ann", "bob"))
    play(seen("a", customer_id=ann))

    result = play(seen("a", customer_id=bob, at=NOON + HOUR))

    assert result.merges == ()
    assert owner("a").customer_id == bob
    assert Contact.objects.count() == 2


def test_a_fact_that_comes_late_takes_no_browser_back(shop, play):
    ann, bob = (shop.add_customer(email=f"{name}@example.com").customer_id for name in ("ann", "bob"))
    play(seen("a", customer_id=ann))
    play(seen("a", customer_id=bob, at=NOON + HOUR))

    play(seen("a", customer_id=ann, at=NOON + HOUR / 2))

    assert owner("a").customer_id == bob


def test_of_several_people_at_once_the_first_has_the_history_and_the_last_the_browser(shop, play):
    ann, bob = (shop.add_customer(email=f"{name}@example.com").customer_id for name in ("ann", "bob"))
    play(seen("a"))
    nameless = owner("a").pk

    result = play(seen("a", customer_id=bob, at=NOON + HOUR), seen("a", customer_id=ann, at=NOON))

    assert result.merges == (Merge(source_id=nameless, target_id=contacts.find(customer_id=ann).pk),)
    assert owner("a").customer_id == bob
    assert [one.visitor_id for one in result.handovers] == ["a"]


def test_an_account_and_its_guest_history_are_one_person_in_a_browser(shop, play):
    play(seen("a", email="ann@example.com"))
    account = shop.add_customer(email="ann@example.com")

    result = play(seen("a", customer_id=account.customer_id), seen("a", email="ann@example.com"))

    assert (result.merges, result.handovers) == ((), ())
    assert owner("a").customer_id == account.customer_id


def test_a_guest_on_the_way_into_an_account_is_not_nameless(shop, play, resolve, make_contact):
    """Between the two statements of a merge the guest has lost the address, and is no visitor because of it."""
    ann = make_contact(customer_id="7", email="old@example.com")
    play(seen("a", email="new@example.com"))
    shop.change_customer("7", email="new@example.com")
    newer = shop.add_customer(customer_id="8", email="old@example.com")

    play(seen("a", customer_id=newer.customer_id, at=NOON + HOUR))

    assert contacts.find(customer_id="8").email == "old@example.com"
    assert contacts.find(customer_id="7") == ann
    assert owner("a").customer_id == "8"


def test_a_browser_of_who_was_erased_is_a_new_visitors(shop, play):
    shop.add_customer(customer_id="7")
    play(seen("a", customer_id="7"))
    ann = owner("a")
    with clock.travel(to=NOON + HOUR):
        contacts.erase([ann.pk])

    play(seen("a", at=NOON + 2 * HOUR))

    assert owner("a") != ann
    assert (owner("a").customer_id, owner("a").email, owner("a").erased_at) == (None, None, None)


def test_what_a_browser_did_before_its_owner_was_erased_makes_no_visitor(shop, play):
    shop.add_customer(customer_id="7")
    play(seen("a", customer_id="7"))
    with clock.travel(to=NOON + HOUR):
        contacts.erase([owner("a").pk])

    result = contacts.resolve([seen("a")], seen_before=NOON)

    assert result.dropped == {seen("a")}
    assert not Visitor.objects.exists()


def test_a_person_who_was_erased_gets_no_browser_from_an_old_fact(shop, play):
    shop.add_customer(customer_id="7")
    play(seen("a", customer_id="7"))
    with clock.travel(to=NOON + HOUR):
        contacts.erase([owner("a").pk])
    with clock.travel(to=NOON + 2 * HOUR):
        play(seen("", customer_id="7", at=NOON + 2 * HOUR))

    contacts.resolve([seen("b", customer_id="7")], seen_before=NOON)

    assert not Visitor.objects.exists()


@pytest.mark.parametrize("size", [1, 40])
def test_linking_takes_a_bounded_number_of_statements(size, shop, resolve, play, django_assert_max_num_queries):
    accounts = [shop.add_customer().customer_id for _ in range(size)]
    resolve(*(Person(key) for key in accounts))
    nameless = [seen(f"n{number}") for number in range(size)]
    play(*(seen(f"v{number}") for number in range(size)))
    linked = [seen(f"v{number}", customer_id=key) for number, key in enumerate(accounts)]

    with django_assert_max_num_queries(14):
        result = resolve(*linked, *nameless)

    assert len(result.merges) == size


def test_known_browsers_take_three_statements(shop, play, resolve, django_assert_num_queries):
    accounts = [shop.add_customer().customer_id for _ in range(20)]
    people = [seen(f"v{number}", customer_id=key) for number, key in enumerate(accounts)]
    play(*people, seen("n"))

    with django_assert_num_queries(5):  # two of them begin and end the transaction
        resolve(*people, seen("n"))


def test_visitors_are_in_no_list_and_erased_people_are(shop, play, make_contact):
    ann = make_contact(email="ann@example.com")
    gone = make_contact(email="gone@example.com")
    contacts.erase([gone.pk])
    play(seen("a"))

    assert set(contacts.contacts()) == {ann, gone}
    assert set(contacts.rows_of([owner("a").pk, ann.pk])) == {owner("a"), ann}


def test_visitors_who_were_not_seen_for_long_are_forgotten(shop, play, make_contact):
    ann = make_contact(email="ann@example.com")
    play(seen("old"), seen("new", at=NOON + HOUR), seen("known", email="ann@example.com"))

    gone = contacts.forget_visitors(NOON + HOUR, 10)

    assert gone == ["old"]
    assert set(Visitor.objects.values_list("pk", flat=True)) == {"new", "known"}
    assert ann in Contact.objects.all()


def test_visitors_are_forgotten_in_bounded_steps(shop, play):
    play(*(seen(f"v{number}") for number in range(5)))

    assert [len(contacts.forget_visitors(NOON + HOUR, 2)) for _ in range(4)] == [2, 2, 1, 0]


def test_who_is_merged_or_made_is_touched(shop, play):
    play(seen("a"))
    assert not Touched.objects.exists()

    play(seen("a", email="ann@example.com"))

    assert set(Touched.objects.values_list("contact_id", flat=True)) == {owner("a").pk}


def test_a_person_without_anything_is_passed_over(resolve: Resolve, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert resolve(Person()) == Resolution()
