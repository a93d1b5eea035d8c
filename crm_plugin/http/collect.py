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
from crm_plugin.http import behaviour, clients, events, storefront
from crm_plugin.http.doors import public, read_body, too_large
from crm_plugin.http.shopfront import Shopfront
from crm_plugin.shop import Fact

MAX_BYTES: Final = 64 * 1_024


@non_atomic_requests  # one statement needs no transaction, and what is refused needs no connection
@public("POST", "OPTIONS", max_bytes=MAX_BYTES)
def collect(request: HttpRequest) -> HttpResponse:
    """Take a batch, or the preflight question of a browser."""
    return storefront.answer(request, _post)


def _post(request: HttpRequest, client: str, front: Shopfront) -> HttpResponse:
    agent = clients.agent(request)
    if agent.is_bot:
        return _stored(0, reason="bot")
    body = read_body(request, max_bytes=MAX_BYTES)
    if body is None:
        return too_large()
    try:
        return _take(body, client=client, browser=agent.family, front=front)
    except InvalidInput as error:
        return storefront.refused(400 if error.code == events.NOT_JSON else 422, error.message, field=error.field)


def _take(body: bytes, *, client: str, browser: str, front: Shopfront) -> HttpResponse:
    batch = events.parse(body)
    if batch is None:
        return _stored(0, reason="no_consent")
    more = len(batch.events) - 1
    if more and (wait := clients.spend(client, more)):
        return storefront.busy(wait)
    facts = behaviour.facts(batch, now=clock.now(), browser=browser, shopfront=front)
    written: list[int] = []
    _record(facts, written)
    return _stored(sum(written)) if written else storefront.later()


@guarded("http.collect", asks_database=False)
def _record(facts: Sequence[Fact], written: list[int]) -> None:
    written.append(activity.record_many(facts))


def _stored(number: int, *, reason: str = "") -> HttpResponse:
    return JsonResponse({"stored": number} | ({"reason": reason} if reason else {}), status=202)
