"""Faults in the middle of a pass: the plugin is switched off, the person leaves while their mail is in hand.

What a pass has begun ends whole or not at all; what it has not begun waits until the plugin is switched on again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest

from crm_plugin import activity, automations, clock, contacts, messaging, persons, pipeline
from crm_plugin.messaging import delivery, outbox
from crm_plugin.models import Activity, Contact, Enrollment, FanOut, Inbox, Message, PriceWatch
from tests.fake_shop import FakeShop
from tests.stories import consenting, on, running

pytestmark = pytest.mark.django_db(transaction=True)

PEOPLE = 6


@pytest.fixture
def small_batches(settings: Any) -> None:
    """Several batches of everything, so that there is a middle."""
    settings.CRM_DRAIN_BATCH = 2
    settings.CRM_FAN_OUT_BATCH = 2
    settings.CRM_ADVANCE_BATCH = 2
    settings.CRM_DELIVER_BATCH = 4
    settings.CRM_HANDOUT_BATCH = 2
    settings.CRM_PRICE_SCAN_BATCH = 1
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


@pytest.fixture
def fans(fake_shop: FakeShop, small_batches: None) -> list[str]:
    """Customers who agreed to mail and like a product that has become cheaper since."""
    running({"type": "price_drop", "settle_seconds": 0})
    product = fake_shop.add_product(price=50)
    people = [fake_shop.add_customer(email=f"p{n}@example.com") for n in range(PEOPLE)]
    for person in people:
        consenting(person.customer_id, person.email)
        fake_shop.like(person.customer_id, product.whole)
    return [person.email for person in people]


def at_first(module: ModuleType, name: str, happens: Callable[[], object]) -> Callable[[pytest.MonkeyPatch], None]:
    """Something happens right after ``module.name`` did something for the first time."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        real = getattr(module, name)

        def then(*args: Any, **more: Any) -> Any:
            result = real(*args, **more)
            if result:
                monkeypatch.setattr(module, name, real)
                happens()
            return result

        monkeypatch.setattr(module, name, then)

    return patch


def make_cheaper(shop: FakeShop) -> None:
    shop.set_price(next(iter(shop.products.values())).ref, 30)
    PriceWatch.objects.update(due_at=clock.now())


def work_off() -> None:
    for _ in range(20):
        if not pipeline.watch_prices() + pipeline.pump() + pipeline.deliver():
            return
    pytest.fail("the worker is never done")


@pytest.mark.parametrize(
    ("module", "name", "left"),
    [
        (activity, "claim", lambda: (Inbox.objects.count(), Activity.objects.count()) == (PEOPLE - 2, 2)),
        (activity, "look", lambda: FanOut.objects.count() == 1 and not Enrollment.objects.exists()),
        (automations, "fan_out", lambda: not FanOut.objects.get().is_done and Enrollment.objects.count() == 2),
        (automations, "advance", lambda: Message.objects.count() == 2),
        (messaging, "claim", lambda: not Message.objects.filter(state="sent").exists()),
        (outbox, "mark_sending", lambda: Message.objects.filter(state="sent").count() == 2),
    ],
    ids=["drain", "price watch", "fan-out", "advance", "claimed", "handing out"],
)  # fmt: skip
def test_switched_off_in_the_middle_of_a_pass_it_stops_with_the_batch_and_goes_on_later(
    fake_shop: FakeShop, fans: list[str], monkeypatch: pytest.MonkeyPatch, mailoutbox: list[Any],
    module: ModuleType, name: str, left: Callable[[], bool],
) -> None:  # fmt: skip
    def switch_off() -> None:
        fake_shop.is_enabled = False

    is_drained = module is not activity or name != "claim"
    if is_drained:
        pipeline.pump()
        make_cheaper(fake_shop)
    at_first(module, name, switch_off)(monkeypatch)

    for _ in range(3):
        pipeline.watch_prices()
        pipeline.pump()
        pipeline.deliver()
    was_off, is_as_it_was, sent_before = not fake_shop.is_enabled, left(), len(mailoutbox)
    pipeline.housekeep()
    fake_shop.is_enabled = True
    work_off()
    if not is_drained:
        make_cheaper(fake_shop)
        work_off()

    assert was_off
    assert is_as_it_was
    assert sent_before < PEOPLE
    assert sorted(mail.to[0] for mail in mailoutbox) == fans
    assert set(Message.objects.values_list("state", flat=True)) == {"sent"}


def _unsubscribe(contact: Contact) -> None:
    contacts.set_consent(contact.pk, channel="email", is_granted=False, source="test")


def _erase(contact: Contact) -> None:
    persons.erase(customer_id=contact.customer_id or "", email=contact.email or "")


LEAVE = pytest.mark.parametrize(
    ("leave", "reasons"),
    [(_unsubscribe, {"no_consent"}), (_erase, {"exited", "no_address"})],
    ids=["unsubscribed", "erased"],
)


@LEAVE
@pytest.mark.parametrize(
    ("module", "name"),
    [(messaging, "claim"), (automations, "recheck"), (delivery, "compose")],
    ids=["after the claim", "after the re-check", "after composing"],
)
def test_who_leaves_while_their_mail_is_in_hand_gets_none(
    fake_shop: FakeShop, small_batches: None, monkeypatch: pytest.MonkeyPatch, mailoutbox: list[Any],
    module: ModuleType, name: str, leave: Callable[[Contact], None], reasons: set[str],
) -> None:  # fmt: skip
    running(on("liked"))
    ann = fake_shop.add_customer(email="ann@example.com")
    contact = consenting(ann.customer_id, ann.email)
    fake_shop.like(ann.customer_id, fake_shop.add_product(price=50).whole)
    pipeline.pump()
    at_first(module, name, lambda: leave(contact))(monkeypatch)

    pipeline.deliver()

    assert getattr(module, name).__name__ == name  # it was reached, and is as it was
    assert mailoutbox == []
    state, reason = Message.objects.values_list("state", "reason").get()
    assert state == "skipped"
    assert reason in reasons


@LEAVE
def test_who_leaves_while_quiet_hours_hold_their_mail_gets_none(
    fake_shop: FakeShop, small_batches: None, mailoutbox: list[Any],
    leave: Callable[[Contact], None], reasons: set[str],
) -> None:  # fmt: skip
    night = {"start": "20:00", "end": "08:00", "zone": "shop"}
    running(on("liked"), quiet_hours=night)
    ann = fake_shop.add_customer(email="ann@example.com")
    contact = consenting(ann.customer_id, ann.email)
    product = fake_shop.add_product(price=50)
    evening = clock.now().replace(hour=22, minute=0) + timedelta(days=1)
    with clock.travel(to=evening):
        fake_shop.like(ann.customer_id, product.whole)
        pipeline.pump()
        pipeline.deliver()
        held = Message.objects.values_list("state", "reason").get()
        leave(contact)
    with clock.travel(to=evening + timedelta(hours=12)):
        pipeline.pump()
        pipeline.deliver()

    assert held == ("queued", "quiet_hours")
    assert mailoutbox == []
    state, reason = Message.objects.values_list("state", "reason").get()
    assert state == "skipped"
    assert reason in reasons
