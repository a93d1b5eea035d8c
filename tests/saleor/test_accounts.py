"""Accounts: registered, confirmed, changed, deleted by their owner or by staff."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from saleor.account.models import User
from saleor.core.tokens import account_confirm_token_generator, account_delete_token_generator

from crm_plugin.models import Activity, Consent, Contact, Failure, Inbox, OwnLike
from crm_plugin.shop import FactKind, Position
from tests.saleor import asking, engine
from tests.saleor.world import SaleorWorld

pytestmark = [pytest.mark.saleor, pytest.mark.django_db]

CONFIRM = """
mutation($email: String!, $token: String!) { confirmAccount(email: $email, token: $token) {
  user { id } errors { field code message } } }
"""
DELETE_OWN = "mutation($token: String!) { accountDelete(token: $token) { user { id } errors { field code message } } }"
DELETE = "mutation($id: ID!) { customerDelete(id: $id) { user { id } errors { field code message } } }"
BULK_DELETE = "mutation($ids: [ID!]!) { customerBulkDelete(ids: $ids) { count errors { field code message } } }"
UPDATE = """
mutation($id: ID!, $input: CustomerInput!) { customerUpdate(id: $id, input: $input) {
  user { id } errors { field code message } } }
"""


@pytest.fixture
def ann(world: SaleorWorld) -> User:
    """A registered customer who agreed to mail and likes something."""
    person = {
        "email": "ann@example.com",
        "password": "a-Long-passw0rd",
        "firstName": "Ann",
        "redirectUrl": "https://www.example.com/confirm",
        "channel": world.channel.slug,
    }
    asking.ask(asking.anybody(), asking.REGISTER, input=person)
    found: User = User.objects.get(email="ann@example.com")
    mug = world.make_product(prices=[Decimal(80)], stocks=[5], name="Blue Mug")[0]
    client = asking.customer(found.pk)
    asking.ask(client, asking.CONSENT)
    asking.ask(client, asking.LIKE, product=asking.gid("Product", mug.product_id))
    engine.drain()
    return found


def _kinds() -> list[str]:
    return list(Activity.objects.order_by("id").values_list("kind", flat=True))


def test_a_registration_is_a_contact_and_its_confirmation_an_activity(ann: User) -> None:
    token = account_confirm_token_generator.make_token(ann)

    asking.ask(asking.anybody(), CONFIRM, email=ann.email, token=token)
    engine.drain()

    assert Contact.objects.get().customer_id == str(ann.pk)
    assert _kinds().count(FactKind.SIGNED_UP) == 1
    assert _kinds().count(FactKind.ACCOUNT_CONFIRMED) == 1
    assert not Failure.objects.exists()


def test_a_new_name_and_address_reach_the_contact(ann: User) -> None:
    manager = asking.staff("manage_users")
    changes = {"firstName": "Anna", "lastName": "Lee", "email": "anna@example.com"}

    asking.ask(manager, UPDATE, id=asking.gid("User", ann.pk), input=changes)
    engine.drain()

    contact = Contact.objects.get()
    assert (contact.first_name, contact.last_name, contact.email) == ("Anna", "Lee", "anna@example.com")
    assert Consent.objects.get().is_granted


def test_a_deletion_by_the_owner_erases_the_contact(ann: User) -> None:
    customer_id = str(ann.pk)

    asking.ask(asking.customer(ann.pk), DELETE_OWN, token=account_delete_token_generator.make_token(ann))
    engine.drain()

    _assert_erased(customer_id)


@pytest.mark.parametrize("is_bulk", [False, True])
def test_a_deletion_by_staff_erases_the_contact(ann: User, *, is_bulk: bool) -> None:
    manager, customer_id, key = asking.staff("manage_users"), str(ann.pk), asking.gid("User", ann.pk)

    if is_bulk:
        asking.ask(manager, BULK_DELETE, ids=[key])
    else:
        asking.ask(manager, DELETE, id=key)
    engine.drain()

    _assert_erased(customer_id)


def _assert_erased(customer_id: str) -> None:
    contact = Contact.objects.get()
    assert contact.erased_at is not None
    assert (contact.customer_id, contact.email, contact.first_name) == (None, None, "")
    assert not Consent.objects.exists()
    assert not OwnLike.objects.filter(customer_id=customer_id).exists()
    assert not Inbox.objects.exists()
    assert not Failure.objects.exists()


def test_staff_are_not_read_as_customers(crm: Any) -> None:
    staff = asking.staff()

    page = crm.changed_since("customers", Position(datetime(2000, 1, 1, tzinfo=UTC)), limit=100)

    assert str(staff.user.pk) not in {fact.customer_id for fact in page.facts}
