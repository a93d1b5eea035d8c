"""What a merchant writes for one Send step: checked as a whole, compiled once, kept for ever."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Annotated, Any

from babel import Locale, UnknownLocaleError
from pydantic import AfterValidator, Field, StringConstraints, TypeAdapter, ValidationError

from crm_plugin import clock
from crm_plugin.contacts import ChannelKind
from crm_plugin.errors import InvalidInput
from crm_plugin.messaging import liquid, partials, variables
from crm_plugin.messaging.contents import CONTENTS, Content, ContentTooLong
from crm_plugin.messaging.contents.blocks import TAGS
from crm_plugin.messaging.models import MessageClass, Template
from crm_plugin.messaging.sampling import sample_stamp, sample_values

#: Part of every digest: templates are compiled anew when the compiler learns something.
COMPILER = 3
#: What a model as a whole refuses begins with the name of the field to blame.
_BLAMED = re.compile(r"(\w+): (.+)", re.DOTALL)


def _known(language: str) -> str:
    """Refuse a language in which no number or date could be written."""
    try:
        Locale.parse(language.replace("-", "_"))
    except (UnknownLocaleError, ValueError) as error:
        raise ValueError(
            f"{language!r} is no language that is known here: take a code such as en, ko or pt-BR."
        ) from error
    return language


Language = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z]{2,3}([-_][A-Za-z0-9]{2,8})*$", max_length=12),
    AfterValidator(_known),
]


@dataclass(frozen=True, slots=True)
class TemplateSource:
    """The contents of one channel by language code."""

    channel: ChannelKind
    contents: Mapping[str, Content]

    @classmethod
    def parse(cls, value: object, *, channel: str = ChannelKind.EMAIL) -> TemplateSource:
        """Read a template from plain JSON.

        Raises:
            InvalidInput: with the dotted path of the first wrong field (``en.blocks.3.url``).
        """
        try:
            return cls(ChannelKind(channel), _adapter(channel).validate_python(value))
        except ValidationError as error:
            raise _faults(error)[0] from error

    def check(self, *, message_class: MessageClass = MessageClass.MARKETING) -> dict[str, dict[str, str]]:
        """Return the compiled contents: by language the Liquid of every part.

        Raises:
            InvalidInput: code LIQUID, UNKNOWN_VARIABLE (the message names it), UNKNOWN_PARTIAL, MJML, LIMIT, TOO_LONG
                or UNSUBSCRIBE_URL_MISSING (SENDER_MISSING, CONSENT_TEXT_MISSING), or what the channel's content
                refuses.
        """
        made = {}
        for language, content in self.contents.items():
            wrong, made[language] = _tried(content, language, message_class)
            if wrong:
                raise wrong[0]
        return made

    def expanded(self) -> TemplateSource:
        """Return the template with its partials put in.

        Raises:
            InvalidInput: with the path of the field that names a partial which cannot be.
        """
        contents = {language: _expanded(content, language) for language, content in self.contents.items()}
        return TemplateSource(self.channel, contents)


def problems(
    value: object, *, channel: str = ChannelKind.EMAIL, message_class: MessageClass = MessageClass.MARKETING
) -> list[InvalidInput]:
    """Return everything that is wrong with a template, each with the path of its field; nothing when it is fine."""
    try:
        contents = _adapter(channel).validate_python(value)
    except ValidationError as error:
        return _faults(error)
    return [wrong for language, one in contents.items() for wrong in _tried(one, language, message_class)[0]]


def template_schema(channel: str) -> dict[str, Any]:
    """Return the JSON Schema of the contents of a channel, for editors."""
    return _adapter(channel).json_schema()


def save_template(source: TemplateSource, *, message_class: MessageClass = MessageClass.MARKETING) -> int:
    """Check, compile and keep a template; return its id. The same source is the same template.

    Args:
        source: the contents by language.
        message_class: an advertisement must offer a way out.

    Raises:
        InvalidInput: see ``TemplateSource.check``.
    """
    compiled = source.check(message_class=message_class)
    plain = {language: content.model_dump(mode="json") for language, content in source.contents.items()}
    key = [COMPILER, source.channel, plain, compiled]
    canonical = json.dumps(key, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    template, _ = Template.objects.get_or_create(
        digest=sha256(canonical.encode()).hexdigest(),
        defaults={"channel": source.channel, "source": plain, "compiled": compiled, "created_at": clock.now()},
    )
    return template.pk


@cache
def _adapter(channel: str) -> TypeAdapter[dict[str, Content]]:
    content: Any = CONTENTS[channel]
    return TypeAdapter(Annotated[dict[Language, content], Field(min_length=1, max_length=50)])


def _faults(error: ValidationError) -> list[InvalidInput]:
    return [_fault(one["loc"], one["msg"].removeprefix("Value error, "), one["type"]) for one in error.errors()]


def _fault(loc: tuple[int | str, ...], message: str, kind: str) -> InvalidInput:
    """Return what pydantic refuses by the path that the merchant sees: kinds of blocks are no part of it."""
    path = [
        str(part)
        for at, part in enumerate(loc)
        if part != "[key]" and not (at and isinstance(loc[at - 1], int) and part in TAGS)
    ]
    blamed = _BLAMED.fullmatch(message) if kind == "value_error" and len(path) == 1 else None
    if blamed:
        path, message = [*path, blamed[1]], blamed[2]
    return InvalidInput(message, field=".".join(path))


def _expanded(content: Content, language: str) -> Content:
    try:
        return partials.put_in(content, language=language)
    except InvalidInput as error:
        raise _within(language, error) from error


def _refuse_nul(text: str, field: str) -> str:
    """Refuse what PostgreSQL cannot keep."""
    if "\0" in text:
        raise InvalidInput("There is a NUL character in it.", field=field)
    return text


def _within(language: str, error: InvalidInput) -> InvalidInput:
    return InvalidInput(error.message, field=f"{language}.{error.field}", code=error.code)


def _tried(content: Content, language: str, message_class: MessageClass) -> tuple[list[InvalidInput], dict[str, str]]:
    """Return what is wrong with a content, and what it is compiled to when nothing is."""
    try:
        partials.rewritten(content.model_dump(), language, _refuse_nul)
        whole = _expanded(content, language)
    except InvalidInput as error:
        return [error], {}
    named: dict[str, frozenset[str]] = {}
    wrong: list[InvalidInput] = []
    for field, source in whole.sources():
        try:
            named[field] = _check_liquid(source, field=f"{language}.{field}")
        except InvalidInput as error:
            wrong.append(error)
    if wrong:
        return wrong, {}
    try:
        whole.check(message_class=message_class, language=language, named=named)
        made = whole.compile(language=language)
        _finish_sample(whole, made, language, message_class)
    except InvalidInput as error:
        return [_within(language, error)], {}
    return [], made


def _finish_sample(content: Content, made: Mapping[str, str], language: str, message_class: MessageClass) -> None:
    """Make a message with made-up values, to see whether one can be made at all."""
    values = sample_values(language=language, channel=content.channel)
    parts = {}
    for part, source in made.items():
        try:
            parts[part] = liquid.parse(source, escapes=part in content.escaped).render(values)
        except liquid.LiquidError as error:
            raise InvalidInput(str(error), field=content.field_of(part), code="LIQUID") from error
    try:
        content.finish(parts, sample_stamp(language=language, channel=content.channel, message_class=message_class))
    except ContentTooLong as error:
        raise InvalidInput(f"Too long: {error}", field=error.field, code="TOO_LONG") from error


def _check_liquid(source: str, *, field: str) -> frozenset[str]:
    """Return the names of the variables used."""
    try:
        template = liquid.parse(source, escapes=False)
        variables.check(template)
        template.render(sample_values(language="en"))
    except variables.UnknownVariable as error:
        raise InvalidInput(f"Unknown variable: {error}.", field=field, code="UNKNOWN_VARIABLE") from error
    except liquid.LimitReached as error:
        raise InvalidInput(f"The template asks for too much: {error}.", field=field, code="LIMIT") from error
    except liquid.UndefinedError as error:
        raise InvalidInput(f"Unknown variable: {error}.", field=field, code="UNKNOWN_VARIABLE") from error
    except liquid.LiquidError as error:
        raise InvalidInput(str(error), field=field, code="LIQUID") from error
    return variables.names(template)


__all__ = ["COMPILER", "TemplateSource", "problems", "save_template", "template_schema"]
