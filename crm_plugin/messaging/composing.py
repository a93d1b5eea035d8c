"""Compose: from a claimed message and its items to finished texts, a batch at a time.

Product cards, prices and stock are read from the shop now, at dispatch: what sold out, was taken down or became dearer
again is left out, and a message of which nothing is left is not sent.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

from crm_plugin import clock, contacts, merchant, shop
from crm_plugin.contacts import Reach
from crm_plugin.merchant import Merchant
from crm_plugin.messaging import liquid, variables
from crm_plugin.messaging.cards import Cards
from crm_plugin.messaging.compliance import Stamp, pack_of
from crm_plugin.messaging.contents import CONTENTS, SHORT_LINKS, Content, ContentTooLong
from crm_plugin.messaging.contents.blocks import readable_on
from crm_plugin.messaging.finished import Finished
from crm_plugin.messaging.languages import choose_language
from crm_plugin.messaging.models import MessageClass, Template
from crm_plugin.messaging.outbox import Claimed
from crm_plugin.messaging.outcomes import Go, Hold, Item, Reason, Skip, Verdict
from crm_plugin.messaging.tracking import Found, Links
from crm_plugin.shop import ShopIdentity

logger = logging.getLogger(__name__)

#: The colour of buttons where the merchant chose none.
DEFAULT_COLOR = "#1a1a1a"


@dataclass(frozen=True, slots=True)
class Letter:
    """A finished message, the language that it is in, and the products that it is about."""

    language: str
    content: Finished
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Composed:
    """A claimed message with what it has become so far."""

    claimed: Claimed
    result: Letter | Hold | Skip


@dataclass(frozen=True, slots=True)
class _Desk:
    """What all messages of a batch share."""

    merchant: Merchant
    public_url: str
    shared: Mapping[str, Any]
    templates: Mapping[int, Mapping[str, Mapping[str, str]]]
    reaches: Mapping[tuple[str, int], Reach]
    found: Found
    languages: dict[tuple[int, str], str] = field(default_factory=dict)


def compose(claimed: Sequence[Claimed], *, verdicts: Mapping[int, Verdict]) -> tuple[list[Composed], Found]:
    """Return the messages in their order, and the links that they contain.

    The shop is asked for cards once per language, whatever the number of messages.
    """
    going = [one for one in claimed if isinstance(verdicts[one.message_id], Go)]
    desk = _set_up(going)
    cards = Cards.read(
        (language, item)
        for one in going
        if (language := _language(one, desk)) is not None
        for item in _items(verdicts[one.message_id])
    )
    return [_compose_one(one, verdicts[one.message_id], desk, cards) for one in claimed], desk.found


def _set_up(claimed: Sequence[Claimed]) -> _Desk:
    us, identity = merchant.load(), shop.current().identity()
    reaches: dict[tuple[str, int], Reach] = {}
    for channel in {one.channel for one in claimed}:
        found = contacts.reach({one.contact_id for one in claimed if one.channel == channel}, channel=channel)
        reaches |= {(channel, contact_id): reach for contact_id, reach in found.items()}
    templates = Template.objects.filter(pk__in={one.template_id for one in claimed})
    return _Desk(
        merchant=us,
        public_url=shop.current().operator().public_url,
        shared=shared_values(us, identity),
        templates=dict(templates.values_list("pk", "compiled")),
        reaches=reaches,
        found=Found(),
    )


def shared_values(us: Merchant, identity: ShopIdentity) -> dict[str, Any]:
    """Return what a template may say of the shop and the merchant, whoever reads it."""
    color = us.brand_color or DEFAULT_COLOR
    return {
        "shop": {"name": identity.name, "url": identity.url},
        "sender": {"name": us.sender_name, "postal_address": us.postal_address},
        "consent_text": us.consent_text,
        "brand": {"logo_url": us.logo_url, "color": color, "ink": readable_on(color), "footer": us.brand_footer},
        liquid.ZONES: liquid.Zones(shop=clock.zone_named(us.time_zone or identity.time_zone) or UTC),
    }


def _items(verdict: Verdict) -> tuple[Item, ...]:
    return verdict.items if isinstance(verdict, Go) else ()


def _language(claimed: Claimed, desk: _Desk) -> str | None:
    """Return the language to write in; None when the person is gone."""
    reach = desk.reaches.get((claimed.channel, claimed.contact_id))
    if reach is None:
        return None
    asked = (claimed.template_id, reach.language)
    if asked not in desk.languages:
        available = tuple(desk.templates[claimed.template_id])
        default = desk.merchant.default_language
        desk.languages[asked] = choose_language(available, wanted=reach.language, default=default)
    return desk.languages[asked]


def _compose_one(claimed: Claimed, verdict: Verdict, desk: _Desk, cards: Cards) -> Composed:
    if not isinstance(verdict, Go):
        return Composed(claimed, verdict)
    language = _language(claimed, desk)
    if language is None:
        return Composed(claimed, Skip(Reason.NO_ADDRESS))
    compiled = desk.templates[claimed.template_id][language]
    if gone := [reason for name, reason in verdict.withheld.items() if shows(compiled, claimed.channel, name)]:
        return Composed(claimed, Skip(gone[0]))
    shown = verdict.items if shows_items(compiled, claimed.channel) else ()
    judged = [(item, cards.judge(item, language=language, is_offer=verdict.is_offer)) for item in shown]
    items = tuple(item for item, reason in judged if reason is None)
    if judged and not items:
        return Composed(claimed, Skip(judged[0][1] or Reason.UNAVAILABLE))
    try:
        return Composed(claimed, _write(claimed, items, verdict.extras, language, desk, cards))
    except ContentTooLong as error:
        return Composed(claimed, Skip(Reason.TOO_LONG, str(error)))
    except Exception:
        # A template that was fine with made-up values can still break on real ones; the batch must not.
        logger.exception("crm: message %s could not be rendered", claimed.public_id)
        return Composed(claimed, Skip(Reason.RENDER_FAILED))


def shows_items(compiled: Mapping[str, str], channel: str) -> bool:
    """Whether the message is about products: one that names none goes out whatever became of them."""
    return shows(compiled, channel, "items")


def shows(compiled: Mapping[str, str], channel: str, name: str) -> bool:
    """Whether the message names the variable, in whatever branch."""
    escaped = CONTENTS[channel].escaped
    return any(
        name in variables.names(liquid.parse(source, escapes=part in escaped)) for part, source in compiled.items()
    )


def _write(
    claimed: Claimed, items: tuple[Item, ...], extras: Mapping[str, Any], language: str, desk: _Desk, cards: Cards
) -> Letter:
    compiled, shape = desk.templates[claimed.template_id][language], CONTENTS[claimed.channel]
    reach = desk.reaches[claimed.channel, claimed.contact_id]
    links = Links(
        claimed.public_id, public_url=desk.public_url, found=desk.found, is_short=claimed.channel in SHORT_LINKS
    )
    stamp = stamp_of(
        reach, desk.merchant, claimed.message_class, language=language, channel=claimed.channel, links=links
    )
    values = personal_values(desk.shared, reach, extras, language=language, links=links)
    values["items"] = [cards.values(item, language=language) for item in items]
    return Letter(
        language=language,
        content=rendered(compiled, values, shape, stamp),
        items=tuple(cards.priced(item, language=language) for item in items),
    )


def personal_values(
    shared: Mapping[str, Any], reach: Reach, extras: Mapping[str, Any], *, language: str, links: Links
) -> dict[str, Any]:
    """Return what a template may say to one person, but for the products."""
    of_shop: liquid.Zones = shared[liquid.ZONES]
    zone = clock.zone_named(reach.time_zone) if reach.time_zone else None
    return {
        **shared,
        "contact": {
            "first_name": reach.first_name,
            "last_name": reach.last_name,
            "attributes": variables.Lenient(reach.attributes),
        },
        **variables.filled(extras, language=language),
        "unsubscribe_url": links.unsubscribe_url,
        "preferences_url": links.preferences_url,
        "open_url": links.open_url,
        liquid.LINKS: links,
        liquid.LANGUAGE: language,
        liquid.ZONES: liquid.Zones(reader=zone or of_shop.shop, shop=of_shop.shop),
    }


def rendered(
    compiled: Mapping[str, str],
    values: Mapping[str, Any],
    shape: type[Content],
    stamp: Stamp,
    *,
    is_preview: bool = False,
) -> Finished:
    """Return the finished message; a preview has the parts too that are only shown there.

    Raises:
        ContentTooLong
        LiquidError
    """
    parts = {
        part: liquid.parse(source, escapes=part in shape.escaped).render(values)
        for part, source in compiled.items()
        if is_preview or part not in shape.shown_apart
    }
    return shape.finish(parts, stamp)


def stamp_of(reach: Reach, us: Merchant, message_class: str, *, language: str, channel: str, links: Links) -> Stamp:
    """Return what the law adds to a message for a person."""
    is_marketing = message_class == MessageClass.MARKETING
    pack = pack_of(reach, us, language=language)
    has_word_or_number = pack.stop_word or (pack.refusal_forms and us.sms_refusal_number)
    needs_link = is_marketing and channel in SHORT_LINKS and pack.link_forms and not has_word_or_number
    return Stamp(
        pack=pack,
        language=language,
        is_marketing=is_marketing,
        sender_name=us.sender_name,
        refusal_number=us.sms_refusal_number,
        unsubscribe_url=links.unsubscribe_url if is_marketing else "",
        short_url=links.track(links.unsubscribe_url) if needs_link else "",
        postal_address=us.postal_address,
        consent_text=us.consent_text,
    )
