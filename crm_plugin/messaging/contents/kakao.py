"""KakaoTalk: an approved Alimtalk with its variables, or a Brand Message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from crm_plugin.contacts import ChannelKind
from crm_plugin.errors import InvalidInput
from crm_plugin.messaging.compliance import Stamp
from crm_plugin.messaging.contents.addresses import LinkUrl, OptionalImageUrl
from crm_plugin.messaging.contents.base import Content, ContentTooLong
from crm_plugin.messaging.contents.limits import KAKAO_CHARACTERS
from crm_plugin.messaging.finished import Button, KakaoMessage
from crm_plugin.messaging.link_rewriting import track_text
from crm_plugin.messaging.models import MessageClass, MessageForm

_VariableName = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[^\x00-\x1f]+$")]


class KakaoButton(BaseModel):
    """A button that leads to a web address."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=14)
    url: LinkUrl


class KakaoContent(Content):
    """A Kakao message.

    An Alimtalk is information only and has an approved template (``template_code``) whose ``variables`` are filled in
    here; a Brand Message is an advertisement with a text of its own (features part 5, "KR Kakao").
    """

    channel: ClassVar[ChannelKind] = ChannelKind.KAKAO

    form: Literal["alimtalk", "brand_message"]
    template_code: str = Field("", max_length=100)
    variables: dict[_VariableName, Annotated[str, Field(max_length=1_000)]] = Field({}, max_length=40)
    text: str = Field("", max_length=1_300)
    image_url: OptionalImageUrl = ""
    buttons: tuple[KakaoButton, ...] = Field((), max_length=5)

    @model_validator(mode="after")
    def _has_what_its_form_needs(self) -> Self:
        if self.form == "alimtalk" and not self.template_code:
            raise ValueError("template_code: an Alimtalk needs an approved template")
        if self.form == "brand_message" and not self.text.strip():
            raise ValueError("text: a Brand Message needs one")
        return self

    def sources(self) -> Iterator[tuple[str, str]]:
        """Walk over text, image, variables and buttons."""
        yield "text", self.text
        yield "image_url", self.image_url
        yield from ((f"variables.{name}", value) for name, value in self.variables.items())
        for index, button in enumerate(self.buttons):
            yield f"buttons.{index}.name", button.name
            yield f"buttons.{index}.url", button.url

    def check(self, *, message_class: MessageClass, language: str, named: Mapping[str, frozenset[str]]) -> None:
        """Refuse an Alimtalk that advertises, and a Brand Message that does not."""
        is_information = self.form == "alimtalk"
        if is_information == (message_class == MessageClass.MARKETING):
            message = "An Alimtalk carries information, a Brand Message advertises; nothing else is allowed."
            raise InvalidInput(message, field="form", code="MESSAGE_CLASS")

    def compile(self, *, language: str) -> dict[str, str]:
        """Return the parts, addresses tracked."""
        made = dict(self.sources())
        tracked = {name: track_text(source) for name, source in made.items() if name.endswith(".url") or name == "text"}
        return {"form": self.form, "template_code": self.template_code, **made, **tracked}

    @classmethod
    def finish(cls, parts: Mapping[str, str], stamp: Stamp) -> KakaoMessage:
        """Return the Kakao message; a Brand Message is always flagged as an advertisement (features row 66).

        Raises:
            ContentTooLong
        """
        form = MessageForm(parts["form"])
        is_brand = form == MessageForm.BRAND_MESSAGE
        variables = {
            name.removeprefix("variables."): value for name, value in parts.items() if name.startswith("variables.")
        }
        buttons = [
            Button(name=value, url=parts[f"{name.removesuffix('.name')}.url"])
            for name, value in parts.items()
            if name.startswith("buttons.") and name.endswith(".name")
        ]
        text = stamp.text_message(parts["text"], form=form) if is_brand else parts["text"]
        if len(text) > KAKAO_CHARACTERS[form]:
            raise ContentTooLong(f"{len(text)} characters; {KAKAO_CHARACTERS[form]} are allowed.")
        return KakaoMessage(
            form=form,
            template_code=parts["template_code"],
            variables=variables,
            text=text,
            image_url=parts["image_url"],
            buttons=tuple(buttons),
            is_advertisement=is_brand,
        )
