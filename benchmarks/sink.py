"""An SMTP server that takes everything and keeps nothing: ``python -m benchmarks.sink PORT``; ends with its stdin.

With ``--note`` it says at its end what came when: one line for each letter, the recipient and the seconds since 1970.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from aiosmtpd.smtp import SMTP, Envelope, Session


class Noting:
    """Notes when each letter was taken."""

    def __init__(self) -> None:
        self.arrivals: list[tuple[str, float]] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Take it."""
        now = time.time()
        self.arrivals += [(recipient, now) for recipient in envelope.rcpt_tos]
        return "250 OK"


def main(port: int, *, notes: bool) -> None:
    """Serve until standard input is closed, which the parent's end does."""
    noting = Noting()
    handler: Any = noting if notes else Sink()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    print("ready", flush=True)
    sys.stdin.read()
    controller.stop()
    for recipient, at in noting.arrivals:
        print(recipient, at)


if __name__ == "__main__":
    main(int(sys.argv[1]), notes="--note" in sys.argv)
