"""Every check of ``make lint``, one line each with its time; what a failed one said follows its line.

Without arguments all of them; with names (``python scripts/lint.py types imports``) only those.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
BIN = Path(PYTHON).parent
#: The history of a database that does not run cannot be checked, and need not be.
NO_DATABASE = "ignore:Got an error checking a consistent migration history:RuntimeWarning"
CHECKS: Mapping[str, Sequence[str]] = {
    "format": [str(BIN / "ruff"), "format", "--check", "--quiet", "--diff", "."],
    "style": [str(BIN / "ruff"), "check", "--quiet", "--output-format=concise", "."],
    "types": [PYTHON, "-m", "mypy", "--no-error-summary"],
    "imports": [str(BIN / "lint-imports"), "--no-cache", "--no-logo"],
    "migrations": [PYTHON, "-W", NO_DATABASE, "-m", "django", "makemigrations", "crm_plugin", "--check", "--dry-run"],
    "schema": [PYTHON, "-m", "crm_plugin.graphql.snapshot", "--check"],
    "locks": [PYTHON, str(ROOT / "scripts" / "check_locks.py")],
}


def main(names: Sequence[str]) -> int:
    """Run the checks; return 1 when one failed."""
    failed = [name for name in names or CHECKS if not _passes(name)]
    if failed:
        print(f"failed: {', '.join(failed)}")
    return bool(failed)


def _passes(name: str) -> bool:
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(ROOT)}
    started = time.monotonic()
    done = subprocess.run(CHECKS[name], cwd=ROOT, env=env, capture_output=True, text=True, check=False)  # noqa: S603
    print(f"  {name:<11} {'FAILED' if done.returncode else 'ok':<6} {time.monotonic() - started:5.1f} s", flush=True)
    if done.returncode:
        print(f"{done.stdout}{done.stderr}".strip(), flush=True)
    return not done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
