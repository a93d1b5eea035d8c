"""Templates at work: what is wrong with one, how it would look, a test send, and the partials that templates share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import graphene

from crm_plugin import messaging
from crm_plugin.errors import InvalidInput
from crm_plugin.graphql.access import Caller, admits
from crm_plugin.graphql.answers import answered, errors_field
from crm_plugin.graphql.arguments import row_key
from crm_plugin.graphql.contacts import CrmChannel
from crm_plugin.graphql.enums import CrmEnum
from crm_plugin.graphql.errors import CrmError, as_payload
from crm_plugin.graphql.messages import CrmMessageClass
from crm_plugin.graphql.mutation import CrmMutation, result
from crm_plugin.graphql.pagination import Page, list_field, page_of_list
from crm_plugin.graphql.rows import Row
from crm_plugin.graphql.scalars import JSON, DateTime
from crm_plugin.messaging import MessageClass, Partial, Preview, PreviewFor, Remark, TemplateSource
from crm_plugin.shop import Actor

_TEMPLATE = "The contents by language code, as in a Send step."
_CLASS = "What it will be; marketing when left out."


class CrmTemplateRemark(CrmEnum):
    """What is allowed, but hardly meant."""

    class Meta:
        enum = Remark
        words = {
            Remark.CLIPPED: "Mailboxes cut the mail off, and the way out at its end with it.",
            Remark.NO_PREHEADER: "An inbox shows the beginning of the body instead.",
            Remark.ITEMS_LEFT_OUT: "Products that cannot be shown now.",
            Remark.NO_ITEMS: "Nothing to show: such a message would not be sent.",
            Remark.SEVERAL_SEGMENTS: "A text message that is paid for more than once.",
        }


class CrmTemplatePreview(graphene.ObjectType):
    """A message as one person would get it. Everything is null when the template was refused."""

    language = graphene.String(description="The language of the contents that were chosen.")
    title = graphene.String(description="The subject or the title; empty where the channel has none.")
    preheader = graphene.String(description="What an inbox shows behind the subject; empty: none.")
    first_line = graphene.String(description="The 40 characters that most screens show before it is opened.")
    text = graphene.String(description="The plain text of it; of an e-mail, its text part.")
    html = graphene.String(
        description="Of an e-mail. It holds what the merchant wrote: show it only in a frame with an empty `sandbox`."
    )
    url = graphene.String(description="Where a notification leads.")
    image_url = graphene.String(description="The picture of a notification; empty: none.")
    size_bytes = graphene.Int(description="Of the HTML, or of the text in the bytes that count for its length.")
    segments = graphene.Int(description="In how many parts a text message goes; null where that does not matter.")
    remarks = graphene.List(graphene.NonNull(CrmTemplateRemark), description="What is allowed, but hardly meant.")
    errors = errors_field()


class CrmTemplateCheck(graphene.ObjectType):
    """Everything that is wrong with a template."""

    errors = graphene.List(
        graphene.NonNull(CrmError),
        required=True,
        description="With the path of each wrong field, such as `template.en.blocks.3.url`; empty when it is fine.",
    )


class CrmPartial(Row):
    """A piece of content that templates share, written `{% render "name" %}` in them."""

    name = graphene.String(required=True, description="By which templates name it.")
    source = JSON(required=True, description='Liquid by language code; "" is for every other language.')
    updated_at = DateTime(required=True, description="When it was last saved.")


class CrmPartialConnection(Page, node=CrmPartial):
    """A page of partials."""


def _name(partial: Partial) -> str:
    return partial.name


@admits(Caller.VIEWER)
def _partials(_actor: Actor, _info: Any, **page: Any) -> Any:
    return page_of_list(CrmPartialConnection, list(messaging.partials()), name=_name, **page)


@admits(Caller.VIEWER)
def _schema(_actor: Actor, _info: Any, *, channel: str = "email") -> Any:
    return messaging.template_schema(channel)


@admits(Caller.VIEWER)
def _check(
    _actor: Actor, _info: Any, *, template: Any, channel: str = "email", message_class: str = "marketing"
) -> CrmTemplateCheck:
    found = messaging.problems(template, channel=channel, message_class=MessageClass(message_class))
    return CrmTemplateCheck(errors=[as_payload(_as_argument(error)) for error in found])


@admits(Caller.VIEWER)
def _preview(
    _actor: Actor,
    _info: Any,
    *,
    template: Any,
    channel: str = "email",
    message_class: str = "marketing",
    language: str = "",
    **about: str,
) -> CrmTemplatePreview:
    def body() -> CrmTemplatePreview:
        seen_by = _about(**about)
        with _argument(template):
            found = messaging.preview(
                TemplateSource.parse(template, channel=channel),
                message_class=MessageClass(message_class),
                about=seen_by,
                language=language or "",
            )
        return _shown(found)

    return answered(CrmTemplatePreview, body)


def _as_argument(error: InvalidInput) -> InvalidInput:
    return InvalidInput(error.message, field=f"template.{error.field}".rstrip("."), code=error.code)


@contextmanager
def _argument(template: Any) -> Iterator[None]:
    """Tell what is wrong inside the template by its place in the argument."""
    try:
        yield
    except InvalidInput as error:
        is_inside = isinstance(template, dict) and error.field.partition(".")[0] in template
        raise (_as_argument(error) if is_inside or not error.field else error) from error


def _about(*, contact: str | None = None, cart_ref: str | None = None, order_ref: str | None = None) -> PreviewFor:
    return PreviewFor(
        contact_id=row_key("CrmContact", contact, field="contact") if contact else None,
        cart_ref=cart_ref or "",
        order_ref=order_ref or "",
    )


def _shown(found: Preview) -> CrmTemplatePreview:
    return CrmTemplatePreview(
        language=found.language,
        title=found.title,
        preheader=found.preheader,
        first_line=found.first_line,
        text=found.text,
        html=found.html,
        url=found.url,
        image_url=found.image_url,
        size_bytes=found.size_bytes,
        segments=found.segments,
        remarks=[one.value for one in found.remarks],
    )


def _arguments() -> dict[str, Any]:
    return {
        "template": JSON(required=True, description=_TEMPLATE),
        "channel": CrmChannel(description="E-mail when left out."),
        "message_class": CrmMessageClass(description=_CLASS),
    }


def _whom() -> dict[str, Any]:
    return {
        "contact": graphene.ID(description="As this CrmContact would see it; somebody without a name when left out."),
        "cart_ref": graphene.String(description="About this cart of the shop."),
        "order_ref": graphene.String(description="About this order of the shop; some products of it when left out."),
        "language": graphene.String(description="Of the contents; the contact's own when left out."),
    }


class TemplateQueries(graphene.ObjectType):
    """Root fields that look at templates."""

    crm_template_schema = graphene.Field(
        JSON,
        required=True,
        description="The JSON Schema of a channel's contents, for editors. Requires view_crm.",
        resolver=_schema,
        channel=CrmChannel(description="E-mail when left out."),
    )
    crm_template_check = graphene.Field(
        CrmTemplateCheck,
        required=True,
        description="Everything that is wrong with a template; nothing is kept. Requires view_crm.",
        resolver=_check,
        **_arguments(),
    )
    crm_template_preview = graphene.Field(
        CrmTemplatePreview,
        required=True,
        description="How a message would look to somebody now; nothing is kept or sent. Requires view_crm.",
        resolver=_preview,
        **_arguments(),
        **_whom(),
    )
    crm_partials = list_field(
        CrmPartialConnection, description="The partials, by name. Requires view_crm.", resolver=_partials
    )


class CrmTemplateTestSend(CrmMutation, caller=Caller.MANAGER):
    """Send a message to one address as a test, at most ten in a minute. It counts nowhere. Requires manage_crm."""

    provider_id = graphene.String(description="The provider's id of the message, where it has one.")

    class Arguments:
        template = JSON(required=True, description=_TEMPLATE)
        address = graphene.String(required=True, description="An e-mail address or a telephone number.")
        channel = CrmChannel(description="EMAIL or SMS; e-mail when left out.")
        message_class = CrmMessageClass(description=_CLASS)
        contact = graphene.ID(description="As this CrmContact would see it.")
        cart_ref = graphene.String(description="About this cart of the shop.")
        order_ref = graphene.String(description="About this order of the shop.")
        language = graphene.String(description="Of the contents.")

    @classmethod
    def perform(
        cls,
        _actor: Actor,
        *,
        template: Any,
        address: str,
        channel: str = "email",
        message_class: str = "marketing",
        language: str = "",
        **about: str,
    ) -> Self:
        """Send it."""
        seen_by = _about(**about)
        with _argument(template):
            provider_id = messaging.send_test(
                TemplateSource.parse(template, channel=channel),
                address=address,
                message_class=MessageClass(message_class),
                about=seen_by,
                language=language or "",
            )
        return cls(provider_id=provider_id)


class CrmPartialSave(CrmMutation, caller=Caller.MANAGER):
    """Keep a partial under its name. What is published already stays as it is. Requires manage_crm."""

    partial = result(CrmPartial)

    class Arguments:
        name = graphene.String(required=True, description="Lower-case letters, digits, - and _; at most 40.")
        source = JSON(required=True, description='Liquid by language code; "" is for every other language.')

    @classmethod
    def perform(cls, _actor: Actor, *, name: str, source: Any) -> Self:
        """Keep it."""
        return cls(partial=messaging.save_partial(name, source))


class CrmPartialDelete(CrmMutation, caller=Caller.MANAGER):
    """Delete a partial. Published templates keep their copy. Requires manage_crm."""

    class Arguments:
        name = graphene.String(required=True, description="Of a CrmPartial.")

    @classmethod
    def perform(cls, _actor: Actor, *, name: str) -> Self:
        """Delete it."""
        messaging.delete_partial(name)
        return cls()


class TemplateMutations(graphene.ObjectType):
    """Root fields that try templates and keep partials."""

    crm_template_test_send = CrmTemplateTestSend.Field()
    crm_partial_save = CrmPartialSave.Field()
    crm_partial_delete = CrmPartialDelete.Field()
