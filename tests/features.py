"""``make features``: write docs/features.md, what the product can do and which tests prove it, and count.

A row is proven when at least one test carries its number and all that do passed in their last run. With ``--rows`` the
unproven rows of a range are listed, and the exit code is 1 when there are any.
"""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ROWS = ROOT / "docs" / "features.toml"
PAGE = ROOT / "docs" / "features.md"
RESULTS = ROOT / "build" / "features.json"
#: Outcomes of a test, the better one first.
SEVERITY = ("passed", "skipped", "failed")

Results = Mapping[str, Mapping[str, Any]]


@cache
def groups() -> tuple[tuple[str, Mapping[int, str]], ...]:
    """Return the groups of rows: title, and sentence by number."""
    read = tomllib.loads(ROWS.read_text())["groups"]
    return tuple((group["title"], {int(row): text for row, text in group["rows"].items()}) for group in read)


@cache
def titles() -> Mapping[int, str]:
    """Return the sentence of every row by its number."""
    return {row: text for _, rows in groups() for row, text in rows.items()}


@cache
def stubbed() -> Mapping[int, str]:
    """Return what the tests of a row play with made-up content, by its number."""
    return {int(row): text for row, text in tomllib.loads(ROWS.read_text()).get("stubbed", {}).items()}


def results(path: Path = RESULTS) -> Results:
    """Return the notes of the last runs, without tests that no longer exist."""
    noted: Results = json.loads(path.read_text()) if path.exists() else {}
    return {name: note for name, note in noted.items() if _exists(name)}


def _exists(name: str) -> bool:
    place, _, function = name.partition("::")
    path = ROOT / place
    return path.exists() and f"def {function}(" in path.read_text()


def proofs(noted: Results) -> Mapping[int, Mapping[str, str]]:
    """Return for every row its tests and how they ended."""
    return {row: {name: note["outcome"] for name, note in noted.items() if row in note["rows"]} for row in titles()}


def is_proven(tests: Mapping[str, str]) -> bool:
    """Whether there is a test and all passed."""
    return bool(tests) and set(tests.values()) == {"passed"}


def parse_rows(text: str) -> list[int]:
    """Return the numbers of ``1-35,56``.

    Raises:
        ArgumentTypeError: for something else, or for a row that does not exist.
    """
    rows: list[int] = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if not (first.isdigit() and (last or first).isdigit()):
            raise argparse.ArgumentTypeError(f"{part!r} is neither a row nor a range such as 1-35")
        rows.extend(range(int(first), int(last or first) + 1))
    unknown = [row for row in rows if row not in titles()]
    if unknown or not rows:
        raise argparse.ArgumentTypeError(f"no such rows: {unknown or text!r}; there are 1 to {max(titles())}")
    return rows


def page(proven_by: Mapping[int, Mapping[str, str]]) -> str:
    """Return docs/features.md."""
    lines = [
        "# What it does, and what proves it",
        "",
        "Written by `make features` from `docs/features.toml` and the last runs of `make test` and `make test-saleor`.",
        "",
        f"**{_count(proven_by)}**",
    ]
    for title, rows in groups():
        lines += ["", f"## {title}", "", "| # | Capability | Proven | Tests |", "|---|---|---|---|"]
        lines += [_line(row, text, proven_by[row]) for row, text in rows.items()]
    return "\n".join(lines) + "\n"


def _line(row: int, text: str, tests: Mapping[str, str]) -> str:
    named = "<br>".join(f"`{name}`{'' if end == 'passed' else f' **{end}**'}" for name, end in sorted(tests.items()))
    return f"| {row} | {text} | {_word(row) if is_proven(tests) else 'no'} | {named} |"


def _word(row: int) -> str:
    return f"but for {stubbed()[row]}" if row in stubbed() else "yes"


def _count(proven_by: Mapping[int, Mapping[str, str]]) -> str:
    proven = [row for row, tests in proven_by.items() if is_proven(tests)]
    without = sum(row in stubbed() for row in proven)
    return f"{len(proven)} of {len(proven_by)} rows proven" + (f", {without} of them but for a part" if without else "")


def unproven(rows: Collection[int], proven_by: Mapping[int, Mapping[str, str]]) -> list[str]:
    """Return one line for each row that is not proven, with the tests that stand in the way."""
    lines = []
    for row in rows:
        if not is_proven(proven_by[row]):
            ends = ", ".join(f"{name} {end}" for name, end in proven_by[row].items() if end != "passed")
            lines.append(f"  {row:>3}  {titles()[row]}  ({ends or 'no test'})")
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, print the count; return 1 when a row that was asked for is not proven."""
    parser = argparse.ArgumentParser(prog="python -m tests.features", description=__doc__)
    parser.add_argument("--rows", type=parse_rows, help="1-35,56-59")
    asked = parser.parse_args(arguments).rows
    if not RESULTS.exists():
        print("No results yet: run `make test` first.")
        return 1
    proven_by = proofs(results())
    PAGE.write_text(page(proven_by))
    missing = unproven(asked, proven_by) if asked else []
    print(*missing, sep="\n", end="\n" if missing else "")
    if asked:
        print(f"{len(asked) - len(missing)} of the {len(asked)} rows asked for proven")
    print(_count(proven_by))
    return bool(missing)


if __name__ == "__main__":
    sys.exit(main())
