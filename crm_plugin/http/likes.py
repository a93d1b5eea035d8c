"""``POST likes/``: the wishlist of somebody who has not signed in, kept by the id of their browser.

Whoever knows that id may read and change the list, so it is one that nobody can guess; it stands for no person. Once
the shop tells which customer uses the browser, what is on the list becomes that customer's, and this list is empty:
of a customer's own list nothing is ever answered here.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from django.db import transaction
from django.db.transaction import non_atomic_requests
from django.http import HttpRequest, HttpResponse, JsonResponse
from pydantic import BaseModel, ConfigDict, StringConstraints

from crm_plugin import activity
from crm_plugin.errors import InvalidInput
from crm_plugin.guard import guarded
from crm_plugin.http import clients, storefront
from crm_plugin.http.doors import public
from crm_plugin.http.events import Product, Variant
from crm_plugin.http.shopfront import Shopfront
from crm_plugin.shop import Like, ProductRef

MAX_BYTES: Final = 2 * 1_024


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Wanted(_Strict):
    """A product, or one variant of it, in a sales channel; without one, in the shop's first."""

    product: Product
    variant: Variant | None = None
    channel: Annotated[str, StringConstraints(max_length=64)] = ""


class Told(_Strict):
    """A browser, and what is put on its list and taken off it; neither: the list is only read."""

    visitor: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{22}$")]
    like: Wanted | None = None
    unlike: Wanted | None = None


@non_atomic_requests
@public("POST", "OPTIONS", max_bytes=MAX_BYTES)
def likes(request: HttpRequest) -> HttpResponse:
    """Change the list of a browser and answer what is on it."""
    return storefront.answer(request, _likes)


def _likes(request: HttpRequest, _client: str, front: Shopfront) -> HttpResponse:
    if clients.agent(request).is_bot:
        return _listed([])
    told = storefront.parsed(request, Told, max_bytes=MAX_BYTES)
    if isinstance(told, HttpResponse):
        return told
    return _done(told, front)


def _done(told: Told, front: Shopfront) -> HttpResponse:
    answers: list[HttpResponse] = []
    _take(told, front, answers)
    return answers[0] if answers else storefront.later()


@guarded("http.likes")
def _take(told: Told, front: Shopfront, answers: list[HttpResponse]) -> None:
    try:
        with transaction.atomic():
            if told.like is not None:
                activity.like_as_guest(told.visitor, _ref(told.like, front, field="like"))
            if told.unlike is not None:
                activity.unlike_as_guest(told.visitor, _ref(told.unlike, front, field="unlike"))
    except InvalidInput as error:
        field = error.field if "." in error.field else f"like.{error.field}"
        answers.append(storefront.refused(422, error.message, field=field))
    else:
        answers.append(_listed(activity.guest_likes(told.visitor)))


def _ref(wanted: Wanted, front: Shopfront, *, field: str) -> ProductRef:
    if wanted.channel and wanted.channel not in front.channels:
        raise InvalidInput("The shop has no sales channel of this name", field=f"{field}.channel")
    default = front.channels[0] if front.channels else ""
    return ProductRef(wanted.product, wanted.channel or default, wanted.variant or "")


def _listed(found: list[Like]) -> HttpResponse:
    return JsonResponse({"likes": [_shown(like) for like in found]})


def _shown(like: Like) -> dict[str, Any]:
    return {
        "product": like.ref.product_id,
        "variant": like.ref.variant_id or None,
        "channel": like.ref.shop_channel,
        "liked_at": like.liked_at.isoformat(),
    }
