"""What is installed: the data files, the entry point, the dependencies."""

from __future__ import annotations

import ast
import configparser
import re
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "crm_plugin"
#: The shop brings itself.
SHOPS = {"saleor", "oscar", "crm_plugin"}


def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def test_every_data_file_is_installed(tmp_path: Path) -> None:
    for name in ("setup.cfg", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(PACKAGE, tmp_path / "crm_plugin", ignore=shutil.ignore_patterns("__pycache__"))
    build = ["-c", "import setuptools; setuptools.setup()", "-q", "build_py", "--build-lib", "built"]

    subprocess.run([sys.executable, *build], cwd=tmp_path, check=True, capture_output=True, timeout=120)

    source = {path.relative_to(tmp_path) for path in (tmp_path / "crm_plugin").rglob("*") if path.is_file()}
    built = {path.relative_to(tmp_path / "built") for path in (tmp_path / "built").rglob("*") if path.is_file()}
    assert source - built == set()


def test_saleor_finds_the_plugin() -> None:
    declared = setup_cfg()["options.entry_points"]["saleor.plugins"].strip()

    module, _, name = declared.partition(" = ")[2].partition(":")
    tree = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text())
    assert declared.startswith("crm_plugin = ")
    assert name in {node.name for node in tree.body if isinstance(node, ast.ClassDef)}


def test_every_import_is_a_declared_dependency() -> None:
    declared = {normal(re.split(r"[<>=\[]", line)[0]) for line in requirements()}
    known = packages_distributions()

    undeclared = {
        name
        for name in imported()
        if name not in SHOPS | sys.stdlib_module_names and declared.isdisjoint(map(normal, known.get(name, [])))
    }

    assert undeclared == set()


def requirements() -> list[str]:
    """What the package needs, and what it needs for the providers that an operator chooses."""
    config = setup_cfg()
    extras = (config["options.extras_require"][name] for name in ("email", "sms", "push"))
    return [line for part in (config["options"]["install_requires"], *extras) for line in part.splitlines() if line]


def imported() -> set[str]:
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add((node.module or "").partition(".")[0])
    return found


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()
