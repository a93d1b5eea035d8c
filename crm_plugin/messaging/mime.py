"""A finished mail as the bytes of RFC 5322, written straight down.

Making the bytes takes the standard library longer than rendering the mail takes us. A campaign mail has one shape only:
headers, a text part, an HTML part. It is used on the connections of Django's own SMTP backend; every other backend gets
Django's own message.
"""

from __future__ import annotations

import re
from base64 import encodebytes
from email.header import Header
from email.utils import formatdate
from functools import lru_cache
from uuid import uuid4

from django.core.mail import BadHeaderError, EmailMultiAlternatives
from django.core.mail.message import sanitize_address

#: RFC 5322 2.1.1: no line may be longer, the line end not counted; lines should keep to the shorter one.
LONGEST_LINE = 998
GOOD_LINE = 78
_PLAIN_ADDRESS = re.compile(r"[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+")


def as_bytes(mail: EmailMultiAlternatives) -> bytes:
    """Return a mail with one HTML alternative, with CRLF line ends.

    Raises:
        BadHeaderError: when a header holds a line break.
    """
    (html,) = (str(alternative[0]) for alternative in mail.alternatives)
    boundary = f"=_{uuid4().hex}"
    lines = [_header(name, value) for name, value in _headers(mail)]
    lines.append(f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n\r\n')
    between = f"--{boundary}\r\n".encode()
    parts = (between, _part(str(mail.body), "plain"), between, _part(html, "html"), f"--{boundary}--\r\n".encode())
    return b"".join(("".join(lines).encode("ascii"), *parts))


def _headers(mail: EmailMultiAlternatives) -> list[tuple[str, str]]:
    headers = [
        ("MIME-Version", "1.0"),
        ("Subject", str(mail.subject)),
        ("From", header_address(mail.from_email)),
        ("To", ", ".join(map(header_address, mail.to))),
        ("Date", formatdate()),
    ]
    if mail.reply_to:
        headers.append(("Reply-To", ", ".join(map(header_address, mail.reply_to))))
    return headers + [(name, str(value)) for name, value in mail.extra_headers.items()]


@lru_cache(maxsize=64)
def _sanitized(value: str) -> str:
    return sanitize_address(value, "utf-8")


def is_plain_address(value: str) -> bool:
    """Whether it is one address that stands for itself everywhere: no name, no quotes, no foreign letters."""
    return _PLAIN_ADDRESS.fullmatch(value) is not None


def header_address(value: str) -> str:
    """Return an address as a header has it: names quoted or encoded, domains in punycode."""
    return value if is_plain_address(value) else _sanitized(value)


def _header(name: str, value: str) -> str:
    if "\n" in value or "\r" in value:
        raise BadHeaderError(f"{name} holds a line break.")
    if not value.isascii():
        value = Header(value, "utf-8", header_name=name).encode(linesep="\r\n")
    elif len(name) + len(value) > GOOD_LINE and " " in value:
        value = Header(value, "us-ascii", header_name=name).encode(linesep="\r\n")
    return f"{name}: {value}\r\n"


def _part(text: str, subtype: str) -> bytes:
    """Return one part of the body with its headers; base64 only where a line would be too long to pass."""
    content = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").replace("\n", "\r\n").encode()
    if max(map(len, content.split(b"\r\n"))) > LONGEST_LINE:
        encoding, content = "base64", encodebytes(content).replace(b"\n", b"\r\n").rstrip()
    else:
        encoding = "7bit" if content.isascii() else "8bit"
    head = f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'
    return head.encode() + content + b"\r\n"
