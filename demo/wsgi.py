"""The demo shop as a WSGI application that serves its own static files (a real shop's web server does that)."""

from __future__ import annotations

import os

from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "demo.settings")

application = StaticFilesHandler(get_wsgi_application())
