"""Whatever anybody posts: no failure of ours, and all of it is stored or nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some

from crm_plugin.models import Failure, Inbox
from tests.http.collecting import NOW, VISITOR, batch, event, post, view

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_shop")]

REFUSED = {400, 413, 422}

texts = some.text(max_size=30) | some.sampled_from(
    ["", "12", "\x00", "a\x00", "\ud800", "'", '"', "x" * 300, "null", "İ"]
)
numbers = some.integers() | some.floats() | some.sampled_from([0, -1, 2**31, 2**63, 2**200, NOW])
scalars = some.none() | some.booleans() | numbers | texts
anything = some.recursive(
    scalars, lambda inner: some.lists(inner, max_size=4) | some.dictionaries(texts, inner, max_size=4)
)

products = some.from_regex(r"\A[0-9]{1,12}\Z")
words = some.from_regex(r"\A\w{1,100}\Z")
parameters = some.text(alphabet="abc%0&=?#[]@:/가", max_size=50)
names = some.from_regex(r"\A[a-z]{1,9}\Z")
values = some.booleans() | some.integers(-(10**6), 10**6) | some.floats(-(10**6), 10**6)
good_events = some.one_of(
    some.builds(lambda product, number: view(number, product=product), products, some.integers(0, 99)),
    some.builds(lambda typed: event("search", words=typed), words),
    some.builds(lambda tail: event("visit", url=f"https://shop.example/?utm_source={tail}", referrer=tail), parameters),
    some.builds(
        lambda found: event("custom", name="quiz", properties=found), some.dictionaries(names, values, max_size=20)
    ),
)


@some.composite
def spoiled(draw: Any) -> Any:
    """Return a batch of which one value, or one event's, was replaced, added or taken away."""
    found: dict[str, Any] = batch(*draw(some.lists(good_events, min_size=1, max_size=3)))
    place = draw(some.sampled_from([found, *found["events"]]))
    key = draw(some.sampled_from(sorted(place)) | texts)
    if draw(some.booleans()):
        place[key] = draw(anything)
    else:
        place.pop(key, None)
    return found


def check(body: bytes) -> None:
    Inbox.objects.all().delete()

    answer = post(body)

    assert answer.status_code in REFUSED | {202}
    stored = answer.json()["stored"] if answer.status_code == 202 else 0
    assert Inbox.objects.count() == stored
    assert not Failure.objects.exists()
    if stored:
        assert stored == len(json.loads(body)["events"])
        assert set(Inbox.objects.values_list("visitor_id", flat=True)) == {VISITOR}


fuzzed = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(autouse=True)
def _no_limit(settings):
    settings.CRM_COLLECT_EVENTS_PER_MINUTE = 10**9


@fuzzed
@given(body=some.binary(max_size=300) | anything.map(lambda value: json.dumps(value).encode()))
@example(body=b"[" * 65_000)
@example(body=b'{"a":' * 13_000)
@example(body=b'{"\\ud800": 1}')
@example(body=b'{"events": NaN}')
@example(body=b"1" * 5_000)
@example(body=b"-")
def test_any_body_is_refused_or_stored_as_a_whole(body):
    check(body)


@fuzzed
@given(sent=spoiled())
def test_a_spoiled_batch_is_refused_or_stored_as_a_whole(sent):
    check(json.dumps(sent).encode())


@fuzzed
@given(events=some.lists(good_events, min_size=1, max_size=50))
def test_good_batches_are_stored(events):
    Inbox.objects.all().delete()

    answer = post(batch(*events))

    assert (answer.status_code, answer.json()) == (202, {"stored": len(events)})
    assert Inbox.objects.count() == len(events)
