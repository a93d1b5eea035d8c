"""Keep ``schema.graphql`` beside the code: what clients see, reviewed like the code that makes it.

``python -m crm_plugin.graphql.snapshot`` writes it, with ``--check`` it only compares (exit code 1 when it differs).
Both want ``DJANGO_SETTINGS_MODULE``. The file holds the schema of a shop without scalars of its own.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from difflib import unified_diff
from pathlib import Path

import django
from graphql import print_schema

from crm_plugin.graphql import build_schema

PATH = Path(__file__).with_name("schema.graphql")


def difference() -> str:
    """Return a unified diff from the snapshot to the schema; empty when they agree."""
    written = PATH.read_text() if PATH.exists() else ""
    return "".join(
        unified_diff(
            written.splitlines(keepends=True),
            print_schema(build_schema()).splitlines(keepends=True),
            fromfile=PATH.name,
            tofile="the code",
        )
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the snapshot; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m crm_plugin.graphql.snapshot", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only")
    is_check = parser.parse_args(arguments).check
    django.setup()
    if not is_check:
        PATH.write_text(print_schema(build_schema()))
        return 0
    if found := difference():
        sys.stderr.write(f"{found}\nRun `python -m crm_plugin.graphql.snapshot` and commit schema.graphql.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
