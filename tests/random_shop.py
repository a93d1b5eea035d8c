"""A shop whose shoppers, staff and workers do anything at any time: what the invariants are checked against."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import ModuleType
from typing import Any
from uuid import UUID

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.db import OperationalError, connection

from crm_plugin import activity, automations, clock, contacts, messaging, pipeline, shop
from crm_plugin.messaging import outbox
from crm_plugin.models import Campaign, Consent, Enrollment, Inbox, Message, PriceWatch
from crm_plugin.shop import Fact, FactKind, OrderState
from tests.fake_shop import FakeShop
from tests.fake_trade import cart_changed, order_facts, signed_up

#: The night from Saturday to Sunday in which Berlin puts its clocks forward.
START = datetime(2026, 3, 28, 20, tzinfo=UTC)
COOL_DOWN = timedelta(days=14)
EMAILS = ("ann@example.com", "ben@example.com", "guest@example.com")
#: Where a worker can die, or lose a lock: right after each of these has done its work.
POINTS: tuple[tuple[ModuleType, str], ...] = (
    (activity, "claim"),
    (activity, "project"),
    (activity, "look"),
    (activity, "absorb"),
    (activity, "mark_alerted"),
    (automations, "match"),
    (automations, "fan_out"),
    (automations, "advance"),
    (automations, "recheck"),
    (automations, "go_on"),
    (messaging, "claim"),
    (outbox, "mark_sending"),
    (outbox, "settle"),
)

_LAST_PURCHASE = """
SELECT max(a.occurred_at) FILTER (WHERE a.kind = 'bought') > max(a.occurred_at) FILTER (WHERE a.kind <> 'bought')
FROM crm_plugin_activity a JOIN crm_plugin_contact c ON c.id = a.contact_id
WHERE c.email = %s AND a.product_id = %s AND a.kind IN ('bought', 'liked', 'viewed', 'carted')
"""


class Killed(BaseException):
    """The worker is gone."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail that was handed out, and what was wrong with that at this moment."""

    public_id: UUID
    at: datetime
    prices: dict[str, Decimal]
    faults: tuple[str, ...]


