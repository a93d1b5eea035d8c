"""Reading the CSV file of a list: what a merchant's spreadsheet saves, whatever its encoding and its separator.

A file that cannot be read as a whole is refused with the line where it breaks. A line that is wrong by itself keeps its
problem, and the others go on. Cells are text and nothing else; what looks like a formula is no address.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any, Final

from crm_plugin.contacts import AttributeKind, normalize_email
from crm_plugin.errors import InvalidInput

MAX_IMPORT_BYTES: Final = 10_000_000
MAX_LINES: Final = 200_000
COLUMNS: Final = ("customer_id", "email")

_MAX_ID: Final = 64
_SEPARATORS: Final = ",;\t"
_FIELD: Final = "content"
#: How spreadsheets and people write yes and no.
_TRUTH: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
#: Characters above this take three bytes or more in UTF-8, as Korean does: they are not there by accident.
_TWO_BYTES: Final = 0x7FF


@dataclass(frozen=True, slots=True)
class Line:
    """One person of the file, by the number of the line as an editor counts.

    Attributes:
        values: what the further columns say, by attribute; empty cells are left out.
        problem: why the line is refused.
    """

    number: int
    customer_id: str = ""
    email: str = ""
    problem: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


def read(content: bytes, *, kinds: Mapping[str, str] = MappingProxyType({})) -> list[Line]:
    """Return the lines of a file, the header and empty ones left out.

    Args:
        content: of the file.
        kinds: of the attributes by name; they may be columns too.

    Raises:
        InvalidInput: when the file cannot be read as a whole; the message names the line.
    """
    if len(content) > MAX_IMPORT_BYTES:
        raise InvalidInput(f"The file is larger than {MAX_IMPORT_BYTES} bytes.", field=_FIELD, code="LIMIT")
    text = _decode(content)
    if "\0" in text:
        number = text.count("\n", 0, text.index("\0")) + 1
        raise _unreadable(f"Line {number} has a NUL character: this is no text file.")
    separator = max(_SEPARATORS, key=text.partition("\n")[0].count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    lines: list[Line] = []
    seen: dict[str, int] = {}
    try:
        columns = _columns(next(rows, []), kinds)
        first = rows.line_num + 1
        for cells in rows:
            if any(cell.strip() for cell in cells):
                lines.append(_line(first, cells, columns, seen, kinds))
            if len(lines) > MAX_LINES:
                raise InvalidInput(f"The file has more than {MAX_LINES} lines; split it.", field=_FIELD, code="LIMIT")
            first = rows.line_num + 1
    except csv.Error as error:
        raise _unreadable(f"Line {rows.line_num} is no CSV: {error}.") from error
    return lines


def _columns(header: Sequence[str], kinds: Mapping[str, str]) -> list[str]:
    names = [cell.strip().lower() for cell in header]
    wanted = " and ".join(COLUMNS)
    if not any(names) or kinds.keys() >= set(names):
        raise _unreadable(f"The first line must name the columns: {wanted}, or one of them.")
    unknown = [name for name in names if name not in COLUMNS and name not in kinds]
    if unknown:
        shown = ", ".join(repr(name[:40]) for name in unknown[:5])
        raise _unreadable(f"Unknown columns: {shown}. A list has {wanted}, or one of them, and declared attributes.")
    if len(set(names)) < len(names):
        raise _unreadable("A column is there twice.")
    return names


def _line(
    number: int, cells: Sequence[str], columns: Sequence[str], seen: dict[str, int], kinds: Mapping[str, str]
) -> Line:
    if len(cells) != len(columns):
        return Line(number, problem=f"It has {len(cells)} cells; the header has {len(columns)}.")
    values = dict(zip(columns, (cell.strip() for cell in cells), strict=True))
    customer_id, written = values.get("customer_id", ""), values.get("email", "")
    email = normalize_email(written)
    if written and not email:
        return Line(number, problem="This is not an e-mail address.")
    if not (customer_id or email):
        return Line(number, problem="It names nobody: neither e-mail nor customer id.")
    if len(customer_id) > _MAX_ID or not customer_id.isprintable():
        return Line(number, problem="This is not a customer id.")
    keys = [f"id {customer_id}"] * bool(customer_id) + [f"email {email}"] * bool(email)
    earlier = min((seen[key] for key in keys if key in seen), default=None)
    if earlier is not None:
        return Line(number, problem=f"The same person as in line {earlier}.")
    seen.update(dict.fromkeys(keys, number))
    told = {name: _value(kinds[name], text) for name, text in values.items() if name not in COLUMNS and text}
    return Line(number, customer_id, email, values=told)


def _value(kind: str, text: str) -> Any:
    """Return a cell as the value of an attribute; one that is not of its kind stays a text, which is refused later."""
    match AttributeKind(kind):
        case AttributeKind.NUMBER:
            try:
                return Decimal(text)
            except InvalidOperation:
                return text
        case AttributeKind.BOOLEAN:
            return _TRUTH.get(text.lower(), text)
        case AttributeKind.TAGS:
            return [word for word in text.split("|") if word.strip()]
        case _:
            return text


def _decode(content: bytes) -> str:
    """Return the text of UTF-8, of UTF-16 that says so, or of CP949, in which Korean spreadsheets save."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return content.decode("utf-16")
        except UnicodeDecodeError:
            raise _unreadable("The file says that it is UTF-16, and is not.") from None
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return _decode_korean(content)


def _decode_korean(content: bytes) -> str:
    lines = content.split(b"\n")
    is_utf8 = [_is(line, "utf-8") for line in lines]
    broken = is_utf8.count(False)
    accented = [line.decode() for line, is_right in zip(lines, is_utf8, strict=True) if is_right and not line.isascii()]
    if len(accented) >= broken or any(max(map(ord, text)) > _TWO_BYTES for text in accented):
        number = is_utf8.index(False) + 1
        raise _unreadable(f"Line {number} is not UTF-8, though others are: the file mixes encodings. Save it as UTF-8.")
    for number, line in enumerate(lines, start=1):
        if not _is(line, "cp949"):
            raise _unreadable(f"Line {number} is neither UTF-8 nor CP949. Save the file as UTF-8.")
    return content.decode("cp949")


def _is(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _unreadable(message: str) -> InvalidInput:
    return InvalidInput(message, field=_FIELD)
