"""``python -m benchmarks.worker JOB``: one worker that does all there is to do of a job, once it is told to.

It says that it is up by a line, and begins with the first line that it reads. ``DATABASE_URL`` names the database,
``BENCH_SETTINGS`` (JSON) what is otherwise than in the demo's settings.
"""

from __future__ import annotations

import json
import os
import sys

import django


def main(job: str) -> None:
    """Wait for the word, and work until nothing is left."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "demo.settings")
    django.setup()
    from django.db import connection  # noqa: PLC0415 - needs Django to be ready
    from django.test.utils import override_settings  # noqa: PLC0415

    from benchmarks.advancing import advance_all  # noqa: PLC0415
    from benchmarks.batch_sending import deliver_all, world  # noqa: PLC0415
    from crm_plugin import shop  # noqa: PLC0415
    from tests.fake_shop import FakeShop  # noqa: PLC0415

    jobs = {"advance": (FakeShop, advance_all), "deliver": (world, deliver_all)}
    make, work = jobs[job]
    with override_settings(**json.loads(os.environ.get("BENCH_SETTINGS", "{}"))):
        shop.install(make())
        connection.ensure_connection()
        print("up", flush=True)
        sys.stdin.readline()
        work()


if __name__ == "__main__":
    main(sys.argv[1])
