"""What every public endpoint has in common: served only while the CRM is on, small requests only, nothing cached."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from hashlib import sha256
from typing import Concatenate, ParamSpec

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from crm_plugin import shop

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]

#: RFC 8058 clients send 26 bytes. A longer body is not even waited for.
FORM_BYTES = 4_096

HEADERS = {
    "Cache-Control": "no-store, private",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}


def public(*methods: str, max_bytes: int = FORM_BYTES) -> Callable[[View[P]], View[P]]:
    """Return a decorator for an endpoint that anybody may call.

    Args:
        methods: those that it answers.
        max_bytes: a request that says that its body is longer is refused before anything is read.
    """

    def decorate(view: View[P]) -> View[P]:
        @csrf_exempt
        @wraps(view)
        def call(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            response: HttpResponseBase | None = _refusal(request, methods, max_bytes)
            if response is None:
                with shop.current().writable():
                    response = view(request, *args, **kwargs)
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
            return response

        return call

    return decorate


def not_found() -> HttpResponse:
    """Return the answer to a forged token, which is the answer to a wrong address."""
    return HttpResponse("Not found.\n", status=404, content_type="text/plain; charset=utf-8")


def too_large() -> HttpResponse:
    """Return the answer to a body that is longer than it may be, or does not say how long it is."""
    return HttpResponse("Too large.\n", status=413, content_type="text/plain; charset=utf-8")


def read_body(request: HttpRequest, *, max_bytes: int) -> bytes | None:
    """Return the body, of which never more than ``max_bytes`` are read.

    None when it is longer, does not say how long it is (chunked), or broke off.
    """
    if not request.META.get("CONTENT_LENGTH"):
        return None
    try:
        body: bytes = request.read(max_bytes + 1)
    except UnreadablePostError:
        return None
    return body if len(body) <= max_bytes else None


def is_first(purpose: str, token: str, *, seconds: int) -> bool:
    """Return whether this token was not used for ``seconds``: a reload, or a flood, is written down once.

    Kept in Django's cache; when that is away, everything is the first.
    """
    key = f"crm:{purpose}:{sha256(token.encode()).hexdigest()[:32]}"
    try:
        return bool(cache.add(key, 1, timeout=seconds))
    except Exception:  # noqa: BLE001 - a cache raises what its transport raises; counting once more harms nobody
        return True


def _refusal(request: HttpRequest, methods: tuple[str, ...], max_bytes: int) -> HttpResponse | None:
    if not shop.current().operator().is_enabled:
        return not_found()
    if request.method not in methods:
        return HttpResponse(status=405, headers={"Allow": ", ".join(methods)})
    if not _is_small(request.META.get("CONTENT_LENGTH") or "0", max_bytes):
        return too_large()
    return None


def _is_small(length: str, max_bytes: int) -> bool:
    try:
        return 0 <= int(length) <= max_bytes
    except ValueError:  # no number, or one of thousands of digits
        return False
