"""Waiting for stock by the API: what customers ask, and the lists that the merchant sees."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from crm_plugin import activity, clock, ids
from crm_plugin.contacts import Contact
from crm_plugin.models import PriceWatch, StockRequest
from tests.fake_catalogue import FakeProduct
from tests.fake_shop import FakeShop
from tests.graphql.conftest import APP, CUSTOMER, MANAGER, NOBODY, NOON, STAFF, VIEWER, Ask

pytestmark = pytest.mark.django_db

REQUEST = """mutation($productId: ID!, $variantId: ID!, $channel: String) {
  crmStockRequest(productId: $productId, variantId: $variantId, channel: $channel) {
    isAvailable errors { field code } } }"""
CANCEL = """mutation($variantId: ID!, $channel: String) {
  crmStockRequestCancel(variantId: $variantId, channel: $channel) { isCancelled errors { field code } } }"""
MINE = "{ crmMe { stockRequests { productId variantId channel askedAt } } }"
LISTS = """query($channel: String, $first: Int, $after: String, $language: String) {
  crmWaitingLists(channel: $channel, first: $first, after: $after, language: $language) {
    pageInfo { hasNextPage endCursor } edges { node { product { name } variantId channel people since isAvailable
      available restock { openedAt nextWaveAt wavesCount toldCount } } } } }"""
LINE = """query($variantId: ID!, $channel: String, $first: Int, $last: Int, $after: String, $before: String) {
  crmWaitingList(variantId: $variantId, channel: $channel, first: $first, last: $last, after: $after, before: $before) {
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { node { askedAt contact { email } } } } }"""


def named(product: FakeProduct) -> dict[str, str]:
    """The ids of a product's first variant, as a client knows them."""
    return {
        "productId": ids.to_global("Product", product.product_id),
        "variantId": ids.to_global("ProductVariant", product.variant_id),
    }


def nodes(answer: Any, field: str) -> list[dict[str, Any]]:
    assert answer.errors == []
    return [edge["node"] for edge in answer.data[field]["edges"]]


@pytest.fixture
def mug(shop: FakeShop) -> FakeProduct:
    """A product that is sold out."""
    return shop.add_product(stock=0, name="Mug", names={"ko": "머그잔"})


@pytest.fixture
def line(make_contact: Callable[..., Contact]) -> Callable[[FakeProduct, int], list[str]]:
    """Let so many people wait for a product; their addresses in order."""

    def wait(product: FakeProduct, count: int) -> list[str]:
        emails = [f"person{number}@example.com" for number in range(count)]
        for place, email in enumerate(emails):
            with clock.travel(to=NOON + timedelta(seconds=place)):
                activity.ask_for_stock(make_contact(email).pk, product.ref)
        return emails

    return wait


def test_a_customer_waits_sees_it_and_takes_it_back(ask: Ask, mug: FakeProduct) -> None:
    names = named(mug)
    asked = [ask(REQUEST, caller=CUSTOMER, **names) for _turn in range(2)]
    mine = ask(MINE, caller=CUSTOMER)
    cancelled = [ask(CANCEL, caller=CUSTOMER, variantId=names["variantId"]) for _turn in range(2)]

    assert [one.data["crmStockRequest"] for one in asked] == [{"isAvailable": False, "errors": []}] * 2
    assert mine.data["crmMe"]["stockRequests"] == [{**names, "channel": "default", "askedAt": NOON.isoformat()}]
    assert [one.data["crmStockRequestCancel"] for one in cancelled] == [
        {"isCancelled": True, "errors": []},
        {"isCancelled": False, "errors": []},
    ]
    assert ask(MINE, caller=CUSTOMER).data["crmMe"]["stockRequests"] == []


def test_their_own_address_needs_no_confirmation(ask: Ask, mug: FakeProduct) -> None:
    ask(REQUEST, caller=CUSTOMER, **named(mug))

    row = StockRequest.objects.select_related("contact").get()
    assert (row.state, row.contact.customer_id, row.contact.email) == ("waiting", "7", "ann@example.com")


