"""A mail server at the other end of the line: one mail for one recipient, and what each of its answers means.

``smtplib.SMTP.sendmail`` does not tell whether a line that broke had begun to carry the mail, and leaves a server that
refuses the word DATA in the middle of a mail (the next one is then refused, too). So the dialogue is led here, over the
connection that Django opened: a mail is only in doubt once its text has gone out.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from enum import Enum, auto
from typing import Any, Final

from django.core.mail import BadHeaderError
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend

from crm_plugin.messaging.channels import HandOut, Receipt
from crm_plugin.messaging.providers import esp

_HANGING_UP: Final = 421
#: Who we are is in doubt, not the mail: RFC 4954, section 6.
_ACCOUNT: Final = frozenset({530, 534, 535, 538})
#: The sender is not liked, though it is said of the recipient: mail servers look at both together (RFC 3463).
_OF_SENDER: Final = frozenset({"1.7", "1.8"})
#: There is no such mailbox, domain or address, or its owner has closed it (RFC 3463; 1.10 is RFC 7505). Not a full
#: mailbox (2.2), nor policy (7.x): that passes, or is about us.
_OF_ADDRESS: Final = frozenset({"1.1", "1.2", "1.3", "1.6", "1.10", "2.1"})
#: "No such mailbox" of servers that say it without RFC 3463, unless their words are about us.
_NO_MAILBOX: Final = frozenset({550, 551, 553})
_ABOUT_US: Final = re.compile(
    r"relay|spam|bl[ao]ck|polic|authent|sender|spf|dkim|dmarc|reputation|listed|denied|reverse|ptr\b", re.IGNORECASE
)
#: RFC 1870 and RFC 3463: larger than the server takes.
_TOO_LARGE: Final = frozenset({"2.3", "3.4"})
_ENHANCED: Final = re.compile(r"\s*[245]\.(\d{1,3}\.\d{1,3})\b")
_LEADING_DOT: Final = re.compile(rb"(?m)^\.")
#: A connection never came about, so nothing can have been taken.
_NOBODY_THERE: Final = (socket.gaierror, ConnectionRefusedError, ssl.SSLCertVerificationError)


class About(Enum):
    """What the server was told when it answered."""

    SENDER = auto()
    RECIPIENT = auto()
    MAIL = auto()


def line_of(backend: BaseEmailBackend | None) -> smtplib.SMTP | None:
    """Return the connection of Django's own SMTP backend; None of any other one, which sends in its own way."""
    line = getattr(backend, "connection", None)
    return line if type(backend) is EmailBackend and isinstance(line, smtplib.SMTP) else None


def answers(backend: BaseEmailBackend) -> bool:
    """Ask a mail server that may have hung up meanwhile; other backends have nothing to ask."""
    line = getattr(backend, "connection", None)
    if not isinstance(line, smtplib.SMTP):
        return True
    try:
        return bool(line.noop()[0] == 250)
    except OSError:
        return False


def send(line: smtplib.SMTP, *, sender: str, recipient: str, content: bytes) -> Receipt:
    """Offer a mail; a line that is of no use afterwards is closed.

    Args:
        line: open.
        sender: the address alone.
        recipient: the address alone.
        content: with CRLF line ends.
    """
    try:
        refusal = _introduce(line, sender, recipient, content)
    except OSError as error:  # smtplib's own are of that kind
        line.close()
        return Receipt(HandOut.RETRY, f"Before the mail went out: {error!r}"[:500])
    if refusal is not None:
        return refusal
    try:
        line.send(_LEADING_DOT.sub(b"..", content) + (b"" if content.endswith(b"\r\n") else b"\r\n") + b".\r\n")
        code, reply = line.getreply()
    except OSError as error:
        line.close()
        return Receipt(HandOut.LOST, repr(error)[:500])
    return Receipt(HandOut.SENT) if code == 250 else _refused(line, code, reply, About.MAIL)


