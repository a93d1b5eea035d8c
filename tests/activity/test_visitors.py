"""What nameless visitors do, and whose it is in the end."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_plugin import activity, clock, contacts, persons, pipeline, shop
from crm_plugin.contacts import Contact
from crm_plugin.models import Activity, Inbox, Inflow, Interest, Visitor
from crm_plugin.shop import Fact, FactKind
from tests.fake_shop import FakeShop
from tests.together import together

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def tell(key: str, *, kind: FactKind = FactKind.VIEWED, at: datetime = NOON, **who: str) -> None:
    product = {"product_id": "1", "shop_channel": "default"} if kind is FactKind.VIEWED else {}
    activity.record(Fact(kind=kind, source_key=key, occurred_at=at, **{**product, **who}))


def whose() -> dict[str, str]:
    """Whose every activity is, by source key; the name of nobody is empty."""
    rows = Activity.objects.values_list("source_key", "contact__customer_id", "contact__email")
    return {key: customer_id or email or "" for key, customer_id, email in rows}


@pytest.fixture
def ann(fake_shop):
    return fake_shop.add_customer(customer_id="ann").customer_id


@pytest.fixture
def bob(fake_shop):
    return fake_shop.add_customer(customer_id="bob").customer_id


def test_a_nameless_visitor_has_a_history_that_becomes_the_persons_who_signs_in(ann):
    tell("1", visitor_id="a")
    tell("2", kind=FactKind.SEARCHED, subject="rose", visitor_id="a")
    pipeline.pump()
    assert whose() == {"1": "", "2": ""}

    tell("3", kind=FactKind.LOGGED_IN, visitor_id="a", customer_id=ann, at=NOON + MINUTE)
    tell("4", visitor_id="a", at=NOON + 2 * MINUTE)
    pipeline.pump()

    assert whose() == dict.fromkeys("1234", "ann")
    assert Interest.objects.values_list("contact__customer_id", "views_count").get() == ("ann", 2)
    assert Contact.objects.get().last_seen_at == NOON + 2 * MINUTE


def test_being_identified_is_no_activity(ann):
    tell("1", visitor_id="a")
    tell("2", kind=FactKind.IDENTIFIED, visitor_id="a", email="Guest@example.com")
    pipeline.pump()

    assert whose() == {"1": "guest@example.com"}
    assert Inbox.objects.count() == 0


def test_a_fact_with_a_person_belongs_to_the_person_whosever_browser_it_is(ann, bob):
    tell("1", visitor_id="a", customer_id=ann)
    pipeline.pump()

    tell("2", visitor_id="a", customer_id=bob, at=NOON - MINUTE)
    pipeline.pump()

    assert whose() == {"1": "ann", "2": "bob"}


def test_in_a_browser_that_two_people_share_each_has_what_followed_their_sign_in(ann, bob):
    tell("before", visitor_id="a", at=NOON)
    tell("ann in", kind=FactKind.LOGGED_IN, visitor_id="a", customer_id=ann, at=NOON + MINUTE)
    tell("ann's", visitor_id="a", at=NOON + 2 * MINUTE)
    tell("bob in", kind=FactKind.LOGGED_IN, visitor_id="a", customer_id=bob, at=NOON + 3 * MINUTE)
    tell("bob's", visitor_id="a", at=NOON + 4 * MINUTE)
    pipeline.pump()

    assert whose() == {"before": "ann", "ann in": "ann", "ann's": "ann", "bob in": "bob", "bob's": "bob"}


def test_what_a_known_browser_did_before_another_person_signed_in_is_its_owners(ann, bob):
    tell("ann in", kind=FactKind.LOGGED_IN, visitor_id="a", customer_id=ann)
    pipeline.pump()

    tell("ann's", visitor_id="a", at=NOON + MINUTE)
    tell("bob in", kind=FactKind.LOGGED_IN, visitor_id="a", customer_id=bob, at=NOON + 2 * MINUTE)
    pipeline.pump()

    assert whose() == {"ann in": "ann", "ann's": "ann", "bob in": "bob"}
    assert Visitor.objects.get().contact.customer_id == "bob"


def test_the_cart_of_a_nameless_visitor_is_known_and_follows_them(fake_shop, ann):
    product = fake_shop.add_product()
    cart = fake_shop.add_cart(product.ref)
    tell("c", kind=FactKind.CART_CHANGED, cart_ref=cart.cart_ref, visitor_id="a")
    pipeline.pump()
    assert Interest.objects.get().carted_at == cart.changed_at

    fake_shop.change_cart(cart.cart_ref)
    tell("d", kind=FactKind.CART_CHANGED, cart_ref=cart.cart_ref, visitor_id="a")
    pipeline.pump()
    assert Interest.objects.get().carted_at is None

    again = fake_shop.change_cart(cart.cart_ref, product.ref)
    tell("e", kind=FactKind.CART_CHANGED, cart_ref=cart.cart_ref, visitor_id="a")
    tell("f", kind=FactKind.LOGGED_IN, visitor_id="a", customer_id=ann)
    pipeline.pump()

    assert Interest.objects.values_list("contact__customer_id", "carted_at").get() == ("ann", again.changed_at)
    assert Activity.objects.filter(kind="carted").count() == 1


def test_a_cart_of_which_only_the_shop_knows_the_browser_links_it_to_the_guest_who_left_an_address(fake_shop):
    tell("1", visitor_id="a")
    product = fake_shop.add_product()
    cart = fake_shop.add_cart(product.ref, visitor_id="a", email="guest@example.com")
    tell("c", kind=FactKind.CART_CHANGED, cart_ref=cart.cart_ref, email="guest@example.com")

    pipeline.pump()

    assert set(whose().values()) == {"guest@example.com"}
    assert Contact.objects.count() == 1


def test_who_is_erased_takes_what_waits_of_their_browser_along(ann):
    with clock.travel(to=NOON):
        tell("1", visitor_id="a", customer_id=ann)
        pipeline.pump()
        tell("2", visitor_id="a")
    with clock.travel(to=NOON + MINUTE):
        persons.erase(customer_id=ann)
        pipeline.pump()
    assert (Activity.objects.count(), Inbox.objects.count(), Visitor.objects.count()) == (0, 0, 0)

    with clock.travel(to=NOON + 2 * MINUTE):
        tell("3", visitor_id="a", at=NOON + 2 * MINUTE)
        pipeline.pump()

    assert whose() == {"3": ""}


def test_a_set_aside_fact_of_an_erased_persons_browser_goes_with_them(ann):
    tell("1", visitor_id="a", customer_id=ann)
    pipeline.pump()
    tell("2", visitor_id="a")
    Inbox.objects.update(error="broken")

    persons.erase(customer_id=ann)

    assert Inbox.objects.count() == 0


def visit(key: str, at: datetime, **data: str) -> None:
    who = {name: data.pop(name) for name in ("visitor_id", "customer_id") if name in data}
    activity.record(Fact(kind=FactKind.VISITED, source_key=key, occurred_at=at, data=data, **who))


def touches(**who: str) -> tuple[str, str, str, datetime, datetime]:
    fields = ("first_source", "last_source", "browser", "first_at", "last_at")
    return Inflow.objects.filter(**who).values_list(*fields).get()


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
@pytest.mark.parametrize("is_one_batch", [True, False])
def test_the_first_touch_is_the_earliest_visit_and_the_last_the_latest(ann, order, is_one_batch):
    visits = [("facebook", "Chrome"), ("naver", "Firefox"), ("direct", "Safari")]
    for number in order:
        source, browser = visits[number]
        visit(str(number), NOON + number * MINUTE, source=source, browser=browser, visitor_id="a")
        if not is_one_batch:
            pipeline.pump()
    pipeline.pump()

    assert touches() == ("facebook", "direct", "Safari", NOON, NOON + 2 * MINUTE)


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_two_visits_at_one_moment_give_the_same_in_whatever_order(ann, order):
    for source in order:
        visit(source, NOON, source=source, browser=source, visitor_id="v")
        pipeline.pump()

    assert touches() == ("a", "b", "b", NOON, NOON)


def test_a_visit_from_a_page_of_the_shop_is_no_touch(ann):
    visit("1", NOON, source="facebook", browser="Chrome", visitor_id="a")
    visit("2", NOON + MINUTE, browser="Chrome", visitor_id="a")
    pipeline.pump()
    visit("3", NOON + 2 * MINUTE, browser="Chrome", visitor_id="a")
    pipeline.pump()

    assert touches() == ("facebook", "facebook", "Chrome", NOON, NOON)


def test_a_visit_with_more_than_the_columns_hold_is_cut(ann):
    visit("1", NOON, source="x" * 500, browser="y" * 500, visitor_id="a")
    pipeline.pump()

    assert touches()[:3] == ("x" * 100, "x" * 100, "y" * 40)


def test_the_inflow_of_a_visitor_becomes_the_persons(ann):
    visit("1", NOON, source="facebook", browser="Chrome", visitor_id="a")
    visit("2", NOON + MINUTE, source="naver", browser="Safari", customer_id=ann)
    visit("3", NOON + 2 * MINUTE, source="mail", browser="Chrome", visitor_id="a")
    pipeline.pump()

    tell("in", kind=FactKind.IDENTIFIED, visitor_id="a", customer_id=ann)
    pipeline.pump()

    assert touches(contact__customer_id="ann") == ("facebook", "mail", "Chrome", NOON, NOON + 2 * MINUTE)
    assert Inflow.objects.count() == 1


# Whatever happens, in whatever order

PEOPLE = ("ann", "bob", "guest@example.com")
BROWSERS = ("a", "b", "c")
STEPS = st.one_of(
    st.tuples(st.just("looks"), st.sampled_from(BROWSERS), st.none()),
    st.tuples(st.just("looks"), st.sampled_from(BROWSERS), st.sampled_from(PEOPLE)),
    st.tuples(st.just("is_identified"), st.sampled_from(BROWSERS), st.sampled_from(PEOPLE)),
    st.tuples(st.just("orders"), st.sampled_from(BROWSERS), st.sampled_from(PEOPLE)),
)


@st.composite
def stories(draw: st.DrawFn) -> tuple[list[tuple[str, str, str | None]], list[int], set[int]]:
    """What happens, the order in which it is told (some of it twice), and after which tellings the drain runs."""
    steps = draw(st.lists(STEPS, max_size=14))
    told = draw(st.permutations([*range(len(steps)), *draw(st.lists(st.sampled_from(range(len(steps) or 1))))]))
    told = [number for number in told if number < len(steps)]
    return steps, told, draw(st.sets(st.integers(0, 20)))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=stories())
def test_no_activity_is_lost_or_doubled_and_no_two_people_are_merged(fake_shop, story) -> None:
    steps, told, drains = story
    undone = transaction.atomic()
    undone._from_testcase = True  # what the pipeline commits for good is undone after each example
    with undone:
        _play(steps, told, drains)
        _check(steps, told)
        transaction.set_rollback(True)


def _play(steps: list[tuple[str, str, str | None]], told: list[int], drains: set[int]) -> None:
    world = FakeShop()
    shop.install(world)
    world.add_customer(customer_id="ann")
    world.add_customer(customer_id="bob")
    product = world.add_product()
    orders: dict[int, str] = {}
    for place, number in enumerate(told):
        what, browser, person = steps[number]
        who = {"email": person} if person and "@" in person else {"customer_id": person} if person else {}
        at = NOON + number * MINUTE
        if what == "orders":
            if number not in orders:
                with clock.travel(to=at):
                    orders[number] = world.place_order(product.ref, **who).order_ref
            tell(str(number), kind=FactKind.ORDERED, at=at, visitor_id=browser, order_ref=orders[number], **who)
        else:
            kind = FactKind.VIEWED if what == "looks" else FactKind.IDENTIFIED
            tell(str(number), kind=kind, at=at, visitor_id=browser, **who)
        if place in drains:
            pipeline.pump()
    pipeline.pump()


def _check(steps: list[tuple[str, str, str | None]], told: list[int]) -> None:
    happened = {number: steps[number] for number in told}
    people_of: dict[str, set[str]] = {browser: set() for browser in BROWSERS}
    for _what, browser, person in happened.values():
        people_of[browser] |= {person} if person else set()
    owners = {key: owner for key, owner in whose().items() if not key.startswith("order:")}

    assert set(owners) == {str(number) for number, (what, _b, _p) in happened.items() if what != "is_identified"}
    for number, (what, browser, person) in happened.items():
        if what != "is_identified":
            assert owners[str(number)] in ({person} if person else people_of[browser] or {""})
    known = {row.customer_id or row.email for row in contacts.contacts()}
    assert known == {person for _w, _b, person in happened.values() if person}
    assert contacts.contacts().count() == len(known)
    nameless = {browser for _w, browser, _p in happened.values() if not people_of[browser]}
    assert Contact.objects.count() == len(known) + len(nameless)
    for row in Visitor.objects.select_related("contact"):
        assert (row.contact.customer_id or row.contact.email or "") in (people_of[row.pk] or {""})
    _check_sums()


def _check_sums() -> None:
    views = Counter(Activity.objects.filter(kind="viewed").values_list("contact_id", flat=True))
    assert dict(Interest.objects.filter(views_count__gt=0).values_list("contact_id", "views_count")) == views
    orders = Counter(Activity.objects.filter(kind="ordered").values_list("contact_id", flat=True))
    assert dict(Contact.objects.filter(orders_count__gt=0).values_list("pk", "orders_count")) == orders
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT c.id FROM crm_plugin_contact c WHERE EXISTS (SELECT FROM crm_plugin_activity a
            WHERE a.contact_id = c.id AND a.occurred_at > c.last_seen_at)"""
        )
        assert cursor.fetchall() == []


@pytest.mark.django_db(transaction=True)
def test_two_workers_link_the_same_visitors_once_and_lose_nothing(fake_shop, settings):
    settings.CRM_DRAIN_BATCH = 7
    people = [fake_shop.add_customer().customer_id for _ in range(12)]
    for turn in range(3):
        for number, customer_id in enumerate(people):
            browser = f"{turn}:{number}"
            for view in range(3):
                tell(f"{browser}:{view}", visitor_id=browser, at=NOON + view * MINUTE)
            tell(f"{browser}:in", kind=FactKind.IDENTIFIED, visitor_id=browser, customer_id=customer_id, at=NOON)
            tell(f"{browser}:shared", visitor_id="shared", customer_id=customer_id, at=NOON + number * MINUTE)
            tell(f"{browser}:late", visitor_id=browser, at=NOON - MINUTE)
        together(pipeline.pump, pipeline.pump)
        while pipeline.pump():
            continue

    assert Counter(whose().values()) == dict.fromkeys(people, 3 * 5)
    assert Contact.objects.count() == len(people)
    assert set(Interest.objects.values_list("views_count", flat=True)) == {3 * 5}
    assert (Inbox.objects.count(), Visitor.objects.count()) == (0, 3 * len(people) + 1)
