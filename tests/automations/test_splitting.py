"""A split: by chance and in proportion, the same person always the same way."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from crm_plugin import activity, automations, pipeline
from crm_plugin.automations.acting.splitting import arm_of, is_tested
from crm_plugin.automations.steps import SplitStep
from crm_plugin.models import Enrollment
from crm_plugin.shop import Fact, FactKind
from tests.stories import on, running, wait

#: The arms of the contacts 1 to 30 at the split "test" of campaign 1 with three equal arms a, b and c.
KNOWN = "baaacacbbccbaaaccccaccbbcaacab"


def arm(name, weight=1, **more):
    return {"name": name, "weight": weight, **more}


def step(*arms, **more):
    return SplitStep.model_validate({"type": "split", "id": "test", "arms": arms, **more})


def share(count, of=20_000):
    return count / of


def enter(customers):
    activity.record_many(
        Fact(kind=FactKind.SIGNED_UP, source_key=f"s{one.customer_id}", customer_id=one.customer_id)
        for one in customers
    )
    while pipeline._drain_once():
        pass
    with transaction.atomic():
        automations.advance(1000)


def test_people_are_divided_by_the_weights():
    found = Counter(arm_of(step(arm("a", 1), arm("b", 3), arm("c", 6)), 7, pk).name for pk in range(20_000))

    assert share(found["a"]) == pytest.approx(0.1, abs=0.01)
    assert share(found["b"]) == pytest.approx(0.3, abs=0.01)
    assert share(found["c"]) == pytest.approx(0.6, abs=0.01)


def test_who_takes_part_says_nothing_about_the_arm():
    split = step(arm("a"), arm("b"), winner={"test_percent": 20})
    tested = [pk for pk in range(20_000) if is_tested(split, 7, pk)]

    assert share(len(tested)) == pytest.approx(0.2, abs=0.01)
    assert Counter(arm_of(split, 7, pk).name for pk in tested)["a"] / len(tested) == pytest.approx(0.5, abs=0.03)


def test_another_campaign_divides_the_same_people_otherwise():
    split = step(arm("a"), arm("b"))
    same = sum(arm_of(split, 7, pk) == arm_of(split, 8, pk) for pk in range(20_000))

    assert share(same) == pytest.approx(0.5, abs=0.02)


@given(
    campaign=st.integers(1, 2**40), contact=st.integers(1, 2**60), weights=st.lists(st.integers(1, 1000), max_size=8)
)
def test_everybody_has_an_arm_and_always_the_same(campaign, contact, weights):
    split = step(arm("first"), *(arm(f"more_{index}", weight) for index, weight in enumerate(weights[:7])))

    assert arm_of(split, campaign, contact) == arm_of(split, campaign, contact)


def test_the_arms_of_these_people_never_change():
    # Another answer here would send people who are on their way, or come again, to another arm.
    split = step(arm("a"), arm("b"), arm("c"))

    assert "".join(arm_of(split, 1, pk).name for pk in range(1, 31)) == KNOWN


def test_another_process_divides_the_same():
    code = (
        "import django; from django.conf import settings; settings.configure(); "
        "import hashlib; print(int.from_bytes(hashlib.sha256(b'arm:1:test:1').digest()[:8], 'big') * 3 >> 64)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert "abc"[int(done.stdout)] == KNOWN[0]


@pytest.mark.django_db
def test_the_arm_is_noted_and_a_holdout_gets_nothing(shoppers):
    split = {"type": "split", "id": "lift", "arms": [arm("mail", steps=[wait("pause")]), arm("none", is_holdout=True)]}
    running(on("signed_up"), [split, wait("end")])

    enter(shoppers(40))

    ends = Counter(Enrollment.objects.values_list("arms__lift", "state", "reason", "step"))
    assert set(ends) == {("mail", "active", "", 1), ("none", "exited", "holdout", 0)}
    assert sum(ends.values()) == 40


@pytest.mark.django_db
def test_however_many_people_come_the_statements_are_the_same(shoppers):
    split = {"type": "split", "id": "ab", "arms": [arm("a", steps=[wait("x")]), arm("b", steps=[wait("y")])]}
    running(on("signed_up"), [split, wait("end")])
    counts = []
    for size in (2, 30):
        with CaptureQueriesContext(connection) as queries:
            enter(shoppers(size))
        counts.append(sum("crm_plugin_enrollment" in query["sql"] for query in queries))
        Enrollment.objects.all().delete()

    assert counts[0] == counts[1]


@pytest.mark.django_db
def test_a_second_split_adds_its_arm_to_the_first(ann):
    first = {"type": "split", "id": "one", "arms": [arm("a")]}
    second = {"type": "split", "id": "two", "arms": [arm("b")]}
    running(on("signed_up"), [first, second, wait("end")])

    enter([ann])
    with transaction.atomic():
        automations.advance(1000)

    assert Enrollment.objects.get().arms == {"one": "a", "two": "b"}
