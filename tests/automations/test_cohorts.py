"""Cohorts of a day: the same filters as in real time, each question by an index, in chunks that split nobody."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm_plugin import activity, automations, clock, contacts, pipeline
from crm_plugin.automations.matching import Index, suits
from crm_plugin.automations.running import running as running_now
from crm_plugin.automations.scheduling.cohorts import Told, cohort
from crm_plugin.automations.scheduling.dates import is_their_day
from crm_plugin.automations.triggers import AfterTrigger
from crm_plugin.models import Activity, Contact, Enrollment, ProductGroup, ScheduleSlot
from crm_plugin.shop import FactKind, ShopIdentity
from tests.fake_shop import FakeShop
from tests.stories import consenting, running, send

pytestmark = pytest.mark.django_db

BERLIN = ZoneInfo("Europe/Berlin")
DAY = date(2027, 3, 10)
NOON = datetime(2027, 3, 10, 12, tzinfo=UTC)
ALL = 1_000
ORDER_KINDS = ("ordered", "paid", "fulfilled", "delivered", "refunded")


def trigger(kind: str, *days: int, **more: Any) -> AfterTrigger:
    return AfterTrigger.model_validate(
        {"type": "after", "activity": kind, "unit": "days", "amounts": days or (1,), "at": "13:00", **more}
    )


def told(wanted: AfterTrigger, *, limit: int = ALL, after_contact: int = 0) -> list[Told]:
    return cohort(wanted, day=DAY, asked_at=NOON, zone=BERLIN, after_contact=after_contact, limit=limit)


@pytest.fixture
def did(db: None) -> Callable[..., Activity]:
    """Write an activity down; a day ago unless told otherwise."""
    numbers = iter(range(1_000_000))

    def write(kind: str, contact: Contact, *, ago: float = 24, **more: Any) -> Activity:
        at = NOON - timedelta(hours=ago)
        return Activity.objects.create(
            contact=contact, kind=kind, source_key=f"k{next(numbers)}", occurred_at=at, **more
        )

    return write


@pytest.fixture
def ann(db: None) -> Contact:
    return Contact.objects.create(customer_id="ann", created_at=NOON)


def test_a_later_one_counts_only_when_it_passes_the_filters(ann, did):
    first = did("viewed", ann, product_id="1")
    did("viewed", ann, ago=3, product_id="2")

    assert told(trigger("viewed", what={"products": ["1"]})) == [Told(ann.pk, first.pk, 1)]
    assert told(trigger("viewed")) == []
    assert told(trigger("viewed", which="each")) == [Told(ann.pk, first.pk, 1)]


def test_what_happens_after_the_moment_is_not_known_yet(ann, did):
    first = did("viewed", ann)
    did("viewed", ann, ago=-1)

    assert [row.activity_id for row in told(trigger("viewed"))] == [first.pk]


@pytest.mark.parametrize("kind", ["ordered", "bought", "paid"])
def test_a_cancelled_purchase_is_none_and_sets_no_clock_back(ann, did, kind):
    first = did(kind, ann, order_ref="1")
    did(kind, ann, ago=5, order_ref="2")
    did("cancelled", ann, ago=4, order_ref="2")
    before = told(trigger(kind))
    did("cancelled", ann, ago=2, order_ref="1")

    assert [row.activity_id for row in before] == [first.pk]
    assert told(trigger(kind)) == []


def test_the_day_is_that_of_the_shops_calendar(ann, did):
    zone = ZoneInfo("Asia/Seoul")  # noon UTC is 21:00 there: the day before began 36 hours before that
    bounds = [(45.1, False), (44.9, True), (21.1, True), (20.9, False)]
    seen = []
    for ago, _is_in in bounds:
        Activity.objects.all().delete()
        did("viewed", ann, ago=ago)
        found = cohort(trigger("viewed"), day=DAY, asked_at=NOON, zone=zone, after_contact=0, limit=ALL)
        seen.append((ago, bool(found)))

    assert seen == bounds


def test_every_rung_of_a_ladder_finds_its_day(db, did):
    people = [Contact.objects.create(customer_id=f"c{days}", created_at=NOON) for days in range(6)]
    for days, one in enumerate(people):
        did("ordered", one, ago=24 * days, order_ref=str(days))

    assert [(row.contact_id, row.amount) for row in told(trigger("ordered", 4, 1, 2))] == [
        (people[1].pk, 1),
        (people[2].pk, 2),
        (people[4].pk, 4),
    ]


def test_nobody_is_split_between_two_chunks_and_visitors_are_nobody(db, did):
    people = [Contact.objects.create(customer_id=f"c{n}", created_at=NOON) for n in range(4)]
    did("viewed", Contact.objects.create(created_at=NOON))
    for one in people:
        for _ in range(3):
            did("viewed", one)

    rows, chunks = list[Told](), []
    while page := told(trigger("viewed"), limit=4, after_contact=rows[-1].contact_id if rows else 0):
        rows += page
        chunks.append(len(page))

    assert chunks == [6, 6]
    assert [row.contact_id for row in rows] == [one.pk for one in people for _ in range(3)]


def in_real_time(wanted: AfterTrigger, ids: Sequence[int]) -> set[int]:
    """The activities by which a campaign with these filters would start at once."""
    index = Index()
    index.add(running_now()[0], wanted)
    happenings = activity.happenings(ids)
    groups = activity.groups_of({p for one in happenings for p in one.product_ids})
    return {
        one.activity_id
        for one in happenings
        if one.kind is wanted.activity and list(index.candidates(one, groups)) and suits(wanted, one)
    }


def some_activities(did: Callable[..., Activity], chance: random.Random) -> list[int]:
    people = [
        Contact.objects.create(customer_id=f"c{n}", created_at=NOON, first_order_at=NOON - timedelta(hours=24 + n % 3))
        for n in range(12)
    ]
    made = []
    for number in range(150):
        who, kind = chance.choice(people), chance.choice([*ORDER_KINDS, "bought", "viewed", "group_viewed", "searched"])
        more: dict[str, Any] = {}
        if kind in ORDER_KINDS or kind == "bought":
            more["order_ref"] = str(chance.randrange(30))
        if kind in ("bought", "viewed"):
            more["product_id"] = str(chance.randrange(6))
        if kind in ("group_viewed", "searched"):
            more["subject"] = chance.choice(["category:1", "category:2", "Bowl", "bowl red", ""])
        if chance.random() < 0.6:
            more |= {"amount": chance.choice([5, 10, 20]), "currency": chance.choice(["EUR", "KRW"])}
        if chance.random() < 0.6:
            more["shop_channel"] = chance.choice(["default", "kr"])
        if kind == "ordered" and Activity.objects.filter(kind="ordered", order_ref=more["order_ref"]).exists():
            continue  # an order is placed once
        made.append(did(kind, who, ago=20 + number / 50, **more).pk)
    return made


def some_filters(chance: random.Random) -> tuple[str, dict[str, Any]]:
    kind = chance.choice([*ORDER_KINDS, "bought", "viewed", "group_viewed", "searched"])
    what: dict[str, Any] = {}
    if chance.random() < 0.5:
        what["products"] = chance.sample("012345", 2)
    if chance.random() < 0.5:
        what["groups"] = chance.sample(["category:1", "category:2", "category:3"], 1)
    if chance.random() < 0.3:
        what["subject"] = {"op": chance.choice(["is", "contains"]), "value": chance.choice(["Bowl", "category:1"])}
    if chance.random() < 0.3:
        what["shop_channels"] = ["default"]
    more: dict[str, Any] = {"what": what}
    if chance.random() < 0.5:
        op, value = chance.choice([("gt", 5), ("gte", 10), ("lt", 20), ("lte", 10), ("eq", 10), ("between", [5, 10])])
        more["amount"] = {"op": op, "value": value, "currency": chance.choice(["EUR", "KRW"])}
    if kind in ("ordered", "paid", "bought") and chance.random() < 0.5:
        more["is_first_order"] = True
    return kind, more


@pytest.mark.parametrize("seed", range(8))
def test_the_filters_mean_what_they_mean_in_real_time(fake_shop, did, seed):
    chance = random.Random(seed)  # noqa: S311 - the same every time
    with clock.travel(to=NOON):
        running({"type": "after", "activity": "viewed", "unit": "days", "amounts": [1], "at": "13:00"})
        ProductGroup.objects.bulk_create(
            ProductGroup(product_id=str(n), group_key=f"category:{n % 3}") for n in range(6)
        )
        ids = some_activities(did, chance)
        for _ in range(25):
            kind, more = some_filters(chance)
            wanted = trigger(kind, which="each", **more)

            found = {row.activity_id for row in told(wanted)}

            assert found == in_real_time(wanted, ids), (kind, more)


def test_the_products_of_one_order_are_one_run(fake_shop, did):
    fake_shop.shop_identity = ShopIdentity("Fake Shop", "https://shop.example/", "Europe/Berlin", "en")
    with clock.travel(to=NOON - timedelta(hours=1)):
        contact = consenting(fake_shop.add_customer().customer_id)
        for product in "123":
            did("bought", contact, order_ref="7", product_id=product, shop_channel="default")
        running({"type": "after", "activity": "bought", "unit": "days", "amounts": [1], "at": "13:00"}, [send()])
    with clock.travel(to=NOON):
        pipeline.pump()

    run = Enrollment.objects.get()
    assert (run.subject_key, run.epoch, run.entered_at) == ("order:7", 1, NOON - timedelta(days=1))
    assert sorted(item["product_id"] for item in run.items) == ["1", "2", "3"]  # all of the same moment
    assert run.context["rung"] == 1


@pytest.mark.parametrize(
    ("born", "day", "is_it"),
    [
        ("1992-02-29", "2027-02-28", True),
        ("1992-02-29", "2027-03-01", False),
        ("1992-02-29", "2028-02-28", False),
        ("1992-02-29", "2028-02-29", True),
        ("1992-02-28", "2028-02-28", True),
        ("1992-02-28", "2028-02-29", False),
        ("2030-05-01", "2027-05-01", False),
    ],
)
def test_a_day_comes_back_every_year(born, day, is_it):
    assert is_their_day(date.fromisoformat(born), date.fromisoformat(day), is_yearly=True) is is_it


# Plans on filled tables

_FILL = """
INSERT INTO crm_plugin_contact (customer_id, email, first_name, last_name, language, country, time_zone, orders_count,
    created_at, attributes)
