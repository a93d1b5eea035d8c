"""What the tests inside Saleor need before pytest starts: this package in Saleor's environment, and a database server.

``run.sh`` calls it with Saleor's interpreter. What is there already is left as it is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import distributions, entry_points
from importlib.util import find_spec
from pathlib import Path
from tempfile import NamedTemporaryFile
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent.parent
DATABASE_URL = os.environ.get("DATABASE_URL", "postgres://saleor:saleor@127.0.0.1:5432/any")
#: Modules of what the package requires, and of what only its tests do.
_NEEDED = ("aiosmtpd", "dns", "html2text", "liquid", "mrml", "phonenumbers", "solapi", "ua_parser")
#: What is installed anew whatever is there.
_OURS = frozenset({"crm_plugin", "crm-plugin"})
#: May create roles; used only when the role of ``DATABASE_URL`` cannot log in.
ADMIN_URL = os.environ.get("ADMIN_DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/postgres")


def main() -> int:
    """Prepare; return 0, or 1 with what to do about it."""
    if not _is_installed() and not _install():
        sys.stderr.write("crm_plugin could not be installed into Saleor's environment.\n")
        return 1
    problem = _database_problem()
    if problem:
        sys.stderr.write(f"No database: {problem}\nSet DATABASE_URL (see tests/saleor/run.sh).\n")
        return 1
    import saleor  # noqa: PLC0415 - only here

    sys.stdout.write(f"Saleor {saleor.__version__} at {Path(saleor.__file__).parent.parent}\n")
    database = _test_database(".".join(saleor.__version__.split(".")[:2]))
    if not _exists(database):
        sys.stdout.write(f"Saleor's migrations make the database {database} first: some minutes, this once.\n")
    sys.stdout.flush()
    return 0


def _test_database(release: str) -> str:
    """Return the name that ``settings.py`` and Django's test runner make of it."""
    given = urlsplit(os.environ.get("DATABASE_URL", "")).path.strip("/")
    return f"test_{given or 'crm_saleor_' + release.replace('.', '_')}"


def _exists(database: str) -> bool:
    import psycopg  # noqa: PLC0415 - there once installed

    with psycopg.connect(_server()) as server:
        return server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone() is not None


def _server() -> str:
    return urlsplit(DATABASE_URL)._replace(scheme="postgresql", path="/postgres").geturl()


def _is_installed() -> bool:
    plugins = {entry.name for entry in entry_points(group="saleor.plugins")}
    return "crm_plugin" in plugins and all(map(find_spec, _NEEDED))


def _install() -> bool:
    """Install beside what the environment has, and fail rather than change a version of it."""
    uv = shutil.which("uv")
    start = [uv, "pip", "install", "--python", sys.executable] if uv else [sys.executable, "-m", "pip", "install"]
    there = {found.name: found.version for found in distributions() if found.name not in _OURS}
    with NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.writelines(f"{name}=={version}\n" for name, version in there.items())
        constraints.flush()
        command = [*start, "--quiet", "--constraint", constraints.name, "--editable", f"{ROOT}[sms]", "aiosmtpd>=1.4.6"]
        return subprocess.run(command, check=False).returncode == 0


def _database_problem() -> str:
    import psycopg  # noqa: PLC0415 - there once installed
    from psycopg import sql  # noqa: PLC0415

    wanted = urlsplit(DATABASE_URL)
    try:
        psycopg.connect(_server()).close()
    except psycopg.OperationalError as error:
        if not wanted.username:
            return str(error)
        make = sql.SQL("CREATE ROLE {} SUPERUSER LOGIN PASSWORD {}").format(
            sql.Identifier(wanted.username), sql.Literal(wanted.password or "")
        )
        try:
            with psycopg.connect(ADMIN_URL, autocommit=True) as admin:
                admin.execute(make)
            psycopg.connect(_server()).close()
        except psycopg.Error as second:
            return f"{error}\nand as {ADMIN_URL}: {second}"
    return ""


if __name__ == "__main__":
    sys.exit(main())
