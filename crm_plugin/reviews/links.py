"""The link of a request: who may review what, signed, good for 180 days and for nothing else."""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, Final

from crm_plugin import clock, contacts, ids, shop
from crm_plugin.contacts import Contact
from crm_plugin.reviews.submitting import has_reviewed

GOOD_FOR: Final = timedelta(days=180)
#: The longest that ids, channel and language can make it; anything longer is not looked at.
MAX_TOKEN: Final = 1_000
_PURPOSE: Final = "review"


class LinkState(StrEnum):
    """What the form shows."""

    OPEN = "open"  #: the form
    REVIEWED = "reviewed"  #: thanks: the person has written it
    EXPIRED = "expired"  #: that it is too late
    GONE = "gone"  #: the same: nobody is known by the link any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What a link of a request says.

    Attributes:
        contact_id: who may write, as they are known now; 0 when the state is GONE.
        author: what the form suggests as the name to show.
    """

    state: LinkState
    contact_id: int
    product_id: str
    variant_id: str
    order_ref: str
    shop_channel: str
    language: str
    issued_on: date
    author: str


def link(
    contact_id: int,
    product_id: str,
    *,
    order_ref: str = "",
    variant_id: str = "",
    shop_channel: str = "",
    language: str = "",
) -> str:
    """Return the token that the address of the form ends in: ``review/<token>/``."""
    issued_on = clock.now().date().isoformat()
    value = json.dumps(
        [contact_id, product_id, variant_id, order_ref, shop_channel, language, issued_on],
        ensure_ascii=False,
        separators=(",", ":"),
    )
    return ids.sign(_PURPOSE, urlsafe_b64encode(value.encode()).decode().rstrip("="))


def read_link(token: str) -> Link | None:
    """Return what a link says and whether it still holds; None when it was forged."""
    said = _said(token)
    if said is None:
        return None
    contact_id, product_id, variant_id, order_ref, shop_channel, language, issued_on = said
    writer = _writer(contact_id, order_ref)
    day = date.fromisoformat(issued_on)
    return Link(
        state=_state(writer, product_id, order_ref=order_ref, issued_on=day),
        contact_id=writer.pk if writer else 0,
        product_id=product_id,
        variant_id=variant_id,
        order_ref=order_ref,
        shop_channel=shop_channel,
        language=language,
        issued_on=day,
        author=writer.first_name if writer else "",
    )


def _said(token: str) -> list[Any] | None:
    value = ids.unsign(_PURPOSE, token) if len(token) <= MAX_TOKEN and token.isascii() else None
    if value is None:
        return None
    try:
        found: list[Any] = json.loads(urlsafe_b64decode(value + "=" * (-len(value) % 4)))
    except (binascii.Error, ValueError):  # signed by us, in another form: not one of these
        return None
    return found if len(found) == 7 else None


def _writer(contact_id: int, order_ref: str) -> Contact | None:
    """Return whose link it is. Whoever turned out to be a customer since is another contact: that of the order."""
    found = contacts.rows_of([contact_id]).first()
    if found is None and order_ref:
        order = shop.current().orders([order_ref]).get(order_ref)
        found = contacts.find(customer_id=order.customer_id, email=order.email) if order is not None else None
    return found if found is not None and found.erased_at is None else None


def _state(writer: Contact | None, product_id: str, *, order_ref: str, issued_on: date) -> LinkState:
    if writer is None:
        return LinkState.GONE
    if has_reviewed(writer.pk, product_id, order_ref=order_ref):
        return LinkState.REVIEWED
    return LinkState.EXPIRED if clock.now().date() - issued_on > GOOD_FOR else LinkState.OPEN
