"""An SMTP server that takes everything and keeps nothing: ``python -m benchmarks.sink PORT``; ends with its stdin."""

from __future__ import annotations

import sys

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink


def main(port: int) -> None:
    """Serve until standard input is closed, which the parent's end does."""
    controller = Controller(Sink(), hostname="127.0.0.1", port=port)
    controller.start()
    print("ready", flush=True)
    sys.stdin.read()
    controller.stop()


if __name__ == "__main__":
    main(int(sys.argv[1]))
