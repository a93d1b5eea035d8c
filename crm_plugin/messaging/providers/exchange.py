"""Several providers behind one channel: each message goes to the one that is chosen for it."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from crm_plugin.conf import settings
from crm_plugin.messaging.channels import ChannelDown, Envelope, HandOut, Receipt
from crm_plugin.messaging.providers import PROVIDERS, Provider, get

#: E.164.
_NUMBER = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)


class Exchange:
    """The providers of one channel, each connected when it is first needed.

    Attributes:
        batch_size: the largest of theirs; each still gets no more at once than it takes.
        has_idempotency_key: whether all of them take a message that is offered twice only once.
    """

    def __init__(self, names: Iterable[str], *, setting: str) -> None:
        self._names = tuple(dict.fromkeys(names))
        self._setting = setting
        self._ready: dict[str, Provider] = {}
        listed = [PROVIDERS[name] for name in self._names]
        self.batch_size = max((one.batch_size for one in listed), default=1)
        self.has_idempotency_key = bool(listed) and all(one.has_idempotency_key for one in listed)

    def open(self) -> None:
        """Make sure that one of the providers at least can be used.

        Raises:
            ChannelDown: when none can.
        """
        if not self._names:
            raise ChannelDown(f"{self._setting} names no provider.")
        problems = [problem for name in self._names if (problem := self._problem(name)) is not None]
        if len(problems) == len(self._names):
            raise problems[0]

    def hand_out(self, envelopes: Sequence[Envelope], choose: Callable[[Envelope], str]) -> list[Receipt]:
        """Hand messages to their providers; one receipt each, in their order.

        Args:
            envelopes: the messages.
            choose: names the provider of a message; empty: nobody sends there.
        """
        places: dict[str, list[int]] = defaultdict(list)
        receipts: dict[int, Receipt] = {}
        for place, envelope in enumerate(envelopes):
            if _NUMBER.fullmatch(envelope.recipient):
                places[choose(envelope)].append(place)
            else:
                receipts[place] = Receipt(HandOut.ADDRESS_REFUSED, "Not a telephone number.")
        # What is left then is left for the next time: an answer after the lease is nobody's.
        until = time.monotonic() + settings().lease_seconds / 2
        for name, mine in places.items():
            receipts |= zip(mine, self._through(name, [envelopes[place] for place in mine], until), strict=True)
        return [receipts[place] for place in range(len(envelopes))]

    def close(self) -> None:
        """Give all connections up."""
        while self._ready:
            self._ready.popitem()[1].close()

    def _through(self, name: str, envelopes: Sequence[Envelope], until: float) -> list[Receipt]:
        if name not in self._names:
            return [Receipt(HandOut.REJECTED, f"{self._setting} names nobody who sends there.")] * len(envelopes)
        size = PROVIDERS[name].batch_size
        receipts: list[Receipt] = []
        while len(receipts) < len(envelopes):
            if time.monotonic() >= until:
                return receipts + [Receipt(HandOut.LATER, f"{name} is slow.")] * (len(envelopes) - len(receipts))
            part = self._part(name, envelopes[len(receipts) : len(receipts) + size])
            receipts += part
            if all(one.result == HandOut.LATER for one in part):
                # Away, or busy: asking again at once helps nobody.
                return receipts + [part[-1]] * (len(envelopes) - len(receipts))
        return receipts

    def _part(self, name: str, envelopes: Sequence[Envelope]) -> Sequence[Receipt]:
        try:
            return self._provider(name).send(envelopes)
        except ChannelDown as error:
            later = Receipt(HandOut.LATER, str(error), retry_seconds=error.retry_seconds)
            return [later] * len(envelopes)

    def _provider(self, name: str) -> Provider:
        if name not in self._ready:
            provider = get(name)
            provider.open()
            self._ready[name] = provider
        return self._ready[name]

    def _problem(self, name: str) -> ChannelDown | None:
        try:
            self._provider(name)
        except ChannelDown as error:
            return error
        return None


__all__ = ["Exchange"]
