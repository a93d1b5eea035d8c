"""Settings of the processes that the tests start: the demo shop's, with quick passwords and no search index on disk."""

from __future__ import annotations

import os

os.environ["DEMO_SEARCH"] = "ram"

from demo.settings import *  # noqa: F403 - reads the environment that was just set

HAYSTACK_SIGNAL_PROCESSOR = "haystack.signals.BaseSignalProcessor"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_TIMEOUT = 5
