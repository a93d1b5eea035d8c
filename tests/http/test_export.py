"""The file of an export: once, for five minutes, for whoever has the link; and the log says so."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.db import connections
from django.test import AsyncClient, Client

from crm_plugin import audience, clock, contacts, ids
from crm_plugin.audience import AudienceRule
from crm_plugin.contacts import Person
from crm_plugin.models import Contact, Export
from tests.fake_shop import FakeShop

EVERYBODY = {"include": {"type": "everybody"}}
KOREANS = {"include": {"type": "attribute", "name": "country", "op": "is", "value": "KR"}}

Start = Callable[..., str]


@pytest.fixture
def start(fake_shop: FakeShop) -> Start:
    """Ask for an export and return the path of its file."""

    def start(rule: Any = EVERYBODY) -> str:
        export = audience.start_export(AudienceRule.parse(rule), "user:92")
        url, _expires_at = audience.export_link(export)
        return url.removeprefix("https://shop.example")

    return start


def _person(email: str, **columns: Any) -> Contact:
    contact = contacts.get_or_create(Person("", email))
    Contact.objects.filter(pk=contact.pk).update(**columns)
    return contact


def _rows(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))


@pytest.mark.django_db
def test_the_file_has_a_row_for_everybody_whom_the_preview_counts(client: Client, start: Start) -> None:
    for number in range(12):
        _person(f"p{number}@example.com", country="KR" if number % 3 else "DE")

    answer = client.get(start(KOREANS))

    content = answer.getvalue()
    header, *rows = _rows(content)
    assert content.startswith(b"\xef\xbb\xbf")
    assert len(rows) == audience.preview(AudienceRule.parse(KOREANS)).count == 8
    assert {row[header.index("country")] for row in rows} == {"KR"}
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"].startswith('attachment; filename="crm-export-')
    assert "no-store" in answer["Cache-Control"]
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer.cookies == {}


@pytest.mark.django_db
def test_the_log_says_when_it_was_fetched_and_how_many_rows_it_had(client: Client, start: Start) -> None:
    _person("ann@example.com")
    path = start()
    before = Export.objects.get()

    answer = client.get(path)
    begun = Export.objects.get()
    answer.getvalue()

    ended = Export.objects.get()
    assert (before.fetched_at, before.rows_count) == (None, None)
    assert (begun.fetched_at is not None, begun.rows_count) == (True, None)
    assert (ended.fetched_at, ended.rows_count, ended.actor) == (begun.fetched_at, 1, "user:92")


@pytest.mark.django_db
def test_the_link_works_once(client: Client, start: Start) -> None:
    _person("ann@example.com")
    path = start()

    first, second = client.get(path), client.get(path)

    assert (first.status_code, second.status_code) == (200, 410)
    assert b"ann@" not in second.content


@pytest.mark.django_db
def test_the_link_works_for_five_minutes(client: Client, start: Start) -> None:
    in_time, late = start(), start()

    with clock.travel(by=timedelta(minutes=4, seconds=58)):
        early = client.get(in_time)
    with clock.travel(by=timedelta(minutes=5)):
        answer = client.get(late)

    assert (early.status_code, answer.status_code) == (200, 410)
    assert Export.objects.filter(fetched_at=None).count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("change", [lambda token: token[:-1], lambda token: f"1{token}", lambda _token: "x" * 400])
def test_a_forged_link_is_a_wrong_address(client: Client, start: Start, change: Callable[[str], str]) -> None:
    token = start().removeprefix("/crm/export/").removesuffix(".csv")

    answer = client.get(f"/crm/export/{change(token)}.csv")

    assert answer.status_code == 404
    assert Export.objects.get().fetched_at is None


@pytest.mark.django_db
def test_a_link_to_something_else_is_no_link_to_an_export(client: Client, start: Start) -> None:
    start()
    value = f"{Export.objects.get().pk}.99999999999"

    answer = client.get(f"/crm/export/{ids.sign('unsubscribe', value)}.csv")

    assert answer.status_code == 404


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "status"), [("head", 405), ("post", 405), ("put", 405)])
def test_only_get_uses_the_link(client: Client, start: Start, method: str, status: int) -> None:
    path = start()

    assert getattr(client, method)(path).status_code == status
    assert client.get(path).status_code == 200


@pytest.mark.django_db
def test_nothing_is_served_while_the_crm_is_off(client: Client, start: Start, fake_shop: FakeShop) -> None:
    path = start()
    fake_shop.is_enabled = False

    assert client.get(path).status_code == 404
    assert Export.objects.get().fetched_at is None


@pytest.mark.django_db
def test_what_can_no_longer_be_asked_is_said_before_a_file_begins(client: Client, start: Start) -> None:
    segment = audience.create_segment("Koreans", KOREANS)
    path = start({"include": {"type": "segment", "segment": segment.pk}})
    audience.archive_segment(segment.pk)

    answer = client.get(path)

    assert answer.status_code == 410
    assert Export.objects.get().rows_count is None


@pytest.mark.django_db
def test_no_cell_is_a_formula(client: Client, start: Start) -> None:
    _person("ann@example.com", first_name='=HYPERLINK("http://evil.example")', last_name="@SUM(1)", language="+1")

    header, row = _rows(client.get(start()).getvalue())

    cells = dict(zip(header, row, strict=True))
    assert cells["first_name"] == '\'=HYPERLINK("http://evil.example")'
    assert (cells["last_name"], cells["language"]) == ("'@SUM(1)", "'+1")


@pytest.mark.django_db
def test_a_visitor_is_in_no_export(client: Client, start: Start) -> None:
    _person("ann@example.com")
    Contact.objects.create(created_at=clock.now())

    assert len(_rows(client.get(start()).getvalue())) == 2


@pytest.mark.django_db
def test_a_file_of_many_chunks_is_whole(client: Client, start: Start) -> None:
    Contact.objects.bulk_create(Contact(email=f"p{n}@example.com", created_at=clock.now()) for n in range(2_500))
    answer = client.get(start())

    chunks = list(answer.streaming_content)

    _header, *rows = _rows(b"".join(chunks))
    assert len(chunks) == 3
    assert {row[1] for row in rows} == {f"p{n}@example.com" for n in range(2_500)}
    assert Export.objects.get().rows_count == 2_500


@pytest.mark.django_db(transaction=True)
def test_under_asgi_the_file_is_sent_chunk_by_chunk_too(start: Start) -> None:
    Contact.objects.bulk_create(Contact(email=f"p{n}@example.com", created_at=clock.now()) for n in range(1_500))
    path = start()

    async def fetch() -> list[bytes]:
        answer = await AsyncClient().get(path)
        assert isinstance(answer.asgi_request, ASGIRequest)
        chunks = [chunk async for chunk in answer.streaming_content]
        await sync_to_async(connections.close_all)()  # those of the thread in which Django runs what is not async
        return chunks

    chunks = asyncio.run(fetch())

    assert [len(_rows(chunk)) for chunk in chunks] == [1_000, 501]
    assert Export.objects.get().rows_count == 1_500
