"""Install the locked requirements and this package into the environment that runs this, with a line of progress.

``make setup`` calls it; it needs nothing but the standard library and pip.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import deque
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements" / "dev.txt"
#: Without a terminal, a line every so many packages.
STEP = 20
ERROR_LINES = 30
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--progress-bar", "off")


def main() -> int:
    """Install everything; return pip's exit code."""
    expected = len(re.findall(r"^[A-Za-z0-9]", REQUIREMENTS.read_text(), flags=re.MULTILINE))
    code = _install(["--requirement", str(REQUIREMENTS)], expected=expected)
    if code:
        return code
    return _install(["--no-deps", "--no-build-isolation", "--editable", str(ROOT)], expected=0)


def _install(arguments: list[str], *, expected: int) -> int:
    said: deque[str] = deque(maxlen=ERROR_LINES)
    found = 0
    with subprocess.Popen(  # noqa: S603 - our own pip
        [*PIP, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as pip:
        for line in pip.stdout or ():
            said.append(line)
            found += line.startswith("Collecting ")
            if expected and line.startswith(("Collecting ", "Installing collected")):
                _show(line, found=found, expected=expected)
    if expected and sys.stdout.isatty():
        print()
    if pip.returncode:
        print("".join(said), file=sys.stderr)
    return pip.returncode


def _show(line: str, *, found: int, expected: int) -> None:
    is_installing = line.startswith("Installing")
    text = f"  {'installing' if is_installing else 'downloading'} packages: {found} of about {expected}"
    if sys.stdout.isatty():
        print(f"\r{text}", end="", flush=True)
    elif is_installing or found % STEP == 0:
        print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
