"""Telling the collect endpoint something, as the storefront's script does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from django.test import Client

URL: Final = "/crm/collect/"
ORIGIN: Final = "https://shop.example"
VISITOR: Final = "visitor_of_22_letters_"
CHROME: Final = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
NOW: Final = 1_800_000_000_000


def event(kind: str, *, number: int = 0, at: int = NOW, **fields: Any) -> dict[str, Any]:
    """Return an event of this kind; ``number`` makes its id."""
    return {"id": f"event-{number:04}", "at": at, "kind": kind, **fields}


def view(number: int = 0, **fields: Any) -> dict[str, Any]:
    """Return that product 12 was looked at."""
    return event("product_view", number=number, **{"product": "12", **fields})


def batch(*events: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """Return a request of these events."""
    return {"visitor": VISITOR, "consent": True, "sent_at": NOW, "events": list(events), **fields}


def post(body: Any, *, client: Client | None = None, content_type: str = "text/plain", **headers: Any) -> Any:
    """Send a batch, or bytes as they are, and return the answer; ``headers`` are of the WSGI kind, None leaves out."""
    meta = {"HTTP_ORIGIN": ORIGIN, "HTTP_USER_AGENT": CHROME, "CONTENT_TYPE": content_type, **headers}
    meta = {name: value for name, value in meta.items() if value is not None}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return (client or Client()).generic("POST", URL, content, **meta)
