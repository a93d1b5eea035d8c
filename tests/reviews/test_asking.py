from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm_plugin import clock, contacts, reviews
from crm_plugin.contacts import Person
from crm_plugin.models import ReviewRequest
from crm_plugin.reviews import Ask, Source

pytestmark = pytest.mark.django_db

RUN = 501


def ask(ann, *product_ids, run=RUN, days=7, prices=None):
    return Ask(
        enrollment_id=run,
        contact_id=ann.pk,
        product_ids=product_ids,
        delivered_at=None if days is None else clock.now() - timedelta(days=days),
        prices={key: Decimal(value) for key, value in (prices or {}).items()},
    )


def allowed(*requests):
    found = reviews.may_ask(requests)
    return found[requests[0].enrollment_id] if len(requests) == 1 else found


@pytest.mark.feature(15)
def test_what_was_delivered_may_be_asked_about(ann):
    assert allowed(ask(ann, "1", "2")) == ("1", "2")


@pytest.mark.feature(15)
def test_what_was_reviewed_is_not_asked_about(ann, submit):
    submit(product_id="1", order_ref="another", source=Source.ACCOUNT)

    assert allowed(ask(ann, "1", "2")) == ("2",)
    assert allowed(ask(ann, "1")) == ()


@pytest.mark.parametrize(("days", "expected"), [(180, ("1",)), (181, ()), (None, ("1",))])
def test_after_180_days_it_is_too_late(ann, days, expected):
    with clock.travel(to=clock.now()):
        assert allowed(ask(ann, "1", days=days)) == expected


def test_five_at_most_the_dearest_first(ann):
    prices = {"1": 10, "2": 60, "3": 30, "4": 20, "5": 50, "6": 40}

    assert allowed(ask(ann, *prices, prices=prices)) == ("2", "5", "6", "3", "4")


def test_among_equals_the_one_with_the_fewest_reviews_comes_first(ann, submit, unmoderated, fake_shop):
    other = contacts.get_or_create(Person("", "bob@example.com"))
    submit(contact_id=other.pk, product_id="1", order_ref="a")
    submit(contact_id=other.pk, product_id="1", order_ref="b")
    submit(contact_id=other.pk, product_id="2", order_ref="a")

    assert allowed(ask(ann, "1", "2", "3")) == ("3", "2", "1")


def test_another_run_asks_again_after_twelve_months(ann):
    reviews.mark_asked([(ann.pk, "1", RUN)])

    assert allowed(ask(ann, "1", "2", run=RUN + 1)) == ("2",)
    with clock.travel(by=timedelta(days=364)):
        assert allowed(ask(ann, "1", run=RUN + 1)) == ()
    with clock.travel(by=timedelta(days=366)):
        assert allowed(ask(ann, "1", run=RUN + 1)) == ("1",)


@pytest.mark.feature(15)
def test_the_reminder_of_a_run_asks_about_what_is_still_open_and_nothing_else(ann, submit):
    products = [str(number) for number in range(1, 8)]
    first = allowed(ask(ann, *products))
    reviews.mark_asked([(ann.pk, product_id, RUN) for product_id in first])
    submit(product_id=first[0])

    assert allowed(ask(ann, *products)) == first[1:]


def test_a_run_that_asked_about_what_was_reviewed_since_asks_nothing(ann, submit):
    reviews.mark_asked([(ann.pk, "1", RUN)])
    submit(product_id="1")

    assert allowed(ask(ann, "1", "2")) == ()


def test_of_two_runs_about_the_same_product_the_first_has_it(ann):
    found = allowed(ask(ann, "1", "2", run=1), ask(ann, "2", "3", run=2))

    assert found == {1: ("1", "2"), 2: ("3",)}


def test_what_one_is_asked_another_may_be_asked_too(ann):
    bob = contacts.get_or_create(Person("", "bob@example.com"))

    assert allowed(ask(ann, "1", run=1), ask(bob, "1", run=2)) == {1: ("1",), 2: ("1",)}


def test_two_thousand_runs_take_as_many_queries_as_one(ann):
    def count(number):
        requests = [ask(ann, f"p{n}", f"q{n}", run=n) for n in range(number)]
        with CaptureQueriesContext(connection) as seen:
            found = reviews.may_ask(requests)
            reviews.mark_asked([(ann.pk, key, run) for run, keys in found.items() for key in keys])
        return len(seen)

    assert count(1) == count(2_000) == 4
    assert ReviewRequest.objects.count() == 4_000


def test_marking_the_same_twice_keeps_one_row(ann):
    reviews.mark_asked([(ann.pk, "1", RUN), (ann.pk, "1", RUN + 1)])
    reviews.mark_asked([(ann.pk, "1", RUN + 2)])

    assert ReviewRequest.objects.get().enrollment_id == RUN + 2


def test_nothing_to_ask_is_nothing(ann):
    assert reviews.may_ask([]) == {}
    assert allowed(ask(ann)) == ()
    reviews.mark_asked([])
    assert not ReviewRequest.objects.exists()


@pytest.mark.feature(34)
def test_a_registered_product_needs_no_delivery(ann):
    assert allowed(ask(ann, "1", days=None)) == ("1",)
