"""Lock files name packages and versions only: no address of a registry, no path, no hash. Every line is pinned."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINNED = re.compile(r"[A-Za-z0-9._-]+(\[[A-Za-z0-9,._-]+\])?==\S+( ; .+)?")
ADDRESS = re.compile(r"://|--hash|--index-url|--extra-index-url|--find-links")


def problems(text: str) -> list[str]:
    """Return the lines of a lock file that break the rule."""
    lines = [line for line in text.splitlines() if line.strip()]
    return [
        line
        for line in lines
        if ADDRESS.search(line) or not (line.lstrip().startswith("#") or PINNED.fullmatch(line.strip()))
    ]


def main() -> int:
    """Print what is wrong; return 1 when something is."""
    wrong = [
        f"{path.relative_to(ROOT)}: {line}"
        for path in sorted((ROOT / "requirements").glob("*.txt"))
        for line in problems(path.read_text())
    ]
    print("\n".join(wrong), end="\n" if wrong else "")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
