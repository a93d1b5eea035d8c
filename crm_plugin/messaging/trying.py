"""A test send: one message to one address that the merchant gives, straight through the channel.

It is no message of a campaign: no row in the outbox, no gate, no count. It never is an advertisement to the channel,
and says in front that it is a test.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final
from uuid import uuid4

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import F

from crm_plugin import clock, contacts, merchant
from crm_plugin.contacts import ChannelKind
from crm_plugin.errors import InvalidInput
from crm_plugin.messaging import channels
from crm_plugin.messaging.channels import ChannelDown, Envelope, HandOut, Sender
from crm_plugin.messaging.contents.limits import KOREAN_BYTES, korean_bytes
from crm_plugin.messaging.finished import Finished, Mail, TextMessage
from crm_plugin.messaging.languages import is_korean
from crm_plugin.messaging.models import MessageClass, SendingCount
from crm_plugin.messaging.previewing import PreviewFor, draw
from crm_plugin.messaging.templates import TemplateSource

#: Channels that have addresses a merchant can type.
TRIED: Final = frozenset({ChannelKind.EMAIL, ChannelKind.SMS})
#: A test is looked at by a person: more in a minute is something else.
PER_MINUTE: Final = 10
_KEY: Final = "test_send"
_PREFIX: Final = {True: "[테스트] ", False: "[Test] "}


def send_test(
    source: TemplateSource,
    *,
    address: str,
    message_class: MessageClass = MessageClass.MARKETING,
    about: PreviewFor | None = None,
    language: str = "",
) -> str:
    """Send one message as a test; return the provider's id of it, empty when it has none.

    Args:
        source: the contents, of e-mail or SMS.
        address: where to, as the merchant wrote it.
        message_class: what it will be; an advertisement gets its label.
        about: whom and what it is about.
        language: of the contents.

    Raises:
        InvalidInput: what is wrong with the template, the address, too many tests, or what the provider said.
        NotFound: when there is no such person, cart or order.
    """
    if source.channel not in TRIED:
        raise InvalidInput("Test messages go by e-mail or SMS.", field="channel")
    recipient = _clean(address, source.channel)
    drawn = draw(source, message_class=message_class, about=about or PreviewFor(), language=language)
    _count()
    us = merchant.load()
    sender = Sender(name=us.sender_name, email=us.sender_email, reply_to=us.reply_to, phone=us.sms_sender)
    envelope = Envelope(
        public_id=uuid4(),
        recipient=recipient,
        sender=sender,
        content=_marked(drawn.content, language=drawn.language),
        language=drawn.language,
        is_marketing=False,
    )
    return _hand_out(envelope, source.channel)


def _clean(address: str, channel: str) -> str:
    """Return the address as the channel takes it; one that asked for nothing more gets no tests either."""
    plain = _email(address) if channel == ChannelKind.EMAIL else contacts.normalize_phone(address)
    if not plain:
        raise InvalidInput("This is no address that a message can be sent to.", field="address")
    if contacts.suppressed([plain], channel=channel):
        raise InvalidInput("This address is blocked: lift the block first, or take another.", field="address")
    return plain


def _email(address: str) -> str:
    plain = contacts.normalize_email(address)
    try:
        validate_email(plain)
    except ValidationError:
        return ""
    return plain


def _count() -> None:
    """Count one test of this minute, and refuse what is too many."""
    minute = clock.now().replace(second=0, microsecond=0)
    SendingCount.objects.get_or_create(key=_KEY, begins_at=minute)
    row = SendingCount.objects.filter(key=_KEY, begins_at=minute, count__lt=PER_MINUTE)
    if not row.update(count=F("count") + 1):
        raise InvalidInput(f"More than {PER_MINUTE} tests in a minute: wait a little.", field="address", code="LIMIT")


def _marked(content: Finished, *, language: str) -> Finished:
    """Return the message as a test, without the headers of an advertisement; a full text message has no room for it."""
    prefix = _PREFIX[is_korean(language)]
    match content:
        case Mail():
            return replace(content, subject=prefix + content.subject, unsubscribe_url="")
        case TextMessage(form=form, text=text) if korean_bytes(prefix + text) <= KOREAN_BYTES[form]:
            return replace(content, text=prefix + text)
        case _:
            return content


def _hand_out(envelope: Envelope, kind: str) -> str:
    channel = channels.get(kind)
    try:
        channel.open()
        (receipt,) = channel.hand_out([envelope])
    except ChannelDown as error:
        raise InvalidInput(f"The provider cannot be reached: {error}", field="channel", code="NOT_SENT") from error
    finally:
        channel.close()
    if receipt.result != HandOut.SENT:
        said = receipt.detail or receipt.result.value
        raise InvalidInput(f"The provider did not take it: {said}", field="address", code="NOT_SENT")
    return receipt.provider_id
