"""The steps that wait: for a time, for a clock, for something to happen; and that nothing that happens is missed."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from crm_plugin import activity, automations, clock, pipeline
from crm_plugin.automations import awaiting
from crm_plugin.contacts import Contact
from crm_plugin.models import Activity, Enrollment
from crm_plugin.shop import Fact, FactKind
from tests.stories import definition, on, running, wait
from tests.together import together

pytestmark = pytest.mark.django_db

#: 09:30 in Berlin (the shop's zone), 16:30 in Seoul: a Wednesday.
MORNING = datetime(2026, 6, 3, 7, 30, tzinfo=UTC)
END = {"type": "exit", "id": "end"}
THEN, OTHERWISE = wait("then", seconds=60), wait("otherwise", seconds=120)


def until(**more):
    return {"type": "wait_until", "id": "clock", "at": "10:00", **more}


def waits_for(kind="ordered", **more):
    step = {"type": "wait_for", "id": "hope", "activity": kind, "timeout_seconds": 3600}
    return step | {"then": [THEN], "otherwise": [OTHERWISE]} | more


def tell(customer, kind=FactKind.SIGNED_UP, key="s", **more):
    activity.record(Fact(kind=kind, source_key=key, customer_id=customer.customer_id, **more))
    # What the conductor does with a batch of facts.
    with transaction.atomic():
        batch = activity.claim(100)
        people = activity.people_in(batch)
        pipeline._resolve(batch, people)
        added = activity.project(batch, people)
        awaiting.wake(added)
        automations.match(added)


def advance(passes=1):
    for _ in range(passes):
        with transaction.atomic():
            automations.advance(100)


def stands(run=None):
    run = run or Enrollment.objects.get()
    run.refresh_from_db()
    program = automations.Campaign.objects.get(pk=run.campaign_id).version.definition["steps"]
    names = {0: "hope", 1: "then", 2: "otherwise", 3: program[-1]["id"]}
    return names[run.step], run.waits_for, run.state


# Until the clock says so


@pytest.mark.parametrize(
    ("zone_of_contact", "zone", "due_at"),
    [
        ("Asia/Seoul", "contact", datetime(2026, 6, 4, 1, tzinfo=UTC)),
        ("", "contact", datetime(2026, 6, 3, 8, tzinfo=UTC)),
        ("Mars/Olympus", "contact", datetime(2026, 6, 3, 8, tzinfo=UTC)),
        ("Asia/Seoul", "shop", datetime(2026, 6, 3, 8, tzinfo=UTC)),
    ],
)
def test_whose_clock_it_is(ann, zone_of_contact, zone, due_at):
    Contact.objects.update(time_zone=zone_of_contact)
    with clock.travel(to=MORNING):
        running(on("signed_up"), [until(zone=zone), END], exit_when=[])
        tell(ann)
        advance()

    run = Enrollment.objects.get()
    assert (run.step, run.due_at, run.state) == (1, due_at, "active")


def test_within_the_stretch_the_run_goes_on_at_once(ann):
    with clock.travel(to=MORNING):
        running(on("signed_up"), [until(at="09:00", to="18:00"), END], exit_when=[])
        tell(ann)
        advance(passes=2)

    assert Enrollment.objects.get().state == "exited"


def test_on_another_weekday_it_waits_for_an_allowed_one(ann):
    with clock.travel(to=MORNING):
        running(on("signed_up"), [until(at="09:00", to="18:00", weekdays=["sat", "fri"]), END], exit_when=[])
        tell(ann)
        advance()

    assert Enrollment.objects.get().due_at == datetime(2026, 6, 5, 7, tzinfo=UTC)


# Until something happens


@pytest.fixture
def waiting(ann):
    """A run of Ann's that waits for an order, since now."""
    running(on("signed_up"), [waits_for(), END], exit_when=[])
    tell(ann)
    advance()
    return Enrollment.objects.get()


def test_a_run_parks_until_the_time_is_over(waiting):
    assert stands(waiting) == ("hope", "ordered", "active")
    assert timedelta(minutes=59) < waiting.due_at - clock.now() <= timedelta(hours=1)


