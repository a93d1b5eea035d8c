"""Look-alikes: the statement agrees with the method as written, finds planted taste, and leaves out whom it should."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from math import log, log1p, sqrt
from typing import TYPE_CHECKING, NoReturn

import pytest
from django.db import connection

from crm_plugin import audience, clock
from crm_plugin.audience import AudienceRule, alike_lists, failing, lookalike
from crm_plugin.errors import InvalidInput
from crm_plugin.models import Contact, Interest, Member, ProductGroup, Segment
from tests.audience.living import quiet

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_shop")]

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
#: Who ordered ten times.
VIPS = {"include": {"type": "attribute", "name": "orders_count", "op": "gte", "value": 10}}

#: What somebody did with a product: views, liked, carted, in a checkout, bought.
Deeds = tuple[int, bool, bool, bool, int]


def people(count: int, *, orders: int | Callable[[], int] = 0) -> list[int]:
    start = Contact.objects.count()
    rows = (
        Contact(customer_id=f"p{n}", created_at=NOW, orders_count=orders() if callable(orders) else orders)
        for n in range(start, start + count)
    )
    return [row.pk for row in Contact.objects.bulk_create(rows)]


def interested(deeds: Mapping[tuple[int, str], Deeds]) -> None:
    Interest.objects.bulk_create(
        Interest(
            contact_id=contact,
            product_id=product,
            shop_channel="default",
            views_count=views,
            liked_at=NOW if liked else None,
            carted_at=NOW if carted else None,
            checkout_at=NOW if checkout else None,
            bought_count=bought,
        )
        for (contact, product), (views, liked, carted, checkout, bought) in deeds.items()
    )


def group(products: Mapping[str, Iterable[str]]) -> None:
    ProductGroup.objects.bulk_create(
        ProductGroup(product_id=product, group_key=key) for product, keys in products.items() for key in keys
    )


def views(contacts: Sequence[int], products: Sequence[str], *, each: int, chance: random.Random) -> None:
    interested(
        {
            (contact, product): (chance.randint(1, 3), False, False, False, 0)
            for contact in contacts
            for product in chance.sample(products, each)
        }
    )


@pytest.mark.feature(44)
def test_five_hundred_look_alikes_of_a_hundred_vips_share_their_taste_and_buy_little() -> None:
    chance = random.Random(44)  # noqa: S311 - made-up shoppers
    group({str(n): [f"category:{n // 10}"] for n in range(300)})
    scents, everything = [str(n) for n in range(30)], [str(n) for n in range(300)]
    vips, planted = people(100, orders=12), people(700, orders=lambda: chance.randint(0, 2))
    loyal, others = people(200, orders=lambda: chance.randint(3, 9)), people(1_500, orders=lambda: chance.randint(0, 2))
    for contacts in (vips, planted, loyal):
        views(contacts, scents, each=4, chance=chance)
        views(contacts, everything[30:], each=2, chance=chance)
    views(others, everything, each=6, chance=chance)

    found = audience.look_alike(AudienceRule.parse(VIPS), limit=500, exclude_min_orders=3)

    ids = [pk for pk, _similarity in found]
    assert len(set(ids)) == 500
    assert not set(ids) & {*vips, *loyal}
    assert len(set(ids) & set(planted)) / 500 > 0.98, "by chance it would be 0.32"
    similarities = [similarity for _pk, similarity in found]
    assert similarities == sorted(similarities, reverse=True)
    assert 0 < similarities[-1] <= similarities[0] <= 1


def test_similarity_is_the_cosine_that_the_method_says() -> None:
    chance = random.Random(7)  # noqa: S311 - made-up shoppers
    products = [str(n) for n in range(12)]
    groups = {
        product: chance.sample(["category:1", "category:2", "collection:1"], chance.randint(0, 2))
        for product in products
    }
    group(groups)
    seed, others = people(5, orders=10), people(40)
    deeds = {
        (contact, product): (
            chance.randint(0, 4),
            chance.random() < 0.3,
            chance.random() < 0.3,
            chance.random() < 0.2,
            chance.choice([0, 0, 2]),
        )
        for contact in (*seed, *others)
        for product in chance.sample(products, chance.randint(0, 4))
    }
    interested(deeds)

    found = dict(audience.look_alike(AudienceRule.parse(VIPS), limit=100))

    expected = cosines(deeds, groups, seed=seed)
    assert found == pytest.approx(expected, abs=2e-6)
    assert list(found) == sorted(found, key=lambda pk: (-found[pk], pk))


def cosines(
    deeds: Mapping[tuple[int, str], Deeds], groups: Mapping[str, Sequence[str]], *, seed: Sequence[int]
) -> dict[int, float]:
    """The docstring of ``lookalike``, in plain Python."""
    strength: defaultdict[int, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    for (contact, product), (viewed, liked, carted, checkout, bought) in deeds.items():
        if total := viewed + 2 * liked + 2 * carted + 3 * checkout + 4 * bought:
            for feature in (product, *groups[product]):
                strength[contact][feature] += total
    having: defaultdict[str, int] = defaultdict(int)
    for features in strength.values():
        for feature in features:
            having[feature] += 1
    vectors = {
        contact: {
            feature: log1p(value) * log((1 + len(strength)) / (1 + having[feature]))
            for feature, value in features.items()
        }
        for contact, features in strength.items()
    }

    def length(vector: Mapping[str, float]) -> float:
        return sqrt(sum(weight * weight for weight in vector.values()))

    mean: defaultdict[str, float] = defaultdict(float)
    for contact in seed:
        for feature, weight in vectors.get(contact, {}).items():
            mean[feature] += weight / length(vectors[contact])
    found = {
        contact: sum(weight * mean[feature] for feature, weight in vector.items()) / length(vector) / length(mean)
        for contact, vector in vectors.items()
        if contact not in seed and length(vector)
    }
    return {contact: similarity for contact, similarity in found.items() if similarity > 0}


def test_a_shortlist_finds_the_same_people(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(3)  # noqa: S311 - made-up shoppers
    group({str(n): [f"category:{n // 10}"] for n in range(200)})
    products = [str(n) for n in range(200)]
    views(people(30, orders=10), products[:20], each=5, chance=chance)
    everybody = people(1_000)
    for start in range(0, 200, 20):
        some = everybody[start * 5 : start * 5 + 100]
        views(some, products[start : start + 20], each=3, chance=chance)
    exact = audience.look_alike(AudienceRule.parse(VIPS), limit=20)

    monkeypatch.setattr(lookalike, "SHORTLIST", 60)
    short = audience.look_alike(AudienceRule.parse(VIPS), limit=20)

    assert len({pk for pk, _ in exact} & {pk for pk, _ in short}) >= 18
    assert {pk: dict(exact)[pk] for pk, _ in short if pk in dict(exact)} == pytest.approx(
        {pk: similarity for pk, similarity in short if pk in dict(exact)}
    )


def test_whoever_shows_no_interest_or_none_of_the_seeds_is_not_returned() -> None:
    (vip,), (alike, other, silent, took_it_back) = people(1, orders=10), people(4)
    visitor = Contact.objects.create(created_at=NOW).pk
    erased = Contact.objects.create(created_at=NOW, erased_at=NOW).pk
    once = (1, False, False, False, 0)
    interested(
        {
            (vip, "a"): once,
            (alike, "a"): once,
            (visitor, "a"): once,
            (erased, "a"): once,
            (other, "b"): once,
            (took_it_back, "a"): (0, False, False, False, 0),
        }
    )

    found = audience.look_alike(AudienceRule.parse(VIPS), limit=10)

    assert [pk for pk, _similarity in found] == [alike]
    assert silent not in dict(found)


def test_a_list_of_look_alikes_is_static() -> None:
    vips, alike = people(2, orders=10), people(3)
    interested({(contact, "a"): (1, False, False, False, 0) for contact in (*vips, *alike)})
    interested({(contact, "b"): (1, False, False, False, 0) for contact in people(3)})
    best = audience.create_segment("Best")
    audience.add_members(best.pk, vips)

    made = audience.create_look_alike(
        "Like the best",
        seed=AudienceRule.parse({"include": {"type": "segment", "segment": best.pk}}),
        limit=2,
        exclude_min_orders=3,
    )

    assert (made.kind, made.state, made.members_count, made.version) == ("static", "building", 0, None)
    assert audience.lag()["segments_building"] == 1
    assert not Member.objects.filter(segment=made).exists()

    quiet()

    made.refresh_from_db()
    assert (made.state, made.members_count, made.version, made.error) == ("ready", 2, None, "")
    assert list(Member.objects.filter(segment=made).order_by("contact").values_list("contact", flat=True)) == alike[:2]


def test_a_seed_of_which_nothing_is_known_makes_no_list() -> None:
    people(2, orders=10)

    with pytest.raises(InvalidInput) as refused:
        audience.create_look_alike("Like nobody", seed=AudienceRule.parse(VIPS), limit=5)

    assert (refused.value.field, refused.value.code) == ("seed", "NO_SIGNAL")
    assert not Segment.objects.exists()


def test_a_seed_that_nobody_is_like_leaves_an_empty_list_that_says_so() -> None:
    (vip,) = people(1, orders=10)
    interested({(vip, "a"): (1, False, False, False, 0)})

    made = audience.create_look_alike("Like nobody", seed=AudienceRule.parse(VIPS), limit=5)
    quiet()

    made.refresh_from_db()
    assert (made.state, made.members_count, made.error) == ("ready", 0, alike_lists.NOBODY)
    assert audience.lag()["segment_errors"] == {}


def test_a_list_that_fails_says_why_and_is_made_a_while_later(monkeypatch: pytest.MonkeyPatch) -> None:
    vips, alike = people(1, orders=10), people(1)
    interested({(contact, "a"): (1, False, False, False, 0) for contact in (*vips, *alike)})
    interested({(contact, "b"): (1, False, False, False, 0) for contact in people(3)})
    seed = audience.create_segment("Seed", VIPS)
    quiet()
    named = AudienceRule.parse({"include": {"type": "segment", "segment": seed.pk}})
    made = audience.create_look_alike("Like the seed", seed=named, limit=5)
    with monkeypatch.context() as broken:
        broken.setattr(alike_lists, "look_alike", _too_long)
        assert audience.build_look_alike() == 0

    made.refresh_from_db()
    assert (made.state, made.error) == ("building", "seed: It took too long.")
    assert audience.build_look_alike() is None
    with clock.travel(to=clock.now() + failing.PAUSE + timedelta(seconds=1)):
        assert audience.build_look_alike() == 1
    made.refresh_from_db()
    assert (made.state, made.members_count, made.error) == ("ready", 1, "")


def _too_long(*_args: object, **_more: object) -> NoReturn:
    raise InvalidInput("It took too long.", field="seed", code="TIMEOUT")


def test_a_list_that_is_archived_before_it_is_made_stays_archived() -> None:
    everybody = people(2, orders=10)
    interested({(contact, "a"): (1, False, False, False, 0) for contact in everybody})
    made = audience.create_look_alike("Like", seed=AudienceRule.parse(VIPS), limit=5)
    audience.archive_segment(made.pk)

    quiet()

    made.refresh_from_db()
    assert (made.state, made.members_count) == ("archived", 0)


@pytest.mark.django_db(transaction=True)
def test_two_workers_make_a_list_once() -> None:
    vips, alike = people(1, orders=10), people(3)
    interested({(contact, "a"): (1, False, False, False, 0) for contact in (*vips, *alike)})
    interested({(contact, "b"): (1, False, False, False, 0) for contact in people(3)})
    audience.create_look_alike("Like", seed=AudienceRule.parse(VIPS), limit=5)

    def elsewhere() -> int | None:
        try:
            return audience.build_look_alike()
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        answers = [future.result(timeout=30) for future in (pool.submit(elsewhere), pool.submit(elsewhere))]

    assert sorted(answers, key=str) == [3, None]
    assert Member.objects.count() == 3


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"limit": 0}, "limit"), ({"limit": 50_001}, "limit"), ({"exclude_min_orders": 0}, "exclude_min_orders")],
)
def test_what_cannot_be_meant_is_refused(wrong: Mapping[str, int], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        audience.look_alike(AudienceRule.parse(VIPS), **{"limit": 5, **wrong})

    assert refused.value.field == field


def test_a_look_that_takes_too_long_is_stopped(settings: SettingsWrapper) -> None:
    settings.CRM_SEGMENT_BUILD_SECONDS = 0.001
    interested({(contact, "a"): (1, False, False, False, 0) for contact in people(300, orders=10)})

    with pytest.raises(InvalidInput) as refused:
        audience.look_alike(AudienceRule.parse(VIPS), limit=5)

    assert refused.value.code == "TIMEOUT"
