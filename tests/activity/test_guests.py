"""Likes of people who have not signed in, and what becomes of them when they do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from crm_plugin import activity, clock, contacts, persons, pipeline
from crm_plugin.activity import Liking
from crm_plugin.activity.guests import MAX_GUEST_LIKES
from crm_plugin.contacts import Person
from crm_plugin.errors import InvalidInput
from crm_plugin.models import Activity, Inbox, Interest, OwnLike, OwnWishlist
from crm_plugin.money import Money
from crm_plugin.shop import Fact, FactKind, ProductRef
from tests.together import together

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ANN, BEN = "7", "8"
BROWSER, OTHER_BROWSER = "visitor_of_22_letters_", "another_of_22_letters_"


@pytest.fixture(autouse=True)
def _noon():
    with clock.travel(to=NOON):
        yield


@pytest.fixture
def mug(fake_shop):
    return fake_shop.add_product(price=90).whole


def guest_like(ref, *, browser=BROWSER):
    with transaction.atomic():
        activity.like_as_guest(browser, ref)


def guest_unlike(ref, *, browser=BROWSER):
    with transaction.atomic():
        activity.unlike_as_guest(browser, ref)


def sign_in(customer, *, browser=BROWSER, at=None):
    """The storefront tells who uses the browser, as crmVisitorIdentify does."""
    at = at or clock.now()
    activity.record(
        Fact(
            kind=FactKind.IDENTIFIED,
            source_key=f"identified:{browser}:{customer.customer_id}:{at.isoformat()}",
            occurred_at=at,
            customer_id=customer.customer_id,
            email=customer.email,
            visitor_id=browser,
        )
    )


def test_a_guest_likes_once_and_is_told_of_with_the_price_seen(mug):
    guest_like(mug)
    guest_like(mug)

    assert [like.ref for like in activity.guest_likes(BROWSER)] == [mug]
    assert activity.guest_likes(OTHER_BROWSER) == []
    fact = Inbox.objects.get()
    assert (fact.kind, fact.visitor_id, fact.customer_id, fact.product_id) == ("liked", BROWSER, "", mug.product_id)
    assert (fact.amount, fact.currency) == (Decimal(90), "EUR")


def test_a_guests_unlike_is_told_once_no_variant_is_left(fake_shop):
    product = fake_shop.add_product(price=90)
    guest_like(product.whole)
    guest_like(product.ref)

    guest_unlike(product.whole)
    between = Inbox.objects.filter(kind="unliked").count()
    guest_unlike(product.ref)
    guest_unlike(product.ref)

    assert (between, Inbox.objects.filter(kind="unliked").count()) == (0, 1)
    assert activity.guest_likes(BROWSER) == []


@pytest.mark.parametrize(
    "ref", [ProductRef("404", "default"), ProductRef("1", "kr"), ProductRef("1", "default", "404")]
)
def test_a_guest_cannot_like_what_no_shopper_sees(mug, ref):
    with pytest.raises(InvalidInput) as refused:
        guest_like(ref)

    assert (refused.value.code, refused.value.field) == ("NOT_FOUND", "product")
    assert not OwnLike.objects.exists()
    assert not Inbox.objects.exists()


def test_a_guest_keeps_two_hundred(mug):
    OwnLike.objects.bulk_create(
        OwnLike(visitor_id=BROWSER, product_id=f"p{n}", shop_channel="default", created_at=NOON)
        for n in range(MAX_GUEST_LIKES)
    )

    with pytest.raises(InvalidInput) as refused:
        guest_like(mug)

    assert refused.value.code == "LIMIT"
    assert not Inbox.objects.exists()


def test_who_signs_in_finds_the_likes_of_the_browser_on_the_default_list(fake_shop, mug):
    ann = fake_shop.add_customer(customer_id=ANN, email="ann@example.com")
    fake_shop.like(ANN, fake_shop.add_product().whole)
    with clock.travel(to=NOON + HOUR):
        guest_like(mug)
        guest_like(fake_shop.add_product().whole, browser=OTHER_BROWSER)
        pipeline.pump()
    with clock.travel(to=NOON + 2 * HOUR):
        sign_in(ann)
        pipeline.pump()
        pipeline.pump()

    assert [like.ref.product_id for like in fake_shop.likes(ANN)] == [mug.product_id, "2"]
    assert [like.list_ref for like in fake_shop.likes(ANN)] == ["", ""]
    assert activity.guest_likes(BROWSER) == []
    assert len(activity.guest_likes(OTHER_BROWSER)) == 1


def test_signing_in_is_no_new_like_the_price_of_that_time_stays(fake_shop, mug):
    ann = fake_shop.add_customer(customer_id=ANN, email="ann@example.com")
    guest_like(mug)
    pipeline.pump()
    fake_shop.set_price(mug, 70)
    with clock.travel(to=NOON + 5 * HOUR):
        sign_in(ann)
        pipeline.pump()

    contact = contacts.find(customer_id=ANN)
    interest = Interest.objects.get(contact=contact, product_id=mug.product_id)
    assert (interest.baseline_price, interest.liked_at) == (Decimal(90), NOON)
    (like,) = fake_shop.likes(ANN)
    assert activity.prices_when_liked([Liking(contact.pk, mug, like.liked_at)]) == {
        Liking(contact.pk, mug, like.liked_at): Money(Decimal(90), "EUR")
    }
    assert set(Activity.objects.filter(kind="liked").values_list("contact_id", "occurred_at")) == {(contact.pk, NOON)}


def test_what_the_customer_took_off_since_is_liked_again_from_now_on(fake_shop, mug):
    ann = fake_shop.add_customer(customer_id=ANN, email="ann@example.com")
    guest_like(mug)
    for hours, change in ((1, fake_shop.like), (2, fake_shop.unlike)):
        with clock.travel(to=NOON + hours * HOUR):
            change(ANN, mug)
    pipeline.pump()
    with clock.travel(to=NOON + 3 * HOUR):
        sign_in(ann)
        pipeline.pump()
        pipeline.pump()

    interest = Interest.objects.get(contact=contacts.find(customer_id=ANN))
    assert [like.ref for like in fake_shop.likes(ANN)] == [mug]
    assert interest.liked_at == NOON + 3 * HOUR


def test_likes_and_the_sign_in_that_are_drained_together(fake_shop, mug):
    ann = fake_shop.add_customer(customer_id=ANN, email="ann@example.com")
    guest_like(mug)
    sign_in(ann, at=NOON + HOUR)

    pipeline.pump()

    assert [like.ref for like in fake_shop.likes(ANN)] == [mug]
    assert Interest.objects.get(contact=contacts.find(customer_id=ANN)).baseline_price == 90


def test_an_address_that_somebody_typed_in_hands_nothing_over(fake_shop, mug):
    ann = fake_shop.add_customer(customer_id=ANN, email="ann@example.com")
    sign_in(ann, browser=OTHER_BROWSER)
    pipeline.pump()
    guest_like(mug)
    activity.record(Fact(kind=FactKind.IDENTIFIED, source_key="form", email="ann@example.com", visitor_id=BROWSER))

    pipeline.pump()

    assert fake_shop.likes(ANN) == []
    assert [like.ref for like in activity.guest_likes(BROWSER)] == [mug]


def test_of_two_customers_the_first_one_takes_the_likes_over(fake_shop, mug):
    ann, ben = (fake_shop.add_customer(customer_id=key, email=f"{key}@example.com") for key in (ANN, BEN))
    guest_like(mug)
    sign_in(ben, at=NOON + 2 * HOUR)
    sign_in(ann, at=NOON + HOUR)

    pipeline.pump()

    assert [like.ref for like in fake_shop.likes(ANN)] == [mug]
    assert fake_shop.likes(BEN) == []


def test_what_the_shop_refuses_is_let_go_and_the_rest_arrives(fake_shop, mug):
    ann = fake_shop.add_customer(customer_id=ANN, email="ann@example.com")
    gone = fake_shop.add_product().whole
    guest_like(gone)
    guest_like(mug)
    del fake_shop.products[gone.product_id]
    sign_in(ann)

    pipeline.pump()

    assert [like.ref for like in fake_shop.likes(ANN)] == [mug]
    assert not OwnLike.objects.exists()
    assert not Inbox.objects.exists()


def test_drains_without_guests_ask_one_question_more_at_most(fake_shop):
    with CaptureQueriesContext(connection) as captured:
        activity.hand_likes_over([Person("7", "a@example.com"), Person("", "", BROWSER)])
        nobody = len(captured)
        activity.hand_likes_over([Person("7", "", BROWSER), Person("8", "", OTHER_BROWSER)])

    assert (nobody, len(captured)) == (0, 1)


@pytest.mark.django_db(transaction=True)
def test_two_workers_hand_over_once(fake_shop, mug):
    fake_shop.add_customer(customer_id=ANN, email="ann@example.com")
    contacts.get_or_create(Person(ANN, "ann@example.com"))
    guest_like(mug)
    handed: list[int] = []

    def work():
        with transaction.atomic():
            handed.append(activity.hand_likes_over([Person(ANN, "ann@example.com", BROWSER, NOON, NOON)]))

    together(work, work)

    assert sorted(handed) == [0, 1]
    assert [like.ref for like in fake_shop.likes(ANN)] == [mug]
    assert Inbox.objects.filter(kind="liked", customer_id=ANN).count() == 1


def test_forgotten_visitors_likes_go_with_them(fake_shop, mug, settings):
    guest_like(mug)
    pipeline.pump()
    with clock.travel(to=NOON + timedelta(days=300)):
        guest_like(mug, browser=OTHER_BROWSER)
        pipeline.pump()

        pipeline.housekeep()

    assert activity.guest_likes(BROWSER) == []
    assert len(activity.guest_likes(OTHER_BROWSER)) == 1


# Forgetting


@pytest.mark.parametrize("named_by", ["customer_id", "email"])
def test_of_an_erased_customer_no_list_is_left(fake_shop, mug, named_by):
    ann = fake_shop.add_customer(customer_id=ANN, email="ann@example.com")
    sign_in(ann)
    pipeline.pump()
    party = activity.make_own_wishlist(ANN, name="Party").list_ref
    key = activity.change_own_wishlist(ANN, party, is_public=True).key
    activity.like_own(ANN, mug)
    activity.like_own(ANN, mug, list_ref=party)
    activity.make_own_wishlist(BEN, name="Ben's")
    activity.like_own(BEN, mug)
    guest_like(mug)  # in her browser, signed out
    guest_like(mug, browser=OTHER_BROWSER)

    persons.erase(**{named_by: getattr(ann, named_by)})

    assert list(OwnWishlist.objects.values_list("customer_id", flat=True)) == [BEN]
    assert set(OwnLike.objects.values_list("customer_id", "visitor_id")) == {(BEN, ""), ("", OTHER_BROWSER)}
    assert activity.public_own_wishlist(key) is None
