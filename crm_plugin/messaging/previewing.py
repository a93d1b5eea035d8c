"""How a message would look to somebody, before anybody gets it: the way of ``composing``, with nothing written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

from crm_plugin import contacts, merchant, shop
from crm_plugin.contacts import Reach
from crm_plugin.errors import InvalidInput, NotFound
from crm_plugin.merchant import Merchant
from crm_plugin.messaging import liquid
from crm_plugin.messaging.cards import Cards
from crm_plugin.messaging.composing import personal_values, rendered, shared_values, shows_items, stamp_of
from crm_plugin.messaging.contents import CONTENTS, SHORT_LINKS, ContentTooLong
from crm_plugin.messaging.contents.limits import CLIPPED_BYTES, korean_bytes, segments
from crm_plugin.messaging.finished import Finished, KakaoMessage, Mail, Notification, TextMessage
from crm_plugin.messaging.languages import choose_language, is_korean
from crm_plugin.messaging.models import MessageClass
from crm_plugin.messaging.outcomes import Item
from crm_plugin.messaging.sampling import sample_extras
from crm_plugin.messaging.templates import TemplateSource
from crm_plugin.messaging.tracking import Found, Links
from crm_plugin.messaging.variables import about_cart
from crm_plugin.shop import Cart, Line, Order

#: How many products are made up for a message about products.
SAMPLE_ITEMS = 3
#: Links of a preview lead nowhere: no message has this id.
_NOBODYS = UUID(int=0)

T = TypeVar("T", Cart, Order)


class Remark(StrEnum):
    """What is allowed, but hardly meant."""

    CLIPPED = "clipped"  #: mailboxes cut the mail off, and the way out at its end with it
    NO_PREHEADER = "no_preheader"  #: an inbox shows the beginning of the body instead
    ITEMS_LEFT_OUT = "items_left_out"  #: products that cannot be shown now
    NO_ITEMS = "no_items"  #: nothing to show: such a message would not be sent
    SEVERAL_SEGMENTS = "several_segments"  #: a text message that is paid for more than once


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewFor:
    """Whom and what a preview is about; what is left out is made up."""

    contact_id: int | None = None
    cart_ref: str = ""
    order_ref: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A message as one person would get it.

    Attributes:
        title: the subject, or the title; empty where the channel has none.
        first_line: what most screens show of it before it is opened (features row 69).
        html: of a mail; to be shown in a sandboxed frame only.
        size_bytes: of the HTML, or of the text in the bytes that count for its length.
        remarks: what is allowed but hardly meant.
    """

    language: str
    title: str
    preheader: str
    first_line: str
    text: str
    html: str
    image_url: str
    url: str
    size_bytes: int
    segments: int | None
    remarks: tuple[Remark, ...]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A finished message that nobody gets, and what there is to say about it."""

    language: str
    content: Finished
    remarks: tuple[Remark, ...]


def preview(
    source: TemplateSource,
    *,
    message_class: MessageClass = MessageClass.MARKETING,
    about: PreviewFor | None = None,
    language: str = "",
) -> Preview:
    """Return how the message would look; nothing is written and nobody is told.

    Args:
        source: the contents.
        message_class: an advertisement gets its label.
        about: whom and what it is about.
        language: of the contents; the person's own, else the merchant's, when left out.

    Raises:
        InvalidInput: what is wrong with the template, with the path of the field.
        NotFound: when there is no such person, cart or order.
    """
    drawn = draw(source, message_class=message_class, about=about or PreviewFor(), language=language)
    return _shown(drawn)


def draw(source: TemplateSource, *, message_class: MessageClass, about: PreviewFor, language: str) -> Drawn:
    """Return the finished message.

    Raises:
        InvalidInput, NotFound: see ``preview``.
    """
    us, compiled = merchant.load(), source.check(message_class=message_class)
    reach = _reach(about.contact_id, source.channel, us)
    chosen = choose_language(tuple(compiled), wanted=language or reach.language, default=us.default_language)
    public_url = shop.current().operator().public_url
    links = Links(_NOBODYS, public_url=public_url, found=Found(), is_short=source.channel in SHORT_LINKS)
    extras, items = _surroundings(about, language=chosen)
    values = personal_values(shared_values(us, shop.current().identity()), reach, extras, language=chosen, links=links)
    values["items"], remarks = _cards(items, chosen, is_offer=not about.order_ref)
    stamp = stamp_of(reach, us, message_class, language=chosen, channel=source.channel, links=links)
    try:
        content = rendered(compiled[chosen], values, CONTENTS[source.channel], stamp, is_preview=True)
    except ContentTooLong as error:
        message = f"Too long for this person: {error}"
        raise InvalidInput(message, field=f"{chosen}.{error.field}", code="TOO_LONG") from error
    except liquid.LiquidError as error:
        raise InvalidInput(str(error), field=chosen, code="LIQUID") from error
    return Drawn(chosen, content, remarks if shows_items(compiled[chosen], source.channel) else ())


def _reach(contact_id: int | None, channel: str, us: Merchant) -> Reach:
    """Return the person; somebody whom only the fallbacks of the template know, when none was chosen."""
    if contact_id is not None:
        found = contacts.reach([contact_id], channel=channel).get(contact_id)
        if found is None:
            raise NotFound("There is no such contact.")
        return found
    return Reach(
        contact_id=0,
        address="",
        first_name="",
        last_name="",
        language=us.default_language,
        time_zone="",
        customer_id="",
        has_consent=True,
        suppressed_for=None,
        attributes={},
    )


def _surroundings(about: PreviewFor, *, language: str) -> tuple[dict[str, Any], list[Item]]:
    """Return what a run about this cart or order would know; a made-up coupon, and products of the shop, else."""
    port, extras = shop.current(), sample_extras()
    if about.cart_ref:
        cart = _known(port.carts([about.cart_ref]).get(about.cart_ref), "cart")
        return extras | {"cart": about_cart(cart), "order": None}, _items(cart.lines, cart.shop_channel)
    if about.order_ref:
        order = _known(port.orders([about.order_ref]).get(about.order_ref), "order")
        of_order = extras["order"] | {"number": order.number, "total": order.total}
        return extras | {"order": of_order, "cart": None}, _items(order.lines, order.shop_channel)
    found = [
        card.ref
        for one in port.channels()[:1]
        for card in port.search_products("", shop_channel=one.slug, language=language, limit=SAMPLE_ITEMS)
    ]
    return extras, [Item(ref.product_id, ref.shop_channel, ref.variant_id) for ref in found]


def _known(found: T | None, what: str) -> T:
    if found is None:
        raise NotFound(f"There is no such {what}.")
    return found


def _items(lines: Sequence[Line], shop_channel: str) -> list[Item]:
    refs = dict.fromkeys((line.product_id, line.variant_id) for line in lines)
    return [Item(product_id, shop_channel, variant_id) for product_id, variant_id in refs]


def _cards(items: Sequence[Item], language: str, *, is_offer: bool) -> tuple[list[dict[str, Any]], tuple[Remark, ...]]:
    cards = Cards.read((language, item) for item in items)
    shown = [item for item in items if cards.judge(item, language=language, is_offer=is_offer) is None]
    remarks = (Remark.NO_ITEMS,) if not shown else (Remark.ITEMS_LEFT_OUT,) if len(shown) < len(items) else ()
    return [cards.values(item, language=language) for item in shown], remarks


def _shown(drawn: Drawn) -> Preview:
    match drawn.content:
        case Mail(subject=subject, preheader=preheader, text=text, html=html) as mail:
            size = len(html.encode())
            remarks = [*drawn.remarks]
            remarks += [Remark.CLIPPED] if size > CLIPPED_BYTES else []
            remarks += [] if preheader.strip() else [Remark.NO_PREHEADER]
            return _preview(drawn, mail.preview, subject, text, size, remarks, html=html, preheader=preheader)
        case TextMessage(subject=subject, text=text) as message:
            parts = None if is_korean(drawn.language) else segments(text)
            remarks = [*drawn.remarks, *([Remark.SEVERAL_SEGMENTS] if parts is not None and parts > 1 else [])]
            size = korean_bytes(text) if parts is None else len(text.encode())
            return _preview(drawn, message.preview, subject, text, size, remarks, parts=parts)
        case KakaoMessage(text=text, image_url=image) as message:
            return _preview(drawn, message.preview, "", text, len(text.encode()), drawn.remarks, image_url=image)
        case Notification(title=title, text=text, url=url, image_url=image) as note:
            size = len(f"{title}{text}{url}{image}".encode())
            return _preview(drawn, note.preview, title, text, size, drawn.remarks, image_url=image, url=url)


def _preview(
    drawn: Drawn,
    first_line: str,
    title: str,
    text: str,
    size: int,
    remarks: Sequence[Remark],
    *,
    html: str = "",
    preheader: str = "",
    image_url: str = "",
    url: str = "",
    parts: int | None = None,
) -> Preview:
    return Preview(
        language=drawn.language,
        title=title,
        preheader=preheader,
        first_line=" ".join(first_line.split()),
        text=text,
        html=html,
        image_url=image_url,
        url=url,
        size_bytes=size,
        segments=parts,
        remarks=tuple(remarks),
    )
