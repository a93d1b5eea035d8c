"""A mail server (aiosmtpd) that refuses, hangs or hangs up at any word of the dialogue."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

#: Instead of an answer.
DROP, HANG = "drop", "hang"
TAKEN = "TAKEN"


class Unruly:
    """What the server is told to do, and the recipients of what it took.

    Attributes:
        port: where it listens.
        words: all words that clients said, in their order.
    """

    def __init__(self) -> None:
        self.port = 0
        self.taken: list[str] = []
        self.words: list[str] = []
        self._rules: list[list[Any]] = []

    def say(self, word: str, reply: str, *, times: int = 1) -> None:
        """Answer a word (MAIL, RCPT, DATA, QUIT …, or TAKEN: after the text) so often in this way, then as usual."""
        self._rules.append([word, reply, times])

    def reply(self, word: str) -> str | None:
        """Return what to answer; None: as usual."""
        self.words.append(word)
        for rule in self._rules:
            if rule[0] == word and rule[2] > 0:
                rule[2] -= 1
                return str(rule[1])
        return None


class _Server(SMTP):
    def __init__(self, rules: Unruly, *args: Any, **kwargs: Any) -> None:
        self.rules = rules
        super().__init__(*args, **kwargs)

    async def misbehave(self, word: str) -> bool:
        reply = self.rules.reply(word)
        if reply == DROP:
            self.transport.abort()
            raise asyncio.CancelledError
        if reply == HANG:
            await asyncio.sleep(3_600)
        if reply is not None:
            await self.push(reply)
        return reply is not None

    async def smtp_EHLO(self, hostname: str) -> None:
        if not await self.misbehave("EHLO"):
            await super().smtp_EHLO(hostname)

    async def smtp_MAIL(self, arg: str | None) -> None:
        if not await self.misbehave("MAIL"):
            await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str | None) -> None:
        if not await self.misbehave("RCPT"):
            await super().smtp_RCPT(arg)

    async def smtp_DATA(self, arg: str) -> None:
        if not await self.misbehave("DATA"):
            await super().smtp_DATA(arg)

    async def smtp_QUIT(self, arg: str) -> None:
        if not await self.misbehave("QUIT"):
            await super().smtp_QUIT(arg)


class _Handler:
    def __init__(self, rules: Unruly) -> None:
        self._rules = rules

    async def handle_DATA(self, server: _Server, _session: Session, envelope: Envelope) -> str:
        reply = self._rules.reply(TAKEN)
        if reply in (None, DROP, HANG):
            self._rules.taken += envelope.rcpt_tos
        if reply == DROP:
            server.transport.abort()
            raise asyncio.CancelledError
        if reply == HANG:
            await asyncio.sleep(3_600)
        return reply or "250 OK"


class _Controller(Controller):
    def __init__(self, rules: Unruly, **options: Any) -> None:
        self._rules = rules
        super().__init__(_Handler(rules), hostname="127.0.0.1", port=0, **options)

    def factory(self) -> _Server:
        return _Server(self._rules, self.handler, **self.SMTP_kwargs)

    def _trigger_server(self) -> None:
        if self.server is not None:
            self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def unruly(*, tls: ssl.SSLContext | None = None, refuses_passwords: bool = False) -> Iterator[Unruly]:
    """Run the server; ``tls`` is offered by STARTTLS."""
    rules = Unruly()
    options: dict[str, Any] = {"tls_context": tls, "require_starttls": tls is not None} if tls else {}
    if refuses_passwords:
        options |= {
            "auth_require_tls": False,
            "authenticator": lambda *_: AuthResult(success=False, handled=False),
        }
    controller = _Controller(rules, **options)
    controller.start()
    rules.port = controller.port
    try:
        yield rules
    finally:
        controller.stop()
