"""The file broker: whoever looks sees whole messages only."""

from __future__ import annotations

import threading
from pathlib import Path
from queue import Empty

import pytest
from kombu import Connection

MESSAGES = 300


@pytest.fixture
def options(tmp_path: Path) -> dict[str, str]:
    """The folders of one broker."""
    for name in ("queue", "control"):
        (tmp_path / name).mkdir()
    folder = str(tmp_path / "queue")
    return {"data_folder_in": folder, "data_folder_out": folder, "control_folder": str(tmp_path / "control")}


def test_a_reader_meets_no_message_that_is_still_being_written(options: dict[str, str]) -> None:
    def connect() -> Connection:
        return Connection("filesystem://", transport="demo.broker:Transport", transport_options=options)

    def write() -> None:
        with connect() as connection:
            for number in range(MESSAGES):
                connection.default_channel._put("crm", {"number": number, "padding": "x" * 10_000})
        is_written.set()

    is_written = threading.Event()
    threading.Thread(target=write, daemon=True).start()
    numbers = []
    with connect() as connection:
        while True:
            is_last = is_written.is_set()
            try:
                numbers.append(connection.default_channel._get("crm")["number"])
            except Empty:
                if is_last:
                    break
                is_written.wait(0.001)

    assert sorted(numbers) == list(range(MESSAGES))
