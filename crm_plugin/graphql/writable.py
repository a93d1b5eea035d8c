"""What no column of the database can hold, refused wherever in the arguments of a field it stands."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from graphene.utils.str_converters import to_camel_case

from crm_plugin.errors import InvalidInput

_TEXT = "This holds a character that no text can: NUL, or one half of a pair (a lone surrogate)."
_NUMBER = "This is no finite number."


def refuse_unwritable(arguments: Mapping[str, Any]) -> None:
    """Look through the arguments of a field: texts, names inside JSON, numbers.

    Raises:
        InvalidInput: with the path of what cannot be kept; what stands in `input` is named without that word.
    """
    ahead = [("" if name == "input" else name, value) for name, value in arguments.items()]
    while ahead:
        path, value = ahead.pop()
        match value:
            case str() if not _is_text(value):
                raise InvalidInput(_TEXT, field=path, code="CHARACTER")
            case float() | Decimal() if not math.isfinite(value):
                raise InvalidInput(_NUMBER, field=path)
            case dict():
                if not all(_is_text(str(key)) for key in value):
                    raise InvalidInput(_TEXT, field=path, code="CHARACTER")
                ahead += _inside(path, value)
            case list():
                ahead += ((f"{path}.{place}", one) for place, one in enumerate(value))
            case _:
                pass


def _inside(path: str, value: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Give what an object holds; the names of an input's fields are the API's, those inside JSON the client's own."""
    is_json = type(value) is dict
    for key, one in value.items():
        # The first word of a path is put into the API's spelling where the error is told.
        name = key if is_json or not path else to_camel_case(key)
        yield f"{path}.{name}".lstrip("."), one


def _is_text(value: str) -> bool:
    if value.isascii():
        return "\0" not in value
    try:
        return b"\0" not in value.encode()
    except UnicodeEncodeError:
        return False
