"""A pytest plugin that notes which tests prove which rows of ``docs/features.toml`` and how they ended.

The notes are merged into ``build/features.json``: a run replaces what it ran and leaves the rest, so that the suite and
the tests inside Saleor add up. ``features.py`` reads them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests import features

#: The key under which the rows travel with a report, also from an xdist worker to the controller.
PROPERTY = "crm_features"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where the notes are kept."""
    parser.addoption("--features-file", type=Path, default=features.RESULTS, help="JSON file of proven features")


def pytest_configure(config: pytest.Config) -> None:
    """Note in the process that sees every report; an xdist worker only sends them."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Notes(config.getoption("--features-file")), "crm-features")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let the test carry its rows.

    Raises:
        pytest.UsageError: for a row that does not exist.
    """
    rows = sorted({row for mark in item.iter_markers("feature") for row in mark.args})
    unknown = [row for row in rows if row not in features.titles()]
    if unknown:
        raise pytest.UsageError(f"{item.nodeid}: docs/features.toml has no row {unknown}")
    item.user_properties.append((PROPERTY, {"test": _name(item), "rows": rows}))


def _name(item: pytest.Item) -> str:
    """The test without its parameters, from the root of the project, whatever root pytest chose."""
    path = item.path
    place = path.relative_to(features.ROOT) if path.is_relative_to(features.ROOT) else path
    return f"{place.as_posix()}::{getattr(item, 'originalname', None) or item.name}"


class _Notes:
    """The outcomes of one run."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._noted: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the worst outcome of all phases and all parameters."""
        carried = dict(report.user_properties).get(PROPERTY)
        if not isinstance(carried, dict):
            return
        note = self._noted.setdefault(carried["test"], {"rows": carried["rows"], "outcome": "passed"})
        note["outcome"] = max(note["outcome"], report.outcome, key=features.SEVERITY.index)

    def pytest_sessionfinish(self) -> None:
        """Merge into the file; a reader never sees half of it."""
        if not self._noted:
            return
        kept = {name: note for name, note in features.results(self._path).items() if name not in self._noted}
        proofs = {name: note for name, note in self._noted.items() if note["rows"]}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(dict(sorted({**kept, **proofs}.items())), indent=1) + "\n")
        draft.replace(self._path)
