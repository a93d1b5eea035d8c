"""What every public endpoint has in common: served only while the CRM is on, small requests only, nothing cached."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from hashlib import sha256

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from crm_plugin import shop

View = Callable[[HttpRequest, str], HttpResponse]

#: RFC 8058 clients send 26 bytes. The body is never read; a longer one is not even waited for.
MAX_BODY_BYTES = 4_096

HEADERS = {
    "Cache-Control": "no-store, private",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}


def public(*methods: str) -> Callable[[View], View]:
    """Return a decorator for an endpoint that anybody may call with one of the methods."""

    def decorate(view: View) -> View:
        @csrf_exempt
        @wraps(view)
        def call(request: HttpRequest, token: str) -> HttpResponse:
            response = _refusal(request, methods)
            if response is None:
                with shop.current().writable():
                    response = view(request, token)
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
            return response

        return call

    return decorate


def not_found() -> HttpResponse:
    """Return the answer to a forged token, which is the answer to a wrong address."""
    return HttpResponse("Not found.\n", status=404, content_type="text/plain; charset=utf-8")


def is_first(purpose: str, token: str, *, seconds: int) -> bool:
    """Return whether this token was not used for ``seconds``: a reload, or a flood, is written down once.

    Kept in Django's cache; when that is away, everything is the first.
    """
    key = f"crm:{purpose}:{sha256(token.encode()).hexdigest()[:32]}"
    try:
        return bool(cache.add(key, 1, timeout=seconds))
    except Exception:  # noqa: BLE001 - a cache raises what its transport raises; counting once more harms nobody
        return True


def _refusal(request: HttpRequest, methods: tuple[str, ...]) -> HttpResponse | None:
    if not shop.current().operator().is_enabled:
        return not_found()
    if request.method not in methods:
        return HttpResponse(status=405, headers={"Allow": ", ".join(methods)})
    if not _is_small(request.META.get("CONTENT_LENGTH") or "0"):
        return HttpResponse("Too large.\n", status=413, content_type="text/plain; charset=utf-8")
    return None


def _is_small(length: str) -> bool:
    try:
        return 0 <= int(length) <= MAX_BODY_BYTES
    except ValueError:  # no number, or one of thousands of digits
        return False
