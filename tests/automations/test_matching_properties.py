"""Matching answers as a plain reading of every trigger against every deed does, whatever both are."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_plugin import activity, clock, pipeline
from crm_plugin.automations.definition import Definition
from crm_plugin.automations.matching import meetings
from crm_plugin.automations.running import Running, Version
from crm_plugin.models import Activity, Contact, Enrollment, GroupedProduct, ProductGroup
from crm_plugin.shop import Fact, FactKind, OrderState, ProductRef
from tests.automations.engine.naive import is_news, meets, past_of
from tests.fake_shop import FakeShop
from tests.fake_trade import order_facts
from tests.stories import definition, on, running

pytestmark = pytest.mark.django_db

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
GROUPS = {"1": ("category:1",), "2": ("category:1", "collection:2"), "3": ()}
PRODUCTS, PEOPLE = st.sampled_from(list(GROUPS)), st.integers(0, 1)
GROUP_KEYS, CHANNELS = st.sampled_from(["category:1", "collection:2"]), st.sampled_from(["default", "kr"])
WORDS = st.sampled_from(["bag", "red bag", "quiz"])
HOURS_AGO = st.sampled_from([0, 1, 5, 23, 25])
LIKED = {"include": {"type": "did", "activity": "liked"}}


def deed(kind: str, **more: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"kind": st.just(kind), "person": PEOPLE, "hours_ago": HOURS_AGO, **more})


DEEDS = st.one_of(
    deed("viewed", product=PRODUCTS, channel=CHANNELS),
    deed("liked", product=PRODUCTS, channel=CHANNELS),
    deed("searched", subject=WORDS),
    deed("custom", subject=WORDS),
    deed("group_viewed", subject=GROUP_KEYS),
    deed("ordered", products=st.lists(PRODUCTS, min_size=1, max_size=2, unique=True), channel=CHANNELS),
    deed("paid", products=st.lists(PRODUCTS, min_size=1, max_size=2, unique=True), channel=CHANNELS),
    deed("cancelled", products=st.lists(PRODUCTS, min_size=1, max_size=2, unique=True), channel=CHANNELS),
)
STATES = {"paid": OrderState.PAID, "cancelled": OrderState.CANCELLED}
OPS = st.sampled_from(["gt", "gte", "lt", "lte", "eq"])


@st.composite
def triggers(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["viewed", "liked", "searched", "custom", "group_viewed", "ordered", "paid", "bought"]))
    what = {
        "products": draw(st.lists(PRODUCTS, max_size=2, unique=True)) if draw(st.booleans()) else [],
        "groups": draw(st.lists(GROUP_KEYS, max_size=2, unique=True)) if draw(st.booleans()) else [],
        "shop_channels": draw(st.lists(CHANNELS, max_size=1)),
    }
    if draw(st.booleans()) and kind in ("searched", "custom"):
        what["subject"] = {"op": draw(st.sampled_from(["is", "contains"])), "value": draw(WORDS)}
    made = {"type": "activity", "activity": kind, "what": what}
    if draw(st.booleans()):
        prices = st.sampled_from([10, 20, 30, 40])
        made["amount"] = {"op": draw(OPS), "value": draw(prices), "currency": draw(st.sampled_from(["EUR", "KRW"]))}
    if kind in ("ordered", "paid", "bought"):
        made["is_first_order"] = draw(st.booleans())
    if draw(st.integers(0, 3)) == 0:
        made["audience"] = LIKED
    return made


class Story:
    """Plays deeds and lets them be read."""

    def __init__(self, shop: FakeShop) -> None:
        self.shop = shop
        self.people = [shop.add_customer() for _ in range(2)]
        for price, product_id in enumerate(GROUPS, 1):
            made = shop.add_product(price=10 * price, stock=1000)
            shop.list_in(ProductRef(product_id, "kr", made.ref.variant_id), price=10 * price)
            assert made.product_id == product_id
        now = clock.now()
        GroupedProduct.objects.bulk_create(GroupedProduct(product_id=one, read_at=now) for one in GROUPS)
        ProductGroup.objects.bulk_create(
            ProductGroup(product_id=one, group_key=key) for one, keys in GROUPS.items() for key in keys
        )

    def tell(self, number: int, done: dict[str, Any]) -> None:
        at = clock.now() - timedelta(hours=done["hours_ago"])
        customer_id = self.people[done["person"]].customer_id
        if "products" in done:
            refs = [self.shop.products[one].ref for one in done["products"]]
            with clock.travel(to=at):
                order = self.shop.place_order(
                    *(ProductRef(ref.product_id, done["channel"], ref.variant_id) for ref in refs),
                    customer_id=customer_id,
                )
                if done["kind"] in STATES:
                    order = self.shop.set_order_state(order.order_ref, STATES[done["kind"]])
            activity.record_many(order_facts(order, changed_at=at))
            return
        activity.record(
            Fact(
                kind=FactKind(done["kind"]),
                source_key=f"told:{number}",
                occurred_at=at,
                customer_id=customer_id,
                product_id=done.get("product", ""),
                shop_channel=done.get("channel", ""),
                subject=done.get("subject", ""),
            )
        )


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    deeds=st.lists(DEEDS, min_size=1, max_size=8),
    starts=st.lists(st.tuples(triggers(), HOURS_AGO), min_size=1, max_size=6),
)
def test_the_same_campaigns_are_started_as_by_asking_each_about_each_deed(fake_shop, deeds, starts) -> None:
    undone = transaction.atomic()
    undone._from_testcase = True
    with undone, clock.travel(to=NOW):
        fresh = FakeShop()
        fake_shop.__dict__.update(fresh.__dict__)
        story = Story(fake_shop)
        for number, done in enumerate(deeds):
            story.tell(number, done)
        pipeline.pump()
        campaigns = [
            Running(number, Version(number, Definition.parse(definition(trigger)), {}), NOW - timedelta(hours=hours))
            for number, (trigger, hours) in enumerate(starts)
        ]

        found = _found(campaigns)

        assert found == _expected(starts)
        transaction.set_rollback(True)


def _found(campaigns: list[Running]) -> list[tuple[int, int]]:
    added: dict[FactKind, list[int]] = defaultdict(list)
    for pk, kind in Activity.objects.order_by("pk").values_list("pk", "kind"):
        added[FactKind(kind)].append(pk)
    met = meetings(added, [(one, one.definition.trigger) for one in campaigns])
    return sorted((one.campaign_id, happening.activity_id) for one, _deed, happening in met)


def _expected(starts: list[tuple[dict[str, Any], int]]) -> list[tuple[int, int]]:
    pasts = {pk: past_of(pk) for pk in Contact.objects.values_list("pk", flat=True)}
    groups = {product: frozenset(keys) for product, keys in GROUPS.items()}
    return sorted(
        (number, one.pk)
        for number, (trigger, hours) in enumerate(starts)
        for one in Activity.objects.all()
        if is_news(one, since=NOW - timedelta(hours=hours), now=NOW)
        and meets(trigger, one, pasts[one.contact_id], groups)
        and ("audience" not in trigger or any(deed.kind == "liked" for deed in pasts[one.contact_id].deeds))
    )


def test_two_hundred_campaigns_ask_the_database_as_often_as_one(fake_shop, shoppers):
    products = [fake_shop.add_product() for _ in range(5)]
    about = {"what": {"products": [products[0].product_id]}}
    campaign = running(on("viewed") | about, [{"type": "exit", "id": "end"}])

    def queries(round_: str) -> int:
        activity.record_many(
            Fact(
                kind=FactKind.VIEWED,
                source_key=f"{round_}:{customer.customer_id}:{product.product_id}",
                customer_id=customer.customer_id,
                product_id=product.product_id,
                shop_channel="default",
            )
            for customer in shoppers(3)
            for product in products
        )
        with CaptureQueriesContext(connection) as asked:
            pipeline._drain_once()
        return len(asked)

    queries("warm")
    one = queries("one")
    entered = Enrollment.objects.count()
    _others_like(campaign, 199)
    queries("warm again")
    two_hundred = queries("two hundred")

    assert two_hundred == one
    assert entered == 6
    assert Enrollment.objects.count() == 12


def _others_like(campaign: Any, count: int) -> None:
    """Run as many campaigns more, each about a product of its own."""
    kind, version_kind = type(campaign), type(campaign.version)
    now = clock.now()
    made = kind.objects.bulk_create(
        kind(name="Other", draft={}, state="paused", created_at=now, updated_at=now) for _ in range(count)
    )
    steps = campaign.version.definition["steps"]
    version_kind.objects.bulk_create(
        version_kind(
            campaign=one,
            number=1,
            definition=definition(on("viewed") | {"what": {"products": [f"other-{n}"]}}, steps),
            published_at=now,
        )
        for n, one in enumerate(made)
    )
    for one in version_kind.objects.filter(campaign__in=made):
        kind.objects.filter(pk=one.campaign_id).update(version=one, state="running", running_since=now)