def test_it_goes_on_at_once_when_it_happens(fake_shop, ann, waiting):
    order = fake_shop.place_order(fake_shop.add_product().ref, customer_id=ann.customer_id)
    tell(ann, FactKind.ORDERED, "o", order_ref=order.order_ref)

    assert stands(waiting) == ("then", "", "active")
    assert waiting.due_at <= clock.now()


def test_at_the_end_of_its_time_it_goes_the_other_way_once(waiting):
    with clock.travel(by=timedelta(seconds=3601)):
        advance()
        at_the_end = stands(waiting)
        advance()
    with clock.travel(by=timedelta(seconds=3601 + 121)):
        advance(passes=2)

    assert at_the_end == ("otherwise", "", "active")
    assert stands(waiting)[2] == "exited"


def test_people_on_an_older_version_are_woken_too(fake_shop, ann, waiting):
    campaign = automations.Campaign.objects.get()
    automations.update_campaign(campaign.pk, definition=definition(on("signed_up"), [wait("pause")], exit_when=[]))
    automations.publish(campaign.pk)
    order = fake_shop.place_order(fake_shop.add_product().ref, customer_id=ann.customer_id)
    tell(ann, FactKind.ORDERED, "o", order_ref=order.order_ref)

    waiting.refresh_from_db()
    assert (waiting.step, waiting.waits_for) == (1, "")


def test_where_no_campaign_waits_for_it_nobody_is_looked_for(ann, django_assert_num_queries):
    running(on("signed_up"), [wait("pause")])
    awaiting.wake({FactKind.VISITED: [1]})

    with django_assert_num_queries(1):
        awaiting.wake({FactKind.VISITED: [1]})


def test_something_else_leaves_it_waiting(fake_shop, ann, waiting):
    tell(ann, FactKind.VISITED, "v")
    stranger = fake_shop.add_customer()
    order = fake_shop.place_order(fake_shop.add_product().ref, customer_id=stranger.customer_id)
    tell(stranger, FactKind.ORDERED, "o", order_ref=order.order_ref)

    assert Activity.objects.filter(kind="ordered").count() == 1
    assert stands(waiting) == ("hope", "ordered", "active")


def test_what_happened_before_the_run_came_to_the_step_does_not_count(ann):
    running(on("signed_up"), [wait("pause", seconds=60), waits_for("visited"), END], exit_when=[])
    tell(ann)
    advance()
    tell(ann, FactKind.VISITED, "v")
    with clock.travel(by=timedelta(seconds=61)):
        advance()

    assert Enrollment.objects.get().waits_for == "visited"


def test_what_happened_while_the_worker_was_away_counts(ann):
    running(on("signed_up"), [wait("pause", seconds=60), waits_for("visited"), END], exit_when=[])
    tell(ann)
    advance()
    with clock.travel(by=timedelta(seconds=70)):
        tell(ann, FactKind.VISITED, "v")
    with clock.travel(by=timedelta(seconds=80)):
        advance()

    run = Enrollment.objects.get()
    assert (run.step, run.waits_for) == (2, "")


def test_what_started_the_run_is_not_what_it_waits_for(ann):
    running(on("viewed", reentry="once"), [waits_for("viewed"), END], exit_when=[])
    tell(ann, FactKind.VIEWED, "first", product_id="1", shop_channel="default")
    advance()
    first = stands()
    tell(ann, FactKind.VIEWED, "second", product_id="1", shop_channel="default")

    assert first == ("hope", "viewed", "active")
    assert stands() == ("then", "", "active")


@pytest.mark.parametrize(("product", "wakes"), [("8", True), ("9", False)])
def test_a_filter_of_products(ann, product, wakes):
    running(on("signed_up"), [waits_for("viewed", what={"products": ["8"]}), END], exit_when=[])
    tell(ann)
    advance()

    tell(ann, FactKind.VIEWED, "v", product_id=product, shop_channel="default")

    assert (stands()[0] == "then") is wakes


@pytest.mark.parametrize(("form", "wakes"), [("Size guide", True), ("Contact", False)])
def test_a_filter_of_the_subject(ann, form, wakes):
    what = {"subject": {"op": "is", "value": "Size guide"}}
    running(on("signed_up"), [waits_for("form_submitted", what=what), END], exit_when=[])
    tell(ann)
    advance()

    tell(ann, FactKind.FORM_SUBMITTED, "f", subject=form)

    assert (stands()[0] == "then") is wakes