class Postbox(BaseEmailBackend):
    """An e-mail provider that keeps everything and looks at what it gets."""

    letters: list[Letter] = []  # Django makes a new object for every connection

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Keep them."""
        for message in email_messages:
            self.letters.append(_read(message, self.letters))
        return len(email_messages)


def _read(message: EmailMessage, before: Sequence[Letter]) -> Letter:
    (recipient,) = message.to
    public_id = UUID(message.extra_headers["Message-ID"][1:37])
    found = re.findall(r"^Product (\d+): \D*([\d.]+)", str(message.body), re.MULTILINE)
    prices = {product_id: Decimal(price) for product_id, price in found}
    return Letter(public_id, clock.now(), prices, tuple(_faults(public_id, recipient, prices, before)))


def _faults(public_id: UUID, recipient: str, prices: dict[str, Decimal], before: Sequence[Letter]) -> list[str]:
    faults = []
    if not Consent.objects.filter(contact__email=recipient, is_granted=True).exists():
        faults.append("no consent")
    if any(letter.public_id == public_id for letter in before):
        faults.append("sent twice")
    contact = Message.objects.get(public_id=public_id).contact_id
    mine = set(Message.objects.filter(contact_id=contact).values_list("public_id", flat=True))
    for product_id, price in prices.items():
        with connection.cursor() as cursor:
            cursor.execute(_LAST_PURCHASE, [recipient, product_id])
            if cursor.fetchone()[0]:
                faults.append(f"bought {product_id} meanwhile")
        told = [one for one in before if one.public_id in mine and product_id in one.prices]
        if told and told[-1].at > clock.now() - COOL_DOWN and price >= told[-1].prices[product_id]:
            faults.append(f"{product_id} again at {price} after {told[-1].prices[product_id]}")
    return faults


class RandomShop:
    """Plays steps: one method for each, called with what the step needs."""

    def __init__(self, fake: FakeShop, campaign: Campaign) -> None:
        Postbox.letters.clear()
        self.shop = fake
        shop.install(fake)
        self.campaign = campaign
        self.now = START
        self.products = [fake.add_product(price=100, name=f"Product {n + 1}") for n in range(2)]
        self.people = [fake.add_customer(email=email) for email in EMAILS[:2]]
        for person in self.people:
            activity.record(signed_up(person))
            self._agree(person.email, is_granted=True, customer_id=person.customer_id)
        for person in range(len(self.people)):
            self.play("like", person, 0)
            self.play("view", person, 1)
        self.play("work", "pump")

    def play(self, step: str, *values: Any, **named: Any) -> None:
        """Do one thing, a second after the one before."""
        self.now += timedelta(seconds=1)
        with clock.travel(to=self.now):
            getattr(self, step)(*values, **named)

    # Shoppers

    def like(self, person: int, product: int) -> None:
        if customer_id := self._customer_id(person):
            self.shop.like(customer_id, self.products[product].whole)

    def unlike(self, person: int, product: int) -> None:
        if customer_id := self._customer_id(person):
            self.shop.unlike(customer_id, self.products[product].whole)

    def view(self, person: int, product: int) -> None:
        if customer_id := self._customer_id(person):
            self._tell_view(customer_id, self.products[product].product_id)

    def cart(self, person: int, product: int) -> None:
        who = self._who(person)
        cart = self.shop.change_cart(f"cart-of-{person}", self.products[product].ref, **who)
        activity.record(cart_changed(cart))

    def order(self, person: int, product: int) -> None:
        order = self.shop.place_order(self.products[product].ref, **self._who(person))
        activity.record_many(order_facts(order))

    def order_untold(self, person: int, product: int) -> None:
        self.shop.place_order(self.products[product].ref, **self._who(person))
        pipeline.reconcile()

    def cancel(self, person: int) -> None:
        mine = [one for one in self.shop.order_rows.values() if one.email == EMAILS[person]]
        if mine:
            activity.record_many(order_facts(self.shop.set_order_state(mine[-1].order_ref, OrderState.CANCELLED)))

    def consent(self, person: int, *, is_granted: bool) -> None:
        self._agree(**self._who(person), is_granted=is_granted)

    def sign_up(self, person: int) -> None:
        if person == len(self.people):
            self.people.append(self.shop.add_customer(email=EMAILS[person]))
            activity.record(signed_up(self.people[person]))

    def change_email(self, person: int) -> None:
        """Take the guest's address, if nobody has an account under it."""
        if (customer_id := self._customer_id(person)) and len(self.people) == len(EMAILS) - 1:
            self.people[person] = self.shop.change_customer(customer_id, email=EMAILS[-1])
            self._tell(FactKind.CUSTOMER_CHANGED, customer_id)

    def leave(self, person: int) -> None:
        if customer_id := self._customer_id(person):
            self.shop.delete_customer(customer_id)
            self._tell(FactKind.CUSTOMER_DELETED, customer_id, email=self.people[person].email)

    # Staff

    def price(self, product: int, amount: int, *, is_told: bool) -> None:
        self.shop.set_price(self.products[product].ref, amount)
        if is_told:
            activity.look_again([self.products[product].product_id])

    def sale(self, product: int, amount: int) -> None:
        """Lower or raise a price, and let the workers see it; whom it concerns is mailed in the next round."""
        self.price(product, amount, is_told=False)
        self.work("watch_prices", "pump")

    def stock(self, product: int, count: int) -> None:
        self.shop.set_stock(self.products[product].ref, count)

    def pause_or_resume(self) -> None:
        """Whichever is the campaign's turn."""
        is_running = Campaign.objects.get(pk=self.campaign.pk).state == "running"
        (automations.pause if is_running else automations.publish)(self.campaign.pk)

    # Workers and time

    def sleep(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    def work(self, *passes: str) -> None:
        """Run passes of the pipeline."""
        for name in passes:
            if name == "watch_prices":
                PriceWatch.objects.update(due_at=clock.now())
            run: Callable[[], object] = getattr(pipeline, name)
            run()

    def die(self, point: int, *passes: str, is_lock_lost: bool) -> None:
        """Work, and die (or lose a deadlock) right after something was done for the first time."""
        module, name = POINTS[point]
        real = getattr(module, name)

        def once(*args: Any, **more: Any) -> Any:
            setattr(module, name, real)
            result = real(*args, **more)
            if is_lock_lost:
                raise OperationalError("deadlock detected")
            if result is not None:
                raise Killed
            return result

        setattr(module, name, once)
        try:
            with suppress(Killed, OperationalError):
                self.work(*passes)
        finally:
            setattr(module, name, real)

    def settle_down(self) -> None:
        """Let everything come to its end: nothing happens any more, and the workers have all the time they need."""
        if Campaign.objects.get(pk=self.campaign.pk).state == "paused":
            self.play("pause_or_resume")
        for _ in range(12):
            self.play("work", "housekeep", "watch_prices", "pump", "deliver", "pump")
            if not (
                Inbox.objects.exists()
                or Enrollment.objects.filter(state="active").exists()
                or Message.objects.filter(state__in=("queued", "sending")).exists()
            ):
                break
            self.sleep(20)

    def _customer_id(self, person: int) -> str:
        """Return the account of a person who has one now."""
        found = self.people[person].customer_id if person < len(self.people) else ""
        return found if found in self.shop.customer_rows else ""

    def _who(self, person: int) -> dict[str, str]:
        customer_id = self._customer_id(person)
        email = self.people[person].email if customer_id else EMAILS[person]
        return {"customer_id": customer_id, "email": email}

    def _agree(self, email: str, *, is_granted: bool, customer_id: str = "") -> None:
        contact = contacts.get_or_create(contacts.Person(customer_id, email))
        contacts.set_consent(contact.pk, channel="email", is_granted=is_granted, source="test")

    def _tell_view(self, customer_id: str, product_id: str) -> None:
        self._tell(FactKind.VIEWED, customer_id, product_id=product_id, shop_channel="default")

    def _tell(self, kind: FactKind, customer_id: str, **more: str) -> None:
        activity.record(Fact(kind=kind, source_key=f"{kind}:{self.now}", customer_id=customer_id, **more))