def _introduce(line: smtplib.SMTP, sender: str, recipient: str, content: bytes) -> Receipt | None:
    """Say all that comes before the mail; return the refusal, or None when the server waits for the mail."""
    line.ehlo_or_helo_if_needed()
    options = [f"size={len(content)}"] if line.has_extn("size") else []
    if not content.isascii() and line.has_extn("8bitmime"):
        options.append("BODY=8BITMIME")
    code, reply = line.mail(sender, options)
    if code != 250:
        return _refused(line, code, reply, About.SENDER)
    code, reply = line.rcpt(recipient)
    if code not in (250, 251):
        return _refused(line, code, reply, About.RECIPIENT)
    code, reply = line.docmd("DATA")
    if code != 354:
        return _refused(line, code, reply, About.MAIL)
    return None


def _refused(line: smtplib.SMTP, code: int, reply: bytes, about: About) -> Receipt:
    """Return what the refusal means, with the server ready for the next mail, or the line closed."""
    if not 400 <= code < 600 or code == _HANGING_UP:
        line.close()
    else:
        try:
            line.rset()
        except OSError:
            line.close()
    return read_reply(code, reply, about=about)


def read_reply(code: int, reply: bytes | str, *, about: About) -> Receipt:
    """Return what an answer that is no "yes" says of the mail.

    What is the fault of the server, of our account or of the sender is no recipient's: such a mail waits.
    """
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else str(reply)
    found = _ENHANCED.match(text)
    enhanced = found[1] if found else ""
    is_too_large = code == 552 or enhanced in _TOO_LARGE
    match code:
        case _ if not 400 <= code < 600:
            result = HandOut.LOST
        case _ if code in _ACCOUNT or code == _HANGING_UP or (about is About.SENDER and not is_too_large):
            result = HandOut.LATER
        case _ if code < 500:
            result = HandOut.RETRY
        case _ if about is About.RECIPIENT and enhanced in _OF_SENDER:
            result = HandOut.LATER
        case _ if _is_of_address(code, enhanced, text, about):
            result = HandOut.ADDRESS_REFUSED
        case _:
            result = HandOut.REJECTED
    return Receipt(result, f"{code} {text}"[:500])


def _is_of_address(code: int, enhanced: str, text: str, about: About) -> bool:
    if enhanced:
        return enhanced in _OF_ADDRESS
    return about is About.RECIPIENT and code in _NO_MAILBOX and _ABOUT_US.search(text) is None


def read_error(error: Exception) -> Receipt:
    """Return what an exception of a backend says about the message that it was given."""
    detail = str(error)[:500]
    match error:
        case smtplib.SMTPRecipientsRefused(recipients=refused) if refused:
            code, reply = next(iter(refused.values()))
            return read_reply(code, reply, about=About.RECIPIENT)
        case smtplib.SMTPDataError(smtp_code=code, smtp_error=reply):
            return read_reply(code, reply, about=About.MAIL)
        case smtplib.SMTPResponseException(smtp_code=code, smtp_error=reply):
            return read_reply(code, reply, about=About.SENDER)
        case smtplib.SMTPNotSupportedError() | BadHeaderError():
            return Receipt(HandOut.REJECTED, detail)  # raised before anything is transmitted
        case _ if isinstance(error, _NOBODY_THERE):
            return Receipt(HandOut.LATER, detail)
        case _ if isinstance(status := getattr(error, "status_code", None), int):
            return esp.read_status(status, detail)
        case _:
            return Receipt(HandOut.LOST, detail or repr(error))


def has_hung_up(error: Any) -> bool:
    """Whether an exception says that the server said 421: smtplib hangs up then."""
    codes = [getattr(error, "smtp_code", 0)]
    codes += [code for code, _ in getattr(error, "recipients", {}).values()]
    return _HANGING_UP in codes


__all__ = ["About", "answers", "has_hung_up", "line_of", "read_error", "read_reply", "send"]
