"""``POST subscribe/``: the sign-up form of the storefront's own pages, for people without an account.

Anybody can type anybody's address, so it is there only where the merchant has double opt-in: what is told here is a
request, and nothing is sent but the link that confirms it. Nothing is ever answered about anybody.
"""

from __future__ import annotations

from typing import Annotated, Final

from django.db.transaction import non_atomic_requests
from django.http import HttpRequest, HttpResponse
from pydantic import BaseModel, ConfigDict, StringConstraints

from crm_plugin import contacts, merchant
from crm_plugin.contacts import ChannelKind, Person
from crm_plugin.guard import guarded
from crm_plugin.http import clients, storefront
from crm_plugin.http.doors import public
from crm_plugin.http.events import Email
from crm_plugin.http.shopfront import Shopfront

MAX_BYTES: Final = 4 * 1_024
#: Of the events that one client may tell in a minute: a person signs up once.
COST: Final = 60

_Word = Annotated[str, StringConstraints(max_length=64, pattern=r"^[^\x00]*$")]


class Subscribe(BaseModel):
    """An address, the form that it was typed into, and the version of the text beside it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    email: Email
    form: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,40}$")] = "footer_form"
    text_version: _Word = ""


@non_atomic_requests
@public("POST", "OPTIONS", max_bytes=MAX_BYTES)
def subscribe(request: HttpRequest) -> HttpResponse:
    """Keep that somebody asked for advertisements, and let the link that confirms it be sent."""
    return storefront.answer(request, _subscribe, cost=COST)


def _subscribe(request: HttpRequest, _client: str, _front: Shopfront) -> HttpResponse:
    agent = clients.agent(request)
    if agent.is_bot:
        return HttpResponse(status=202)
    told = storefront.parsed(request, Subscribe, max_bytes=MAX_BYTES)
    if isinstance(told, HttpResponse):
        return told
    if not merchant.load().is_double_opt_in:
        return storefront.refused(404, "Sign-up without an account needs double opt-in to be switched on")
    is_kept: list[bool] = []
    _keep(told, {"origin": request.headers["Origin"], "browser": agent.family}, is_kept)
    return HttpResponse(status=202) if is_kept else storefront.later()


@guarded("http.subscribe")
def _keep(told: Subscribe, evidence: dict[str, str], is_kept: list[bool]) -> None:
    contact = contacts.get_or_create(Person(email=told.email))
    contacts.set_consent(
        contact.pk,
        channel=ChannelKind.EMAIL,
        is_granted=True,
        source=told.form,
        text_version=told.text_version,
        evidence=evidence,
        needs_confirmation=True,
    )
    is_kept.append(True)
