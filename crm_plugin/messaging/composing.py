"""Compose: from a claimed message and its items to finished texts, a batch at a time.

Product cards, prices and stock are read from the shop now, at dispatch: what sold out, was taken down or became dearer
again is left out, and a message of which nothing is left is not sent.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crm_plugin import contacts, merchant, shop
from crm_plugin.contacts import Reach
from crm_plugin.merchant import Merchant
from crm_plugin.messaging import liquid, variables
from crm_plugin.messaging.cards import Cards
from crm_plugin.messaging.languages import choose_language, label_subject
from crm_plugin.messaging.models import MessageClass, Template
from crm_plugin.messaging.outbox import Claimed
from crm_plugin.messaging.outcomes import Go, Hold, Item, Reason, Skip, Verdict
from crm_plugin.messaging.tracking import Links

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Letter:
    """A finished message. ``unsubscribe_url`` is empty for what is no advertisement."""

    language: str
    subject: str
    text: str
    html: str
    unsubscribe_url: str
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
    reaches: Mapping[int, Reach]
    found: dict[str, str]


def compose(claimed: Sequence[Claimed], *, verdicts: Mapping[int, Verdict]) -> tuple[list[Composed], dict[str, str]]:
    """Return the messages in their order, and the links that they contain by digest.

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
    reaches: dict[int, Reach] = {}
    for channel in {one.channel for one in claimed}:
        reaches |= contacts.reach({one.contact_id for one in claimed if one.channel == channel}, channel=channel)
    templates = Template.objects.filter(pk__in={one.template_id for one in claimed})
    return _Desk(
        merchant=us,
        public_url=shop.current().operator().public_url,
        shared={
            "shop": {"name": identity.name, "url": identity.url},
            "sender": {"name": us.sender_name, "postal_address": us.postal_address},
            "consent_text": us.consent_text,
        },
        templates=dict(templates.values_list("pk", "compiled")),
        reaches=reaches,
        found={},
    )


def _items(verdict: Verdict) -> tuple[Item, ...]:
    return verdict.items if isinstance(verdict, Go) else ()


def _language(claimed: Claimed, desk: _Desk) -> str | None:
    """Return the language to write in; None when the person is gone."""
    reach = desk.reaches.get(claimed.contact_id)
    if reach is None:
        return None
    available = tuple(desk.templates[claimed.template_id])
    return choose_language(available, wanted=reach.language, default=desk.merchant.default_language)


def _compose_one(claimed: Claimed, verdict: Verdict, desk: _Desk, cards: Cards) -> Composed:
    if not isinstance(verdict, Go):
        return Composed(claimed, verdict)
    language = _language(claimed, desk)
    if language is None:
        return Composed(claimed, Skip(Reason.NO_ADDRESS))
    shown = verdict.items if _shows_items(desk.templates[claimed.template_id][language]) else ()
    judged = [(item, cards.judge(item, language=language, is_offer=verdict.is_offer)) for item in shown]
    items = tuple(item for item, reason in judged if reason is None)
    if judged and not items:
        return Composed(claimed, Skip(judged[0][1] or Reason.UNAVAILABLE))
    try:
        return Composed(claimed, _write(claimed, items, verdict.extras, language, desk, cards))
    except Exception:
        # A template that was fine with made-up values can still break on real ones; the batch must not.
        logger.exception("crm: message %s could not be rendered", claimed.public_id)
        return Composed(claimed, Skip(Reason.RENDER_FAILED))


def _shows_items(compiled: Mapping[str, str]) -> bool:
    """Whether the message is about products: one that names none goes out whatever became of them."""
    parts = {"subject": False, "text": False, "html": True}
    return any("items" in variables.names(liquid.parse(compiled[part], escapes=e)) for part, e in parts.items())


def _write(
    claimed: Claimed, items: tuple[Item, ...], extras: Mapping[str, Any], language: str, desk: _Desk, cards: Cards
) -> Letter:
    compiled = desk.templates[claimed.template_id][language]
    reach = desk.reaches[claimed.contact_id]
    links = Links(claimed.public_id, public_url=desk.public_url, found=desk.found)
    is_marketing = claimed.message_class == MessageClass.MARKETING
    values = {
        **desk.shared,
        "contact": {
            "first_name": reach.first_name,
            "last_name": reach.last_name,
            "attributes": variables.Lenient(reach.attributes),
        },
        **variables.filled(extras, language=language),
        "unsubscribe_url": links.unsubscribe_url,
        "open_url": links.open_url,
        "items": [cards.values(item, language=language) for item in items],
        liquid.LINKS: links,
        liquid.LANGUAGE: language,
    }
    subject = liquid.parse(compiled["subject"], escapes=False).render(values)
    return Letter(
        language=language,
        subject=label_subject(subject, language=language, is_marketing=is_marketing),
        text=liquid.parse(compiled["text"], escapes=False).render(values),
        html=liquid.parse(compiled["html"], escapes=True).render(values),
        unsubscribe_url=values["unsubscribe_url"] if is_marketing else "",
        items=tuple(cards.priced(item, language=language) for item in items),
    )
