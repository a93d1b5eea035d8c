"""What customers do by the API: their likes and their consent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from crm_plugin import clock, contacts, ids
from crm_plugin.activity.models import Inbox
from crm_plugin.contacts import Contact, Person
from crm_plugin.contacts.models import ConsentEvent
from crm_plugin.merchant.models import Merchant
from tests.fake_shop import FakeShop
from tests.graphql.conftest import APP, CUSTOMER, MANAGER, NOBODY, NOON, STAFF, VIEWER, Answer, Ask

pytestmark = pytest.mark.django_db

LIKE = """mutation($productId: ID!, $variantId: ID, $channel: String) {
  %s(productId: $productId, variantId: $variantId, channel: $channel) { isLiked errors { field code } } }"""
LIKES = """query($first: Int, $after: String) { crmMe { likes(first: $first, after: $after) {
  pageInfo { hasNextPage endCursor } edges { node { productId variantId channel likedAt } } } } }"""
CONSENT = """mutation($input: CrmConsentInput!) { crmConsentUpdate(input: $input) {
  consents { channel isGranted } errors { field code } } }"""


def _product(pk: str) -> str:
    return ids.to_global("Product", pk)


def _variant(pk: str) -> str:
    return ids.to_global("ProductVariant", pk)


@pytest.fixture
def customer(shop: FakeShop) -> None:
    """The caller is a customer of the shop."""
    shop.add_customer(customer_id=CUSTOMER.customer_id, email=CUSTOMER.email)


def _likes(answer: Answer) -> list[tuple[str, str | None, str]]:
    nodes = [edge["node"] for edge in answer.data["crmMe"]["likes"]["edges"]]
    return [(node["productId"], node["variantId"], node["channel"]) for node in nodes]


def test_a_liked_product_is_on_the_list_and_the_engine_is_told_once(ask: Ask, shop: FakeShop) -> None:
    product = shop.add_product()

    answers = [
        ask(LIKE % "crmProductLike", caller=CUSTOMER, productId=_product(product.product_id)) for _turn in range(2)
    ]

    assert [answer.data["crmProductLike"] for answer in answers] == [{"isLiked": True, "errors": []}] * 2
    assert _likes(ask(LIKES, caller=CUSTOMER, first=5)) == [(_product(product.product_id), None, "default")]
    fact = Inbox.objects.get()
    assert (fact.kind, fact.customer_id, fact.product_id) == ("liked", "7", product.product_id)


def test_a_variant_is_liked_in_the_channel_that_is_named(ask: Ask, shop: FakeShop) -> None:
    product = shop.add_product(shop_channel="kr", price=9000)

    answer = ask(
        LIKE % "crmProductLike",
        caller=CUSTOMER,
        productId=_product(product.product_id),
        variantId=_variant(product.variant_id),
        channel="kr",
    )

    assert answer.data["crmProductLike"]["errors"] == []
    assert [like.ref for like in shop.likes("7")] == [product.ref]


def test_a_like_is_taken_back_also_when_the_product_is_gone(ask: Ask, shop: FakeShop) -> None:
    product = shop.add_product()
    shop.like("7", product.whole)
    shop.products.clear()

    answer = ask(LIKE % "crmProductUnlike", caller=CUSTOMER, productId=_product(product.product_id))

    assert answer.data["crmProductUnlike"] == {"isLiked": False, "errors": []}
    assert shop.likes("7") == []


@pytest.mark.parametrize(
    ("arguments", "field", "code"),
    [
        ({"productId": _product("404")}, "productId", "NOT_FOUND"),
        ({"productId": "nonsense"}, "productId", "GRAPHQL_ERROR"),
        ({"productId": ids.to_global("Order", 1)}, "productId", "GRAPHQL_ERROR"),
        ({"productId": _product("1"), "variantId": _variant("404")}, "variantId", "NOT_FOUND"),
        ({"productId": _product("1"), "variantId": _product("1")}, "variantId", "GRAPHQL_ERROR"),
        ({"productId": _product("1"), "channel": "mars"}, "channel", "NOT_FOUND"),
        ({"productId": _product("1"), "channel": "kr"}, "productId", "NOT_FOUND"),
    ],
)
def test_what_a_shopper_cannot_see_is_not_liked(
    ask: Ask, shop: FakeShop, arguments: dict[str, str], field: str, code: str
) -> None:
    shop.add_product()

    answer = ask(LIKE % "crmProductLike", caller=CUSTOMER, **arguments).data["crmProductLike"]

    assert answer == {"isLiked": None, "errors": [{"field": field, "code": code}]}
    assert shop.likes("7") == []
    assert not Inbox.objects.exists()


def test_likes_are_paged_newest_first(ask: Ask, shop: FakeShop) -> None:
    for second in range(3):
        with clock.travel(to=NOON + timedelta(seconds=second)):
            shop.like("7", shop.add_product().whole)
    shop.like("8", shop.add_product().whole)

    first = ask(LIKES, caller=CUSTOMER, first=2)
    page = first.data["crmMe"]["likes"]["pageInfo"]
    second_page = ask(LIKES, caller=CUSTOMER, first=2, after=page["endCursor"])

    assert [product for product, _variant, _channel in _likes(first)] == [_product("3"), _product("2")]
    assert page["hasNextPage"] is True
    assert [product for product, _variant, _channel in _likes(second_page)] == [_product("1")]
    assert second_page.data["crmMe"]["likes"]["pageInfo"]["hasNextPage"] is False


def test_the_next_page_of_likes_goes_on_where_the_last_like_was_taken_back(ask: Ask, shop: FakeShop) -> None:
    for _number in range(4):  # all of the same moment: the shop's order is all there is
        shop.like("7", shop.add_product().whole)
    everything = _likes(ask(LIKES, caller=CUSTOMER, first=9))
    end = ask(LIKES, caller=CUSTOMER, first=2).data["crmMe"]["likes"]["pageInfo"]["endCursor"]
    shop.unlike("7", shop.likes("7")[1].ref)

    rest = ask(LIKES, caller=CUSTOMER, first=9, after=end)

    assert _likes(rest) == everything[2:]


def test_likes_are_walked_backward_too(ask: Ask, shop: FakeShop) -> None:
    for _number in range(3):
        shop.like("7", shop.add_product().whole)
    everything = _likes(ask(LIKES, caller=CUSTOMER, first=9))
    query = """query($before: String) { crmMe { likes(last: 2, before: $before) {
      pageInfo { hasPreviousPage startCursor } edges { node { productId variantId channel } } } } }"""

    last = ask(query, caller=CUSTOMER)
    first = ask(query, caller=CUSTOMER, before=last.data["crmMe"]["likes"]["pageInfo"]["startCursor"])

    assert last.data["crmMe"]["likes"]["pageInfo"]["hasPreviousPage"] is True
    assert _likes(first) + _likes(last) == everything


@pytest.mark.parametrize("cursor", ["", "x", "WzEsIDJd", "Wy0xLCAieCJd"])
def test_a_wrong_cursor_of_likes_is_refused(ask: Ask, shop: FakeShop, cursor: str) -> None:
    answer = ask(LIKES, caller=CUSTOMER, first=1, after=cursor)

    assert answer.codes == ["GraphQLError"]


def test_a_wrong_page_of_likes_is_told(ask: Ask, shop: FakeShop) -> None:
    answer = ask(LIKES, caller=CUSTOMER)

    assert answer.codes == ["GraphQLError"]
    assert answer.messages == ["Give either `first` or `last`."]


def test_a_customer_grants_and_withdraws_their_own_consent(ask: Ask, customer: None) -> None:
    states = [
        ask(CONSENT, caller=CUSTOMER, input={"channel": "EMAIL", "isGranted": is_granted}).data["crmConsentUpdate"]
        for is_granted in (True, False)
    ]

    assert [state["consents"] for state in states] == [
        [{"channel": "EMAIL", "isGranted": True}],
        [{"channel": "EMAIL", "isGranted": False}],
    ]
    log = ConsentEvent.objects.order_by("id").values_list("contact__customer_id", "is_granted", "source", "evidence")
    assert list(log) == [
        ("7", True, "account", {"said_by": "self"}),
        ("7", False, "account", {"said_by": "self"}),
    ]
    assert ask("{ crmMe { email consents { isGranted } } }", caller=CUSTOMER).data["crmMe"] == {
        "email": "ann@example.com",
        "consents": [{"isGranted": False}],
    }


def test_a_customer_who_has_said_nothing_has_no_consents(ask: Ask, customer: None) -> None:
    answer = ask("{ crmMe { customerId consents { channel } } }", caller=CUSTOMER)

    assert answer.data["crmMe"] == {"customerId": ids.to_global("User", 7), "consents": []}
    assert not Contact.objects.exists()


@pytest.mark.parametrize(("caller", "name"), [(MANAGER, "user:92"), (APP, "app:5")])
def test_staff_record_what_a_person_said_with_its_source(
    ask: Ask, make_contact: Callable[..., Contact], caller: Any, name: str
) -> None:
    contact = make_contact("ann@example.com")
    given = {
        "contactId": ids.to_global("CrmContact", contact.pk),
        "channel": "EMAIL",
        "isGranted": True,
        "source": "fair_2026",
        "textVersion": "v2",
    }

    answer = ask(CONSENT, caller=caller, input=given).data["crmConsentUpdate"]

    event = ConsentEvent.objects.get()
    assert answer["errors"] == []
    assert (event.contact_id, event.source, event.text_version) == (contact.pk, "fair_2026", "v2")
    assert event.evidence == {"said_by": "staff", "recorded_by": name}


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"contactId": ids.to_global("CrmContact", 404_404_404)}, "contactId", "NOT_FOUND"),
        ({"contactId": "x"}, "contactId", "GRAPHQL_ERROR"),
        ({"source": "s" * 65}, "source", "INVALID"),
        ({"textVersion": "s" * 65}, "textVersion", "INVALID"),
    ],
)
def test_wrong_consent_is_told_by_field_and_logs_nothing(
    ask: Ask, shop: FakeShop, changes: dict[str, str], field: str, code: str
) -> None:
    shop.add_customer(customer_id=MANAGER.customer_id, email=MANAGER.email)

    answer = ask(CONSENT, caller=MANAGER, input={"channel": "EMAIL", "isGranted": True, **changes})

    assert answer.data["crmConsentUpdate"] == {"consents": None, "errors": [{"field": field, "code": code}]}
    assert not ConsentEvent.objects.exists()


def test_an_app_names_the_contact(ask: Ask, shop: FakeShop) -> None:
    answer = ask(CONSENT, caller=APP, input={"channel": "EMAIL", "isGranted": True})

    assert answer.data["crmConsentUpdate"]["errors"] == [{"field": "contactId", "code": "REQUIRED"}]


def test_an_erased_contact_consents_to_nothing(ask: Ask, make_contact: Callable[..., Contact]) -> None:
    contact = make_contact("ann@example.com")
    contacts.erase([contact.pk])
    given = {"contactId": ids.to_global("CrmContact", contact.pk), "channel": "EMAIL", "isGranted": True}

    answer = ask(CONSENT, caller=MANAGER, input=given)

    assert answer.data["crmConsentUpdate"]["errors"] == [{"field": "contactId", "code": "NOT_FOUND"}]
    assert not ConsentEvent.objects.exists()


OWN = "{ crmMe { attributes } }"


@pytest.mark.feature(29)
def test_a_customer_sees_their_own_balance_and_nobody_else_sees_any(ask: Ask, customer: None) -> None:
    """The banner that shows it belongs to the storefront; this is what it asks for."""
    contact = contacts.get_or_create(Person(CUSTOMER.customer_id, CUSTOMER.email))
    contacts.declare_attribute("points", "number", is_shown_to_customer=True)
    contacts.declare_attribute("remark", "text")
    contacts.set_attributes(contact.pk, {"points": 5_200, "remark": "returns a lot"})

    mine, anonymous = ask(OWN, caller=CUSTOMER), ask(OWN, caller=NOBODY)

    assert mine.data["crmMe"]["attributes"] == {"points": 5_200}
    assert anonymous.data["crmMe"] is None


NIGHT = """mutation($input: CrmConsentInput!) { crmConsentUpdate(input: $input) {
  consents { channel isGranted isNightGranted changedAt basis expiresAt } errors { field code } } }"""
PHONE = "{ crmMe { phone consents { channel isGranted isNightGranted } } }"


def test_a_customer_sees_their_whole_consent(ask: Ask, customer: None) -> None:
    given = {"channel": "EMAIL", "isGranted": True, "isNight": True}

    (consent,) = ask(NIGHT, caller=CUSTOMER, input=given).data["crmConsentUpdate"]["consents"]

    assert consent == {
        "channel": "EMAIL",
        "isGranted": True,
        "isNightGranted": True,
        "changedAt": NOON.isoformat(),
        "basis": "EXPRESS",
        "expiresAt": None,
    }
    assert list(ConsentEvent.objects.order_by("pk").values_list("purpose", "is_granted")) == [
        ("marketing", True),
        ("night", True),
    ]


def test_the_night_stays_as_it_was_unless_it_is_named(ask: Ask, customer: None) -> None:
    nights = [
        ask(NIGHT, caller=CUSTOMER, input={"channel": "SMS", **given}).data["crmConsentUpdate"]["consents"][0][
            "isNightGranted"
        ]
        for given in (
            {"isGranted": True},
            {"isGranted": True, "isNight": True},
            {"isGranted": True},
            {"isGranted": True, "isNight": False},
        )
    ]

    assert nights == [False, True, True, False]


def test_a_customer_gives_their_number_with_the_consent(ask: Ask, customer: None) -> None:
    contacts.get_or_create(Person(CUSTOMER.customer_id, CUSTOMER.email))
    Contact.objects.update(country="KR")
    given = {"channel": "SMS", "isGranted": True, "phone": "010-1234-5678"}

    answer = ask(NIGHT, caller=CUSTOMER, input=given).data["crmConsentUpdate"]

    assert answer["errors"] == []
    assert ask(PHONE, caller=CUSTOMER).data["crmMe"] == {
        "phone": "+821012345678",
        "consents": [{"channel": "SMS", "isGranted": True, "isNightGranted": False}],
    }


def test_a_customer_whom_nobody_has_met_has_no_number(ask: Ask, customer: None) -> None:
    assert ask(PHONE, caller=CUSTOMER).data["crmMe"] == {"phone": "", "consents": []}
    assert not Contact.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"phone": "call me"}, "phone"),
        ({"phone": ""}, "phone"),
        ({"phone": "+82 10 1234 567890123"}, "phone"),
        ({"channel": "EMAIL", "phone": "+821012345678"}, "phone"),
        ({"channel": "WEB_PUSH", "phone": "+821012345678"}, "phone"),
        ({"isGranted": False, "isNight": True}, "isNight"),
    ],
)
def test_a_wrong_number_or_night_is_told_and_nothing_is_written(
    ask: Ask, customer: None, changes: dict[str, Any], field: str
) -> None:
    answer = ask(CONSENT, caller=CUSTOMER, input={"channel": "SMS", "isGranted": True, **changes})

    assert answer.data["crmConsentUpdate"] == {"consents": None, "errors": [{"field": field, "code": "INVALID"}]}
    assert not Contact.objects.exists()
    assert not ConsentEvent.objects.exists()


@pytest.mark.parametrize("number", ["+82 10 1234 5678", None])
def test_with_double_opt_in_a_new_number_is_asked_first(ask: Ask, customer: None, number: str | None) -> None:
    Merchant.objects.update_or_create(pk=1, defaults={"is_double_opt_in": True})
    given = {"channel": "SMS", "isGranted": True} | ({"phone": number} if number else {})

    (consent,) = ask(CONSENT, caller=CUSTOMER, input=given).data["crmConsentUpdate"]["consents"]

    assert consent == {"channel": "SMS", "isGranted": number is None}


def test_staff_see_and_give_the_number_of_a_contact(ask: Ask, make_contact: Callable[..., Contact]) -> None:
    bob = make_contact("bob@example.com")
    given = {
        "contactId": ids.to_global("CrmContact", bob.pk),
        "channel": "KAKAO",
        "isGranted": True,
        "phone": "+82 10 1234 5678",
    }
    ask(CONSENT, caller=MANAGER, input=given)

    found = ask(
        "{ crmContacts(first: 1) { edges { node { phone consents { channel isGranted isNightGranted basis } } } } }",
        caller=VIEWER,
    )

    assert found.data["crmContacts"]["edges"][0]["node"] == {
        "phone": "+821012345678",
        "consents": [{"channel": "KAKAO", "isGranted": True, "isNightGranted": False, "basis": "EXPRESS"}],
    }


@pytest.mark.parametrize("caller", [NOBODY, CUSTOMER, STAFF, VIEWER])
def test_nobody_else_gives_a_number_for_another_person(
    ask: Ask, make_contact: Callable[..., Contact], caller: Any
) -> None:
    bob = make_contact("bob@example.com", customer_id="8")
    given = {
        "contactId": ids.to_global("CrmContact", bob.pk),
        "channel": "SMS",
        "isGranted": True,
        "phone": "+821012345678",
    }

    assert ask(CONSENT, caller=caller, input=given).codes == ["PermissionDenied"]
    assert Contact.objects.get(pk=bob.pk).phone == ""
    assert not ConsentEvent.objects.exists()
