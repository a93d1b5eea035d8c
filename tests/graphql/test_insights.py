"""What people buy and what they do not, each in one call; and what they are interested in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from pytest_django import DjangoAssertNumQueries

from crm_plugin import audience, ids
from crm_plugin.contacts import Contact
from crm_plugin.models import Activity, Interest, Member, ProductGroup, Segment
from tests.fake_shop import FakeShop
from tests.graphql.conftest import MANAGER, NOON, VIEWER, Ask

pytestmark = pytest.mark.django_db

MakeContact = Callable[..., Contact]
Deed = tuple[str, str, str]


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    cache.clear()


@pytest.fixture
def happen(make_contact: MakeContact) -> Callable[..., None]:
    """Let people do things with products: (name, activity, product)."""

    def happen(*deeds: Deed) -> None:
        for name, kind, product in deeds:
            Activity.objects.create(
                contact=make_contact(f"{name}@example.com"),
                kind=kind,
                source_key=f"{Activity.objects.count()}",
                occurred_at=NOON,
                product_id=product,
            )

    return happen


@pytest.fixture
def goods(shop: FakeShop) -> list[str]:
    """Tea, Honey and Jam, which is only sold in Korea."""
    keys = [shop.add_product(name=name).product_id for name in ("Tea", "Honey")]
    return [*keys, shop.add_product(name="Jam", shop_channel="kr", price=1000).product_id]


def _product(key: str) -> str:
    return ids.to_global("Product", key)


def test_what_buyers_of_a_product_bought_too(ask: Ask, goods: list[str], happen: Callable[..., None]) -> None:
    tea, honey, jam = goods
    happen(*[(name, "bought", tea) for name in "abcd"], *[(name, "bought", honey) for name in "abx"])
    happen(("c", "bought", jam), ("c", "bought", "404"))

    rows = ask(
        "query($id: ID!) { crmAlsoBought(product: $id, limit: 2) { product { id key name url } count share } }",
        caller=VIEWER,
        id=_product(tea),
    ).data["crmAlsoBought"]
    pair = ask(
        "query($a: ID!, $b: ID!) { crmBoughtAlso(product: $a, other: $b) { buyers both share definition } }",
        caller=VIEWER,
        a=_product(tea),
        b=_product(honey),
    ).data["crmBoughtAlso"]

    assert [(row["product"]["name"], row["count"], row["share"]) for row in rows] == [
        ("Honey", 2, 0.5),
        ("Jam", 1, 0.25),
    ]
    assert rows[1]["product"]["id"] == _product(jam)
    assert (pair["buyers"], pair["both"], pair["share"]) == (4, 2, 0.5)


def test_the_definition_behind_a_number_has_as_many_people(
    ask: Ask, goods: list[str], happen: Callable[..., None]
) -> None:
    tea, honey, _jam = goods
    happen(("a", "carted", tea), ("b", "carted", tea), ("c", "carted", tea), ("b", "bought", tea))
    happen(("c", "bought", honey), *[("a", "viewed", honey)] * 3, *[("b", "viewed", honey)] * 2)
    answers = ask(
        """query($tea: ID!, $honey: ID!) {
          a: crmCartedNotBought(product: $tea) { count definition }
          b: crmViewedNotBought(product: $honey) { count definition }
          c: crmViewedNotBought(product: $honey, times: 2, days: 7) { count definition }
          d: crmBoughtAlso(product: $tea, other: $honey) { count: both definition } }""",
        caller=VIEWER,
        tea=_product(tea),
        honey=_product(honey),
    )

    counts = {name: answer["count"] for name, answer in answers.data.items()}
    previewed = {
        name: ask(
            "query($d: JSON) { crmAudiencePreview(definition: $d) { count } }",
            caller=VIEWER,
            d=answer["definition"],
        ).data["crmAudiencePreview"]["count"]
        for name, answer in answers.data.items()
    }

    assert answers.errors == []
    assert counts == {"a": 2, "b": 1, "c": 2, "d": 0}
    assert previewed == counts


@pytest.mark.parametrize("count", [1, 8])
def test_a_list_of_products_is_one_question_to_us_and_one_to_the_shop(
    ask: Ask,
    shop: FakeShop,
    happen: Callable[..., None],
    django_assert_num_queries: DjangoAssertNumQueries,
    count: int,
) -> None:
    keys = [shop.add_product(name=f"p{number}").product_id for number in range(count)]
    happen(*[("a", "carted", key) for key in keys], *[("a", "viewed", key) for key in keys * 3])
    query = """{ {field}(limit: 50) { product { name } count definition } }"""

    for field in ("crmProductsCartedNotBought", "crmProductsViewedNotBought"):
        with django_assert_num_queries(8):  # one question in a savepoint with a limit; the merchant's language
            answer = ask(query.replace("{field}", field), caller=VIEWER)
        assert answer.errors == []
        assert sorted(row["product"]["name"] for row in answer.data[field]) == [f"p{n}" for n in range(count)]


def test_a_product_that_is_gone_has_a_key_and_no_name(ask: Ask, shop: FakeShop, happen: Callable[..., None]) -> None:
    happen(("a", "carted", "404"))

    answer = ask("{ crmProductsCartedNotBought { product { key name url imageUrl } count } }", caller=VIEWER)

    assert answer.data["crmProductsCartedNotBought"] == [
        {"product": {"key": "404", "name": None, "url": None, "imageUrl": None}, "count": 1}
    ]


@pytest.mark.parametrize(
    "call",
    [
        'crmAlsoBought(product: "x") { count }',
        f'crmAlsoBought(product: "{_product("1")}", limit: 101) {{ count }}',
        f'crmViewedNotBought(product: "{_product("1")}", times: 0) {{ count }}',
        f'crmCartedNotBought(product: "{_product("1")}", days: 366) {{ count }}',
        "crmProductsCartedNotBought(limit: 0) { count }",
        "crmTopInterests(limit: 101) { score }",
        f'crmGroupSearch(text: "{"x" * 101}") {{ key }}',
    ],
)
def test_wrong_arguments_are_refused_in_words(ask: Ask, shop: FakeShop, call: str) -> None:
    answer = ask(f"{{ {call} }}", caller=VIEWER)

    assert answer.codes == ["GraphQLError"]


def test_the_groups_of_most_interest_are_named_by_the_shop(
    ask: Ask, shop: FakeShop, goods: list[str], happen: Callable[..., None]
) -> None:
    tea, honey, _jam = goods
    drinks, sweets = (shop.add_group(name).key for name in ("Drinks", "Sweets"))
    for key, group in ((tea, drinks), (honey, sweets), (honey, "category:gone")):
        ProductGroup.objects.create(product_id=key, group_key=group)
    happen(*[("a", "viewed", tea)] * 3, ("b", "viewed", honey))

    top = ask("{ crmTopInterests { score group { key name } } }", caller=VIEWER).data["crmTopInterests"]
    found = ask('{ crmGroupSearch(text: " drin ") { key kind name path } }', caller=VIEWER).data["crmGroupSearch"]

    assert [(row["group"]["key"], row["group"]["name"], row["score"]) for row in top] == [
        (drinks, "Drinks", 3),
        (sweets, "Sweets", 1),
    ]
    assert found == [{"key": drinks, "kind": "CATEGORY", "name": "Drinks", "path": "Drinks"}]


LOOK_ALIKE = """mutation($input: CrmLookAlikeInput!) { crmLookAlikeCreate(input: $input) {
  segment { id name kind state membersCount } errors { field code } } }"""


def test_a_list_of_people_alike_is_made(ask: Ask, make_contact: MakeContact, shop: FakeShop) -> None:
    for name, product in (("ann", "1"), ("abe", "1"), ("bob", "2"), ("ben", "3")):
        contact = make_contact(f"{name}@example.com")
        Interest.objects.create(contact=contact, product_id=product, shop_channel="default", views_count=3)
    seed: dict[str, Any] = {"include": {"type": "attribute", "name": "email", "op": "is", "value": "ann@example.com"}}

    made = ask(LOOK_ALIKE, caller=MANAGER, input={"name": "Like Ann", "definition": seed, "limit": 9})
    nobody = ask(LOOK_ALIKE, caller=MANAGER, input={"name": "Like nobody", "limit": 9})

    answer = made.data["crmLookAlikeCreate"]
    key = answer["segment"].pop("id")
    waiting = {"name": "Like Ann", "kind": "STATIC", "state": "BUILDING", "membersCount": 0}
    assert answer == {"segment": waiting, "errors": []}
    audience.build_look_alike()
    row = ask("query($id: ID!) { crmSegment(id: $id) { state membersCount version } }", caller=MANAGER, id=key).data
    assert row == {"crmSegment": {"state": "READY", "membersCount": 1, "version": None}}
    assert Member.objects.get().contact.email == "abe@example.com"
    assert [error["field"] for error in nobody.data["crmLookAlikeCreate"]["errors"]] == ["definition"]
    assert Segment.objects.count() == 1
