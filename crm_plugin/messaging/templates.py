"""What a merchant writes for one Send step: checked as a whole, compiled once, kept for ever."""

from __future__ import annotations

import json
from hashlib import sha256
from types import SimpleNamespace
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, RootModel, StringConstraints, ValidationError

from crm_plugin import clock
from crm_plugin.errors import InvalidInput
from crm_plugin.messaging import liquid, variables
from crm_plugin.messaging.languages import is_korean
from crm_plugin.messaging.link_rewriting import track_text
from crm_plugin.messaging.mjml import InvalidMjml, compile_mjml
from crm_plugin.messaging.models import MessageClass, Template

#: Variables whose values an advertisement must hold, and what they say.
LEGAL_TEXT = {
    "unsubscribe_url": "how to unsubscribe",
    "sender": "who sends it and how to reach them",
    "consent_text": "why the reader gets it",
}

#: Part of every digest: templates are compiled anew when the compiler learns something.
COMPILER = 1

Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}([-_][A-Za-z0-9]{2,8})*$", max_length=12)]


class Content(BaseModel):
    """A message in one language: Liquid throughout, the body as MJML and as plain text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: str = Field(min_length=1, max_length=300)
    preheader: str = Field("", max_length=300)
    mjml: str = Field(min_length=1, max_length=200_000)
    text: str = Field(min_length=1, max_length=100_000)


class TemplateSource(RootModel[dict[Language, Content]]):
    """The contents by language code."""

    model_config = ConfigDict(frozen=True)

    root: Annotated[dict[Language, Content], Field(min_length=1, max_length=50)]

    @classmethod
    def parse(cls, value: object) -> TemplateSource:
        """Read a template from plain JSON.

        Raises:
            InvalidInput: with the dotted path of the first wrong field (``en.mjml``).
        """
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            first = error.errors()[0]
            raise InvalidInput(first["msg"], field=".".join(map(str, first["loc"])), code="INVALID") from error

    def check(self, *, message_class: MessageClass = MessageClass.MARKETING) -> dict[str, dict[str, str]]:
        """Return the compiled contents: by language ``subject``, ``html`` and ``text``, Liquid all.

        Raises:
            InvalidInput: code LIQUID, UNKNOWN_VARIABLE (the message names it), MJML, LIMIT or UNSUBSCRIBE_URL_MISSING
                (SENDER_MISSING, CONSENT_TEXT_MISSING).
        """
        compiled = {}
        for language, content in self.root.items():
            _check_content(content, language=language, is_marketing=message_class == MessageClass.MARKETING)
            compiled[language] = _compile(content, language=language)
        return compiled


def save_template(source: TemplateSource, *, message_class: MessageClass = MessageClass.MARKETING) -> int:
    """Check, compile and keep a template; return its id. The same source is the same template.

    Args:
        source: the contents by language.
        message_class: marketing mail must offer the way out in both bodies.

    Raises:
        InvalidInput: see ``TemplateSource.check``.
    """
    compiled = source.check(message_class=message_class)
    plain = source.model_dump()
    canonical = json.dumps([COMPILER, plain], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    template, _ = Template.objects.get_or_create(
        digest=sha256(canonical.encode()).hexdigest(),
        defaults={"source": plain, "compiled": compiled, "created_at": clock.now()},
    )
    return template.pk


def _check_content(content: Content, *, language: str, is_marketing: bool) -> None:
    for field, source in content:
        named = _check_liquid(source, field=f"{language}.{field}")
        if is_marketing and field in ("mjml", "text"):
            _check_legal_text(named, language=language, field=f"{language}.{field}")


def _check_legal_text(named: frozenset[str], *, language: str, field: str) -> None:
    """Refuse an advertisement that leaves out what the law asks for (features part 5).

    Everywhere a way out; in Korean mail also who sends it and why the reader gets it (network act, article 50(4)).
    """
    required = LEGAL_TEXT if is_korean(language) else {"unsubscribe_url": LEGAL_TEXT["unsubscribe_url"]}
    for name, what in required.items():
        if name not in named:
            raise InvalidInput(
                f"An advertisement must say {what}: put {{{{ {name} }}}} into it.",
                field=field,
                code=f"{name.upper()}_MISSING",
            )


def _check_liquid(source: str, *, field: str) -> frozenset[str]:
    """Return the names of the variables used."""
    try:
        template = liquid.parse(source, escapes=False)
        variables.check(template)
        template.render(_sample())
    except variables.UnknownVariable as error:
        raise InvalidInput(f"Unknown variable: {error}.", field=field, code="UNKNOWN_VARIABLE") from error
    except liquid.LimitReached as error:
        raise InvalidInput(f"The template asks for too much: {error}.", field=field, code="LIMIT") from error
    except liquid.UndefinedError as error:
        raise InvalidInput(f"Unknown variable: {error}.", field=field, code="UNKNOWN_VARIABLE") from error
    except liquid.LiquidError as error:
        raise InvalidInput(str(error), field=field, code="LIQUID") from error
    return variables.names(template)


def _compile(content: Content, *, language: str) -> dict[str, str]:
    try:
        html = compile_mjml(content.mjml, preheader=content.preheader)
    except InvalidMjml as error:
        raise InvalidInput(str(error), field=f"{language}.mjml", code="MJML") from error
    made = {"subject": content.subject, "html": html, "text": track_text(content.text)}
    for part, source in made.items():
        field = f"{language}.{'mjml' if part == 'html' else part}"
        try:
            liquid.parse(source, escapes=part == "html").render(_sample())
        except liquid.LiquidError as error:
            raise InvalidInput(str(error), field=field, code="LIQUID") from error
    return made


def _sample() -> dict[str, Any]:
    """Return made-up values for every variable, to try a template on."""
    item: dict[str, Any] = dict.fromkeys(variables.ITEM, "10") | {"available": 3, "drop_percent": 20}
    return {
        "contact": {"first_name": "Ada", "last_name": "", "attributes": variables.Lenient()},
        **variables.filled({"coupons": [{}, {}]}, language="en"),
        "shop": {"name": "Shop", "url": "https://shop.example/"},
        "sender": {"name": "Shop", "postal_address": "1 Street"},
        "consent_text": "You asked for it.",
        "unsubscribe_url": "https://shop.example/unsubscribe/",
        "open_url": "https://shop.example/open.gif",
        "items": [item, item],
        liquid.LINKS: SimpleNamespace(track=str),
        liquid.LANGUAGE: "en",
    }


__all__ = ["COMPILER", "Content", "TemplateSource", "save_template"]
