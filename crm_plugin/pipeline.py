"""The conductor: the one file in which the way of a fact through the house reads as code.

record -> project -> follow -> match -> enroll -> advance -> compose -> gate -> deliver -> track

Every function here is one pass that any number of workers may run at the same time, over and over: the database is the
queue. Each is bounded in time, does nothing while the operator has the CRM switched off, and leaves whole transactions.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

from django.db import OperationalError, transaction

from crm_plugin import (
    activity,
    audience,
    automations,
    clock,
    contacts,
    coupons,
    forgetting,
    messaging,
    nudge,
    persons,
    reviews,
    shop,
)
from crm_plugin.activity import Batch, Purpose, Step
from crm_plugin.conf import settings
from crm_plugin.contacts import Person
from crm_plugin.loops import WHOLE, Portion, Turn, at_least_one, chunk, in_turn, is_on, repeat
from crm_plugin.messaging import Delivered, MessageState, Tracked
from crm_plugin.shop import FactKind

logger = logging.getLogger(__name__)
_TRACKED_KINDS = (FactKind.MESSAGE_OPENED, FactKind.MESSAGE_CLICKED)
#: A marketing message that may have reached the person starts the cool-down of its products.
_REACHED = (MessageState.SENT, MessageState.UNKNOWN)
#: How many messages this process hands out at once.
_in_hand = Portion()


def pump(turn: Turn = WHOLE) -> int:
    """Drain the inbox, follow with the segments, fan out price waves and advance due runs until nothing is left.

    In turn, a batch of each: facts that go on arriving, or a long queue of one of them, hold up no other. After a turn
    that ended before that, workers are told to look again.

    Returns:
        How much was done; 0 when there was nothing to do.
    """
    done = in_turn(
        _tell_once,
        _drain_once,
        _follow_once,
        _turn_once,
        _fan_out_once,
        _schedule_once,
        _fire_once,
        _advance_once,
        turn=turn,
    )
    if done:
        nudge.now("crm.deliver")
        nudge.now("crm.webhooks")
        _look_again("crm.pump", turn)
    return done


def deliver(turn: Turn = WHOLE) -> int:
    """Hand out due messages, and hear what became of others, until nothing is left or the turn is over.

    Returns:
        How many were taken up.
    """
    full = _in_hand.size(settings().deliver_batch)  # a claim of so many leaves others behind
    done = in_turn(_hear_once, _deliver_once, turn=replace(turn, least=min(turn.least, full)))
    if done:
        _look_again("crm.deliver", turn)
    return done


def call_webhooks() -> int:
    """Make due webhook calls; return how many. Apart from mail: a receiver that hangs holds up none."""
    return repeat(_call_once)


def watch_prices() -> int:
    """Read the watched prices that are due; what fell goes to the people it concerns. Returns how many were read."""
    read = repeat(_look_once)
    if read:
        nudge.now("crm.pump")
    return read


def upkeep_audience() -> int:
    """Let segments follow time, build those that were saved, read lists in, score everybody anew. Returns how much."""
    done = (
        repeat(_sweep_once) + in_turn(_build_once, _look_alike_once, _import_once, _clear_once) + repeat(_rescore_once)
    )
    if done:
        nudge.now("crm.pump")
    return done


def import_lists() -> int:
    """Read in the lists that wait; return how many batches of lines were done."""
    return repeat(_import_once)


def reconcile() -> int:
    """Record what no hook told since the last time; return how many facts were told (again)."""
    end, total = time.monotonic() + settings().loop_seconds, 0
    waiting = list(_streams())
    while waiting and time.monotonic() < end and is_on():  # page by page in turn: a long stream holds up no other
        pages = {stream: _read_page_or_pass(stream) for stream in waiting}
        total += sum(page.recorded_count for page in pages.values())
        waiting = [stream for stream, page in pages.items() if not page.is_last]
    return total


def backfill(progress: Callable[[str, int], None]) -> int:
    """Read the shop's history from where the last backfill stopped, projecting as it goes.

    Args:
        progress: told the stream and the number of facts after every page.
    """
    total = 0
    for stream in _streams():
        while is_on():
            page = _read_page(stream, Purpose.BACKFILL)
            total += page.recorded_count
            progress(stream, page.recorded_count)
            repeat(_drain_once)
            if page.is_last:
                break
    return total


def housekeep() -> None:
    """Settle lost leases, end or pause campaigns, tell deliveries, uphold consents, forget what nobody needs."""
    if not is_on():
        return
    with shop.current().writable():
        contacts.keep_key()  # of digests that are older than its table
        with transaction.atomic():
            _settle(messaging.sweep(settings().deliver_batch))
        with transaction.atomic():
            automations.end_campaigns()
            automations.guard_campaigns()
        with transaction.atomic():
            activity.forget_unwanted(settings().price_scan_batch)
        with transaction.atomic():
            activity.derive_deliveries(settings().drain_batch)
        with transaction.atomic():
            activity.refresh_groups(settings().price_scan_batch)
            unseen_since = clock.now() - timedelta(days=settings().visitor_days)
            activity.forget_guests(contacts.forget_visitors(unseen_since, settings().price_scan_batch))
        reviews.drop_orphans()
        contacts.verify_blocks(every=timedelta(seconds=settings().housekeep_seconds))
    in_turn(_let_go_once, _uphold_once, _tidy_coupons_once, *forgetting.passes())


def _look_again(task: str, turn: Turn) -> None:
    """Have what a turn left looked at soon, behind the tasks that wait meanwhile."""
    if turn != WHOLE:
        nudge.now(task)


def _tell_once() -> int:
    with shop.current().writable(), transaction.atomic():
        return activity.tell_balances(settings().drain_batch)


def _drain_once() -> int:
    try:
        return _drain(partial(activity.claim, settings().drain_batch))
    except OperationalError:
        logger.warning("crm: the drain lost a lock or the connection; it tries again at the next look", exc_info=True)
        return 0
    except Exception:
        logger.exception("crm: a batch of facts broke the drain; going on row by row")
        return _drain_row_by_row()


def _drain(claim: Callable[[], Batch | None]) -> int:
    with shop.current().writable(), transaction.atomic():
        batch = claim()
        if batch is None:
            return 0
        people = activity.people_in(batch)
        _resolve(batch, people)
        added = activity.project(batch, people)
        activity.hand_likes_over(people)
        coupons.hear(added, let_go=batch.coupons_let_go)
        reviews.hear(batch.review_refs)
        activity.touch_people(added, audience.watched_kinds())
        messaging.consents_by_purchase(activity.latest_of(added.get(FactKind.ORDERED, ())))
        _move_campaigns(batch, added)
        tracked = [pk for kind in _TRACKED_KINDS for pk in added.get(kind, ())]
        messaging.project_tracking([Tracked(*event) for event in activity.tracked(tracked)])
        for gone in batch.deleted_customers:
            persons.erase(customer_id=gone.customer_id, email=gone.email)
        for wave in activity.voucher_waves(batch):
            automations.plan_fan_out(wave)
        if FactKind.CATALOGUE_CHANGED in batch.refs:
            nudge.after_commit("crm.watch_prices")
    return batch.size


def _move_campaigns(batch: Batch, added: Mapping[FactKind, Sequence[int]]) -> None:
    """Let campaigns hear what is new: who leaves, who waited for it, who enters, whose clock starts."""
    automations.end_at_once(added)
    automations.wake(added)
    automations.match(added)
    automations.arm_timers(added, carts=batch.carts, visitors=batch.visitors, touched=batch.touched)


def _resolve(batch: Batch, people: Collection[Person]) -> None:
    resolution = contacts.resolve(people, seen_before=batch.oldest_at)
    activity.drop_erased(batch, resolution.erased_at)
    activity.hand_over(batch, resolution.handovers)
    merges = (*resolution.merges, *contacts.refresh_customers(batch.changed_customers))
    for merge in merges:
        persons.absorb(merge)
    contacts.refresh_gift_cards(batch.changed_customers)


def _drain_row_by_row() -> int:
    """Drain single rows, setting aside those that fail by themselves, so that one broken fact stops nobody."""
    row = 0
    for done in range(settings().drain_batch):
        with shop.current().writable():
            following = activity.oldest(after=row)
        if following is None:
            return done
        row = following
        try:
            _drain(partial(activity.claim_one, row))
        except OperationalError:
            return done
        except Exception as error:
            logger.exception("crm: inbox row set aside", extra={"inbox_id": row})
            with shop.current().writable():
                activity.set_aside(row, repr(error))
    return settings().drain_batch


def _follow_once() -> int:
    with shop.current().writable(), transaction.atomic():
        return audience.follow(settings().follow_batch)


def _sweep_once() -> int:
    with shop.current().writable():
        return at_least_one(audience.sweep())


def _build_once() -> int:
    with shop.current().writable():
        return at_least_one(audience.build())


def _look_alike_once() -> int:
    with shop.current().writable():
        return at_least_one(audience.build_look_alike())


def _import_once() -> int:
    with shop.current().writable(), transaction.atomic():
        return at_least_one(audience.import_step(on_merge=persons.absorb))


def _clear_once() -> int:
    with shop.current().writable():
        return at_least_one(audience.clear_archived(settings().follow_batch))


def _rescore_once() -> int:
    with shop.current().writable():
        return audience.rescore()


def _fan_out_once() -> int:
    with shop.current().writable(), transaction.atomic():
        return chunk(automations.fan_out())


def _schedule_once() -> int:
    with shop.current().writable():
        with transaction.atomic():  # of its own: who plans the same moment does not wait for another's whole chunk
            automations.plan_slots()
        with transaction.atomic():
            return chunk(automations.run_slot())


def _fire_once() -> int:
    with shop.current().writable(), transaction.atomic():
        return at_least_one(automations.fire_timers(settings().advance_batch))


def _advance_once() -> int:
    with shop.current().writable(), transaction.atomic():
        return automations.advance(settings().advance_batch)


def _look_once() -> int:
    with shop.current().writable(), transaction.atomic():
        look = activity.look(settings().price_scan_batch)
        for wave in look.waves:
            automations.plan_fan_out(wave)
    return look.checked_count


def _turn_once() -> int:
    with shop.current().writable(), transaction.atomic():
        return automations.tell_waiting()


def _deliver_once() -> int:
    began, conf = time.monotonic(), settings()
    with shop.current().writable():
        claimed = messaging.claim(_in_hand.size(conf.deliver_batch))
        if not claimed:
            return 0
        of_campaigns = [one for one in claimed if one.enrollment_id is not None]
        notices = [one for one in claimed if one.enrollment_id is None]
        verdicts = automations.recheck(of_campaigns) | messaging.verdicts_of_notices(notices)
        messaging.deliver(claimed, verdicts=verdicts, on_outcomes=_settle)
    _in_hand.learn(len(claimed), seconds=time.monotonic() - began, least=conf.handout_batch)
    return len(claimed)


def _hear_once() -> int:
    with shop.current().writable(), transaction.atomic():
        heard, failed = messaging.settle_receipts(settings().deliver_batch)
        automations.fall_back(failed)
    return heard


def _let_go_once() -> int:
    with shop.current().writable(), transaction.atomic():
        return automations.let_go(settings().advance_batch)


def _uphold_once() -> int:
    with shop.current().writable(), transaction.atomic():
        return messaging.uphold_consents(settings().follow_batch)


def _tidy_coupons_once() -> int:
    with shop.current().writable(), transaction.atomic():
        return coupons.tidy(settings().advance_batch)


def _call_once() -> int:
    with shop.current().writable():
        return messaging.deliver_calls(settings().deliver_batch)


def _settle(outcomes: Sequence[Delivered]) -> None:
    """Continue the runs whose messages are final; runs in the transaction that writes the outcomes."""
    if not outcomes:
        return
    reached = [
        (contact_id, item.product_id, item.shop_channel, item.price)
        for contact_id, items in automations.items_of([one for one in outcomes if one.state in _REACHED])
        for item in items
        if item.limit is not None
    ]
    activity.mark_alerted(reached)
    automations.note_review_requests([one for one in outcomes if one.state in _REACHED])
    activity.put_back(automations.unheard(outcomes))
    automations.go_on(outcomes)


def _read_page_or_pass(stream: str) -> Step:
    """Read the next page to reconcile; a stream that the shop cannot read now is left for the next time."""
    try:
        return _read_page(stream, Purpose.RECONCILE)
    except Exception:
        logger.exception("crm: stream %s could not be reconciled; the others go on", stream)
        return Step(0, is_last=True)


def _read_page(stream: str, purpose: Purpose) -> Step:
    with shop.current().writable(), transaction.atomic():
        return activity.step(stream, purpose=purpose)


def _streams() -> Iterable[str]:
    return shop.current().streams() if is_on() else ()
