"""What merchants and clients get wrong: a clear error at the right place, before it can hurt."""

from __future__ import annotations

import copy
import json
import time
from contextlib import suppress
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_plugin import contacts
from crm_plugin.audience import AudienceRule, compile
from crm_plugin.errors import InvalidInput
from crm_plugin.models import Segment, SegmentVersion
from tests.audience.conftest import Make, Who
from tests.audience.reference import Act
from tests.audience.rows import LONG_AGO, make_list, make_segment
from tests.audience.worlds import RULES

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_shop")]

EVERYBODY = {"type": "everybody"}
VIEWED = {"type": "did", "activity": "viewed"}


def refusal(include: Any, **more: Any) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        AudienceRule.parse({"include": include, **more})
    return caught.value


@pytest.mark.parametrize(
    ("condition", "path"),
    [
        ({"type": "did", "activity": "flew"}, "activity"),
        ({"type": "did"}, "activity"),
        ({**VIEWED, "color": 1}, "color"),
        ({**VIEWED, "window": {"type": "last_days", "days": 31}}, "window.days"),
        ({**VIEWED, "window": {"type": "someday"}}, "window"),
        ({**VIEWED, "times": {"op": "at_least", "count": 0}}, "times"),
        ({**VIEWED, "times": {"op": "at_least", "count": 10**30}}, "times.count"),
        ({**VIEWED, "times": {"op": "at_least", "count": "3"}}, "times.count"),
        ({**VIEWED, "times": {"op": "at_least", "count": True}}, "times.count"),
        ({**VIEWED, "what": {"products": [7]}}, "what.products.0"),
        ({**VIEWED, "what": {"products": ["7"] * 201}}, "what.products"),
        ({**VIEWED, "what": {"products": ["a\0b"]}}, "what.products.0"),
        ({**VIEWED, "what": {"groups": ["perfume"]}}, "what.groups.0"),
        ({"type": "did", "activity": "cart_changed"}, "activity"),
        ({"type": "did", "activity": "identified"}, "activity"),
        ({"type": "spent", "currency": "euro", "op": "gt", "value": 1}, "currency"),
        ({"type": "spent", "currency": "EUR", "op": "gt", "value": float("nan")}, "value"),
        ({"type": "spent", "currency": "EUR", "op": "gt", "value": "1e999999999"}, "value"),
        ({"type": "spent", "currency": "EUR", "op": "gt", "value": "Infinity"}, "value"),
        ({"type": "spent", "currency": "EUR", "op": "gt", "value": True}, "value"),
        ({"type": "spent", "currency": "EUR", "op": "gt", "value": 10**5000}, "value"),
        ({"type": "attribute", "name": "orders_count", "op": "gt", "value": 10**5000}, "value"),
        ({"type": "segment", "segment": 10**5000}, "segment"),
        ({"type": "spent", "currency": "EUR", "op": "between", "value": 1}, ""),
        ({"type": "spent", "currency": "EUR", "op": "between", "value": [2, 1]}, ""),
        ({"type": "spent", "currency": "EUR", "op": "gt", "value": ["x", 1]}, "value.0"),
        ({"type": "attribute", "name": "shoe_size", "op": "is_set"}, "name"),
        ({"type": "attribute", "name": "first_name", "op": "matches", "value": ".*"}, "op"),
        ({"type": "attribute", "name": "orders_count", "op": "contains", "value": "1"}, "op"),
        ({"type": "attribute", "name": "orders_count", "op": "gte", "value": float("inf")}, "value"),
        ({"type": "attribute", "name": "orders_count", "op": "between", "value": [1, "x"]}, "value.1"),
        ({"type": "attribute", "name": "orders_count", "op": "between", "value": [3, 1]}, "value"),
        ({"type": "attribute", "name": "first_name", "op": "is", "value": 5}, "value"),
        ({"type": "attribute", "name": "first_name", "op": "is"}, "value"),
        ({"type": "attribute", "name": "first_name", "op": "in", "value": []}, "value"),
        ({"type": "attribute", "name": "first_name", "op": "is_set", "value": "x"}, "value"),
        ({"type": "attribute", "name": "first_name", "op": "is", "value": "\ud800"}, "value"),
        (
            {"type": "attribute", "name": "joined_at", "op": "in_window", "value": {"type": "last_days", "days": 31}},
            "value.days",
        ),
        ({"type": "attribute", "name": "joined_at", "op": "on", "value": "yesterday"}, "value"),
        ({"type": "attribute", "name": "joined_at", "op": "anniversary", "value": {"in_days": 400}}, "value.in_days"),
        ({"type": "consent", "channel": "pigeon", "is": "granted"}, "channel"),
        ({"type": "interest", "tags": []}, ""),
        ({"type": "interest", "tags": ["category:1"], "weights": {"viewed": 101}}, "weights.viewed"),
        ({"type": "inflow", "touch": "first", "field": "source", "op": "in", "value": "facebook"}, ""),
        ({"type": "rfm"}, ""),
        ({"type": "rfm", "recency": [6]}, "recency.0"),
        ({"type": "rfm", "labels": ["champions", "heroes"]}, "labels.1"),
        ({"type": "stage", "in": []}, "in"),
        ({"type": "segment", "segment": 404_404_404}, "segment"),
        ({"type": "segment", "segment": "5"}, "segment"),
        ({"type": "segment", "segment": 10**30}, "segment"),
        ({"type": "all", "of": []}, "of"),
        ({"type": "not", "of": []}, "of"),
        ({"type": "not"}, "of"),
        ({"type": "magic"}, ""),
        ({}, ""),
        ("everybody", ""),
        (None, ""),
    ],
)
def test_the_error_names_the_place_as_the_client_wrote_it(condition, path):
    places = {
        "audience.include": condition,
        "audience.include.of.1": {"type": "all", "of": [EVERYBODY, condition]},
        "audience.include.of.of.0": {"type": "not", "of": {"type": "any", "of": [condition]}},
    }

    fields = {place: refusal(include).field for place, include in places.items()}

    assert fields == {place: f"{place}.{path}".rstrip(".") for place in places}


