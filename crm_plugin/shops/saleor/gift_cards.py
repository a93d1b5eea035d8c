"""Gift cards: what customers have left, and when to ask again.

A card is whose account it is restricted to (Saleor 3.23), else who used it last, as Saleor's own ``User.giftCards`` has
it: who bought it meant it for somebody else. Saleor calls no hook when an order takes something off a card, nor does it
know whose the card was before; its events tell both, a little later.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from decimal import Decimal
from typing import Any, Final

from django.db.models import Q
from saleor.giftcard import GiftCardEvents
from saleor.giftcard.models import GiftCard, GiftCardEvent

from crm_plugin import activity, clock
from crm_plugin.shop import Fact, FactKind, Page, Position
from crm_plugin.shops.saleor.people import as_id, as_pks

#: Events that leave the balance as it was.
_IDLE: Final = (GiftCardEvents.TAGS_UPDATED, GiftCardEvents.NOTE_ADDED, GiftCardEvents.SENT_TO_CUSTOMER)
_PREVIOUS: Final = "previous_assigned_to_id"
_HAS_ASSIGNEES: Final = hasattr(GiftCard, "assigned_to")


def balances(customer_ids: Collection[str]) -> dict[str, dict[str, Decimal]]:
    """Return what is left on the customers' valid cards, by currency."""
    found: defaultdict[str, defaultdict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    pks = as_pks(customer_ids)
    today = clock.now().date()
    rows = GiftCard.objects.filter(_is_of(pks), Q(expiry_date__isnull=True) | Q(expiry_date__gte=today), is_active=True)
    for card in rows.order_by():
        found[as_id(_owner(card))][card.currency] += card.current_balance_amount
    return {customer_id: dict(by_currency) for customer_id, by_currency in found.items()}


def card_changed(card: Any) -> None:
    """A card was made, changed, switched on or off, or deleted."""
    owner = _owner(card)
    if owner is not None:
        activity.record(_ask_again(owner, source_key=f"gift_card:{card.pk}:{clock.now().isoformat()}"))


def events_since(position: Position, limit: int) -> Page:
    """Read what happened to cards, in the order of the primary key: the events' time has no index.

    Where to begin is found from the newest event backwards; only a first load begins with the first.
    """
    after = int(position.key) if position.key else _last_before(position)
    rows = list(GiftCardEvent.objects.filter(pk__gt=after).select_related("gift_card").order_by("pk")[:limit])
    users = _users({row.gift_card_id for row in rows})
    changed = [row for row in rows if row.type not in _IDLE]
    newest = {user: row.pk for row in changed for user in (*users[row.gift_card_id], *_named_in(row))}
    facts = tuple(_ask_again(user, source_key=f"gift_card_event:{pk}:{user}") for user, pk in sorted(newest.items()))
    end = Position(max(position.at, rows[-1].date), str(rows[-1].pk)) if rows else position
    return Page(facts, end, is_last=len(rows) < limit)


def _last_before(position: Position) -> int:
    oldest = GiftCardEvent.objects.order_by("pk").values_list("date", flat=True).first()
    if oldest is None or oldest >= position.at:
        return 0
    older = GiftCardEvent.objects.filter(date__lt=position.at).order_by("-pk").values_list("pk", flat=True)
    return older.first() or 0


def _users(cards: Collection[int]) -> defaultdict[int, set[int]]:
    """Return who ever used each card, its present owner too: it may have been somebody else's."""
    found: defaultdict[int, set[int]] = defaultdict(set)
    used = GiftCardEvent.objects.filter(gift_card_id__in=cards, order__user_id__isnull=False).order_by()
    for card, user in used.values_list("gift_card_id", "order__user_id").distinct():
        found[card].add(user)
    return found


def _named_in(event: Any) -> Iterator[int]:
    owner, previous = _owner(event.gift_card), event.parameters.get(_PREVIOUS)
    yield from (user for user in (owner, previous) if isinstance(user, int))


def _is_of(pks: Collection[int]) -> Q:
    if not _HAS_ASSIGNEES:
        return Q(used_by_id__in=pks)
    # One with the address of an account and no account was restricted to somebody who is gone: nobody can use it.
    unrestricted = Q(assigned_to__isnull=True) & (Q(assigned_to_email__isnull=True) | Q(assigned_to_email=""))
    return Q(assigned_to_id__in=pks) | (Q(used_by_id__in=pks) & unrestricted)


def _owner(card: Any) -> int | None:
    assignee: int | None = card.assigned_to_id if _HAS_ASSIGNEES else None
    used_by: int | None = card.used_by_id
    return used_by if assignee is None else assignee


def _ask_again(user: int, *, source_key: str) -> Fact:
    """Return the fact upon which the drain asks for the balances anew."""
    return Fact(kind=FactKind.CUSTOMER_CHANGED, source_key=source_key, customer_id=as_id(user))
