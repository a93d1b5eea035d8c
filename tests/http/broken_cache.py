"""A cache whose server is away."""

from __future__ import annotations

from typing import Any

from django.core.cache.backends.base import BaseCache


class Broken(BaseCache):
    """Fails whatever it is asked."""

    def __init__(self, _location: str, params: dict[str, Any]) -> None:
        super().__init__(params)

    def __getattribute__(self, name: str) -> Any:
        if name in {"add", "incr", "get", "set"}:
            raise ConnectionError("the cache is away")
        return super().__getattribute__(name)
