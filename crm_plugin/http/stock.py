"""Asking to be told of stock without an account: ``POST stock/subscribe/``, and the links of the mail that comes of it.

Anybody can type anybody's address, so nothing is promised until its owner has followed the link of one mail: GET shows
the question, since mail scanners follow links, and POST lets the person wait. The same mail has the link that takes the
request back. Nothing is ever answered about anybody: whoever asks hears of the product, not of the address.
"""

from __future__ import annotations

from typing import Annotated, Final

from django.db import transaction
from django.db.transaction import non_atomic_requests
from django.http import HttpRequest, HttpResponse, JsonResponse
from pydantic import BaseModel, ConfigDict, StringConstraints

from crm_plugin import activity, clock, contacts, ids, merchant, messaging, nudge, shop
from crm_plugin.activity import ASK_WITHIN, Ask, AskStanding
from crm_plugin.contacts import ChannelKind, Person
from crm_plugin.errors import InvalidInput
from crm_plugin.guard import guarded
from crm_plugin.http import clients, pages, storefront
from crm_plugin.http.doors import not_found, public
from crm_plugin.http.events import Email, Product, Variant
from crm_plugin.http.shopfront import Shopfront
from crm_plugin.http.wording import Page
from crm_plugin.messaging import Notice
from crm_plugin.shop import ProductCard, ProductRef

MAX_BYTES: Final = 4 * 1_024
#: Of the events that one client may tell in a minute.
COST: Final = 60
CONFIRM: Final = "stock"
CANCEL: Final = "stock_cancel"


class Subscribe(BaseModel):
    """An address, and the variant that its owner wants to hear of; without a channel, in the shop's first one."""

    model_config = ConfigDict(extra="forbid", strict=True)

    email: Email
    product: Product
    variant: Variant
    channel: Annotated[str, StringConstraints(max_length=64, pattern=r"^[^\x00]*$")] = ""


@non_atomic_requests
@public("POST", "OPTIONS", max_bytes=MAX_BYTES)
def subscribe(request: HttpRequest) -> HttpResponse:
    """Keep that somebody asked, and let the link that confirms it be sent."""
    return storefront.answer(request, _subscribe, cost=COST)


@public("GET", "HEAD", "POST")
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """Show the question, or let the person wait. Doing it twice is fine."""
    request_id = _read(CONFIRM, token)
    if request_id is None:
        return not_found()
    ask = activity.look_at_ask(request_id)
    standing = activity.confirm_ask(request_id) if request.method == "POST" else ask.standing
    return _page(request, ask, _CONFIRMING[standing], is_open=standing is AskStanding.OPEN)


@public("GET", "HEAD", "POST")
def cancel(request: HttpRequest, token: str) -> HttpResponse:
    """Show the question, or take the request back. Doing it twice is fine."""
    request_id = _read(CANCEL, token)
    if request_id is None:
        return not_found()
    ask = activity.look_at_ask(request_id)
    if request.method == "POST":
        activity.cancel_ask(request_id)
    is_open = request.method != "POST" and ask.standing is not AskStanding.GONE
    return _page(request, ask, "cancel" if is_open else "cancelled", is_open=is_open)


#: What the page says, by how it stands: the names of the fields of ``wording.Stock``.
_CONFIRMING: Final = {
    AskStanding.OPEN: "confirm",
    AskStanding.DONE: "confirmed",
    AskStanding.AVAILABLE: "available",
    AskStanding.EXPIRED: "expired",
    AskStanding.GONE: "gone",
}


def _subscribe(request: HttpRequest, _client: str, front: Shopfront) -> HttpResponse:
    if clients.agent(request).is_bot:
        return _answer(is_available=False)
    told = storefront.parsed(request, Subscribe, max_bytes=MAX_BYTES)
    if isinstance(told, HttpResponse):
        return told
    channel = told.channel or next(iter(front.channels), "")
    if channel not in front.channels:
        return storefront.refused(422, "There is no such channel", field="channel")
    answers: list[HttpResponse] = []
    _keep(told.email, ProductRef(told.product, channel, told.variant), answers)
    return answers[0] if answers else storefront.later()


@guarded("http.stock")
def _keep(email: str, ref: ProductRef, answers: list[HttpResponse]) -> None:
    try:
        is_available = activity.is_available(ref)
    except InvalidInput as error:
        answers.append(storefront.refused(422, error.message, field="variant"))
        return
    if not is_available and not contacts.suppressed([email], channel=ChannelKind.EMAIL):
        with transaction.atomic():
            contact = contacts.get_or_create(Person(email=email))
            asked = activity.ask_unconfirmed(contact.pk, ref)
            if asked.request_id is not None:
                _ask_to_confirm(contact, asked.request_id, ref)
    answers.append(_answer(is_available=is_available))


def _answer(*, is_available: bool) -> HttpResponse:
    return JsonResponse({"is_available": is_available}, status=202)


def _ask_to_confirm(contact: contacts.Contact, request_id: int, ref: ProductRef) -> None:
    """Put the mail with the two links into the outbox."""
    base = shop.current().operator().public_url
    card = _card(ref, contact.language or merchant.load().default_language)
    messaging.enqueue_notices([
        Notice(
            occasion=f"stock:{request_id}",
            contact_id=contact.pk,
            channel=ChannelKind.EMAIL,
            name="stock_request",
            data={
                "url": f"{base}stock/confirm/{ids.sign(CONFIRM, str(request_id))}/",
                "cancel_url": f"{base}stock/cancel/{ids.sign(CANCEL, str(request_id))}/",
                "product": "" if card is None else card.name,
                "date": clock.now().astimezone(merchant.zone()).date().isoformat(),
                "days": ASK_WITHIN.days,
            },
        )
    ])  # fmt: skip
    nudge.after_commit("crm.deliver")


def _read(purpose: str, token: str) -> int | None:
    """Return the request that a link stands for; None when it was forged."""
    value = ids.unsign(purpose, token) if len(token) <= 100 else None
    return int(value) if value and value.isdecimal() else None


def _card(ref: ProductRef, language: str) -> ProductCard | None:
    return shop.current().product_cards([ref], language=language).get(ref)


def _page(request: HttpRequest, ask: Ask, what: str, *, is_open: bool) -> HttpResponse:
    words = pages.words_for(request, ask.language)
    card = None if ask.ref is None else _card(ask.ref, words.language)
    filled = {"product": words.stock.product if card is None else card.name}
    url = "" if card is None else card.url
    page: Page = getattr(words.stock, what)
    return pages.tell(page, words, filled, is_open=is_open, link=words.stock.look, link_url=url)
