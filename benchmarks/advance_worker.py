"""``python -m benchmarks.advance_worker``: one worker that advances all that is due, once it is told to.

It says that it is up by a line, and begins with the first line that it reads. ``DATABASE_URL`` names the database.
"""

from __future__ import annotations

import os
import sys

import django


def main() -> None:
    """Wait for the word, and work until nothing is due."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "demo.settings")
    django.setup()
    from django.db import connection  # noqa: PLC0415 - needs Django to be ready

    from benchmarks.advancing import advance_all  # noqa: PLC0415
    from crm_plugin import shop  # noqa: PLC0415
    from tests.fake_shop import FakeShop  # noqa: PLC0415

    shop.install(FakeShop())
    connection.ensure_connection()
    print("up", flush=True)
    sys.stdin.readline()
    advance_all()


if __name__ == "__main__":
    main()
