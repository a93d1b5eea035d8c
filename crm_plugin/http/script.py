"""``crm.js`` and the service worker, served from the package, so that they are always those of this release."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Final

from django.db.transaction import non_atomic_requests
from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response

from crm_plugin.http.doors import public

#: Short: a browser has the new script soon after an upgrade, and asks with the ETag what is mostly answered "the same".
CACHE: Final = "public, max-age=600"


@non_atomic_requests
@public("GET", "HEAD")
def script(request: HttpRequest) -> HttpResponse:
    """Return the script, or that the browser has it already."""
    return serve(request, "crm.js")


def serve(request: HttpRequest, name: str, *, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """Return a script of the package, or that the browser has it already."""
    content, etag = _content(name)
    common = {"ETag": etag, "Cache-Control": CACHE, "Cross-Origin-Resource-Policy": "cross-origin"}
    whole = HttpResponse(content, content_type="text/javascript; charset=utf-8", headers={**common, **(headers or {})})
    answer = get_conditional_response(request, etag=etag, response=whole)
    return answer if isinstance(answer, HttpResponse) else whole


@cache
def _content(name: str) -> tuple[bytes, str]:
    content = files(__package__).joinpath("static", name).read_bytes()
    return content, f'"{sha256(content).hexdigest()[:32]}"'
