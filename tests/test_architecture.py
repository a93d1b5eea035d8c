from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "crm_plugin"
LONGEST_FILE = 400
ROOMS = [
    path
    for path in sorted(PACKAGE.glob("**/__init__.py"))
    if path.parent != PACKAGE and not {"management", "migrations"} & set(path.parts)
]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]

#: One violation of each contract: the module that is planted, and what it wrongly imports.
PLANTED = {
    "layers": ("crm_plugin.contacts.planted", "crm_plugin.pipeline"),
    "saleor": ("crm_plugin.activity.planted", "saleor"),
    "oscar": ("crm_plugin.messaging.planted", "oscar"),
    "graphene": ("crm_plugin.automations.planted", "graphene"),
    "project": ("crm_plugin.http.planted", "demo"),
    "services": ("demo.services.planted", "django"),
    "adapters": ("crm_plugin.shops.oscar.planted", "crm_plugin.shops.saleor"),
    "channels": ("crm_plugin.messaging.channels.planted", "crm_plugin.messaging.channels.email"),
    "contacts-door": ("crm_plugin.graphql.planted_a", "crm_plugin.contacts.models"),
    "activity-door": ("crm_plugin.graphql.planted_b", "crm_plugin.activity.models"),
    "messaging-door": ("crm_plugin.graphql.planted_c", "crm_plugin.messaging.models"),
    "audience-door": ("crm_plugin.graphql.planted_e", "crm_plugin.audience.models"),
    "coupons-door": ("crm_plugin.graphql.planted_f", "crm_plugin.coupons.models"),
    "reviews-door": ("crm_plugin.graphql.planted_g", "crm_plugin.reviews.models"),
    "automations-door": ("crm_plugin.graphql.planted_d", "crm_plugin.automations.models"),
}


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    env = {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200", "NO_COLOR": "1"}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=180, check=False)


@pytest.fixture(scope="module")
def verdict_on_violations(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What import-linter says of a copy of the tree into which every violation was planted."""
    folder = tmp_path_factory.mktemp("planted")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for package in ("crm_plugin", "demo"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__", "*.po", "*.mo"))
    for module, imported in PLANTED.values():
        (folder / f"{module.replace('.', '/')}.py").write_text(f"import {imported}\n")
    (folder / "crm_plugin" / "attic.py").write_text("")
    return lint_imports(folder).stdout


def test_import_contracts_are_kept() -> None:
    done = lint_imports(ROOT)

    assert done.returncode == 0, done.stdout


def test_every_contract_has_a_planted_violation() -> None:
    assert {contract["id"] for contract in CONTRACTS} == set(PLANTED)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract["id"])
def test_contract_finds_a_planted_violation(contract: dict[str, str], verdict_on_violations: str) -> None:
    module, imported = PLANTED[contract["id"]]

    assert re.search(rf"^{re.escape(contract['name'])} BROKEN", verdict_on_violations, re.MULTILINE)
    assert re.search(rf"{re.escape(module)} -> {re.escape(imported)}\b", verdict_on_violations)


def test_room_that_no_layer_names_is_found(verdict_on_violations: str) -> None:
    assert "- crm_plugin.attic" in verdict_on_violations


@pytest.mark.parametrize("room", ROOMS, ids=lambda path: path.parent.relative_to(PACKAGE).as_posix())
def test_room_tells_what_it_is_for_and_what_it_exports(room: Path) -> None:
    tree = ast.parse(room.read_text())
    defined = dict(definitions(tree))

    exported = ast.literal_eval(defined.get("__all__", ast.List(elts=[])))

    assert ast.get_docstring(tree)
    assert exported == sorted(exported, key=as_ruff_sorts)
    assert set(exported) <= set(defined)


def definitions(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """What a module's top level defines: its imports, functions, classes and assignments."""
    for node in tree.body:
        match node:
            case ast.Import() | ast.ImportFrom():
                yield from ((alias.asname or alias.name, node) for alias in node.names)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, node
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield name, value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value


def as_ruff_sorts(name: str) -> tuple[bool, bool, str]:
    """CONSTANTS, then Classes, then functions (RUF022)."""
    return not name.isupper(), not name[0].isupper(), name


def imported_modules(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("leaf", ["shop/port.py", "money.py", "errors.py", "clock.py"])
def test_leaf_knows_neither_the_database_nor_graphql(leaf: str) -> None:
    foreign = [name for name in imported_modules(PACKAGE / leaf) if name.startswith(("django", "graph"))]

    assert set(foreign) <= {"django.core.exceptions"}


def python_files() -> list[Path]:
    return [path for path in sorted(PACKAGE.rglob("*.py")) if "migrations" not in path.parts]


def test_only_the_clock_knows_the_time() -> None:
    asks = re.compile(r"\b(timezone\.now|datetime\.now|datetime\.utcnow|date\.today|time\.time)\(")
    found = [path.name for path in python_files() if asks.search(path.read_text())]

    assert found == ["clock.py"]


def test_no_file_is_longer_than_a_reader_can_bear() -> None:
    lengths = {path.name: len(path.read_text().splitlines()) for path in python_files()}

    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}
