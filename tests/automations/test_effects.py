"""The steps that change something about the person: an attribute, tags, a list."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from crm_plugin import activity, audience, automations, clock, contacts, pipeline
from crm_plugin.automations.checking import check_attributes, check_lists
from crm_plugin.automations.definition import Definition
from crm_plugin.errors import InvalidInput
from crm_plugin.models import Contact, Enrollment, Touched
from crm_plugin.shop import Fact, FactKind
from tests.stories import definition, on, running, wait
from tests.together import together

pytestmark = pytest.mark.django_db


def attribute(name="grade", **more):
    return {"type": "set_attribute", "id": "set", "name": name, **more}


def tag(**more):
    return {"type": "tag", "id": "tag", "name": "labels", **more}


def on_list(segment, **more):
    return {"type": "list", "id": "list", "segment": segment.pk, **more}


def enter(*customers, data=None):
    activity.record_many(
        Fact(kind=FactKind.SIGNED_UP, source_key=f"s{one.customer_id}", customer_id=one.customer_id, data=data or {})
        for one in customers
    )
    while pipeline._drain_once():
        pass


def advance():
    with transaction.atomic():
        automations.advance(1000)


def parsed(*steps):
    return Definition.parse(definition(on("signed_up"), steps))


# Attributes and tags


@pytest.fixture
def declared(db):
    """Attributes of every kind that these tests need."""
    for name, kind in (("grade", "text"), ("points", "number"), ("labels", "tags")):
        contacts.declare_attribute(name, kind)


def attributes_of(customer):
    return Contact.objects.get(customer_id=customer.customer_id).attributes


def test_an_attribute_is_set_for_everybody_and_their_segments_look_again(shoppers, declared):
    running(on("signed_up"), [attribute(value="gold"), wait()])
    customers = shoppers(3)
    enter(*customers)
    Touched.objects.all().delete()

    advance()

    assert [attributes_of(one) for one in customers] == [{"grade": "gold"}] * 3
    assert Touched.objects.count() == 3
    assert set(Enrollment.objects.values_list("step", flat=True)) == {1}


def test_a_value_of_the_event(ann, declared):
    running(on("signed_up"), [attribute("points", from_event="bonus"), wait()])
    enter(ann, data={"bonus": 25})

    advance()

    assert attributes_of(ann) == {"points": 25}


@pytest.mark.parametrize(("data", "is_logged"), [({"bonus": "many"}, True), ({"bonus": [1]}, True), ({}, False)])
def test_a_value_of_another_kind_sets_nothing_and_the_run_goes_on(ann, declared, data, is_logged, caplog):
    running(on("signed_up"), [attribute("points", from_event="bonus"), wait()])
    enter(ann, data=data)

    with caplog.at_level(logging.WARNING):
        advance()

    assert (attributes_of(ann), Enrollment.objects.get().step) == ({}, 1)
    assert ("sets nothing" in caplog.text) is is_logged


def test_null_takes_an_attribute_away(ann, declared):
    contacts.set_attributes(Contact.objects.get().pk, {"grade": "gold", "points": 1})
    running(on("signed_up"), [attribute(value=None), wait()])
    enter(ann)

    advance()

    assert attributes_of(ann) == {"points": 1}


def test_tags_are_added_to_those_there_and_taken_away(ann, declared):
    contacts.set_attributes(Contact.objects.get().pk, {"labels": ["new", "vip"], "grade": "gold"})
    running(on("signed_up"), [tag(add=["buyer", "vip"], remove=["new"]), wait()])
    enter(ann)

    advance()

    assert attributes_of(ann) == {"labels": ["vip", "buyer"], "grade": "gold"}


def test_however_many_people_there_are_the_statements_are_the_same(shoppers, declared):
    running(on("signed_up"), [attribute(value="gold"), tag(add=["x"]), wait()])
    counts = []
    for size in (2, 40):
        enter(*shoppers(size))
        with CaptureQueriesContext(connection) as queries:
            advance()
            advance()
        counts.append(len(queries))
        Enrollment.objects.all().delete()

    assert counts[0] == counts[1]


@pytest.mark.django_db(transaction=True)
def test_whoever_is_held_by_another_worker_comes_later_and_holds_up_nobody(shoppers, declared):
    running(on("signed_up"), [attribute(value="gold"), wait()])
    held, free = shoppers(2)
    enter(held, free)
    held_id = Contact.objects.get(customer_id=held.customer_id).pk

    def other_worker_holds():
        with transaction.atomic():
            list(Contact.objects.filter(pk=held_id).select_for_update())
            together(advance)

    together(other_worker_holds)
    meanwhile = attributes_of(held), attributes_of(free)
    with clock.travel(by=timedelta(seconds=2)):
        advance()

    assert meanwhile == ({}, {"grade": "gold"})
    assert attributes_of(held) == {"grade": "gold"}


@pytest.mark.parametrize(
    ("step", "path"),
    [
        (attribute("unknown", value="x"), "definition.steps.0.name"),
        (attribute("points", value="many"), "definition.steps.0.value"),
        (attribute("labels", value="vip"), "definition.steps.0.value"),
        (tag(add=["x"], name="grade"), "definition.steps.0.name"),
        (tag(add=["x"], name="unknown"), "definition.steps.0.name"),
    ],
)
def test_what_could_never_be_set_is_refused_with_its_path(declared, step, path):
    with pytest.raises(InvalidInput) as error:
        check_attributes(parsed(step))

    assert error.value.field == path


@pytest.mark.parametrize(
    "step",
    [
        attribute(value="gold"),
        attribute(value=None),
        attribute("points", from_event="bonus"),
        tag(remove=["x"]),
        wait(),
    ],
)
def test_what_can_be_set_is_not(declared, step):
    check_attributes(parsed(step))


# Lists


def test_people_are_put_on_a_list_and_taken_off_again(shoppers):
    first, second = audience.create_segment("First"), audience.create_segment("Second")
    customers = shoppers(3)
    audience.add_members(second.pk, Contact.objects.values_list("pk", flat=True))
    running(on("signed_up"), [on_list(first), {**on_list(second, is_member=False), "id": "off"}, wait()])
    enter(*customers)

    advance()
    advance()

    assert (audience.members(first.pk).count(), audience.members(second.pk).count()) == (3, 0)
    assert set(Enrollment.objects.values_list("step", flat=True)) == {2}


def test_a_list_that_was_archived_stops_nobody(ann, caplog):
    segment = audience.create_segment("List")
    running(on("signed_up"), [on_list(segment), wait()])
    audience.archive_segment(segment.pk)
    enter(ann)

    with caplog.at_level(logging.WARNING):
        advance()

    assert (Enrollment.objects.get().step, "cannot be changed" in caplog.text) == (1, True)


def test_only_lists_that_are_there_are_accepted():
    rule = audience.create_segment("Rule", {"include": {"type": "everybody"}})
    archived, good = audience.create_segment("Old"), audience.create_segment("Good")
    audience.archive_segment(archived.pk)
    refused = []
    for segment in (rule, archived, good):
        try:
            check_lists(parsed(wait(), on_list(segment)))
        except InvalidInput as error:
            refused.append((segment, error.field))

    assert refused == [(rule, "definition.steps.1.segment"), (archived, "definition.steps.1.segment")]