@pytest.mark.parametrize(("kind", "more", "wakes"), [
    ("checkout_started", {"cart_ref": "cart-1"}, True),
    ("checkout_started", {"cart_ref": "cart-2"}, False),
    ("viewed", {"product_id": "1", "shop_channel": "default"}, True),
    ("viewed", {"product_id": "2", "shop_channel": "default"}, False),
])  # fmt: skip
def test_the_same_subject_is_the_same_cart_or_a_product_of_the_run(ann, kind, more, wakes):
    running(on("signed_up"), [waits_for(kind, is_same_subject=True), END], exit_when=[])
    tell(ann)
    items = [{"product_id": "1", "variant_id": "", "shop_channel": "default"}]
    Enrollment.objects.update(items=items, context={"cart_ref": "cart-1"})
    advance()

    tell(ann, FactKind(kind), "k", **more)

    assert (stands()[0] == "then") is wakes


def test_the_end_of_the_way_completes_the_run(ann):
    running(on("signed_up"), [waits_for("visited", then=[], otherwise=[])], exit_when=[])
    tell(ann)
    advance()

    tell(ann, FactKind.VISITED, "v")

    run = Enrollment.objects.get()
    assert (run.state, run.waits_for, run.due_at) == ("completed", "", None)


def test_one_wait_behind_another_begins_anew(ann):
    second = {**waits_for("viewed"), "id": "second", "then": [], "otherwise": []}
    running(on("signed_up"), [waits_for("visited", then=[], otherwise=[]), second, END], exit_when=[])
    tell(ann)
    advance()
    tell(ann, FactKind.VISITED, "v")
    advance()

    run = Enrollment.objects.get()
    assert (run.step, run.waits_for, run.waits_since <= clock.now()) == (1, "viewed", True)


@pytest.fixture
def committed(transactional_db, ann):
    """A run of Ann's that is due at a wait_for step, for real connections."""
    running(on("signed_up"), [waits_for("visited"), END], exit_when=[])
    tell(ann)
    return Enrollment.objects.get()


def drain_visit(customer, *, before_commit=lambda: None):
    """Write that somebody visited as the drain does, with a pause before the commit."""
    activity.record(Fact(kind=FactKind.VISITED, source_key="v", customer_id=customer.customer_id))
    with transaction.atomic():
        batch = activity.claim(100)
        people = activity.people_in(batch)
        pipeline._resolve(batch, people)
        added = activity.project(batch, people)
        awaiting.wake(added)
        before_commit()


@pytest.mark.django_db(transaction=True)
def test_an_activity_that_is_written_while_the_run_parks_is_not_missed(committed, ann):
    written, looked = threading.Event(), threading.Event()

    def drains():
        def hold():
            written.set()
            looked.wait(20)

        drain_visit(ann, before_commit=hold)

    def advances():
        written.wait(20)
        with transaction.atomic():
            automations.advance(100)
        looked.set()

    together(drains, advances)
    put_off = stands(committed)
    with clock.travel(by=timedelta(seconds=2)):
        advance()

    assert put_off == ("hope", "", "active")
    assert stands(committed) == ("then", "", "active")


@pytest.mark.django_db(transaction=True)
def test_an_activity_that_is_written_while_a_worker_has_the_run_is_found_at_the_end(committed, ann):
    advance()
    taken, done = threading.Event(), threading.Event()

    def has_it():
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT id FROM crm_plugin_enrollment FOR UPDATE")
            taken.set()
            done.wait(20)

    def drains():
        taken.wait(20)
        drain_visit(ann)
        done.set()

    together(has_it, drains)
    missed = stands(committed)
    with clock.travel(by=timedelta(seconds=3601)):
        advance()

    assert missed == ("hope", "visited", "active")
    assert stands(committed) == ("then", "", "active")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turn", range(3))
def test_however_the_two_meet_nothing_is_missed(committed, ann, turn):
    together(lambda: drain_visit(ann), advance)
    with clock.travel(by=timedelta(seconds=2)):
        advance(passes=3)

    assert Activity.objects.filter(kind="visited").count() == 1
    assert stands(committed) == ("end", "", "active")  # the way `then` is behind it
