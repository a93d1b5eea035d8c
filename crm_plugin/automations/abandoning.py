"""Carts and checkouts that are left alone.

Every change of a cart sets its timer anew. When the timer fires, the shop is asked for the cart once more: what counts
is what is in it then, not what was told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from crm_plugin import clock, shop
from crm_plugin.automations import carts as baskets
from crm_plugin.automations.carts import Pair
from crm_plugin.automations.entering import Entrant
from crm_plugin.automations.models import EnrollmentState
from crm_plugin.automations.running import Running, versions
from crm_plugin.automations.timers import Alarm, Decision, Due, in_audience
from crm_plugin.automations.triggers import AbandonedTrigger, Trigger
from crm_plugin.automations.working import finish
from crm_plugin.conf import settings
from crm_plugin.ids import array
from crm_plugin.shop import Cart, FactKind

#: What a run ends with that makes room for another about the same cart.
SUPERSEDED = "superseded"
#: How long a timer rests whose cart's older run is in another worker's hands at this moment.
AGAIN_SECONDS = 5

_UNDER_WAY = """
SELECT e.id, e.campaign_id, e.version_id, e.contact_id, e.subject_key, e.epoch FROM crm_plugin_enrollment e
JOIN unnest(%s::bigint[], %s::text[]) AS n(contact_id, subject_key) USING (contact_id, subject_key)
WHERE e.state = 'active'
"""
_LOCK = """
SELECT id FROM crm_plugin_enrollment WHERE id = ANY(%s::bigint[]) AND state = 'active'
ORDER BY id FOR UPDATE SKIP LOCKED
"""
_STILL_UNDER_WAY = "SELECT id FROM crm_plugin_enrollment WHERE id = ANY(%s::bigint[]) AND state = 'active'"

Left = tuple[Running, AbandonedTrigger]


@dataclass(frozen=True, slots=True)
class Lying:
    """A cart whose timer has come.

    ``since``: when it was last changed or, if that was later, its checkout begun.
    """

    due: Due
    trigger: AbandonedTrigger
    cart: Cart
    since: datetime

    @property
    def pair(self) -> Pair:
        """Who, and which cart."""
        return self.due.alarm.contact_id, self.cart.cart_ref


def alarms(
    campaigns: Sequence[Running],
    *,
    added: Mapping[FactKind, Sequence[int]],
    carts: Mapping[str, Cart | None],
    visitors: Mapping[str, str],
    touched: Mapping[str, datetime],
) -> list[Alarm]:
    """Return the timers that changes of carts and begun checkouts set; see ``firing.arm_timers``."""
    triggers = _left(campaigns)
    open_carts = {ref: cart for ref, cart in carts.items() if cart is not None and cart.lines}
    if not triggers or not open_carts:
        return []
    checkouts = baskets.checkouts_in(added.get(FactKind.CHECKOUT_STARTED, ()))
    touches = {
        (contact_id, ref): max(open_carts[ref].changed_at, touched.get(ref, open_carts[ref].changed_at))
        for ref, contact_id in baskets.owners_of(open_carts.values(), visitors).items()
    }
    for pair, at in checkouts.items():
        if pair[1] in open_carts:
            touches[pair] = max(at, touches.get(pair, at))
    if any(trigger.what == "checkout" for _one, trigger in triggers):
        checkouts |= baskets.checkouts_of(touches)
    return list(_alarms(triggers, touches, checkouts))


def decide(dues: Sequence[Due], *, campaigns: Sequence[Running]) -> Decision:
    """Return who enters because their cart was left alone, and end the runs that make room for that."""
    lying, again = left_alone(dues, campaigns=campaigns)
    wanted = {(one.due.one.campaign_id, one.pair): one for one in lying}
    entrants = entrants_of(lying)
    busy = _make_room(entrants, {one.due.one.campaign_id for one in lying if one.trigger.what == "checkout"})
    for one in entrants:
        key = (one.campaign_id, (one.contact_id, baskets.ref_of(one.subject_key)))
        if (one.contact_id, one.subject_key) in busy:
            rest = clock.now() + timedelta(seconds=AGAIN_SECONDS)
            again.append(_alarm(wanted[key].due.one, key[1], wanted[key].since, due_at=rest))
    return Decision([one for one in entrants if (one.contact_id, one.subject_key) not in busy], again)


def left_alone(dues: Sequence[Due], *, campaigns: Sequence[Running]) -> tuple[list[Lying], list[Alarm]]:
    """Return the carts that lie there as they were, unordered, and the timers of those that were changed since."""
    open_carts = shop.current().carts({baskets.ref_of(due.alarm.subject_key) for due in dues})
    lying, again = _sorted_out(dues, open_carts)
    return _not_ordered(_for_their_campaign(lying, campaigns)), again


def entrants_of(lying: Sequence[Lying]) -> list[Entrant]:
    """Return who would enter because of these carts: those in the audience of their campaign."""
    return in_audience(
        [_entrant(one) for one in lying], {one.due.one.campaign_id: one.trigger.audience for one in lying}
    )


def _left(campaigns: Sequence[Running]) -> list[Left]:
    return [(one, one.definition.trigger) for one in campaigns if isinstance(one.definition.trigger, AbandonedTrigger)]


def _alarms(
    triggers: Sequence[Left], touches: Mapping[Pair, datetime], checkouts: Mapping[Pair, datetime]
) -> Iterator[Alarm]:
    """Walk over the timers: what happened before the campaign ran, or is too old to be news (backfill), sets none."""
    oldest = clock.now() - timedelta(hours=settings().trigger_max_age_hours)
    for one, trigger in triggers:
        for pair, at in touches.items():
            due_at = at + timedelta(minutes=trigger.after_minutes)
            if at >= one.since and due_at >= oldest and (trigger.what == "cart" or pair in checkouts):
                yield _alarm(one, pair, at, due_at=due_at)


def _alarm(one: Running, pair: Pair, starts_at: datetime, *, due_at: datetime) -> Alarm:
    contact_id, cart_ref = pair
    return Alarm(
        campaign_id=one.campaign_id,
        contact_id=contact_id,
        subject_key=baskets.subject_of(cart_ref),
        starts_at=starts_at,
        due_at=due_at,
    )


def _sorted_out(dues: Sequence[Due], open_carts: Mapping[str, Cart]) -> tuple[list[Lying], list[Alarm]]:
    """Return the carts that lie there as they were, and the timers of those that were changed since."""
    named = [cart for cart in open_carts.values() if cart.customer_id or cart.email]
    owners, now = baskets.owners_of(named, {}), clock.now()
    theirs = {cart.cart_ref: owners.get(cart.cart_ref) for cart in named}
    lying, again = list[Lying](), list[Alarm]()
    for due in dues:
        alarm, trigger = due.alarm, due.one.definition.trigger
        cart = open_carts.get(baskets.ref_of(alarm.subject_key))
        if cart is None or not isinstance(trigger, AbandonedTrigger) or not _suits(trigger, cart):
            continue
        if theirs.get(cart.cart_ref, alarm.contact_id) != alarm.contact_id:
            continue  # somebody else has signed in: it is not this person's cart any more
        since = max(alarm.starts_at, cart.changed_at)
        moment = since + timedelta(minutes=trigger.after_minutes)
        if since > alarm.starts_at and moment > now:
            again.append(_alarm(due.one, (alarm.contact_id, cart.cart_ref), since, due_at=moment))
        else:
            lying.append(Lying(due, trigger, cart, since))
    return lying, again


def _suits(trigger: AbandonedTrigger, cart: Cart) -> bool:
    value = cart.total
    if value is None or not _is_sold_in(trigger, cart):
        return False
    wanted = trigger.value
    return wanted is None or (wanted.currency == value.currency and wanted.holds_for(value.amount))


def _is_sold_in(trigger: AbandonedTrigger, cart: Cart) -> bool:
    return not trigger.shop_channels or cart.shop_channel in trigger.shop_channels


def _for_their_campaign(lying: Sequence[Lying], campaigns: Sequence[Running]) -> list[Lying]:
    """Return those that belong to their campaign: a begun checkout to those for checkouts, when one runs there."""
    begun = baskets.checkouts_of(one.pair for one in lying)
    checkouts = [trigger for _one, trigger in _left(campaigns) if trigger.what == "checkout"]

    def belongs(one: Lying) -> bool:
        if one.trigger.what == "checkout":
            return one.pair in begun
        return one.pair not in begun or not any(_is_sold_in(trigger, one.cart) for trigger in checkouts)

    return [one for one in lying if belongs(one)]


def _not_ordered(lying: Sequence[Lying]) -> list[Lying]:
    gone = baskets.ordered_since([(one.due.alarm.contact_id, one.since) for one in lying])
    return [one for place, one in enumerate(lying) if place not in gone]


def _entrant(one: Lying) -> Entrant:
    subject = baskets.subject_of(one.cart.cart_ref)
    return Entrant(
        campaign_id=one.due.one.campaign_id,
        version_id=one.due.one.version.version_id,
        contact_id=one.due.alarm.contact_id,
        subject_key=subject,
        epoch=baskets.content_of(one.cart),
        lane=subject,
        due_at=clock.now(),
        entered_at=one.since,
        items=baskets.items_of(one.cart),
        context={"cart_ref": one.cart.cart_ref, "shop_channel": one.cart.shop_channel},
    )


def _make_room(entrants: Sequence[Entrant], checkout_campaigns: set[int]) -> set[tuple[int, str]]:
    """End the runs about an older content of the same carts and, for a checkout, those about the cart.

    Returns:
        The contacts and subjects with such a run in another worker's hands; they have to wait a moment.
    """
    if not entrants:
        return set()
    coming = {(one.contact_id, one.subject_key): list[Entrant]() for one in entrants}
    for one in entrants:
        coming[one.contact_id, one.subject_key].append(one)
    with connection.cursor() as cursor:
        cursor.execute(_UNDER_WAY, [[pair[0] for pair in coming], [pair[1] for pair in coming]])
        rows = cursor.fetchall()
    known = versions(version_id for _pk, _campaign, version_id, *_ in rows)
    leaving: dict[int, tuple[int, str]] = {}
    for pk, campaign_id, version_id, contact_id, subject, epoch in rows:
        trigger = known[version_id].definition.trigger
        for one in coming[contact_id, subject]:
            is_checkout = one.campaign_id in checkout_campaigns
            if _makes_room(one, campaign_id, epoch) or (is_checkout and _is_about_a_cart(trigger)):
                leaving[pk] = (contact_id, subject)
    return _end(leaving)


def _makes_room(one: Entrant, campaign_id: int, epoch: int) -> bool:
    return one.campaign_id == campaign_id and one.epoch != epoch


def _is_about_a_cart(trigger: Trigger) -> bool:
    return isinstance(trigger, AbandonedTrigger) and trigger.what == "cart"


def _end(leaving: Mapping[int, tuple[int, str]]) -> set[tuple[int, str]]:
    if not leaving:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [array(leaving)])
        locked = {pk for (pk,) in cursor.fetchall()}
        cursor.execute(_STILL_UNDER_WAY, [array(leaving)])
        busy = {pk for (pk,) in cursor.fetchall()} - locked
    finish(array(locked), EnrollmentState.EXITED, SUPERSEDED)
    return {leaving[pk] for pk in busy}
