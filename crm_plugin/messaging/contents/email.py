"""E-mail: a subject, a body as blocks or as MJML, and a plain-text part, which is made of the body when it is empty."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import ClassVar, Self

from pydantic import Field, model_validator

from crm_plugin.contacts import ChannelKind
from crm_plugin.errors import InvalidInput
from crm_plugin.messaging import liquid, variables
from crm_plugin.messaging.compliance import Stamp
from crm_plugin.messaging.contents.base import Content
from crm_plugin.messaging.contents.blocks import AnyBlock, page
from crm_plugin.messaging.finished import Mail
from crm_plugin.messaging.languages import is_korean
from crm_plugin.messaging.link_rewriting import track_text
from crm_plugin.messaging.mjml import InvalidMjml, compile_mjml, mjml_as_text
from crm_plugin.messaging.models import MessageClass

#: Variables whose values an advertisement must hold, and what they say.
LEGAL_TEXT = {
    "unsubscribe_url": "how to unsubscribe",
    "sender": "who sends it and how to reach them",
    "consent_text": "why the reader gets it",
}
MAX_MJML = 200_000
_INLINE_IMAGE = re.compile(r"""\ssrc\s*=\s*["']?\s*data:""", re.IGNORECASE)


class EmailContent(Content):
    """An e-mail: Liquid throughout. The body is ``blocks`` or ``mjml``; ``text`` may be left empty."""

    channel: ClassVar[ChannelKind] = ChannelKind.EMAIL
    escaped: ClassVar[frozenset[str]] = frozenset({"html"})
    shown_apart: ClassVar[frozenset[str]] = frozenset({"preheader"})

    subject: str = Field(min_length=1, max_length=300)
    preheader: str = Field("", max_length=300)
    mjml: str = Field("", max_length=MAX_MJML)
    blocks: tuple[AnyBlock, ...] = Field((), max_length=100)
    text: str = Field("", max_length=100_000)

    @model_validator(mode="after")
    def _has_one_body(self) -> Self:
        if self.mjml.strip() and self.blocks:
            raise ValueError("blocks: an e-mail is made of blocks or of MJML, not of both")
        if not self.mjml.strip() and not self.blocks:
            raise ValueError("mjml: an e-mail needs a body: give mjml or blocks")
        return self

    def sources(self) -> Iterator[tuple[str, str]]:
        """Walk over the fields, and over those of the blocks."""
        yield from ((field, str(value)) for field, value in self if field != "blocks")
        for at, block in enumerate(self.blocks):
            yield from ((f"blocks.{at}.{path}", source) for path, source in block.liquid())

    def said(self) -> Iterator[tuple[str, str]]:
        """Walk over the fields; blocks say more than was written into them."""
        yield from ((field, str(value)) for field, value in self if field not in ("blocks", "mjml"))
        yield self.body, self._mjml("en")

    @property
    def body(self) -> str:
        """The field that the body is in."""
        return "blocks" if self.blocks else "mjml"

    def check(self, *, message_class: MessageClass, language: str, named: Mapping[str, frozenset[str]]) -> None:
        """Refuse an advertisement that leaves out what the law asks for (features part 5).

        Everywhere a way out; in Korean mail also who sends it and why the reader gets it (network act, article 50(4)).
        """
        mjml = self._mjml(language)
        if _INLINE_IMAGE.search(mjml):
            raise InvalidInput("A picture inside the mail (data:) is not shown by most mailboxes.", field=self.body)
        if message_class != MessageClass.MARKETING:
            return
        required = LEGAL_TEXT if is_korean(language) else {"unsubscribe_url": LEGAL_TEXT["unsubscribe_url"]}
        shown = {self.body: _names(mjml), **({"text": named["text"]} if self.text.strip() else {})}
        for field, names in shown.items():
            for name, what in required.items():
                if name not in names:
                    raise InvalidInput(_ask_for(name, what, field), field=field, code=f"{name.upper()}_MISSING")

    def compile(self, *, language: str) -> dict[str, str]:
        """Return subject, preheader, HTML and text."""
        try:
            html, text = _compiled(self._mjml(language), self.preheader, self.text)
        except InvalidMjml as error:
            raise InvalidInput(str(error), field=self.body, code="MJML") from error
        return {"subject": self.subject, "preheader": self.preheader, "html": html, "text": text}

    def _mjml(self, language: str) -> str:
        if not self.blocks:
            return self.mjml
        made = page(self.blocks, language=language)
        if len(made) > MAX_MJML:
            raise InvalidInput("The blocks are more than a mail can hold.", field="blocks", code="LIMIT")
        return made

    def field_of(self, part: str) -> str:
        """Return the field that the HTML comes from."""
        return self.body if part == "html" else part

    @classmethod
    def finish(cls, parts: Mapping[str, str], stamp: Stamp) -> Mail:
        """Return the mail, its subject labelled, with what the law asks for where the merchant left it out."""
        text, html = stamp.mail(text=parts["text"].lstrip(), html=parts["html"])
        return Mail(
            subject=stamp.labelled(parts["subject"]),
            preheader=parts.get("preheader", ""),
            text=text,
            html=html,
            unsubscribe_url=stamp.unsubscribe_url,
        )


@lru_cache(maxsize=32)
def _compiled(mjml: str, preheader: str, text: str) -> tuple[str, str]:
    """Return HTML and text; a save checks a template and then compiles it."""
    return compile_mjml(mjml, preheader=preheader), track_text(text) if text.strip() else mjml_as_text(mjml)


def _names(mjml: str) -> frozenset[str]:
    try:
        return variables.names(liquid.parse(mjml, escapes=False))
    except liquid.LiquidError as error:
        raise InvalidInput(str(error), field="blocks", code="LIQUID") from error


def _ask_for(name: str, what: str, field: str) -> str:
    way = "add a footer block" if field == "blocks" else f"put {{{{ {name} }}}} into it"
    return f"An advertisement must say {what}: {way}."
