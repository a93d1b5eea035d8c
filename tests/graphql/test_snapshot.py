"""The schema is written down beside the code, and the two agree."""

from __future__ import annotations

from pathlib import Path

import pytest

from crm_plugin.graphql import snapshot
from tests.fake_shop import FakeShop


def test_the_snapshot_is_the_schema(shop: FakeShop) -> None:
    assert snapshot.difference() == "", "run `python -m crm_plugin.graphql.snapshot` and commit schema.graphql"


def test_a_schema_that_changed_fails_the_check(
    shop: FakeShop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(snapshot, "PATH", tmp_path / "schema.graphql")

    assert snapshot.main(["--check"]) == 1
    assert "+type Query {" in capsys.readouterr().err
    assert snapshot.main([]) == 0
    assert snapshot.main(["--check"]) == 0