SELECT 'c' || n, NULL, '', '', '', '', '', 0, now(),
    jsonb_build_object('birthday', '1990-03-' || lpad((n % 28 + 1)::text, 2, '0'))
FROM generate_series(1, 1000) n;
INSERT INTO crm_plugin_activity (contact_id, kind, source_key, occurred_at, product_id, variant_id, shop_channel,
    order_ref, cart_ref, currency, subject, data)
SELECT c.id, (ARRAY['viewed', 'ordered', 'fulfilled', 'bought', 'coupon_issued'])[g % 5 + 1], 'k' || c.id || ':' || g,
    timestamptz '2027-03-10 12:00Z' - make_interval(days => ((c.id * 7 + g * 13) % 300)::int, mins => g), 'p' || g, '',
    'default', CASE WHEN g % 5 IN (1, 2, 3) THEN 'o' || c.id || ':' || g ELSE '' END, '', 'EUR', 's' || g,
    jsonb_build_object('expires_on', (date '2027-03-01' + ((c.id + g) % 200)::int)::text)
FROM crm_plugin_contact c, generate_series(1, 10) g;
INSERT INTO crm_plugin_coupon (contact_id, occasion, code, name, state, created_at, issued_at, used_at, expires_on,
    expires_at, order_ref, is_kept_by_shop)
