"""Settings of the test suite: the demo shop's, without what is slow, on ``DATABASE_URL`` or an embedded PostgreSQL."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

from demo.services import postgres

#: Linters and migration checks read these settings too and must not start a server.
NO_SERVER = "postgresql://postgres@127.0.0.1:9/none"
IS_TEST_RUN = "PYTEST_VERSION" in os.environ

if IS_TEST_RUN:
    postgres.for_this_process()
else:
    os.environ.setdefault(postgres.URL_VARIABLE, NO_SERVER)
if IS_TEST_RUN and "CRM_DEMO_STATE" not in os.environ:  # the first process of the run; xdist's workers share its folder
    os.environ["CRM_DEMO_STATE"] = tempfile.mkdtemp(prefix="crm-tests-")
    atexit.register(shutil.rmtree, os.environ["CRM_DEMO_STATE"], ignore_errors=True)
# Tests that start real workers take the broker that the caller named; this process talks to none.
os.environ.setdefault("E2E_BROKER_URL", os.environ.get("CELERY_BROKER_URL", ""))
os.environ["DEMO_SEARCH"] = "ram"
os.environ["CELERY_BROKER_URL"] = "memory://"

from demo.settings import *  # noqa: E402, F403 - reads the environment that was just set

HAYSTACK_SIGNAL_PROCESSOR = "haystack.signals.BaseSignalProcessor"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


class _TablesWithoutHistory(dict[str, None]):
    """Django's ``MIGRATION_MODULES``: make the tables of other apps at once; only ours have migrations to test."""

    def __contains__(self, label: object) -> bool:
        return label != "crm_plugin"

    def __getitem__(self, label: str) -> None:
        if label == "crm_plugin":
            raise KeyError(label)


#: No query of a test waits for ever: for a lock, for itself, or for a test that forgot its transaction.
_LIMITS = "-c lock_timeout=60s -c statement_timeout=90s -c idle_in_transaction_session_timeout=180s"

if IS_TEST_RUN:
    _options = DATABASES["default"].setdefault("OPTIONS", {})  # noqa: F405 - the demo's
    _options["options"] = f"{_options.get('options', '')} {_LIMITS}".strip()
    MIGRATION_MODULES = _TablesWithoutHistory()
