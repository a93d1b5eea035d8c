"""Fixtures of the API: callers, and a function that asks as one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from crm_plugin import automations, clock, contacts
from crm_plugin.automations.models import Campaign, CampaignVersion, Enrollment
from crm_plugin.contacts import Contact, Person
from crm_plugin.messaging.models import Message, MessageState, Template
from crm_plugin.shop import Actor, Permission
from tests.fake_shop import FakeShop

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)

NOBODY = Actor()
CUSTOMER = Actor(customer_id="7", email="ann@example.com")
STAFF = Actor(customer_id="90", email="staff@example.com", is_staff=True)
VIEWER = Actor(customer_id="91", email="viewer@example.com", is_staff=True, permissions=frozenset({Permission.VIEW}))
MANAGER = Actor(customer_id="92", email="boss@example.com", is_staff=True, permissions=frozenset({Permission.MANAGE}))
APP = Actor(app_id="5", permissions=frozenset({Permission.VIEW, Permission.MANAGE}))

#: Needs no template, so that these tests are not about templates.
WAIT_ONLY = {
    "trigger": {"type": "activity", "activity": "signed_up"},
    "steps": [{"type": "wait", "id": "pause", "seconds": 60}],
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query returned."""

    data: dict[str, Any]
    errors: list[Exception]

    @property
    def codes(self) -> list[str]:
        """The codes of the GraphQL errors, as an endpoint tells them."""
        return [type(getattr(error, "original_error", error)).__name__ for error in self.errors]

    @property
    def messages(self) -> list[str]:
        return [str(error) for error in self.errors]


Ask = Callable[..., Answer]


@pytest.fixture
def shop(fake_shop: FakeShop) -> Iterator[FakeShop]:
    """The shop that the engine asks, at noon of a fixed day."""
    with clock.travel(to=NOON):
        yield fake_shop


@pytest.fixture
def ask(shop: FakeShop) -> Ask:
    """Run a query as somebody."""
    from crm_plugin.graphql import build_schema  # noqa: PLC0415 - its scalars are those of the shop

    def call(query: str, *, caller: Actor = NOBODY, **variables: Any) -> Answer:
        context = SimpleNamespace(actor=caller)
        result = build_schema().execute(query, context_value=context, variable_values=variables)
        return Answer(result.data or {}, result.errors or [])

    return call


@pytest.fixture
def make_campaign(shop: FakeShop) -> Callable[..., Campaign]:
    def make(name: str = "Welcome", **changes: Any) -> Campaign:
        return automations.create_campaign(name=name, definition=WAIT_ONLY, **changes)

    return make


@pytest.fixture
def make_contact(shop: FakeShop) -> Callable[..., Contact]:
    def make(email: str, *, customer_id: str = "") -> Contact:
        if customer_id and customer_id not in shop.customer_rows:
            shop.add_customer(customer_id=customer_id, email=email)
        return contacts.get_or_create(Person(customer_id, email))

    return make


@pytest.fixture
def make_message(shop: FakeShop) -> Callable[..., Message]:
    """Make the outbox row of one message, with the run that it comes from."""

    def make(campaign: Campaign, contact: Contact, *, at: datetime = NOON, **values: Any) -> Message:
        version, _ = CampaignVersion.objects.get_or_create(
            campaign=campaign, number=1, defaults={"definition": WAIT_ONLY, "published_at": NOON}
        )
        template, _ = Template.objects.get_or_create(
            digest="d", defaults={"source": {}, "compiled": {}, "created_at": NOON}
        )
        epoch = Enrollment.objects.filter(campaign=campaign, contact=contact).count()
        enrollment = Enrollment.objects.create(
            campaign=campaign, version=version, contact=contact, epoch=epoch, entered_at=NOON
        )
        columns = {
            "step_id": "mail",
            "channel": "email",
            "message_class": "marketing",
            "state": MessageState.SENT,
            "due_at": at,
            "stale_at": at + timedelta(days=2),
            "created_at": at,
        }
        return Message.objects.create(
            contact=contact, enrollment=enrollment, campaign=campaign, template=template, **(columns | values)
        )

    return make