SELECT c.id, 'campaign:' || g || '/gift', 'C' || c.id || 'X' || g, 'Gift',
    (ARRAY['issued', 'used', 'expired'])[g % 3 + 1], now(), now(), now(), date '2027-03-01' + ((c.id + g) % 200)::int,
    timestamptz '2027-03-02 00:00Z' + make_interval(days => ((c.id + g) % 200)::int), '', TRUE
FROM crm_plugin_contact c, generate_series(1, 10) g;
"""


@pytest.fixture
def busy_shop(fake_shop: FakeShop) -> None:
    """Some thousand people with some ten thousand activities, and what PostgreSQL knows of them brought up to date."""
    with connection.cursor() as cursor:
        cursor.execute(_FILL)
        cursor.execute("ANALYZE crm_plugin_contact, crm_plugin_activity, crm_plugin_coupon")


def plans_of(work: Callable[[], Any], *, about: str) -> str:
    with CaptureQueriesContext(connection) as seen:
        work()
    lines = []
    with connection.cursor() as cursor:
        for query in seen.captured_queries:
            if about in query["sql"]:
                cursor.execute(f"EXPLAIN {query['sql']}")
                lines += [line for (line,) in cursor.fetchall()]
    assert lines, "no such statement"
    return "\n".join(lines)


@pytest.mark.parametrize("limit", [10, 10_000])
@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("viewed", {}),
        ("viewed", {"what": {"products": ["p5"], "shop_channels": ["default"]}}),
        ("ordered", {"amount": {"op": "gte", "value": 10, "currency": "EUR"}, "is_first_order": True}),
        ("fulfilled", {"what": {"products": ["p3"]}, "amount": {"op": "gte", "value": 10, "currency": "EUR"}}),
    ],
)
def test_a_cohort_reads_its_days_by_time_and_the_rest_by_contact_and_order(busy_shop, kind, more, limit):
    wanted = trigger(kind, 90, 180, **more)

    plan = plans_of(lambda: told(wanted, limit=limit), about="crm_plugin_activity")

    assert "crm_activity_in_time" in plan or ("crm_activity_of_product" in plan and "what" in more)
    assert "crm_activity_of_contact" in plan
    assert "Seq Scan on crm_plugin_activity" not in plan


def test_coupons_that_end_are_found_by_their_day(busy_shop):
    with clock.travel(to=NOON - timedelta(days=1)):
        running({"type": "coupon_expiry", "at": "13:00"})
    with clock.travel(to=NOON):
        automations.plan_slots()
        plan = plans_of(automations.run_slot, about="crm_plugin_coupon")

    assert "crm_coupon_expiry" in plan
    assert "Seq Scan on crm_plugin_coupon" not in plan
    assert Enrollment.objects.count() > 0


def test_a_birthday_looks_at_so_many_contacts_by_their_ids(busy_shop, settings):
    settings.CRM_FAN_OUT_BATCH = 100
    contacts.declare_attribute("birthday", "date")
    with clock.travel(to=NOON - timedelta(days=2)):
        running({"type": "date", "attribute": "birthday", "at": "13:00"})
        automations.plan_slots()
    with clock.travel(to=NOON):
        automations.plan_slots()
        slots = ScheduleSlot.objects.count()
        plan = plans_of(automations.run_slot, about="FROM crm_plugin_contact")
        chunks = 1
        while automations.run_slot() is not None:
            chunks += 1

    assert "crm_plugin_contact_pkey" in plan
    assert "Seq Scan" not in plan
    assert chunks == slots * (1_000 // 100 + 1)
    assert Enrollment.objects.count() == slots * 36


def test_deliveries_are_read_by_time_and_by_order(busy_shop):
    with clock.travel(to=NOON):
        pages = plans_of(lambda: activity.derive_deliveries(50), about="kind = 'fulfilled'")

    assert "crm_activity_in_time" in pages
    assert "crm_activity_order" in pages
    assert "Seq Scan on crm_plugin_activity" not in pages


def test_a_chunk_costs_the_same_few_queries_however_many_people(busy_shop, settings):
    with clock.travel(to=NOON - timedelta(days=1)):
        running({"type": "after", "activity": FactKind.ORDERED.value, "unit": "days", "amounts": [30], "at": "13:00"})
    counts = []
    with clock.travel(to=NOON):
        automations.plan_slots()
        for batch in (2, 1_000):
            settings.CRM_FAN_OUT_BATCH = batch
            with CaptureQueriesContext(connection) as seen:
                assert (automations.run_slot() or 0) > 1
            counts.append(len(seen))

    assert counts[0] == counts[1]
