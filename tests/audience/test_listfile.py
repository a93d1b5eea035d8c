"""What a merchant's spreadsheet may be, and what is said of the rest."""

from __future__ import annotations

import codecs
import time
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_plugin.audience.listfile import MAX_IMPORT_BYTES, MAX_LINES, Line, read
from crm_plugin.errors import InvalidInput


def refusal(content: bytes) -> str:
    with pytest.raises(InvalidInput) as caught:
        read(content)
    assert caught.value.field == "content"
    return caught.value.message


@pytest.mark.parametrize(
    "content",
    [
        b"email\nAnn@Example.com\n",
        b"email\r\nann@example.com\r\n",
        b"email\rann@example.com",
        codecs.BOM_UTF8 + b"EMAIL\nann@example.com",
        "email\nann@example.com\n".encode("utf-16"),
        codecs.BOM_UTF16_BE + "email\nann@example.com\n".encode("utf-16-be"),
        b'"email"\n"ann@example.com"\n',
        b" Email \n  ann@example.com  \n",
        b"email\n\n\nann@example.com\n   \n",
    ],
    ids=["lf", "crlf", "cr", "utf-8 with bom", "utf-16", "utf-16 be", "quotes", "spaces", "empty lines"],
)
def test_every_way_in_which_a_spreadsheet_saves_is_read(content: bytes) -> None:
    assert [line.email for line in read(content)] == ["ann@example.com"]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_both_columns_in_any_order_with_any_separator(separator: str) -> None:
    rows = (("email", "Customer_ID"), ("ann@example.com", "7"), ("", "8"), ("ben@example.com", ""))
    content = "\n".join(separator.join(row) for row in rows).encode()

    assert read(content) == [Line(2, "7", "ann@example.com"), Line(3, "8", ""), Line(4, "", "ben@example.com")]


def test_lines_are_numbered_as_in_an_editor_also_behind_a_cell_of_two_lines() -> None:
    content = b'customer_id,email\n7,ann@example.com\n"8\n9",ben@example.com\n10,cem@example.com\n'

    assert [(line.number, line.customer_id, bool(line.problem)) for line in read(content)] == [
        (2, "7", False),
        (3, "", True),
        (5, "10", False),
    ]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("x,not an address", "This is not an e-mail address."),
        (",=HYPERLINK(1)", "This is not an e-mail address."),
        (",", ""),
        ('" "," "', ""),
        ("7", "It has 1 cells; the header has 2."),
        ("7,ann@example.com,8", "It has 3 cells; the header has 2."),
        ("x" * 65 + ",", "This is not a customer id."),
        ("a\x07b,", "This is not a customer id."),
        (",ANN@example.com", "The same person as in line 2."),
        ("1,other@example.com", "The same person as in line 2."),
    ],
)
def test_a_line_that_is_wrong_says_why_and_the_others_go_on(line: str, problem: str) -> None:
    lines = read(f"customer_id,email\n1,ann@example.com\n{line}\n,ben@example.com\n".encode())

    assert [one.email for one in lines if not one.problem] == ["ann@example.com", "ben@example.com"]
    assert [one.problem for one in lines if one.problem] == [problem] * bool(problem)


def test_what_looks_like_a_formula_is_just_text() -> None:
    assert read(b"customer_id\n=1+1\n@SUM(A1)\n") == [Line(2, "=1+1"), Line(3, "@SUM(A1)")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "The first line must name the columns"),
        (b"\n\n", "The first line must name the columns"),
        (b"ann@example.com\n", "Unknown columns: 'ann@example.com'."),
        (b"email,first_name,Phone\n", "Unknown columns: 'first_name', 'phone'."),
        (b"email,email\n", "A column is there twice."),
        (b"email\nann@\0example.com\n", "Line 2 has a NUL character"),
        (b"email\n1\n2\n\0\n", "Line 4 has a NUL character"),
        ("email\nann@example.com\n".encode("utf-16-le"), "Line 1 has a NUL character"),
        (codecs.BOM_UTF16_LE + b"\x00\xd8\n", "The file says that it is UTF-16"),
        (b'email\n"ann@example.com\nben@example.com\n', "Line 3 is no CSV"),
        (b'email\n"ann"@example.com\n', "Line 2 is no CSV"),
        (b"email\nann@b\xe9b\xe9.com\n", "Line 2 is neither UTF-8 nor CP949"),
    ],
)
def test_a_file_that_cannot_be_read_says_where(content: bytes, said: str) -> None:
    assert refusal(content).startswith(said)


def test_korean_of_an_old_spreadsheet_is_read_and_a_mixture_names_the_line() -> None:
    header, korean = "customer_id\n", "김철수\n"
    old = read((header + korean * 1 + "이영희\n").encode("cp949"))
    mixed = header.encode() + "김철수\n".encode() + "이영희\n".encode("cp949") + "박민수\n".encode()
    accented = header.encode() + "josé\n".encode() + "이영희\n".encode("cp949")

    assert [line.customer_id for line in old] == ["김철수", "이영희"]
    for content in (mixed, accented):
        assert refusal(content).startswith("Line 3 is not UTF-8, though others are: the file mixes encodings.")


def test_too_much_is_refused() -> None:
    assert refusal(b"x" * (MAX_IMPORT_BYTES + 1)) == "The file is larger than 10000000 bytes."
    lines = b"".join(b"%d\n" % number for number in range(MAX_LINES + 1))
    assert refusal(b"customer_id\n" + lines) == "The file has more than 200000 lines; split it."
    assert refusal(b"email\n" + b"x" * 200_000).startswith("Line 2 is no CSV: field larger than field limit")


def test_the_largest_file_is_read_in_seconds_and_bounded_memory() -> None:
    content = b"email\n" + b"".join(b"somebody-with-a-long-name-%06d@example.com\n" % n for n in range(MAX_LINES))
    tracemalloc.start()
    started = time.monotonic()
    lines = read(content)
    took, (_now, most) = time.monotonic() - started, tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(lines) == MAX_LINES
    assert took < 60  # mostly the tracing
    assert most < 300_000_000


@given(content=st.binary(max_size=200), start=st.sampled_from([b"", b"email\n", b"customer_id,email\n"]))
def test_whatever_is_in_the_file_it_is_read_or_refused(content: bytes, start: bytes) -> None:
    lines = []
    with suppress(InvalidInput):
        lines = read(start + content)

    assert all(line.problem or line.email or line.customer_id for line in lines)
    assert not any("\0" in line.customer_id for line in lines)
