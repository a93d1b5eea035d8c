"""Lists and likes that the CRM keeps itself, for a shop without a wishlist."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from crm_plugin import activity, clock
from crm_plugin.activity.likes import MAX_LIKES
from crm_plugin.activity.wishlists import MAX_LISTS
from crm_plugin.errors import InvalidInput, NotFound
from crm_plugin.models import OwnLike, OwnWishlist
from crm_plugin.shop import ProductRef
from tests.together import together

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ANN, BEN = "7", "8"
MUG = ProductRef("1", "default")
BROWSER = "visitor_of_22_letters_"


@pytest.fixture(autouse=True)
def _noon():
    with clock.travel(to=NOON):
        yield


def products_of(customer_id, *, list_ref=None):
    return [like.ref.product_id for like in activity.own_likes(customer_id, list_ref=list_ref)]


# Lists


def test_everybody_has_a_default_list_that_nobody_made():
    (only,) = activity.own_wishlists(ANN)

    assert (only.list_ref, only.name, only.is_public, only.key) == ("", "", False, "")
    assert not OwnWishlist.objects.exists()


def test_lists_are_ones_own_and_the_default_one_is_first():
    party = activity.make_own_wishlist(ANN, name="Party")
    home = activity.make_own_wishlist(ANN, name="Home")
    activity.change_own_wishlist(ANN, "", name="Everything")
    activity.make_own_wishlist(BEN, name="Ben's")

    found = activity.own_wishlists(ANN)

    assert [one.name for one in found] == ["Everything", "Party", "Home"]
    assert [one.list_ref for one in found] == ["", party.list_ref, home.list_ref]


def test_keys_cannot_be_guessed_and_only_a_public_list_is_found_by_one():
    lists = [activity.make_own_wishlist(ANN, name="Party") for _ in range(20)]
    key = lists[0].key
    assert {len(one.key) for one in lists} == {22}
    assert len({one.key for one in lists}) == 20

    before = activity.public_own_wishlist(key)
    activity.change_own_wishlist(ANN, lists[0].list_ref, is_public=True)
    shown = activity.public_own_wishlist(key)
    activity.change_own_wishlist(ANN, lists[0].list_ref, is_public=False)

    assert (before, activity.public_own_wishlist(key), activity.public_own_wishlist("")) == (None, None, None)
    assert shown is not None
    assert shown.name == "Party"


def test_the_default_list_is_made_public_and_stays_one():
    made = [activity.change_own_wishlist(ANN, "", is_public=is_public) for is_public in (True, False, True)]

    assert len({one.key for one in made}) == 1
    assert activity.public_own_wishlist(made[0].key) is not None
    assert OwnWishlist.objects.count() == 1


@pytest.mark.parametrize("list_ref", ["404", "x", "9" * 30, "-1", "1; drop"])
def test_a_list_that_is_none_is_not_found(list_ref):
    for change in (
        lambda: activity.change_own_wishlist(ANN, list_ref, name="X"),
        lambda: activity.drop_own_wishlist(ANN, list_ref),
        lambda: activity.like_own(ANN, MUG, list_ref=list_ref),
        lambda: activity.unlike_own(ANN, MUG, list_ref=list_ref),
    ):
        with pytest.raises(NotFound):
            change()
    assert activity.own_likes(ANN, list_ref=list_ref) == []


def test_the_list_of_somebody_else_is_not_found():
    bens = activity.make_own_wishlist(BEN, name="Ben's").list_ref

    with pytest.raises(NotFound):
        activity.like_own(ANN, MUG, list_ref=bens)
    with pytest.raises(NotFound):
        activity.drop_own_wishlist(ANN, bens)

    assert activity.own_likes(ANN, list_ref=bens) == []
    assert [one.name for one in activity.own_wishlists(BEN)] == ["", "Ben's"]


def test_there_are_fifty_lists_at_most():
    for number in range(MAX_LISTS - 1):
        activity.make_own_wishlist(ANN, name=f"List {number}")

    with pytest.raises(InvalidInput) as refused:
        activity.make_own_wishlist(ANN, name="One more")

    assert refused.value.code == "LIMIT"
    assert len(activity.own_wishlists(ANN)) == MAX_LISTS
    activity.make_own_wishlist(BEN, name="Ben's")


def test_a_dropped_list_takes_its_likes_along_and_says_what_is_liked_no_more():
    party = activity.make_own_wishlist(ANN, name="Party").list_ref
    for number, list_ref in ((1, party), (2, party), (1, "")):
        activity.like_own(ANN, ProductRef(str(number), "default"), list_ref=list_ref)
    activity.like_own(ANN, ProductRef("2", "default", "20"), list_ref=party)

    gone = activity.drop_own_wishlist(ANN, party)

    assert [ref.product_id for ref in gone] == ["2"]
    assert products_of(ANN) == ["1"]
    assert [one.list_ref for one in activity.own_wishlists(ANN)] == [""]


def test_the_default_list_is_emptied_and_keeps_its_name():
    activity.change_own_wishlist(ANN, "", name="Mine")
    activity.like_own(ANN, MUG)

    gone = activity.drop_own_wishlist(ANN, "")

    assert gone == [MUG]
    assert [one.name for one in activity.own_wishlists(ANN)] == ["Mine"]
    assert not OwnLike.objects.exists()


# What is on them


def test_a_product_is_on_several_lists_once_each():
    party = activity.make_own_wishlist(ANN, name="Party").list_ref

    kept = [activity.like_own(ANN, MUG, list_ref=list_ref) for list_ref in ("", party, "", party)]

    assert kept == [NOON, NOON, None, None]
    assert (products_of(ANN), products_of(ANN, list_ref=""), products_of(ANN, list_ref=party)) == (
        ["1", "1"],
        ["1"],
        ["1"],
    )
    assert {like.list_ref for like in activity.own_likes(ANN)} == {"", party}


def test_only_the_last_list_that_it_is_taken_off_counts():
    party = activity.make_own_wishlist(ANN, name="Party").list_ref
    for list_ref in ("", party):
        activity.like_own(ANN, MUG, list_ref=list_ref)

    gone = [activity.unlike_own(ANN, MUG, list_ref=list_ref) for list_ref in (party, party, "", "")]

    assert gone == [False, False, True, False]


def test_another_variant_still_on_a_list_is_still_the_product():
    activity.like_own(ANN, ProductRef("1", "default", "10"))
    activity.like_own(ANN, ProductRef("1", "default", "11"))

    first = activity.unlike_own(ANN, ProductRef("1", "default", "10"))
    second = activity.unlike_own(ANN, ProductRef("1", "default", "11"))

    assert (first, second) == (False, True)


def test_off_all_lists_at_once():
    party = activity.make_own_wishlist(ANN, name="Party").list_ref
    for list_ref in ("", party):
        activity.like_own(ANN, MUG, list_ref=list_ref)

    assert activity.unlike_own(ANN, MUG)
    assert products_of(ANN) == []


def test_a_list_holds_a_thousand_products():
    rows = [
        OwnLike(customer_id=ANN, product_id=str(number), shop_channel="default", created_at=NOON)
        for number in range(MAX_LIKES)
    ]
    OwnLike.objects.bulk_create(rows)

    with pytest.raises(InvalidInput) as refused:
        activity.like_own(ANN, ProductRef("one more", "default"))

    assert refused.value.code == "LIMIT"
    assert OwnLike.objects.count() == MAX_LIKES
    assert activity.like_own(ANN, MUG) is None  # it is there already
    other = activity.make_own_wishlist(ANN, name="Party").list_ref
    assert activity.like_own(ANN, ProductRef("one more", "default"), list_ref=other) == NOON


@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from(["", "A", "B"]), st.sampled_from("12"), st.sampled_from("xy")))
)
def test_what_is_on_lists_is_what_a_set_would_have(steps):
    with transaction.atomic():
        refs = {"": "", **{name: activity.make_own_wishlist(ANN, name=name).list_ref for name in "AB"}}
        model: set[tuple[str, str, str]] = set()
        for is_like, name, product, variant in steps:
            ref, key = ProductRef(product, "default", variant), (refs[name], product, variant)
            if is_like:
                assert (activity.like_own(ANN, ref, list_ref=refs[name]) is not None) == (key not in model)
                model.add(key)
            else:
                was_there = key in model
                model.discard(key)
                is_gone = was_there and not any(one[1] == product for one in model)
                assert activity.unlike_own(ANN, ref, list_ref=refs[name]) == is_gone

        found = {(like.list_ref, like.ref.product_id, like.ref.variant_id) for like in activity.own_likes(ANN)}
        assert found == model
        liked = activity.own_liked(ANN, ["1", "2", "3"], shop_channel="default")
        assert liked == {product for _list_ref, product, _variant in model}
        transaction.set_rollback(True)


def test_a_grid_is_answered_by_two_queries_whatever_its_size():
    products = [str(number) for number in range(100)]
    for customer_id in (ANN, BEN):
        activity.like_own(customer_id, MUG)
        activity.like_own(customer_id, ProductRef("1", "default", "10"))
    activity.like_own(BEN, ProductRef("2", "default"))
    activity.like_own(BEN, ProductRef("3", "kr"))
    OwnLike.objects.create(visitor_id=BROWSER, product_id="2", shop_channel="default", created_at=NOON)

    with CaptureQueriesContext(connection) as captured:
        liked = activity.own_liked(ANN, products, shop_channel="default")
        counts = activity.own_like_counts(products, shop_channel="default")

    assert len(captured) == 2
    assert liked == {"1"}
    assert counts == {"1": 2, "2": 1}


def test_nobody_likes_what_guests_like():
    OwnLike.objects.create(visitor_id=BROWSER, product_id="1", shop_channel="default", created_at=NOON)

    assert activity.own_liked("", ["1"], shop_channel="default") == frozenset()
    assert activity.own_likes("") == []


@pytest.mark.django_db(transaction=True)
def test_two_workers_take_a_product_off_its_last_two_lists():
    with transaction.atomic():
        party = activity.make_own_wishlist(ANN, name="Party").list_ref
        for list_ref in ("", party):
            activity.like_own(ANN, MUG, list_ref=list_ref)
    gone: list[bool] = []

    def take_off(list_ref):
        with transaction.atomic():
            gone.append(activity.unlike_own(ANN, MUG, list_ref=list_ref))

    together(lambda: take_off(""), lambda: take_off(party))

    assert sorted(gone) == [False, True]  # told once that nobody likes it any more, not never


@pytest.mark.django_db(transaction=True)
def test_two_workers_like_the_same():
    kept: list[object] = []

    def like():
        with transaction.atomic():
            kept.append(activity.like_own(ANN, MUG))

    together(like, like)

    assert sorted(one is None for one in kept) == [False, True]
    assert OwnLike.objects.count() == 1


# Plans


def test_the_questions_of_a_grid_and_of_a_guest_find_their_index():
    OwnLike.objects.bulk_create(
        OwnLike(
            customer_id=f"c{n}" if n % 3 else "",
            visitor_id="" if n % 3 else f"v{n}",
            product_id=str(n % 300),
            shop_channel="default",
            created_at=NOON,
        )
        for n in range(6_000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE crm_plugin_ownlike")

    for sql, index in (
        ("customer_id = 'c1' AND product_id = ANY('{1,2,3}') AND shop_channel = 'default'", ("crm_like_",)),
        ("product_id = ANY('{1,2,3}') AND shop_channel = 'default' AND customer_id <> ''", ("crm_like_product",)),
        ("visitor_id <> '' AND visitor_id = ANY('{v3,v6}')", ("crm_like_once_by_visitor",)),
        ("visitor_id = 'v3' AND NOT visitor_id = ''", ("crm_like_once_by_visitor",)),
        ("customer_id = 'c1' AND NOT customer_id = ''", ("crm_like_",)),
    ):
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN SELECT * FROM crm_plugin_ownlike WHERE {sql}")  # noqa: S608
            plan = "\n".join(line for (line,) in cursor.fetchall())
        assert "Seq Scan" not in plan, (sql, plan)
        assert any(name in plan for name in index), (sql, plan)
