from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import features

Run = Callable[..., subprocess.CompletedProcess[str]]
MARKED = """
import pytest

@pytest.mark.feature(22, 72)
@pytest.mark.parametrize("drop", [10, 20])
def test_drop_is_told(drop):
    assert drop < {limit}

@pytest.mark.feature(59)
@pytest.mark.skip(reason="for the test")
def test_draft_sends_nothing():
    pass

def test_nothing_in_particular():
    pass
"""


@pytest.fixture
def run_suite(tmp_path: Path) -> Run:
    """Runs pytest over one file in a project of its own; notes go to notes.json beside it."""

    def run(source: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    feature(n): proves a row\n")
        (tmp_path / "test_made_up.py").write_text(source)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:django", "-p", "tests.features_plugin"]
        options = ["-c", str(tmp_path / "pytest.ini"), f"--features-file={tmp_path / 'notes.json'}", *arguments]
        return subprocess.run(
            [*command, *options, str(tmp_path)],
            cwd=features.ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def notes(folder: Path) -> dict[str, object]:
    read = json.loads((folder / "notes.json").read_text())
    return {name.partition("::")[2]: (note["rows"], note["outcome"]) for name, note in read.items()}


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_rows_and_the_worst_outcome_of_all_parameters_are_noted(
    run_suite: Run, tmp_path: Path, workers: tuple[str, ...]
) -> None:
    run_suite(MARKED.format(limit=15), *workers)

    assert notes(tmp_path) == {
        "test_drop_is_told": ([22, 72], "failed"),
        "test_draft_sends_nothing": ([59], "skipped"),
    }


def test_second_run_replaces_only_what_it_ran(run_suite: Run, tmp_path: Path) -> None:
    run_suite(MARKED.format(limit=15))
    run_suite(MARKED.format(limit=30), "-k", "drop")

    assert notes(tmp_path) == {
        "test_drop_is_told": ([22, 72], "passed"),
        "test_draft_sends_nothing": ([59], "skipped"),
    }


def test_note_goes_when_its_test_is_gone(run_suite: Run, tmp_path: Path) -> None:
    run_suite(MARKED.format(limit=30))
    run_suite("def test_other():\n    pass\n")

    assert notes(tmp_path) == {}


def test_unknown_row_stops_the_run(run_suite: Run) -> None:
    done = run_suite("import pytest\n@pytest.mark.feature(900)\ndef test_it():\n    pass\n")

    assert done.returncode != 0
    assert "has no row [900]" in done.stdout + done.stderr


def test_there_are_101_rows() -> None:
    assert sorted(features.titles()) == list(range(1, 102))


@pytest.mark.parametrize(
    ("tests", "expected"),
    [({}, False), ({"a": "passed"}, True), ({"a": "passed", "b": "failed"}, False), ({"a": "skipped"}, False)],
)
def test_row_is_proven_when_all_its_tests_passed(tests: dict[str, str], expected: bool) -> None:  # noqa: FBT001
    assert features.is_proven(tests) is expected


def test_ranges_are_read() -> None:
    assert features.parse_rows("1-3,56") == [1, 2, 3, 56]


@pytest.mark.parametrize("text", ["", "x", "3-1", "101-102"])
def test_wrong_range_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"no such rows|neither a row"):
        features.parse_rows(text)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for the page and the notes; one test of it proves row 22, one fails for row 59."""
    (tmp_path / "test_it.py").write_text("def test_drop():\n    ...\ndef test_draft():\n    ...\n")
    made = {
        "test_it.py::test_drop": {"rows": [22], "outcome": "passed"},
        "test_it.py::test_draft": {"rows": [59], "outcome": "failed"},
        "test_it.py::test_renamed_since": {"rows": [72], "outcome": "passed"},
    }
    monkeypatch.setattr(features, "ROOT", tmp_path)
    monkeypatch.setattr(features, "PAGE", tmp_path / "features.md")
    monkeypatch.setattr(features, "RESULTS", tmp_path / "features.json")
    monkeypatch.setattr(features.results, "__defaults__", (tmp_path / "features.json",))
    (tmp_path / "features.json").write_text(json.dumps(made))
    return tmp_path


def test_page_and_count_are_written(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = features.main([])

    assert code == 0
    assert capsys.readouterr().out == "1 of 101 rows proven\n"
    page = (project / "features.md").read_text()
    assert f"| 22 | {features.titles()[22]} | yes | `test_it.py::test_drop` |" in page
    assert f"| 59 | {features.titles()[59]} | no | `test_it.py::test_draft` **failed** |" in page
    assert f"| 72 | {features.titles()[72]} | no |  |" in page


@pytest.mark.usefixtures("project")
def test_asked_for_rows_decide_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    proven, missing = features.main(["--rows", "22"]), features.main(["--rows", "22,59-60"])

    assert (proven, missing) == (0, 1)
    said = capsys.readouterr().out
    assert "test_it.py::test_draft failed" in said
    assert "(no test)" in said
    assert "1 of the 3 rows asked for proven" in said


def test_without_results_it_says_what_to_do(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "features.json").unlink()

    assert features.main([]) == 1
    assert "make test" in capsys.readouterr().out
