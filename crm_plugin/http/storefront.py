"""What the endpoints that the storefront's own pages call have in common: the question of the origin, and CORS."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from django.http import HttpRequest, HttpResponse, JsonResponse
from pydantic import BaseModel, ValidationError

from crm_plugin.http import clients, shopfront
from crm_plugin.http.doors import read_body, too_large
from crm_plugin.http.shopfront import Shopfront

M = TypeVar("M", bound=BaseModel)

#: ``navigator.sendBeacon`` and a request without preflight send text.
CONTENT_TYPES: Final = frozenset({"application/json", "text/plain"})
RETRY_SECONDS: Final = 30
_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "Content-Type",
    "Access-Control-Max-Age": "86400",
}


def answer(
    request: HttpRequest, take: Callable[[HttpRequest, str, Shopfront], HttpResponse], *, cost: int = 1
) -> HttpResponse:
    """Return what ``take`` answers to a page of the storefront, or the answer to a browser's preflight question.

    Args:
        request: what was asked.
        take: called with the request, the client and what is known of the shop.
        cost: how many of a client's events this counts for.
    """
    origin = request.headers.get("Origin", "")
    front = shopfront.load()
    if origin not in front.origins:
        return refused(403, "This origin may not tell this shop anything", headers={"Vary": "Origin"})
    if request.method == "OPTIONS":
        response: HttpResponse = HttpResponse(status=204, headers=_PREFLIGHT)
    else:
        response = _post(request, take, front, cost=cost)
    return shared(response, origin)


def parsed(request: HttpRequest, kind: type[M], *, max_bytes: int) -> M | HttpResponse:
    """Return what a page told, or the refusal that names the field."""
    body = read_body(request, max_bytes=max_bytes)
    if body is None:
        return too_large()
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        status = 400 if first["type"] == "json_invalid" else 422
        return refused(status, first["msg"], field=".".join(map(str, first["loc"]))[:200])


def shared(response: HttpResponse, origin: str) -> HttpResponse:
    """Let a page of this origin read the answer."""
    response.headers["Access-Control-Allow-Origin"] = origin
    response.headers["Vary"] = "Origin"
    return response


def busy(seconds: int) -> HttpResponse:
    """Return the answer to a client that told too much."""
    return refused(429, "Too many events from this address", headers={"Retry-After": str(seconds)})


def later() -> HttpResponse:
    """Return the answer when something of ours is away."""
    return refused(503, "Try again", headers={"Retry-After": str(RETRY_SECONDS)})


def refused(status: int, error: str, *, field: str = "", headers: Mapping[str, str] | None = None) -> HttpResponse:
    """Return a refusal that says what is wrong and where."""
    return JsonResponse({"error": error, "field": field}, status=status, headers=dict(headers or {}))


def _post(
    request: HttpRequest,
    take: Callable[[HttpRequest, str, Shopfront], HttpResponse],
    front: Shopfront,
    *,
    cost: int,
) -> HttpResponse:
    if request.content_type not in CONTENT_TYPES:
        return refused(415, "application/json or text/plain is needed")
    client = clients.address(request)
    if wait := clients.spend(client, cost):
        return busy(wait)
    return take(request, client, front)
