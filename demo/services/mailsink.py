"""A mail server that keeps what it is given instead of delivering it, and misbehaves when told to.

The demo reads its inbox in the browser (``inbox``); the tests read ``letters`` and script refusals, temporary errors
and lost connections. It listens on the loopback only and keeps a bounded number of letters in memory.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from enum import StrEnum
from types import TracebackType

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

HOST = "127.0.0.1"
KEPT_LETTERS = 5_000
LARGEST_LETTER_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Letter:
    """One message as it came over the wire. ``number`` counts from 1 and is never used again."""

    number: int
    received_at: datetime
    sender: str
    recipients: tuple[str, ...]
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        """The parsed message: headers, parts."""
        return message_from_bytes(self.raw, policy=policy.default)

    @property
    def subject(self) -> str:
        """The decoded subject."""
        return str(self.message["subject"] or "")

    @property
    def text(self) -> str:
        """The plain-text body; empty when there is none."""
        return self._body("plain")

    @property
    def html(self) -> str:
        """The HTML body; empty when there is none."""
        return self._body("html")

    def _body(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        return str(part.get_content()) if part is not None else ""


class Moment(StrEnum):
    """Where in the SMTP dialogue a rule speaks up."""

    RECIPIENT = "recipient"
    DATA = "data"
    #: The letter was taken, but the sender never learns it.
    TAKEN = "taken"


@dataclass(slots=True)
class _Rule:
    moment: Moment
    #: What to answer; None closes the connection without a word.
    reply: str | None
    #: Whom it concerns; empty: everybody.
    recipient: str
    #: How many times it still speaks; None: always.
    times: int | None


class _Controller(Controller):
    def _trigger_server(self) -> None:
        """Learn the port that the system chose before aiosmtpd tries to connect to it."""
        if self.server is not None:
            self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


class MailSink:
    """The server. Use it as a context manager; ``port`` is known once it runs.

    Args:
        port: 0 takes a free one.
    """

    def __init__(self, *, port: int = 0) -> None:
        self._wanted_port = port
        self._controller: Controller | None = None
        self._lock = threading.Lock()
        self._letters: deque[Letter] = deque(maxlen=KEPT_LETTERS)
        self._count = 0
        self._rules: list[_Rule] = []

    def __enter__(self) -> MailSink:
        self._controller = _Controller(
            _Handler(self),
            hostname=HOST,
            port=self._wanted_port,
            enable_SMTPUTF8=True,
            data_size_limit=LARGEST_LETTER_BYTES,
        )
        self._controller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    @property
    def host(self) -> str:
        """The address it listens on."""
        return HOST

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._controller is None:
            raise RuntimeError("The mail sink does not run; use it in a with block.")
        return int(self._controller.port)

    @property
    def letters(self) -> Sequence[Letter]:
        """What was received, oldest first."""
        with self._lock:
            return tuple(self._letters)

    def letters_to(self, recipient: str) -> Sequence[Letter]:
        """Return what one address received, oldest first."""
        return [letter for letter in self.letters if recipient in letter.recipients]

    def answer(self, reply: str, *, recipient: str = "", at: Moment = Moment.DATA, times: int | None = None) -> None:
        """Answer with ``reply`` (``"550 5.1.1 No such user"``, ``"451 4.3.0 Try later"``) instead of taking the letter.

        Args:
            reply: SMTP code and text.
            recipient: only for letters to this address.
            at: refuse this recipient, or the letter as a whole.
            times: how often; always when left out.
        """
        self._add(_Rule(at, reply, recipient, times))

    def drop_connection(self, *, recipient: str = "", at: Moment = Moment.DATA, times: int | None = 1) -> None:
        """Close the connection without an answer, before the letter is taken or (``Moment.TAKEN``) after it."""
        self._add(_Rule(at, None, recipient, times))

    def reset(self) -> None:
        """Forget the letters and the rules."""
        with self._lock:
            self._letters.clear()
            self._rules.clear()

    def _add(self, rule: _Rule) -> None:
        with self._lock:
            self._rules.append(rule)

    def _rule(self, moment: Moment, recipients: Sequence[str]) -> _Rule | None:
        with self._lock:
            for rule in self._rules:
                concerns = rule.moment is moment and (not rule.recipient or rule.recipient in recipients)
                if concerns and rule.times != 0:
                    rule.times = None if rule.times is None else rule.times - 1
                    return rule
        return None

    def _keep(self, envelope: Envelope) -> None:
        content = envelope.content or b""
        raw = content.encode() if isinstance(content, str) else bytes(content)
        with self._lock:
            self._count += 1
            recipients = tuple(envelope.rcpt_tos)
            self._letters.append(Letter(self._count, datetime.now(UTC), envelope.mail_from or "", recipients, raw))


class _Handler:
    """What aiosmtpd calls; the method names are its protocol."""

    def __init__(self, sink: MailSink) -> None:
        self._sink = sink

    async def handle_RCPT(
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        refusal = self._speak(server, Moment.RECIPIENT, [address])
        if refusal is not None:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:
        refusal = self._speak(server, Moment.DATA, envelope.rcpt_tos)
        if refusal is not None:
            return refusal
        self._sink._keep(envelope)
        return self._speak(server, Moment.TAKEN, envelope.rcpt_tos) or "250 Kept"

    def _speak(self, server: SMTP, moment: Moment, recipients: Sequence[str]) -> str | None:
        rule = self._sink._rule(moment, recipients)
        if rule is None or rule.reply is not None:
            return rule.reply if rule else None
        if server.transport is not None:
            server.transport.abort()
        raise asyncio.CancelledError