def test_an_exclusion_is_named_too():
    assert refusal(EVERYBODY, exclude=[EVERYBODY, {**VIEWED, "x": 1}]).field == "audience.exclude.1.x"


def test_the_caller_says_what_the_rule_is_called():
    with pytest.raises(InvalidInput) as caught:
        AudienceRule.parse({"include": {"type": "did"}}, field="trigger.audience")

    assert caught.value.field == "trigger.audience.include.activity"


@pytest.mark.parametrize("value", [None, [], "everybody", 5, {}, {"include": EVERYBODY, "also": 1}])
def test_what_is_no_audience_is_refused(value):
    with pytest.raises(InvalidInput):
        AudienceRule.parse(value)


def _nested(levels: int) -> Any:
    condition: Any = EVERYBODY
    for _ in range(levels - 1):
        condition = {"type": "not", "of": condition}
    return condition


def test_eight_levels_are_enough():
    AudienceRule.parse({"include": _nested(8)})

    error = refusal(_nested(9))

    assert (error.code, error.field) == ("TOO_LARGE", "audience.include" + ".of" * 8)


def test_a_bomb_is_refused_before_it_goes_off():
    deep: Any = EVERYBODY
    for _ in range(20_000):
        deep = {"type": "all", "of": [deep]}
    started = time.monotonic()

    errors = [
        refusal(deep),
        refusal({"type": "all", "of": [EVERYBODY] * 500_000}),
        refusal({"type": "all", "of": [{"type": "any", "of": [EVERYBODY] * 50}] * 5}),
        refusal(EVERYBODY, exclude=[{"type": "any", "of": [EVERYBODY] * 40}] * 6),
        refusal({**VIEWED, "what": json.loads("[" * 900 + "]" * 900)}),
    ]

    assert {error.code for error in errors} == {"TOO_LARGE"}
    assert time.monotonic() - started < 5


def test_twenty_exclusions_are_enough():
    AudienceRule.parse({"include": EVERYBODY, "exclude": [EVERYBODY] * 20})

    assert refusal(EVERYBODY, exclude=[EVERYBODY] * 21).field == "audience.exclude"


def test_fifty_side_by_side_are_enough():
    AudienceRule.parse({"include": {"type": "any", "of": [EVERYBODY] * 50}})

    assert refusal({"type": "any", "of": [EVERYBODY] * 51}).field == "audience.include.of"


def test_an_archived_segment_is_refused():
    live = make_segment({"include": EVERYBODY}, state="archived")
    static = make_list(state="archived")

    errors = [refusal({"type": "segment", "segment": pk}) for pk in (live, static)]

    assert [error.field for error in errors] == ["audience.include.segment"] * 2


def test_segments_that_name_each_other_are_refused():
    first = make_segment({"include": EVERYBODY})
    second = make_segment({"include": {"type": "not", "of": {"type": "segment", "segment": first}}})

    with pytest.raises(InvalidInput) as caught:
        AudienceRule.parse({"include": {"type": "segment", "segment": second}}, segment_id=first)

    assert caught.value.code == "CYCLE"


