"""A delivery worker to be killed: for each line on stdin it forks one that delivers until nothing is due.

Forking from a process that has everything loaded makes fifty deaths take seconds. Prints the worker's process id when
it starts and its exit code when it is over.
"""

from __future__ import annotations

import os
import sys

import django


def main() -> None:
    """Fork a worker for each line; ``argv`` is the port of the mail server."""
    django.setup()
    from django.conf import settings  # noqa: PLC0415 - Django is set up now

    from crm_plugin import shop  # noqa: PLC0415
    from tests.fake_shop import FakeShop  # noqa: PLC0415

    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", int(sys.argv[1])
    shop.install(FakeShop())
    for _line in sys.stdin:
        child = os.fork()
        if child == 0:
            work()
            os._exit(0)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def work() -> None:
    """Deliver until nothing is due."""
    from crm_plugin import messaging  # noqa: PLC0415 - after Django is set up

    while claimed := messaging.claim(20):
        verdicts = {one.message_id: messaging.Go() for one in claimed}
        messaging.deliver(claimed, verdicts=verdicts, on_outcomes=lambda _some: None)


if __name__ == "__main__":
    main()
