"""``POST collect/``: what a visitor does in the storefront, in batches, from the storefront's own pages.

All of a batch is stored, by one INSERT, or nothing of it. Nothing is ever answered about anybody, so a page that lies
about its visitor learns nothing (docs/decisions/unauthenticated-identify.md). What costs least is asked first: the
size, the origin, how much this client told already, then the body.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from django.db.transaction import non_atomic_requests
from django.http import HttpRequest, HttpResponse, JsonResponse

from crm_plugin import activity, clock
from crm_plugin.errors import InvalidInput
from crm_plugin.guard import guarded
from crm_plugin.http import behaviour, clients, events, shopfront
from crm_plugin.http.doors import public, read_body, too_large
from crm_plugin.shop import Fact

MAX_BYTES: Final = 64 * 1_024
#: ``navigator.sendBeacon`` and a request without preflight send text.
CONTENT_TYPES: Final = frozenset({"application/json", "text/plain"})
RETRY_SECONDS: Final = 30
_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "Content-Type",
    "Access-Control-Max-Age": "86400",
}


@non_atomic_requests  # one statement needs no transaction, and what is refused needs no connection
@public("POST", "OPTIONS", max_bytes=MAX_BYTES)
def collect(request: HttpRequest) -> HttpResponse:
    """Take a batch, or the preflight question of a browser."""
    origin = request.headers.get("Origin", "")
    front = shopfront.load()
    if origin not in front.origins:
        return _refused(403, "This origin may not tell this shop anything", headers={"Vary": "Origin"})
    if request.method == "OPTIONS":
        response: HttpResponse = HttpResponse(status=204, headers=_PREFLIGHT)
    else:
        response = _post(request, front)
    response.headers["Access-Control-Allow-Origin"] = origin
    response.headers["Vary"] = "Origin"
    return response


def _post(request: HttpRequest, front: shopfront.Shopfront) -> HttpResponse:
    if request.content_type not in CONTENT_TYPES:
        return _refused(415, "application/json or text/plain is needed")
    client = clients.address(request)
    if wait := clients.spend(client, 1):
        return _busy(wait)
    agent = clients.agent(request)
    if agent.is_bot:
        return _stored(0, reason="bot")
    body = read_body(request, max_bytes=MAX_BYTES)
    if body is None:
        return too_large()
    try:
        return _take(body, client=client, browser=agent.family, front=front)
    except InvalidInput as error:
        return _refused(400 if error.code == events.NOT_JSON else 422, error.message, field=error.field)


def _take(body: bytes, *, client: str, browser: str, front: shopfront.Shopfront) -> HttpResponse:
    batch = events.parse(body)
    if batch is None:
        return _stored(0, reason="no_consent")
    more = len(batch.events) - 1
    if more and (wait := clients.spend(client, more)):
        return _busy(wait)
    facts = behaviour.facts(batch, now=clock.now(), browser=browser, shopfront=front)
    written: list[int] = []
    _record(facts, written)
    return _stored(sum(written)) if written else _refused(503, "Try again", headers={"Retry-After": str(RETRY_SECONDS)})


@guarded("http.collect", asks_database=False)
def _record(facts: Sequence[Fact], written: list[int]) -> None:
    written.append(activity.record_many(facts))


def _stored(number: int, *, reason: str = "") -> HttpResponse:
    return JsonResponse({"stored": number} | ({"reason": reason} if reason else {}), status=202)


def _busy(seconds: int) -> HttpResponse:
    return _refused(429, "Too many events from this address", headers={"Retry-After": str(seconds)})


def _refused(status: int, error: str, *, field: str = "", headers: dict[str, str] | None = None) -> HttpResponse:
    return JsonResponse({"error": error, "field": field}, status=status, headers=headers or {})
