"""Whatever is put into any field of any mutation: it is done, or refused in words with nothing changed."""

from __future__ import annotations

import json
import os
import random
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.http import HttpRequest
from django.test import Client

from crm_plugin.graphql.errors import ErrorCode
from crm_plugin.ids import to_global
from tests.fake_shop import FakeShop
from tests.graphql.schema_text import MUTATIONS, inner, mutation_of
from tests.graphql.whole import Call, World

pytestmark = [pytest.mark.django_db, pytest.mark.slow, pytest.mark.urls("tests.graphql.urls")]

#: Calls of one mutation in an ordinary run.
MOST = 25

_DEEP: Any = {}
for _level in range(300):
    _DEEP = {"a": _DEEP} if _level % 2 else [_DEEP]

TEXTS = [
    *(
        "",
        " ",
        "\0",
        "a\0b",
        "\ud800",
        "a\udfffb",
        "\u202e",
        "\n",
        "x" * 300,
        "é" * 20_000,
        "{{ 7*7 }}",
        "{% x",
        "%s%n",
    ),
    *(
        "' OR 1=1 --",
        "<script>x</script>",
        "../../etc/passwd",
        "\uff11",
        "\u00b2",
        "NaN",
        "1e999",
        "2027-02-30",
        "a@b",
        "=1+1",
    ),
]
NUMBERS: list[Any] = [
    0,
    -1,
    1,
    2**31 - 1,
    -(2**31),
    2**31,
    2**63,
    10**30,
    1.5,
    1e308,
    float("nan"),
    float("inf"),
    -1e-320,
]
OTHERS: list[Any] = [None, True, "5", [], {}, [None], {"": None}]
MOMENTS = [
    *("", "x", "2027-01-31", "2027-01-31T09:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
    *("2027-02-30T00:00:00Z", "275760-09-13T00:00:00Z", "-0001-01-01T00:00:00Z", "2027-01-31T09:00:00+99:99", 0, 1e20),
]
IDS = [
    *(
        "0",
        "-1",
        "1\0",
        "999999999",
        "9223372036854775807",
        "9223372036854775808",
        "9" * 400,
        "\uff11",
        "\u00b2",
        "1 ",
        " ",
        "x",
    ),
    *("1:1", "default", "\udc00".encode("utf-8", "surrogatepass").decode("latin-1")),
]
TREES: list[Any] = [
    {},
    [],
    "x",
    5,
    1e308,
    float("nan"),
    _DEEP,
    {"\0": 1},
    {"a\ud800": "\0"},
    [[]] * 1_000,
    {"type": "x"},
]
LEAVES: list[Any] = [
    None,
    "",
    "\0",
    "\ud800",
    "x" * 5_000,
    -1,
    0,
    2**63,
    1e308,
    float("nan"),
    True,
    [],
    {},
    [{}],
    ["x"],
]


def _values(kind: Any, good: Any) -> Iterator[Any]:
    """Give what to put in the place of a good value."""
    name = inner(kind).name
    yield from OTHERS
    if str(kind).strip("!").startswith("["):
        yield from ([None], [good, 5], (good or [""]) * 2, (good or [""]) * 1_500)
    match name:
        case "ID":
            yield from TEXTS
            yield from (to_global(given, key) for given in ("CrmCampaign", "Product", "") for key in ("1", "x"))
            yield from (to_global(_kind_of(good), key) for key in IDS)
        case "Int" | "Float" | "Decimal":
            yield from [*NUMBERS, *TEXTS[:6]]
        case "DateTime" | "Date":
            yield from MOMENTS
        case "JSON":
            yield from TREES
            yield from _bent(good)
        case "String":
            yield from [*TEXTS, *NUMBERS]
        case _:  # a switch, or a word of a closed set
            yield from ["", "NOPE", "x\0", 5, 1.5]


def _kind_of(good: Any) -> str:
    text = good[0] if isinstance(good, list) else good
    return b64decode(text or "").decode().partition(":")[0]


def _bent(good: Any) -> Iterator[Any]:
    """Give the tree with something else in the place of each of its leaves and branches, and with one branch more."""
    if isinstance(good, dict):
        yield {**good, "unheard_of": 1}
        for key, value in good.items():
            for other in (*LEAVES, *_bent(value)):
                yield {**good, key: other}
    elif isinstance(good, list):
        for place, value in enumerate(good):
            for other in (*LEAVES, *_bent(value)):
                yield [*good[:place], other, *good[place + 1 :]]


def _variations(call: Call, arguments: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give the variables of a call with one value changed; of inputs, with one of their fields changed."""
    for key, argument in arguments.items():
        good = call.variables.get(key)
        fields = getattr(inner(argument.type), "fields", None)
        if fields is None:
            for value in _values(argument.type, good):
                yield {**call.variables, key: value}
            continue
        for value in (*OTHERS, {"unheardOf": 1}):
            yield {**call.variables, key: value}
        is_list = isinstance(good, list)
        rest, one = (good[1:], good[0]) if is_list and good else ([], good if isinstance(good, dict) else {})
        for inside in _variations(Call(call.caller, one), fields):
            yield {**call.variables, key: [inside, *rest] if is_list or good is None else inside}


def _some(variations: Iterator[dict[str, Any]], *, of: str) -> list[dict[str, Any]]:
    """Choose among them, for one commit always the same; ``CRM_HOSTILE=all`` in the environment: every one of them."""
    found = list(variations)
    is_all = os.environ.get("CRM_HOSTILE") == "all"
    return found if is_all or len(found) <= MOST else random.Random(of).sample(found, MOST)  # noqa: S311


def _state() -> dict[str, str]:
    """Return a digest of every table of ours."""
    tables = sorted(model._meta.db_table for model in apps.get_app_config("crm_plugin").get_models())
    parts = (
        f"SELECT '{name}', md5(coalesce(string_agg(r::text, ' ' ORDER BY r::text), '')) FROM {name} r"  # noqa: S608
        for name in tables
    )
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts))
        return dict(cursor.fetchall())


@pytest.fixture
def world(shop: FakeShop, settings: Any, tmp_path: Path) -> World:
    settings.MEDIA_ROOT = str(tmp_path)
    return World(shop)


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    client = Client(raise_request_exception=True)
    client.cookies["csrftoken"] = "t" * 32

    def call(name: str, call: Call) -> Any:
        monkeypatch.setattr(HttpRequest, "actor", call.caller, raising=False)
        body = json.dumps({"query": mutation_of(name), "variables": call.variables})
        answer = client.post("/crm/graphql/", body, content_type="application/json", headers={"X-CSRFToken": "t" * 32})
        assert answer.status_code in (200, 400, 413), answer.content
        return answer.json()

    return call


def test_every_mutation_has_a_call_here_that_goes_well(world: World, post: Callable[..., Any]) -> None:
    calls = world.calls()
    assert set(calls) == set(MUTATIONS)

    wrong = {}
    for name, call in calls.items():
        with transaction.atomic():
            answer = post(name, call)
            if answer != {"data": {name: {"errors": []}}}:
                wrong[name] = answer
            transaction.set_rollback(True)

    assert not wrong, wrong


@pytest.mark.parametrize("name", sorted(MUTATIONS))
def test_what_is_wrong_is_refused_in_words_and_leaves_nothing(
    name: str, world: World, post: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    call, before = world.calls()[name], _state()
    words = {
        *MUTATIONS[name].args,
        *(key for one in MUTATIONS[name].args.values() for key in getattr(inner(one.type), "fields", ())),
    }

    for variables in _some(_variations(call, MUTATIONS[name].args), of=name):
        with transaction.atomic():
            answer = post(name, Call(call.caller, variables))
            refused = answer.get("errors") or (answer["data"][name] or {}).get("errors")
            told = repr(variables)[:500], answer
            assert "Internal" not in json.dumps(answer), told
            for one in refused if "errors" not in answer else ():
                assert one["message"].strip(), told
                assert one["code"] in ErrorCode.__members__, told
                assert one["field"] is None or one["field"].partition(".")[0] in words, told
            transaction.set_rollback(not refused)  # what was refused has to leave nothing by itself

    assert _state() == before
    assert [record for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}] == []
