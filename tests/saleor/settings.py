"""Saleor's own test settings, which raise where the writer connection is used undeclared, with the CRM in them."""

from __future__ import annotations

import os

import saleor

RELEASE = "_".join(saleor.__version__.split(".")[:2])
#: Test databases are named after it, ``test_crm_saleor_3_23``, so that each release keeps its own.
os.environ.setdefault("DATABASE_URL", f"postgres://saleor:saleor@127.0.0.1:5432/crm_saleor_{RELEASE}")
os.environ.setdefault("SECRET_KEY", "only-for-tests")

from saleor.tests.settings import *  # noqa: E402, F403 - reads the environment that was just set

PLUGINS = ["saleor.plugins.webhook.plugin.WebhookPlugin", "crm_plugin.plugin.CRMPlugin"]
if "crm_plugin" not in INSTALLED_APPS:  # noqa: F405 - without the entry point, from a source tree
    INSTALLED_APPS.append("crm_plugin")  # noqa: F405

CELERY_BROKER_URL = "memory://"
CELERY_TASK_EAGER_PROPAGATES = True
PUBLIC_URL = "https://api.shop.example"