def test_what_can_be_bought_is_said_and_not_kept(ask: Ask, shop: FakeShop) -> None:
    answer = ask(REQUEST, caller=CUSTOMER, **named(shop.add_product(stock=2)))

    assert answer.data["crmStockRequest"] == {"isAvailable": True, "errors": []}
    assert not StockRequest.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"variantId": ids.to_global("ProductVariant", 999_999)}, "variantId", "NOT_FOUND"),
        ({"productId": ids.to_global("Product", 999_999)}, "variantId", "NOT_FOUND"),
        ({"variantId": ids.to_global("Product", 1)}, "variantId", "GRAPHQL_ERROR"),
        ({"channel": "moon"}, "channel", "NOT_FOUND"),
        ({"channel": "kr"}, "variantId", "NOT_FOUND"),
    ],
)
def test_what_is_not_sold_there_is_refused(
    ask: Ask, mug: FakeProduct, changes: dict[str, str], field: str, code: str
) -> None:
    answer = ask(REQUEST, caller=CUSTOMER, **(named(mug) | changes))

    assert answer.data["crmStockRequest"] == {"isAvailable": None, "errors": [{"field": field, "code": code}]}
    assert not StockRequest.objects.exists()


def test_only_people_with_an_account_wait_and_only_for_themselves(ask: Ask, mug: FakeProduct) -> None:
    names = named(mug)
    for caller in (NOBODY, APP):
        assert ask(REQUEST, caller=caller, **names).codes == ["PermissionDenied"]
        assert ask(CANCEL, caller=caller, variantId=names["variantId"]).codes == ["PermissionDenied"]
    ask(REQUEST, caller=CUSTOMER, **names)

    assert ask(CANCEL, caller=STAFF, variantId=names["variantId"]).data["crmStockRequestCancel"]["isCancelled"] is False
    assert ask(MINE, caller=STAFF).data["crmMe"]["stockRequests"] == []
    assert StockRequest.objects.filter(state="waiting").count() == 1


def test_the_merchant_sees_how_many_wait_since_when_and_what_is_there(
    ask: Ask, shop: FakeShop, mug: FakeProduct, line: Callable[[FakeProduct, int], list[str]]
) -> None:
    bowl = shop.add_product(stock=0, name="Bowl")
    line(mug, 5)
    line(bowl, 1)
    with clock.travel(to=NOON + timedelta(hours=1)), transaction.atomic():
        shop.set_stock(mug.ref, 1)
        PriceWatch.objects.update(due_at=clock.now())
        activity.look(100)
        activity.next_wave()

    first, second = nodes(ask(LISTS, caller=VIEWER, first=10), "crmWaitingLists")

    assert first == {
        "product": {"name": "Mug"},
        "variantId": ids.to_global("ProductVariant", mug.variant_id),
        "channel": "default",
        "people": 2,
        "since": (NOON + timedelta(seconds=3)).isoformat(),
        "isAvailable": True,
        "available": 1,
        "restock": {
            "openedAt": (NOON + timedelta(hours=1)).isoformat(),
            "nextWaveAt": (NOON + timedelta(hours=2)).isoformat(),
            "wavesCount": 1,
            "toldCount": 3,
        },
    }
    assert (second["product"]["name"], second["people"], second["restock"]) == ("Bowl", 1, None)
    assert (second["isAvailable"], second["available"]) == (False, 0)


