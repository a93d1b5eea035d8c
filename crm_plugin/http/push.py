"""Web push in the storefront: ``push/key/``, ``push/subscribe/``, ``push/unsubscribe/`` and the service worker.

The browser asks the person before it subscribes: that yes, to this shop's name, is the consent to push messages, and
is written into the log with the origin on which it was given. Nothing is ever answered about anybody.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Final

from django.db import transaction
from django.db.transaction import non_atomic_requests
from django.http import HttpRequest, HttpResponse, JsonResponse
from pydantic import BaseModel, ConfigDict, StringConstraints

from crm_plugin import contacts, messaging
from crm_plugin.contacts import ChannelKind
from crm_plugin.guard import guarded
from crm_plugin.http import clients, script, shopfront, storefront
from crm_plugin.http.doors import public
from crm_plugin.http.shopfront import Shopfront
from crm_plugin.messaging import Subscription

MAX_BYTES: Final = 8 * 1_024
#: Where the consent was given, in its log.
SOURCE: Final = "browser"
#: Of the events that one client may tell in a minute: a browser subscribes once.
COST: Final = 10
_WORKER: Final = {"Service-Worker-Allowed": "/"}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Subscribe(_Strict):
    """A browser's subscription and whose browser it is; ``text_version`` of what the page told before it asked."""

    visitor: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{22}$")]
    subscription: Subscription
    language: Annotated[str, StringConstraints(pattern=r"^([A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8})*)?$", max_length=12)] = (
        ""
    )
    text_version: Annotated[str, StringConstraints(max_length=64, pattern=r"^[^\x00]*$")] = ""


class Unsubscribe(_Strict):
    """The address of a subscription: nobody else knows it."""

    endpoint: Annotated[str, StringConstraints(min_length=1, max_length=2_000)]


@non_atomic_requests
@public("GET", "HEAD")
def worker(request: HttpRequest) -> HttpResponse:
    """Return the service worker; it may be registered for all of an origin."""
    return script.serve(request, "crm-sw.js", headers=_WORKER)


@non_atomic_requests
@public("GET", "HEAD")
def key(request: HttpRequest) -> HttpResponse:
    """Return the public key that a browser subscribes with; 404 where web push is not set up."""
    found = messaging.vapid_public_key()
    if found:
        response: HttpResponse = JsonResponse({"key": found})
    else:
        response = storefront.refused(404, "Web push is not set up")
    origin = request.headers.get("Origin", "")
    return storefront.shared(response, origin) if origin in shopfront.load().origins else response


@non_atomic_requests
@public("POST", "OPTIONS", max_bytes=MAX_BYTES)
def subscribe(request: HttpRequest) -> HttpResponse:
    """Keep a subscription, and the consent that the person gave to the browser."""
    return storefront.answer(request, _subscribe, cost=COST)


@non_atomic_requests
@public("POST", "OPTIONS", max_bytes=MAX_BYTES)
def unsubscribe(request: HttpRequest) -> HttpResponse:
    """Forget a subscription; with the last one of a person their consent is withdrawn."""
    return storefront.answer(request, _unsubscribe)


def _subscribe(request: HttpRequest, _client: str, _front: Shopfront) -> HttpResponse:
    agent = clients.agent(request)
    if agent.is_bot:
        return HttpResponse(status=202)
    told = storefront.parsed(request, Subscribe, max_bytes=MAX_BYTES)
    if isinstance(told, HttpResponse):
        return told
    evidence = {"origin": request.headers["Origin"], "browser": agent.family}
    return _done(partial(_keep, told, evidence))


def _unsubscribe(request: HttpRequest, _client: str, _front: Shopfront) -> HttpResponse:
    told = storefront.parsed(request, Unsubscribe, max_bytes=MAX_BYTES)
    if isinstance(told, HttpResponse):
        return told
    return _done(partial(_forget, told.endpoint))


def _keep(told: Subscribe, evidence: dict[str, str]) -> None:
    given = told.subscription
    with transaction.atomic():
        contact_id = contacts.contact_in_browser(told.visitor)
        contacts.add_endpoint(
            contact_id,
            channel=ChannelKind.WEB_PUSH,
            address=given.endpoint,
            keys=given.keys.model_dump(),
            language=told.language,
        )
        contacts.set_consent(
            contact_id,
            channel=ChannelKind.WEB_PUSH,
            is_granted=True,
            source=SOURCE,
            text_version=told.text_version,
            evidence=evidence,
        )


def _forget(address: str) -> None:
    with transaction.atomic():
        owner = contacts.owner_of_endpoint(address, channel=ChannelKind.WEB_PUSH)
        if owner is None:
            return
        contacts.remove_endpoints([address], channel=ChannelKind.WEB_PUSH)
        if not contacts.has_endpoints(owner, channel=ChannelKind.WEB_PUSH):
            contacts.set_consent(owner, channel=ChannelKind.WEB_PUSH, is_granted=False, source=SOURCE)


def _done(work: partial[None]) -> HttpResponse:
    """Return that it was done, or that the browser is to try again."""
    is_done: list[bool] = []
    _guarded(work, is_done)
    return HttpResponse(status=202) if is_done else storefront.later()


@guarded("http.push")
def _guarded(work: partial[None], is_done: list[bool]) -> None:
    work()
    is_done.append(True)
