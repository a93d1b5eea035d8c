"""``python -m benchmarks [row ...]``: prepare a database, run the rows, print the table, write build/bench.json."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

import django
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connection

RESULT = Path(__file__).resolve().parents[1] / "build" / "bench.json"
DATABASE = "crm_bench"


def prepare() -> None:
    """Point Django at a fresh database of its own and migrate it."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "demo.settings")
    os.environ.setdefault("DEMO_SEARCH", "ram")
    django.setup()
    from django.test.utils import setup_test_environment  # noqa: PLC0415 - needs Django to be ready

    setup_test_environment()
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    call_command("check", "--database", "default", verbosity=0)


def clean() -> None:
    """Empty every table of the CRM: a row must not feel the one before it."""
    tables = [model._meta.db_table for model in apps.get_app_config("crm_plugin").get_models()]
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY CASCADE")


def main(names: list[str]) -> int:
    """Run the rows named, or all; return the exit code."""
    prepare()
    from benchmarks.measuring import Measured  # noqa: PLC0415
    from benchmarks.rows import ROWS  # noqa: PLC0415 - imports models

    unknown = set(names) - set(ROWS)
    if unknown:
        print(f"No such row: {', '.join(sorted(unknown))}. There are: {', '.join(ROWS)}")
        return 2
    measured: list[Measured] = []
    try:
        for name in names or ROWS:
            print(f"  {name} …", flush=True)
            clean()
            measured.append(ROWS[name]())
    finally:
        connection.creation.destroy_test_db(settings.DATABASES["default"]["NAME"], verbosity=0)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps([asdict(row) for row in measured], indent=2) + "\n")
    print(f"\n  {'row':<10} {'ours':>14} {'limit':>14} {'ratio':>7}  keep")
    for row in measured:
        print(f"  {row.line()}")
    return 0 if all(row.ok for row in measured) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
