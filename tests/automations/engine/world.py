"""A shop in which people, staff and workers do anything at any time, and the journal that is kept of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

from django.apps import apps
from django.db import OperationalError, connection, transaction
from django.db.models import Max, Min

from crm_plugin import activity, automations, clock, contacts, messaging, pipeline, shop
from crm_plugin.automations import acting, stepping, working
from crm_plugin.automations.moving import move_in_flight
from crm_plugin.messaging import outbox
from crm_plugin.models import Activity, Campaign, Enrollment, Inbox, Message
from crm_plugin.shop import Fact, FactKind, OrderState
from tests.automations.engine.journal import Journal
from tests.automations.engine.postbox import Postbox
from tests.fake_shop import FakeShop
from tests.fake_trade import order_facts
from tests.stories import definition, open_shop
from tests.together import together

#: The night from Saturday to Sunday in which Berlin puts its clocks forward.
START = datetime(2026, 3, 28, 20, tzinfo=UTC)
PEOPLE, PRODUCTS = 3, 2
MANY_LOOKS = 400
#: Where a worker can die, or lose a lock: right after each of these has done its work.
POINTS: tuple[tuple[ModuleType, str], ...] = (
    (activity, "claim"),
    (activity, "project"),
    (automations, "end_at_once"),
    (automations, "match"),
    (automations, "advance"),
    (automations, "recheck"),
    (automations, "go_on"),
    (acting, "do"),
    (stepping, "finish"),
    (working, "finish"),
    (messaging, "claim"),
    (outbox, "mark_sending"),
    (outbox, "settle"),
)


class Killed(BaseException):
    """The worker is gone."""


class World:
    """Plays steps: one method for each thing that can happen."""

    def __init__(self, drafts: Sequence[dict[str, Any]]) -> None:
        _forget_everything()
        Postbox.letters.clear()
        self.now, self.told = START, 0
        self.shop = FakeShop()
        shop.install(self.shop)
        self.products = [self.shop.add_product(price=100, stock=1_000_000) for _ in range(PRODUCTS)]
        with self._moment():
            open_shop()
            self.campaigns = [self._publish(draft) for draft in drafts]
            self.people = [self.shop.add_customer(email=f"p{n}@example.com") for n in range(PEOPLE)]
        self.journal = Journal(self.now)
        for person in range(PEOPLE - 1):
            self.consent(person, is_granted=True)

    # People

    def do(self, person: int, kind: str, product: int, *, minutes_late: int = 0) -> None:
        """Somebody does something, and the engine is told."""
        with self._moment():
            at = clock.now() - timedelta(minutes=minutes_late)
            if kind == "ordered":
                order = self.shop.place_order(self.products[product].ref, customer_id=self.people[person].customer_id)
                activity.record_many(order_facts(order))
            else:
                activity.record(self._fact(FactKind(kind), person, product, at))

    def cancel(self, person: int) -> None:
        """The newest order is cancelled."""
        mine = [one for one in self.shop.order_rows.values() if one.customer_id == self.people[person].customer_id]
        with self._moment():
            if mine:
                cancelled = self.shop.set_order_state(mine[-1].order_ref, OrderState.CANCELLED)
                activity.record_many(order_facts(cancelled, changed_at=clock.now()))

    def consent(self, person: int, *, is_granted: bool) -> None:
        """Give consent to mail, or take it back."""
        who = self.people[person]
        with self._moment():
            contact = contacts.get_or_create(contacts.Person(who.customer_id, who.email))
            contacts.set_consent(contact.pk, channel="email", is_granted=is_granted, source="test")

    # Staff

    def pause_or_resume(self, number: int) -> None:
        """Whichever is the campaign's turn."""
        campaign = self._campaign(number)
        with self._moment():
            if campaign.state == "running":
                automations.pause(campaign.pk)
            elif campaign.state == "paused":
                automations.publish(campaign.pk)

    def republish(self, number: int, draft: dict[str, Any]) -> None:
        """Publish something else; who is on the way stays on what they entered."""
        campaign = self._campaign(number)
        if campaign.state == "running":
            with self._moment():
                automations.update_campaign(campaign.pk, definition=draft)
                automations.publish(campaign.pk)

    def move_people(self, number: int) -> None:
        """Let those on older versions go on by the one that runs, where they can."""
        campaign = self._campaign(number)
        if campaign.state == "running":
            with self._moment():
                move_in_flight(campaign.pk)

    def archive(self, number: int) -> None:
        """Take it out of service."""
        campaign = self._campaign(number)
        with self._moment():
            if campaign.state == "paused":
                automations.delete_campaign(campaign.pk)

    # Time and workers

    def sleep(self, minutes: int) -> None:
        """Nobody works meanwhile."""
        self.now += timedelta(minutes=minutes)

    def work(self, *passes: str) -> None:
        """One worker does passes of the pipeline."""
        with self._moment(is_work=True):
            for name in passes:
                self._run(name)()

    def work_together(self, *passes: str) -> None:
        """Several workers do one pass each, at the same time."""
        with self._moment(is_work=True):
            Postbox.known = Activity.objects.aggregate(last=Max("pk"))["last"] or 0
            together(*(self._at_this_moment(self._run(name)) for name in passes))

    def die(self, point: int, *passes: str, is_lock_lost: bool) -> None:
        """Work, and die (or lose a deadlock) right after something was done for the first time."""
        module, name = POINTS[point]
        real = getattr(module, name)

        def once(*args: Any, **more: Any) -> Any:
            setattr(module, name, real)
            real(*args, **more)
            raise OperationalError("deadlock detected") if is_lock_lost else Killed

        setattr(module, name, once)
        try:
            with suppress(Killed, OperationalError):
                self.work(*passes)
        finally:
            setattr(module, name, real)

    def settle_down(self) -> None:
        """Let everything come to its end: nothing happens any more, and the workers have all the time they need."""
        for number, _campaign in enumerate(self.campaigns):
            if self._campaign(number).state == "paused":
                self.pause_or_resume(number)
        for _ in range(MANY_LOOKS):
            self.work("housekeep", "pump", "deliver", "pump")
            if not (Inbox.objects.exists() or _is_under_way()):
                return
            self.now = max(self.now, _next_moment(self.now))
        raise AssertionError("the workers are never done")

    @contextmanager
    def _moment(self, *, is_work: bool = False) -> Iterator[None]:
        """A second after the one before; what came of it goes into the journal."""
        self.now += timedelta(seconds=1)
        Postbox.known = None
        Postbox.ended = frozenset(Enrollment.objects.exclude(state="active").values_list("pk", flat=True))
        try:
            with clock.travel(to=self.now):
                yield
        finally:
            if is_work:
                self.journal.write(self.now)

    def _at_this_moment(self, body: Callable[[], object]) -> Callable[[], None]:
        def work() -> None:
            with clock.travel(to=self.now):
                body()

        return work

    def _run(self, name: str) -> Callable[[], object]:
        found: Callable[[], object] = getattr(pipeline, name)
        return found

    def _campaign(self, number: int) -> Campaign:
        return Campaign.objects.get(pk=self.campaigns[number % len(self.campaigns)])

    def _publish(self, draft: dict[str, Any]) -> int:
        made = automations.create_campaign(name="Random", definition=draft)
        return automations.publish(made.pk).pk

    def _fact(self, kind: FactKind, person: int, product: int, at: datetime) -> Fact:
        self.told += 1
        is_of_product = kind in (FactKind.VIEWED, FactKind.LIKED, FactKind.REVIEWED)
        return Fact(
            kind=kind,
            source_key=f"told:{self.told}",
            occurred_at=at,
            customer_id=self.people[person].customer_id,
            email=self.people[person].email,
            product_id=self.products[product].product_id if is_of_product else "",
            shop_channel="default" if is_of_product else "",
            subject=f"event{product}" if kind is FactKind.CUSTOM else "",
        )


def draft(trigger: dict[str, Any], steps: Sequence[dict[str, Any]], exit_when: Sequence[str]) -> dict[str, Any]:
    """A definition."""
    return definition(trigger, steps, exit_when=list(exit_when))


def _is_under_way() -> bool:
    return (
        Enrollment.objects.filter(state="active").exists()
        or Message.objects.filter(state__in=("queued", "sending")).exists()
    )


def _next_moment(now: datetime) -> datetime:
    """Return when something is due again; a lease is over after five minutes."""
    due = Enrollment.objects.filter(state="active").aggregate(at=Min("due_at"))["at"]
    held = Message.objects.filter(state="queued").aggregate(at=Min("due_at"))["at"]
    return min([at for at in (due, held) if at is not None] + [now + timedelta(minutes=6)])


def _forget_everything() -> None:
    """Empty every table; truncating them takes a hundred times as long. Foreign keys are looked at when all is done."""
    tables = [model._meta.db_table for model in apps.get_app_config("crm_plugin").get_models()]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("; ".join(f"DELETE FROM {table}" for table in tables))  # noqa: S608 - our own names
