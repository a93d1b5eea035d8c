"""From a batch of storefront events to the facts that the engine knows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final, assert_never

from crm_plugin.errors import InvalidInput
from crm_plugin.http import inflow
from crm_plugin.http.events import (
    Batch,
    CartAdd,
    Custom,
    Event,
    Form,
    GroupView,
    Identify,
    ProductView,
    Search,
    Visit,
)
from crm_plugin.http.shopfront import Shopfront
from crm_plugin.shop import Fact, FactKind

#: Events may wait in a browser for so long, until the next page or the network is there.
OLDEST_MS: Final = 24 * 3_600_000
#: A clock that was set between two events of a batch; what is later is not true.
LATEST_MS: Final = 5 * 60_000


def facts(batch: Batch, *, now: datetime, browser: str, shopfront: Shopfront) -> list[Fact]:
    """Return one fact for each event.

    Raises:
        InvalidInput: when the shop has no such channel, or an event is too old or in the future.
    """
    channel = batch.channel or (shopfront.channels[0] if shopfront.channels else "")
    if batch.channel and batch.channel not in shopfront.channels:
        raise InvalidInput("The shop has no sales channel of this name", field="channel")
    return list(_facts(batch, channel=channel, now=now, browser=browser, shopfront=shopfront))


def _facts(batch: Batch, *, channel: str, now: datetime, browser: str, shopfront: Shopfront) -> Iterator[Fact]:
    for place, event in enumerate(batch.events):
        what = {"source_key": f"collect:{batch.visitor}:{event.id}", **_what(event)}
        if isinstance(event, Visit):
            touch = inflow.touch(event.url, event.referrer, own_hosts=shopfront.hosts)
            what["data"] = {**touch, "browser": browser}
        yield Fact(
            **what,
            occurred_at=_time(event.at, batch.sent_at, now=now, place=place),
            visitor_id=batch.visitor,
            shop_channel=channel,
        )


def _what(event: Event) -> dict[str, Any]:
    match event:
        case Visit():
            return {"kind": FactKind.VISITED}
        case ProductView():
            return {"kind": FactKind.VIEWED, "product_id": event.product, "variant_id": event.variant or ""}
        case GroupView():
            return {"kind": FactKind.GROUP_VIEWED, "subject": event.group}
        case Search():
            return {"kind": FactKind.SEARCHED, "subject": event.words}
        case CartAdd():
            return _carted(event)
        case Custom():
            return {"kind": FactKind.CUSTOM, "subject": event.name, "data": event.properties}
        case Form():
            return {"kind": FactKind.FORM_SUBMITTED, "subject": event.name, "data": event.properties}
        case Identify():
            return {"kind": FactKind.IDENTIFIED, "email": event.email}
        case _:
            assert_never(event)


def _carted(event: CartAdd) -> dict[str, Any]:
    what = {
        "kind": FactKind.CARTED,
        "product_id": event.product,
        "variant_id": event.variant or "",
        "quantity": event.quantity,
    }
    if not event.cart:
        return what
    # The key under which the drain writes the same line when the shop itself tells of the cart.
    line = event.variant or event.product
    return what | {"cart_ref": event.cart, "source_key": f"cart:{event.cart}:{line}:{event.quantity}"}


def _time(at: int, sent_at: int, *, now: datetime, place: int) -> datetime:
    """Return when it was by our clock: as long before now as it was before sending by the sender's."""
    milliseconds = sent_at - at
    if milliseconds < -LATEST_MS:
        raise InvalidInput("This is in the future", field=f"events.{place}.at")
    if milliseconds > OLDEST_MS:
        raise InvalidInput("This is more than 24 hours old", field=f"events.{place}.at")
    return now - timedelta(milliseconds=max(milliseconds, 0))
