"""E-mail through Django's e-mail framework: SMTP, or any provider that has a Django backend (django-anymail).

Providers of Anymail whose API takes several different messages in one call get them so (``providers.esp_batches``);
everybody else gets one after the other.

Headers: RFC 2369 and RFC 8058 (one-click unsubscribe), both covered by the provider's DKIM signature. There is no
``mailto`` way out, because nobody promises that somebody reads that box at once.
"""

from __future__ import annotations

import re
import smtplib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from email.utils import formataddr, parseaddr

from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend

from crm_plugin.conf import settings
from crm_plugin.messaging.channels import AdLabel, Capabilities, ChannelDown, Envelope, HandOut, Receipt
from crm_plugin.messaging.finished import Mail
from crm_plugin.messaging.mime import as_bytes, header_address
from crm_plugin.messaging.providers import esp, smtp
from crm_plugin.messaging.providers.esp_batches import batch_api, send_batch

#: Django waits for ever unless EMAIL_TIMEOUT is set; a worker must not.
TIMEOUT_SECONDS = 30
#: Of text and HTML together. Gmail shows the first 102 kB; ten times that is a mistake (a picture as a data: address).
LARGEST_BYTES = 1_000_000
#: Calls without an answer, one after the other, until the rest waits: each leaves messages of which nobody knows.
MOST_LOST = 2
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class EmailChannel:
    """Hands out over one connection; a connection that broke is replaced by a new one.

    No provider's idempotency key holds for one message of a batch in another batch, so a lost message is not offered
    again by the loop; where a provider knows keys, the same batch is offered again at once.
    """

    capabilities = Capabilities(
        has_title=True, has_image=True, has_buttons=True, ad_label={"": AdLabel.SUBJECT}, has_receipts=True
    )
    has_idempotency_key = False

    def __init__(self) -> None:
        self._connection: BaseEmailBackend | None = None
        self._lost_count = 0
        api = batch_api(esp.esp_set_up())
        self.batch_size = api.batch_size if api else 1

    def open(self) -> None:
        """Connect, or see that the connection still answers."""
        self._give_up_if_lost()
        if self._connection is not None and smtp.answers(self._connection):
            return
        self.close()
        try:
            self._connection = get_connection(settings().email_backend)
            if getattr(self._connection, "timeout", TIMEOUT_SECONDS) is None:
                vars(self._connection)["timeout"] = TIMEOUT_SECONDS
            self._connection.open()
        except Exception as error:
            # Whatever a backend raises here, no message has been handed out. It may be half open: hang up.
            self.close()
            raise ChannelDown(repr(error)) from error

    def hand_out(self, envelopes: Sequence[Envelope]) -> Sequence[Receipt]:
        """Send the messages, in one call or one by one, and read the answers."""
        self._give_up_if_lost()
        if self._connection is None:
            self.open()
        if batch_api(esp.esp_of(self._connection)) is not None:
            receipts = self._hand_out_batch(envelopes)
        else:
            receipts = [self._hand_out(envelope) for envelope in envelopes]
        is_lost = {receipt.result for receipt in receipts} == {HandOut.LOST}
        self._lost_count = self._lost_count + 1 if is_lost else 0
        return receipts

    def _give_up_if_lost(self) -> None:
        if self._lost_count >= MOST_LOST:
            raise ChannelDown(f"No answer to {MOST_LOST} mails one after the other; the others wait.")

    def _hand_out_batch(self, envelopes: Sequence[Envelope]) -> list[Receipt]:
        refused: dict[int, Receipt] = {}

        def mails() -> Iterator[EmailMultiAlternatives]:
            # One at a time: a mail is many objects, and of a batch of them Python's collector walks over each.
            for at, envelope in enumerate(envelopes):
                built = _built(envelope, self._connection)
                if isinstance(built, Receipt):
                    refused[at] = built
                else:
                    yield built

        sent = iter(send_batch(self._connection, mails()))
        receipts = [refused[at] if at in refused else next(sent) for at in range(len(envelopes))]
        if any(receipt.result == HandOut.LOST for receipt in receipts):
            self.close()
        return receipts

    def _hand_out(self, envelope: Envelope) -> Receipt:
        if self._connection is None:
            try:
                self.open()
            except ChannelDown as error:  # after another message of this call was handed out
                return Receipt(HandOut.LATER, str(error), retry_seconds=error.retry_seconds)
        message = _built(envelope, self._connection)
        if isinstance(message, Receipt):
            return message
        line = smtp.line_of(self._connection)
        return self._send(message) if line is None else self._send_over(line, message, envelope)

    def _send_over(self, line: smtplib.SMTP, message: EmailMultiAlternatives, envelope: Envelope) -> Receipt:
        """Send over the line of Django's own SMTP backend."""
        try:
            content = as_bytes(message)
            sender, recipient = parseaddr(header_address(message.from_email))[1], header_address(envelope.recipient)
        except Exception as error:  # noqa: BLE001 - an address or a name that no mail can carry; nothing has left yet
            return Receipt(HandOut.REJECTED, repr(error)[:500])
        receipt = smtp.send(line, sender=sender, recipient=recipient, content=content)
        if line.sock is None:
            self.close()
        return replace(receipt, provider_id=str(message.extra_headers["Message-ID"]))

    def _send(self, message: EmailMultiAlternatives) -> Receipt:
        """Let the backend send in its own way."""
        is_esp = bool(esp.esp_of(self._connection))
        try:
            count = message.send()
        except Exception as error:  # noqa: BLE001 - a backend raises what its transport raises; all of it is an answer
            receipt = (esp.read_error(error) if is_esp else None) or smtp.read_error(error)
            if receipt.result == HandOut.LOST or smtp.has_hung_up(error):
                self.close()
            return receipt
        if not count:
            return Receipt(HandOut.REJECTED, "The e-mail backend sent nothing.")
        if is_esp:
            return esp.read_taken(message)
        return Receipt(HandOut.SENT, provider_id=str(message.extra_headers["Message-ID"]))

    def close(self) -> None:
        """Hang up."""
        connection, self._connection = self._connection, None
        if connection is not None:
            # It is given up in any case.
            with suppress(Exception):
                connection.close()


