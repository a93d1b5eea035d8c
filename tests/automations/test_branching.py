"""A branch asks once for everybody, at the moment at which they come to it."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from crm_plugin import activity, audience, automations, pipeline
from crm_plugin.models import Contact, Enrollment
from crm_plugin.shop import Fact, FactKind
from tests.stories import on, running, wait

pytestmark = pytest.mark.django_db


def visited():
    return {"include": {"type": "did", "activity": "visited"}}


def branch(rule, **ways):
    return {"type": "branch", "id": "fork", "audience": rule, **ways}


def tell(customer, kind, key):
    activity.record(Fact(kind=kind, source_key=key, customer_id=customer.customer_id))


def drain():
    while pipeline._drain_once():
        pass


def advance():
    with transaction.atomic():
        automations.advance(100)


def test_everybody_goes_the_way_of_that_moment_by_one_question(shoppers):
    running(on("signed_up"), [branch(visited(), then=[wait("a")], otherwise=[wait("b")]), wait("end")])
    customers = shoppers(6)
    for customer in customers:
        tell(customer, FactKind.SIGNED_UP, f"s{customer.customer_id}")
    drain()
    for customer in customers[:2]:
        tell(customer, FactKind.VISITED, f"v{customer.customer_id}")
    drain()

    with CaptureQueriesContext(
        connection,
    ) as queries:
        advance()

    inside = {Contact.objects.get(customer_id=one.customer_id).pk for one in customers[:2]}
    assert {run.contact_id for run in Enrollment.objects.filter(step=1)} == inside
    assert Enrollment.objects.filter(step=2, due_at__isnull=False).count() == 4
    assert sum("'visited'" in query["sql"] for query in queries) == 1


@pytest.mark.parametrize(("ways", "step"), [({"then": [wait("a")]}, 1), ({"otherwise": [wait("a")]}, 2), ({}, 1)])
def test_a_way_without_steps_leads_behind_the_branch(ann, ways, step):
    running(on("visited"), [branch(visited(), **ways), wait("end")])
    tell(ann, FactKind.VISITED, "v")
    drain()

    advance()

    assert Enrollment.objects.get().step == step


def test_the_end_of_a_way_completes_the_run(ann):
    running(on("visited"), [branch(visited())])
    tell(ann, FactKind.VISITED, "v")
    drain()

    advance()

    assert Enrollment.objects.get().state == "completed"


def test_an_audience_that_cannot_be_asked_any_more_has_nobody_in_it(ann):
    segment = audience.create_segment("List")
    rule = {"include": {"type": "segment", "segment": segment.pk}}
    running(on("visited"), [branch(rule, then=[wait("a")], otherwise=[wait("b")]), wait("end")])
    segment.delete()
    tell(ann, FactKind.VISITED, "v")
    drain()

    advance()

    assert Enrollment.objects.get().step == 2
