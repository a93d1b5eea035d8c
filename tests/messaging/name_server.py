"""A name server on this machine that knows what it is told, for tests of what is asked of the DNS."""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset

HOST = "127.0.0.1"


class NameServer:
    """A context manager. ``records`` are by kind and name; a name in ``silent`` or ``broken`` is not answered well."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self.silent: set[str] = set()
        self.broken: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((HOST, 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def txt(self, name: str, *texts: str) -> None:
        """Know these texts, each split into the strings of at most 255 bytes that the wire has."""
        self.records[("TXT", name)] = [
            " ".join(f'"{text[at : at + 250]}"' for at in range(0, len(text), 250)) for text in texts
        ]

    @property
    def resolver(self) -> dns.resolver.Resolver:
        """A resolver that asks this server only."""
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers = [HOST]
        resolver.port = self._socket.getsockname()[1]
        resolver.timeout = 1.0
        return resolver

    def _serve(self) -> None:
        while True:
            wire, peer = self._socket.recvfrom(4096)
            if not wire:
                return
            reply = self._reply(dns.message.from_wire(wire))
            if reply is not None:
                self._socket.sendto(reply.to_wire(), peer)

    def _reply(self, query: dns.message.Message) -> dns.message.Message | None:
        (question,) = query.question
        name, kind = question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((kind, name))
        if name in self.silent:
            return None
        reply = dns.message.make_response(query, recursion_available=True)
        if name in self.broken:
            reply.set_rcode(dns.rcode.SERVFAIL)
        elif texts := self.records.get((kind, name)):
            reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *texts))
        elif all(known != name and not known.endswith(f".{name}") for _, known in self.records):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        address = self._socket.getsockname()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", address)  # an empty packet ends it; a socket that is closed under it leaves it waiting
        self._thread.join(5)
        self._socket.close()
