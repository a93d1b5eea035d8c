"""What the documentation says is so."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from crm_plugin import models
from crm_plugin.conf import Settings

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def shown(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case float():
            return f"{value:g}"
        case _:
            return str(value or "empty") if value != () else "empty"


def test_every_setting_is_documented_with_its_default() -> None:
    rows = re.findall(r"^\| `(CRM_\w+)` \| (.+?) \| (.+) \|$", (DOCS / "operators.md").read_text(), re.MULTILINE)

    assert rows == [
        (f"CRM_{name.upper()}", shown(field.default), field.description)
        for name, field in Settings.model_fields.items()
    ]


def test_how_long_is_documented_of_every_model() -> None:
    text = (DOCS / "operators.md").read_text()
    section = text.partition("## What is kept, and for how long\n")[2].partition("\n## ")[0]
    named = re.findall(r"`([A-Z][A-Za-z]+)`", "".join(re.findall(r"^\| (.+?) \| .+ \|$", section, re.MULTILINE)))

    assert set(named) == set(models.__all__)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!\w+://)([^)#]+)", page.read_text())

    assert [target for target in targets if not (page.parent / unquote(target)).exists()] == []


def test_index_of_decisions_is_complete() -> None:
    index = (DOCS / "decisions" / "README.md").read_text()
    written = {path.name for path in (DOCS / "decisions").glob("*.md")} - {"README.md"}

    assert set(re.findall(r"\]\(([\w-]+\.md)\)", index)) == written


def test_every_make_target_that_the_readme_names_exists() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`|=0 )make ([a-z-]+)", (ROOT / "README.md").read_text(), re.MULTILINE))

    assert named <= targets
