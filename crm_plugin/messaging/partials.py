"""Partials: pieces of content that several templates share, written ``{% render "name" %}``.

A partial is put in where it is named when a template is saved, and never afterwards: what was published stays as it
was, also when the partial is changed or deleted later.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

from django.db.models import QuerySet
from pydantic import Field, StringConstraints, TypeAdapter, ValidationError

from crm_plugin import clock
from crm_plugin.errors import InvalidInput, NotFound
from crm_plugin.messaging import liquid
from crm_plugin.messaging.contents import Content
from crm_plugin.messaging.languages import base_of
from crm_plugin.messaging.models import Partial

#: Partials inside partials.
MAX_DEPTH: Final = 5
#: What one field may become.
MAX_EXPANDED: Final = 400_000
MAX_PARTIALS: Final = 200
NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_RENDER = re.compile(r"""\{%-?\s*render\s+(["'])([^"']{0,60})\1\s*-?%\}""")
_Language = Annotated[str, StringConstraints(pattern=r"^([a-z]{2,3}([-_][A-Za-z0-9]{2,8})*)?$", max_length=12)]
_Text = Annotated[str, StringConstraints(min_length=1, max_length=20_000, pattern=r"^[^\x00]*$")]
_SOURCE: Final = TypeAdapter(Annotated[dict[_Language, _Text], Field(min_length=1, max_length=50)])

Lookup = Callable[[str], Mapping[str, str] | None]
"""Returns the languages of a partial; None when there is none of the name."""


def partials() -> QuerySet[Partial]:
    """Return the partials, for lists."""
    return Partial.objects.order_by("name")


def save_partial(name: str, source: object) -> Partial:
    """Keep a partial under its name, in place of what had it before.

    Args:
        name: lower-case letters, digits, ``-`` and ``_``.
        source: Liquid by language code; ``""`` is for every language that has none of its own.

    Raises:
        InvalidInput: with the path of the wrong part (``source.ko``).
    """
    if not NAME.fullmatch(name):
        message = f"{name!r} is no name: take lower-case letters, digits, - and _, at most 40."
        raise InvalidInput(message, field="name")
    read = _read(source)
    if not Partial.objects.filter(name=name).exists() and Partial.objects.count() >= MAX_PARTIALS:
        raise InvalidInput(f"There are {MAX_PARTIALS} partials already; delete one first.", field="name", code="LIMIT")
    for language, text in read.items():
        _check(name, read, language, text)
    kept, _ = Partial.objects.update_or_create(name=name, defaults={"source": read, "updated_at": clock.now()})
    return kept


def delete_partial(name: str) -> None:
    """Delete a partial. Published templates keep their copy; a draft that names it is refused from then on.

    Raises:
        NotFound
    """
    if not Partial.objects.filter(name=name).delete()[0]:
        raise NotFound(f"There is no partial {name!r}.")


def put_in(content: Content, *, language: str) -> Content:
    """Return a content with its partials put in.

    Raises:
        InvalidInput: with the path of the field within the content.
    """
    plain = content.model_dump()
    if not _names_any(plain):
        return content
    expanded = rewritten(plain, "", lambda text, field: expand(text, language=language, field=field, lookup=_stored))
    try:
        return type(content).model_validate(expanded)
    except ValidationError as error:
        path = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise InvalidInput(f"With its partials put in: {error.errors()[0]['msg']}", field=path) from error


def expand(text: str, *, language: str, field: str, lookup: Lookup) -> str:
    """Return Liquid with the partials that it names put in.

    Raises:
        InvalidInput: when a partial is unknown, stands inside itself, or it becomes too much.
    """
    return _expand(text, language, field, lookup, ())


def _expand(text: str, language: str, field: str, lookup: Lookup, inside: tuple[str, ...]) -> str:
    def put(match: re.Match[str]) -> str:
        name = match[2]
        if name in inside:
            ways = " > ".join((*inside, name))
            raise InvalidInput(f"The partial {name!r} stands inside itself: {ways}.", field=field, code="CYCLE")
        if len(inside) >= MAX_DEPTH:
            message = f"Partials stand inside each other deeper than {MAX_DEPTH}."
            raise InvalidInput(message, field=field, code="LIMIT")
        source = lookup(name)
        if source is None:
            raise InvalidInput(f"There is no partial {name!r}.", field=field, code="UNKNOWN_PARTIAL")
        return _expand(_chosen(name, source, language, field), language, field, lookup, (*inside, name))

    expanded, left = [], MAX_EXPANDED
    at = 0
    for match in _RENDER.finditer(text):
        piece = text[at : match.start()] + put(match)
        at, left = match.end(), left - len(piece)
        if left < 0:
            break
        expanded.append(piece)
    if left < 0 or len(text) - at > left:
        raise InvalidInput("With its partials put in, it is too long.", field=field, code="LIMIT")
    return "".join((*expanded, text[at:]))


def _chosen(name: str, source: Mapping[str, str], language: str, field: str) -> str:
    for code in (language, base_of(language), ""):
        if code in source:
            return source[code]
    message = f"The partial {name!r} has nothing for the language {language!r}."
    raise InvalidInput(message, field=field, code="UNKNOWN_PARTIAL")


def _stored(name: str) -> Mapping[str, str] | None:
    return Partial.objects.filter(name=name).values_list("source", flat=True).first()


def _read(source: object) -> dict[str, str]:
    try:
        return _SOURCE.validate_python(source)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(["source", *(str(part) for part in first["loc"] if part != "[key]")])
        raise InvalidInput(first["msg"], field=path) from error


def _check(name: str, read: Mapping[str, str], language: str, text: str) -> None:
    """Try the partial as templates will use it; which variables it may name depends on where it stands."""
    field = f"source.{language}".rstrip(".")

    def lookup(wanted: str) -> Mapping[str, str] | None:
        return read if wanted == name else _stored(wanted)

    expanded = _expand(text, language, field, lookup, (name,))
    try:
        liquid.parse(expanded, escapes=False)
    except liquid.LiquidError as error:
        raise InvalidInput(str(error), field=field, code="LIQUID") from error


def _names_any(value: Any) -> bool:
    if isinstance(value, str):
        return bool(_RENDER.search(value))
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return any(_names_any(one) for one in inner)


def rewritten(value: Any, path: str, change: Callable[[str, str], str]) -> Any:
    """Return a copy of plain data in which every text is what ``change`` makes of it and of its path."""
    match value:
        case str():
            return change(value, path)
        case Mapping():
            return {key: rewritten(one, f"{path}.{key}".lstrip("."), change) for key, one in value.items()}
        case list() | tuple():
            return [rewritten(one, f"{path}.{at}".lstrip("."), change) for at, one in enumerate(value)]
        case _:
            return value


__all__ = ["delete_partial", "expand", "partials", "put_in", "rewritten", "save_partial"]
