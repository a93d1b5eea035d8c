"""Saleor's own settings, as in production; only the queue is this run's own, whatever else uses the same Redis."""

from __future__ import annotations

import os

from saleor.settings import *  # noqa: F403 - Saleor's own, from the environment

CELERY_BROKER_TRANSPORT_OPTIONS = {"global_keyprefix": os.environ["CRM_TEST_PREFIX"]}
