"""``python -m benchmarks.collect_worker LISTEN``: one worker of the demo shop, with the addresses of ``collect_urls``.

It serves as ``make demo`` does (waitress, four threads, all of the shop's middleware), and keeps its database
connections as Saleor does (``DB_CONN_MAX_AGE``). ``DATABASE_URL`` names the database.
"""

from __future__ import annotations

import logging
import os
import sys

import waitress
from django.conf import settings
from django.core.wsgi import get_wsgi_application


def main(listen: str) -> None:
    """Serve until terminated."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "demo.settings")
    settings.ROOT_URLCONF = "benchmarks.collect_urls"
    settings.DATABASES["default"]["CONN_MAX_AGE"] = 600
    application = get_wsgi_application()
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # its clients ask as fast as they can, on purpose
    waitress.serve(application, listen=listen, threads=4, _quiet=True)


if __name__ == "__main__":
    main(sys.argv[1])