def test_the_lists_are_paged_by_channel_and_in_a_language(
    ask: Ask, shop: FakeShop, mug: FakeProduct, line: Callable[[FakeProduct, int], list[str]]
) -> None:
    bowl = shop.add_product(stock=0, name="Bowl")
    line(mug, 3)
    line(bowl, 1)

    page = ask(LISTS, caller=VIEWER, first=1, language="ko")
    rest = ask(LISTS, caller=VIEWER, first=1, after=page.data["crmWaitingLists"]["pageInfo"]["endCursor"])

    assert [one["product"]["name"] for one in nodes(page, "crmWaitingLists")] == ["머그잔"]
    assert [one["product"]["name"] for one in nodes(rest, "crmWaitingLists")] == ["Bowl"]
    assert nodes(ask(LISTS, caller=VIEWER, first=5, channel="kr"), "crmWaitingLists") == []
    assert ask(LISTS, caller=VIEWER, first=5, channel="moon").messages == ["There is no channel 'moon'."]


def test_a_product_that_is_gone_is_still_a_list(
    ask: Ask, shop: FakeShop, mug: FakeProduct, line: Callable[[FakeProduct, int], list[str]]
) -> None:
    line(mug, 1)
    del shop.products[mug.product_id]

    (one,) = nodes(ask(LISTS, caller=VIEWER, first=5), "crmWaitingLists")

    assert (one["product"]["name"], one["people"], one["isAvailable"], one["available"]) == (None, 1, False, 0)


def test_the_line_is_read_in_its_order_page_by_page_both_ways(
    ask: Ask, mug: FakeProduct, line: Callable[[FakeProduct, int], list[str]]
) -> None:
    emails, variant = line(mug, 7), named(mug)["variantId"]
    forth: list[str] = []
    after = None
    while True:
        answer = ask(LINE, caller=VIEWER, variantId=variant, first=3, after=after)
        forth += [one["contact"]["email"] for one in nodes(answer, "crmWaitingList")]
        page = answer.data["crmWaitingList"]["pageInfo"]
        after = page["endCursor"]
        if not page["hasNextPage"]:
            break
    last = ask(LINE, caller=VIEWER, variantId=variant, last=3)
    before = ask(
        LINE,
        caller=VIEWER,
        variantId=variant,
        last=3,
        before=last.data["crmWaitingList"]["pageInfo"]["startCursor"],
    )

    assert forth == emails
    assert [one["contact"]["email"] for one in nodes(last, "crmWaitingList")] == emails[4:]
    assert [one["contact"]["email"] for one in nodes(before, "crmWaitingList")] == emails[1:4]


def test_a_page_of_the_line_costs_the_same_whatever_its_length(
    ask: Ask,
    mug: FakeProduct,
    line: Callable[[FakeProduct, int], list[str]],
    django_assert_max_num_queries: Any,
) -> None:
    line(mug, 30)

    with django_assert_max_num_queries(4):
        assert len(nodes(ask(LINE, caller=VIEWER, first=30, variantId=named(mug)["variantId"]), "crmWaitingList")) == 30


@pytest.mark.parametrize("caller", [NOBODY, CUSTOMER, STAFF])
def test_the_lists_are_for_staff_who_may_see_the_crm(ask: Ask, mug: FakeProduct, caller: Any) -> None:
    assert ask(LISTS, caller=caller, first=1).codes == ["PermissionDenied"]
    assert ask(LINE, caller=caller, first=1, variantId=named(mug)["variantId"]).codes == ["PermissionDenied"]
    assert ask(LISTS, caller=MANAGER, first=1).errors == []


def test_the_pause_between_two_waves_is_a_setting(ask: Ask) -> None:
    change = "mutation($input: CrmSettingsInput!) { crmSettingsUpdate(input: $input) { errors { field } } }"

    refused = ask(change, caller=MANAGER, input={"stockWaveMinutes": 0})
    done = ask(change, caller=MANAGER, input={"stockWaveMinutes": 30})

    assert refused.data["crmSettingsUpdate"]["errors"] == [{"field": "stockWaveMinutes"}]
    assert done.data["crmSettingsUpdate"]["errors"] == []
    assert ask("{ crmSettings { stockWaveMinutes } }", caller=VIEWER).data["crmSettings"]["stockWaveMinutes"] == 30
