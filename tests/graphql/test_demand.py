"""What merchants see of likes, and of a price drop before they make it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm_plugin import activity, automations, contacts, ids, pipeline
from crm_plugin.activity.models import PriceDrop, Wave
from crm_plugin.automations.models import Enrollment, FanOut
from crm_plugin.contacts import Person
from crm_plugin.shop import Actor, ProductRef
from tests.fake_shop import FakeShop
from tests.graphql.conftest import CUSTOMER, NOBODY, STAFF, VIEWER, Ask

pytestmark = pytest.mark.django_db

KOREAN = {"include": {"type": "attribute", "name": "language", "op": "is", "value": "ko"}}

MOST = """query($channel: String, $limit: Int) { crmMostLiked(channel: $channel, limit: $limit) {
  product { id name } likedNow likedEver isSoldOut priceNow { amount } } }"""
FORECAST = """query($product: ID!, $variant: ID, $percent: Decimal!, $channel: String) {
  crmPriceDropForecast(productId: $product, variantId: $variant, percent: $percent, channel: $channel) {
    likersCount prices { variantId priceNow { amount currency } newPrice { amount } }
    campaigns { campaign { name } peopleCount } } }"""


def _product(pk: str) -> str:
    return ids.to_global("Product", pk)


def test_merchants_see_what_is_liked_most(ask: Ask, shop: FakeShop) -> None:
    mug, pot = shop.add_product(name="Mug", price=90), shop.add_product(name="Pot", price=50, stock=0)
    for number, ref in ((1, mug.whole), (2, mug.whole), (3, mug.whole), (1, pot.whole), (2, pot.whole)):
        shop.add_customer(customer_id=f"c{number}", email=f"c{number}@example.com")
        shop.like(f"c{number}", ref)
    shop.unlike("c3", mug.whole)
    activity.like_as_guest("visitor_of_22_letters_", mug.whole)
    activity.like_as_guest("another_of_22_letters_", mug.whole)
    pipeline.pump()

    found = ask(MOST, caller=VIEWER).data["crmMostLiked"]

    assert [(one["product"]["name"], one["likedNow"], one["likedEver"], one["isSoldOut"]) for one in found] == [
        ("Mug", 4, 5, False),
        ("Pot", 2, 2, True),
    ]
    assert found[0]["priceNow"] == {"amount": 90.0}
    assert len(ask(MOST, caller=VIEWER, limit=1).data["crmMostLiked"]) == 1
    assert ask(MOST, caller=VIEWER, channel="kr").data["crmMostLiked"] == []
    assert ask(MOST, caller=VIEWER, limit=101).data["crmMostLiked"] is None


def _drop_campaign(name: str, **trigger: Any) -> automations.Campaign:
    made = automations.create_campaign(
        name=name,
        definition={
            "trigger": {"type": "price_drop", **trigger},
            "steps": [{"type": "wait", "id": "pause", "seconds": 60}],
        },
    )
    return automations.publish(made.pk)


def _forecast(ask: Ask, ref: ProductRef, percent: float, **more: Any) -> dict[str, Any]:
    answer = ask(FORECAST, caller=VIEWER, product=_product(ref.product_id), percent=percent, **more)
    assert answer.errors == []
    found: dict[str, Any] = answer.data["crmPriceDropForecast"]
    return found


@pytest.fixture
def crowd(shop: FakeShop) -> ProductRef:
    """A product of 100 EUR that people are interested in, in all ways."""
    product = shop.add_product(price=100)
    for number in range(6):
        shop.add_customer(
            customer_id=f"c{number}", email=f"c{number}@example.com", language="ko" if number % 2 else "en"
        )
        shop.like(f"c{number}", product.whole)
    shop.like("c5", product.whole)
    shop.unlike("c5", product.whole)  # does not like it any more
    shop.place_order(product.ref, customer_id="c4")  # has it already
    activity.like_as_guest("visitor_of_22_letters_", product.whole)  # cannot be told
    pipeline.reconcile()
    pipeline.pump()
    ref: ProductRef = product.whole
    return ref


@pytest.mark.parametrize("percent", [5, 10, 15, 33.3, 50])
def test_a_forecast_is_what_a_real_drop_enrolls_and_writes_nothing(
    ask: Ask, shop: FakeShop, crowd: ProductRef, percent: float, settings: Any
) -> None:
    settings.CRM_FAN_OUT_BATCH = 2  # people at a time, here and there
    ten, forty = _drop_campaign("Ten"), _drop_campaign("Forty", min_percent=40)
    some = _drop_campaign("Some", audience=KOREAN)
    with CaptureQueriesContext(connection) as captured:
        found = _forecast(ask, crowd, percent)
    assert not [
        one["sql"] for one in captured if not one["sql"].lstrip().startswith(("SELECT", "SAVEPOINT", "RELEASE"))
    ]
    assert not any(model.objects.exists() for model in (Wave, PriceDrop, FanOut, Enrollment))

    shop.set_price(crowd, Decimal(str(found["prices"][0]["newPrice"]["amount"])))
    activity.look_again([crowd.product_id])
    pipeline.pump()
    pipeline.watch_prices()
    pipeline.pump()

    expected = {one["campaign"]["name"]: one["peopleCount"] for one in found["campaigns"]}
    real = {one.name: Enrollment.objects.filter(campaign=one).count() for one in (ten, forty, some)}
    assert expected == real
    assert (real["Ten"] > 0, real["Forty"] > 0) == (percent >= 10, percent >= 40)
    assert 0 < real["Some"] < real["Ten"] or percent < 10
    assert found["likersCount"] >= real["Ten"]


def test_a_forecast_rounds_so_that_the_drop_is_not_smaller_than_said(ask: Ask, shop: FakeShop) -> None:
    euro, won = shop.add_product(price="9.95"), shop.add_product(shop_channel="kr", price=45_990)

    euros = _forecast(ask, euro.whole, 10)["prices"]
    wons = _forecast(ask, won.whole, 15, channel="kr")["prices"]

    assert (euros[0]["priceNow"], euros[0]["newPrice"]) == ({"amount": 9.95, "currency": "EUR"}, {"amount": 8.95})
    assert wons[0]["newPrice"] == {"amount": 39_091.0}


def test_a_forecast_leaves_out_who_was_told_lately_unless_it_is_a_new_low(
    ask: Ask, shop: FakeShop, crowd: ProductRef
) -> None:
    _drop_campaign("Ten")
    told = contacts.get_or_create(Person("c0", "c0@example.com")).pk
    activity.mark_alerted([(told, crowd.product_id, crowd.shop_channel, Decimal(80))])

    above, below = _forecast(ask, crowd, 15), _forecast(ask, crowd, 30)

    assert below["campaigns"][0]["peopleCount"] == above["campaigns"][0]["peopleCount"] + 1


def test_campaigns_that_do_not_run_expect_nobody(ask: Ask, crowd: ProductRef) -> None:
    paused = _drop_campaign("Paused")
    automations.pause(paused.pk)
    automations.create_campaign(name="Draft", definition=paused.draft)

    assert _forecast(ask, crowd, 50)["campaigns"] == []


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"percent": 0}, "between 1 and 99"),
        ({"percent": 100}, "between 1 and 99"),
        ({"percent": -5}, "between 1 and 99"),
        ({"product": "nonsense"}, "is not the id of a Product"),
        ({"channel": "mars"}, "There is no channel"),
    ],
)
def test_a_forecast_of_what_is_none_is_refused(ask: Ask, shop: FakeShop, arguments: dict[str, Any], word: str) -> None:
    shop.add_product(price=100)

    answer = ask(FORECAST, caller=VIEWER, **{"product": _product("1"), "percent": 10, **arguments})

    assert word in answer.messages[0]


@pytest.mark.parametrize(
    "arguments",
    [
        {"product": _product("404")},
        {"product": _product("1"), "variant": ids.to_global("ProductVariant", "404")},
        {"product": _product("1"), "channel": "kr"},
    ],
)
def test_of_what_shoppers_cannot_see_there_is_no_forecast(ask: Ask, shop: FakeShop, arguments: dict[str, Any]) -> None:
    shop.add_product(price=100)

    answer = ask(FORECAST, caller=VIEWER, percent=10, **arguments)

    assert (answer.errors, answer.data["crmPriceDropForecast"]) == ([], None)


@pytest.mark.parametrize("caller", [NOBODY, CUSTOMER, STAFF])
def test_only_who_may_look_sees_what_others_like(ask: Ask, shop: FakeShop, caller: Actor) -> None:
    shop.add_product(price=100)

    answers = [ask(MOST, caller=caller), ask(FORECAST, caller=caller, product=_product("1"), percent=10)]

    assert [answer.codes for answer in answers] == [["PermissionDenied"]] * 2
