"""E-mail through Django's e-mail framework: SMTP, or any provider that has a Django backend (django-anymail).

Headers: RFC 2369 and RFC 8058 (one-click unsubscribe), both covered by the provider's DKIM signature. There is no
``mailto`` way out, because nobody promises that somebody reads that box at once.
"""

from __future__ import annotations

import re
import smtplib
from contextlib import suppress
from email.utils import formataddr, parseaddr
from typing import Any

from django.core.mail import BadHeaderError, EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend as SmtpBackend

from crm_plugin.conf import settings
from crm_plugin.messaging.channels import ChannelDown, Envelope, HandOut, Receipt
from crm_plugin.messaging.mime import as_bytes, header_address

#: Django waits for ever unless EMAIL_TIMEOUT is set; a worker must not.
TIMEOUT_SECONDS = 30
#: RFC 3463: x.7.x is policy (relaying denied, authentication), which says nothing about the address.
_IS_POLICY = re.compile(r"^\D*5\.7\.\d")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


class EmailChannel:
    """Hands out over one connection; a connection that broke is replaced by a new one."""

    def __init__(self) -> None:
        self._connection: BaseEmailBackend | None = None

    def open(self) -> None:
        """Connect, or see that the connection still answers."""
        if self._connection is not None and _answers(self._connection):
            return
        self.close()
        connection = get_connection(settings().email_backend)
        if getattr(connection, "timeout", TIMEOUT_SECONDS) is None:
            vars(connection)["timeout"] = TIMEOUT_SECONDS
        try:
            connection.open()
        except Exception as error:
            # Whatever a backend raises here, no message has been handed out.
            raise ChannelDown(repr(error)) from error
        self._connection = connection

    def hand_out(self, envelope: Envelope) -> Receipt:
        """Send one message and read the answer."""
        if self._connection is None:
            self.open()
        message = build(envelope, connection=self._connection)
        try:
            content = self._written(message)
        except Exception as error:  # noqa: BLE001 - an address or a name that no mail can carry; nothing has left yet
            return Receipt(HandOut.REJECTED, repr(error)[:500])
        try:
            count = self._send(message, content, envelope)
        except Exception as error:  # noqa: BLE001 - a backend raises what its transport raises; all of it is an answer
            receipt = read_error(error)
            if receipt.result == HandOut.LOST or _has_hung_up(error):
                self.close()
            return receipt
        if not count:
            return Receipt(HandOut.REJECTED, "The e-mail backend sent nothing.")
        return Receipt(HandOut.SENT, provider_id=_provider_id(message))

    def _written(self, message: EmailMultiAlternatives) -> bytes | None:
        """Return the mail as Django's own SMTP connection gets it; None for a backend that writes it itself."""
        line = getattr(self._connection, "connection", None)
        return None if type(self._connection) is not SmtpBackend or line is None else as_bytes(message)

    def _send(self, message: EmailMultiAlternatives, content: bytes | None, envelope: Envelope) -> int:
        """Send over Django's connection; return how many mails were taken."""
        if content is None:
            return message.send()
        line: Any = getattr(self._connection, "connection", None)
        is_wide = not content.isascii() and line.has_extn("8bitmime")
        sender, recipient = parseaddr(header_address(message.from_email))[1], header_address(envelope.recipient)
        line.sendmail(sender, [recipient], content, mail_options=["BODY=8BITMIME"] if is_wide else [])
        return 1

    def close(self) -> None:
        """Hang up."""
        connection, self._connection = self._connection, None
        if connection is not None:
            # It is given up in any case.
            with suppress(Exception):
                connection.close()


def build(envelope: Envelope, *, connection: BaseEmailBackend | None = None) -> EmailMultiAlternatives:
    """Return the mail. Line breaks and control characters in names cannot start a header of their own."""
    domain = envelope.sender_email.rpartition("@")[2] or "localhost"
    headers = {"Message-ID": f"<{envelope.public_id}@{domain}>"}
    if envelope.unsubscribe_url:
        headers["List-Unsubscribe"] = f"<{envelope.unsubscribe_url}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message = EmailMultiAlternatives(
        subject=_one_line(envelope.subject),
        body=envelope.text,
        from_email=formataddr((_one_line(envelope.sender_name), envelope.sender_email)),
        to=[envelope.recipient],
        reply_to=[envelope.reply_to] if envelope.reply_to else None,
        headers=headers,
        connection=connection,
    )
    message.attach_alternative(envelope.html, "text/html")
    return message


def read_error(error: Exception) -> Receipt:
    """Return what an exception of a backend says about the message."""
    detail = str(error)[:500]
    match error:
        case smtplib.SMTPRecipientsRefused(recipients=refused) if refused:
            code, reply = next(iter(refused.values()))
            return _read_code(code, _text(reply), is_about_address=True)
        case smtplib.SMTPResponseException(smtp_code=code, smtp_error=reply):
            return _read_code(code, _text(reply), is_about_address=False)
        case smtplib.SMTPNotSupportedError() | BadHeaderError():
            # Raised before anything is transmitted.
            return Receipt(HandOut.REJECTED, detail)
        case _ if type(error).__name__ == "AnymailRecipientsRefused":
            return Receipt(HandOut.ADDRESS_REFUSED, detail)
        case _ if isinstance(status := getattr(error, "status_code", None), int):
            is_passing = status == 429 or status >= 500
            return Receipt(HandOut.RETRY if is_passing else HandOut.REJECTED, detail)
        case _:
            return Receipt(HandOut.LOST, detail or repr(error))


def _read_code(code: int, reply: str, *, is_about_address: bool) -> Receipt:
    detail = f"{code} {reply}"
    if 400 <= code < 500:
        return Receipt(HandOut.RETRY, detail)
    if not 500 <= code < 600:
        return Receipt(HandOut.LOST, detail)
    if is_about_address and not _IS_POLICY.match(reply):
        return Receipt(HandOut.ADDRESS_REFUSED, detail)
    return Receipt(HandOut.REJECTED, detail)


def _answers(connection: BaseEmailBackend) -> bool:
    """Ask a mail server that may have hung up meanwhile; other backends have nothing to ask."""
    line = getattr(connection, "connection", None)
    if not isinstance(line, smtplib.SMTP):
        return True
    try:
        return bool(line.noop()[0] == 250)
    except (smtplib.SMTPException, OSError):
        return False


def _has_hung_up(error: Exception) -> bool:
    """Whether the server said 421: smtplib hangs up then."""
    codes = [getattr(error, "smtp_code", 0)]
    codes += [code for code, _ in getattr(error, "recipients", {}).values()]
    return 421 in codes


def _provider_id(message: EmailMultiAlternatives) -> str:
    """Return the provider's id where django-anymail left one, else the Message-ID."""
    status: Any = getattr(message, "anymail_status", None)
    return str(getattr(status, "message_id", None) or message.extra_headers["Message-ID"])


def _text(reply: bytes | str) -> str:
    return reply.decode("utf-8", "replace") if isinstance(reply, bytes) else str(reply)


def _one_line(text: str) -> str:
    return _CONTROL.sub(" ", text).strip()
