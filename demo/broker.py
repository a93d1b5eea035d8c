"""The filesystem broker of Celery, for several processes at once.

Kombu's own writes a message into the file that its readers look for: one of them can take it away empty, and ends with
a JSON error. Here a message appears whole or not at all, and one process at a time binds queues.
"""

from __future__ import annotations

import fcntl
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from kombu.transport import filesystem
from kombu.utils.json import dumps


class Channel(filesystem.Channel):
    """Kombu's, with writing that no reader can meet half-way."""

    def _put(self, queue: str, payload: Any, **_options: Any) -> None:
        folder, name = Path(self.data_folder_out), f"{round(time.monotonic() * 1000)}_{uuid4()}"
        draft = folder / f"{name}.draft"
        draft.write_text(dumps(payload))
        draft.replace(folder / f"{name}.{queue}.msg")

    def _queue_bind(self, *names: Any) -> None:
        with (Path(self.control_folder) / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            super()._queue_bind(*names)


class Transport(filesystem.Transport):
    """Named in ``CELERY_BROKER_TRANSPORT``."""

    Channel = Channel