def build(envelope: Envelope, *, connection: BaseEmailBackend | None = None) -> EmailMultiAlternatives:
    """Return the mail. Line breaks and control characters in names cannot start a header of their own."""
    mail, sender = envelope.content, envelope.sender
    assert isinstance(mail, Mail)  # noqa: S101 - CONTENTS says so
    headers = {}
    if mail.unsubscribe_url:
        headers["List-Unsubscribe"] = f"<{mail.unsubscribe_url}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    address = _ascii_domain(sender.email)
    message = EmailMultiAlternatives(
        subject=_one_line(mail.subject),
        body=mail.text,
        from_email=formataddr((_one_line(sender.name), address)),
        to=[envelope.recipient],
        reply_to=[sender.reply_to] if sender.reply_to else None,
        headers=headers,
        connection=connection,
    )
    if esp.esp_of(connection):
        # The provider gives the message an id of its own, and gives ours back in its receipts.
        vars(message)["metadata"] = {esp.METADATA_KEY: str(envelope.public_id)}
    else:
        domain = address.rpartition("@")[2] or "localhost"
        message.extra_headers["Message-ID"] = f"<{envelope.public_id}@{domain}>"
    message.attach_alternative(mail.html, "text/html")
    return message


def _built(envelope: Envelope, connection: BaseEmailBackend | None) -> EmailMultiAlternatives | Receipt:
    """Return the mail, or the refusal of one that no mail can be or should be; nothing has left yet."""
    try:
        detail = _problem(envelope)
        return Receipt(HandOut.REJECTED, detail) if detail else build(envelope, connection=connection)
    except Exception as error:  # noqa: BLE001 - an address or a name that the standard library cannot write
        return Receipt(HandOut.REJECTED, repr(error)[:500])


def _problem(envelope: Envelope) -> str:
    mail = envelope.content
    assert isinstance(mail, Mail)  # noqa: S101 - CONTENTS says so
    size = len(mail.html) + len(mail.text)
    if size > LARGEST_BYTES // 4:  # no character takes more than four bytes
        size = len(mail.html.encode("utf-8", "replace")) + len(mail.text.encode("utf-8", "replace"))
    if size > LARGEST_BYTES:
        return f"The mail is too large: {size} bytes of text and HTML, at most {LARGEST_BYTES}."
    mailbox, _, domain = header_address(envelope.recipient).rpartition("@")
    if not mailbox or not domain:
        return f"{envelope.recipient!r} is no e-mail address."
    if not envelope.recipient.rpartition("@")[0].isascii():
        # Encoded as a header would be, it names another mailbox; RFC 6531 is spoken by few, and by no provider's API.
        return "Before its @ the address has letters that mail servers do not take."
    return ""


def _ascii_domain(address: str) -> str:
    mailbox, at, domain = address.rpartition("@")
    return address if domain.isascii() else f"{mailbox}{at}{domain.encode('idna').decode()}"


def _one_line(text: str) -> str:
    return _CONTROL.sub(" ", text).strip()