def test_a_segment_cannot_name_itself():
    pk = make_segment({"include": EVERYBODY})

    with pytest.raises(InvalidInput) as caught:
        AudienceRule.parse({"include": {"type": "segment", "segment": pk}}, segment_id=pk)

    assert caught.value.code == "CYCLE"


def test_a_circle_that_came_about_later_is_refused_when_asked(who):
    first = make_segment({"include": EVERYBODY})
    second = make_segment({"include": {"type": "segment", "segment": first}})
    make_segment_name(first, second)

    with pytest.raises(InvalidInput) as caught:
        who({"type": "segment", "segment": second})

    assert caught.value.code == "CYCLE"


def make_segment_name(first: int, second: int) -> None:
    definition = {"include": {"type": "segment", "segment": second}}
    version = SegmentVersion.objects.create(segment_id=first, number=2, definition=definition, created_at=LONG_AGO)
    Segment.objects.filter(pk=first).update(version=version)


def test_what_a_segment_holds_counts_towards_the_limits():
    wide = make_segment({"include": {"type": "any", "of": [EVERYBODY] * 49}})
    deep = make_segment({"include": _nested(7)})

    assert refusal({"type": "any", "of": [{"type": "segment", "segment": wide}] * 4}).code == "TOO_LARGE"
    assert refusal({"type": "not", "of": {"type": "segment", "segment": deep}}).code == "TOO_LARGE"


def test_segments_of_segments_do_not_multiply_without_end():
    pk = make_segment({"include": EVERYBODY})
    for _ in range(6):
        pk = make_segment({"include": {"type": "any", "of": [{"type": "segment", "segment": pk}] * 50}})
    started = time.monotonic()

    error = refusal({"type": "segment", "segment": pk})

    assert error.code == "TOO_LARGE"
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("text", ["(a+)+$", ".*", "[", "\\", "'; DROP TABLE x; --", "%(q0)s", "%s", "{}", "$1", "%"])
def test_whatever_text_is_only_text(make: Make, who: Who, text: str):
    contacts.declare_attribute("nick", "text")
    named = make(
        values={"first_name": f"x{text}y"}, attributes={"nick": text}, acts=[Act("searched", LONG_AGO, subject=text)]
    )
    make(values={"first_name": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"}, attributes={"nick": "b"})

    by_name = who({"type": "attribute", "name": "first_name", "op": "contains", "value": text})
    by_nick = who({"type": "attribute", "name": "nick", "op": "is", "value": text})
    by_search = who({"type": "did", "activity": "searched", "what": {"subject": {"op": "contains", "value": text}}})

    assert (by_name, by_nick, by_search) == ({named.pk}, {named.pk}, {named.pk})


@pytest.mark.parametrize(("wanted", "found"), [("100%", 1), ("1_0", 0), ("%", 1), ("_", 0), ("0% o", 1)])
def test_wildcards_are_letters(make: Make, who: Who, wanted: str, found: int):
    make(values={"first_name": "100% oak"})
    make(values={"first_name": "1000 oaks"})

    assert len(who({"type": "attribute", "name": "first_name", "op": "contains", "value": wanted})) == found


_ANYTHING = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.just(10**400),
        st.floats(),
        st.text(max_size=5),
        st.sampled_from(["all", "did", "last_days", "2026-01-01", "category:1", "1e400"]),
    ),
    lambda inside: st.one_of(st.lists(inside, max_size=3), st.dictionaries(st.text(max_size=5), inside, max_size=3)),
    max_leaves=4,
)


@st.composite
def _spoilt(draw: st.DrawFn) -> Any:
    """A rule in which one thing, anywhere, is something else."""
    rule = copy.deepcopy(draw(RULES))
    places: list[tuple[Any, Any]] = []
    waiting = [rule]
    while waiting:
        one = waiting.pop()
        keys = list(one) if isinstance(one, dict) else range(len(one))
        places += [(one, key) for key in keys]
        waiting += [one[key] for key in keys if isinstance(one[key], dict | list)]
    holder, key = draw(st.sampled_from(places))
    holder[key] = draw(_ANYTHING)
    return rule


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rule=_spoilt())
def test_whatever_is_wrong_is_an_invalid_input(fake_shop: object, rule: Any):
    with suppress(InvalidInput):
        parsed = AudienceRule.parse(rule)
        with connection.cursor() as cursor:
            query = compile(parsed)
            cursor.execute(query.sql, query.params)
