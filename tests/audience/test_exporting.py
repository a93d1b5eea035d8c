"""Exporting an audience: as many rows as a preview counts, readable and harmless in a spreadsheet, and logged."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import pytest

from crm_plugin import audience, clock, contacts, persons, pipeline
from crm_plugin.audience import AudienceRule, Export
from crm_plugin.models import Contact
from tests.audience.living import EVERYBODY, did, does, guest

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_shop")]
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def export(include: object = EVERYBODY) -> Export:
    return audience.start_export(AudienceRule.parse({"include": include}), "user:7")


def cells(made: Export) -> list[list[str]]:
    content = audience.csv_of(audience.export_rows(made), is_first=True).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(content, newline="")))


def test_the_log_says_who_asked_for_what_before_anything_is_read() -> None:
    with clock.travel(to=NOON):
        made = export(did("liked"))

    assert (made.actor, made.created_at, made.rows_count) == ("user:7", NOON, None)
    assert made.what == {"audience": {"include": did("liked")}}


def test_there_are_as_many_rows_as_the_preview_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(7):
        guest(f"{n}@example.com")
        if n % 2:
            does(f"{n}@example.com", "liked", product_id="1")
    Contact.objects.create(created_at=clock.now())  # a visitor whom nobody knows
    pipeline.pump()
    persons.erase(email="5@example.com")

    rows = cells(export(did("liked")))[1:]

    assert len(rows) == audience.preview(AudienceRule.parse({"include": did("liked")})).count == 2
    assert [row[1] for row in rows] == ["1@example.com", "3@example.com"]


def test_a_row_is_the_contact_with_the_attributes_that_were_declared() -> None:
    contacts.declare_attribute("points", "number", "Points")
    contacts.declare_attribute("tags", "tags", "Tags")
    contacts.declare_attribute("vip", "boolean", "VIP")
    with clock.travel(to=NOON):
        pk = guest("ann@example.com")
        contacts.set_attributes(pk, {"points": -3, "tags": ["a", "b"], "vip": True})
        Contact.objects.filter(pk=pk).update(first_name="앤", last_seen_at=NOON)

    header, row = cells(export())
    found = dict(zip(header, row, strict=True))

    assert found == {
        "customer_id": "",
        "email": "ann@example.com",
        "first_name": "앤",
        "last_name": "",
        "language": "",
        "country": "",
        "orders_count": "0",
        "first_order_at": "",
        "last_order_at": "",
        "last_seen_at": "2026-06-01T12:00:00+00:00",
        "joined_at": "",
        "points": "-3",
        "tags": "a; b",
        "vip": "true",
    }


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+82 10", "'+82 10"),
        ("-cmd|' /C calc'!A0", "'-cmd|' /C calc'!A0"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("＝1", "'＝1"),  # noqa: RUF001 - a wide equals sign
        ("-3", "-3"),
        ("-3.5", "-3.5"),
        ("a=1", "a=1"),
        ("", ""),
        ('say "hi", twice\r\n', 'say "hi", twice\r\n'),
    ],
)
def test_no_cell_is_a_formula_and_quotes_survive(cell: str, written: str) -> None:
    content = audience.csv_of([[cell, "end"]]).decode()

    assert next(csv.reader(io.StringIO(content, newline=""))) == [written, "end"]


def test_the_file_begins_with_a_mark_by_which_spreadsheets_know_utf_8() -> None:
    assert audience.csv_of([["é"]], is_first=True) == b"\xef\xbb\xbf" + "é\r\n".encode()
    assert audience.csv_of([["é"]]) == "é\r\n".encode()


def test_a_formula_in_a_name_is_harmless_in_the_file() -> None:
    Contact.objects.filter(pk=guest("ann@example.com")).update(first_name='=HYPERLINK("http://x")')

    assert cells(export())[1][2] == '\'=HYPERLINK("http://x")'
