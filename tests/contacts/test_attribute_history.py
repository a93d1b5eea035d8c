"""Attributes that keep their history: what a balance was, who changed it, and what starts by it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from crm_plugin import activity, clock, contacts, persons, pipeline
from crm_plugin.contacts import ChangeSource, Merge
from crm_plugin.errors import InvalidInput
from crm_plugin.models import Activity, AttributeChange, Message
from crm_plugin.shop import Fact, FactKind
from tests.stories import running, send

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_shop")]

TEXT = {"en": {"subject": "Points", "mjml": "<mjml><mj-body></mj-body></mjml>"}}


@pytest.fixture
def ann(make_contact) -> int:
    """A guest in a shop that keeps points, and the colour that people like."""
    contacts.declare_attribute("points", "number", "Points", keeps_history=True)
    contacts.declare_attribute("shoe_size", "number")
    return make_contact(email="ann@example.com").pk


def changes(contact_id: int) -> list[tuple[str, Decimal | None, Decimal | None, str]]:
    rows = AttributeChange.objects.filter(contact_id=contact_id).order_by("pk")
    return list(rows.values_list("name", "before", "after", "source"))


def test_every_change_of_a_balance_is_kept_and_of_nothing_else(ann) -> None:
    contacts.set_attributes(ann, {"points": 100, "shoe_size": 40})
    contacts.set_attributes(ann, {"points": 100, "shoe_size": 41})
    contacts.set_attributes_of({ann: {"points": Decimal("250.50")}}, source=ChangeSource.CAMPAIGN)
    contacts.set_attributes(ann, {"points": None}, source=ChangeSource.SHOP)

    assert changes(ann) == [
        ("points", None, 100, "api"),
        ("points", 100, Decimal("250.50"), "campaign"),
        ("points", Decimal("250.50"), None, "shop"),
    ]


def test_only_numbers_keep_their_history() -> None:
    with pytest.raises(InvalidInput, match="Only numbers"):
        contacts.declare_attribute("colour", "text", keeps_history=True)

    assert list(contacts.attributes()) == []


def test_a_change_becomes_one_activity_however_often_it_is_looked_for(ann) -> None:
    contacts.set_attributes(ann, {"points": 2_999})
    contacts.set_attributes(ann, {"points": 3_000})

    pipeline.pump()
    pipeline.pump()

    told = Activity.objects.filter(contact_id=ann, kind="balance_changed").order_by("pk").values_list("subject", "data")
    assert list(told) == [
        ("points", {"before": None, "after": 2_999}),
        ("points", {"before": 2_999, "after": 3_000}),
    ]


def test_a_merged_persons_history_goes_on_and_an_erased_ones_is_gone(ann, make_contact) -> None:
    contacts.set_attributes(ann, {"points": 7})
    other = make_contact(email="annie@example.com").pk

    contacts.absorb(Merge(source_id=ann, target_id=other))
    moved = changes(other)
    persons.erase(email="annie@example.com")

    assert moved == [("points", None, 7, "api")]
    assert changes(other) == []


@pytest.mark.feature(28)
def test_a_campaign_starts_when_a_balance_rises_over_the_mark_and_only_then(fake_shop, make_contact) -> None:
    contacts.declare_attribute("points", "number", keeps_history=True)
    contacts.declare_attribute("stars", "number", keeps_history=True)
    running(
        {
            "type": "activity",
            "activity": "balance_changed",
            "what": {"subject": {"op": "is", "value": "points"}},
            "crosses": 3000,
            "reentry": "always",
        },
        [send()],
    )
    people = {name: make_contact(email=f"{name}@example.com").pk for name in ("ann", "ben", "cem", "dan", "eva")}

    for name, attribute, steps in (
        ("ann", "points", [2_999]),
        ("ben", "points", [2_999, 3_000, 8_000]),
        ("cem", "points", [3_500, 100, 4_000]),
        ("dan", "stars", [5_000]),
        ("eva", "points", [9_000, 8_000, None]),
    ):
        for value in steps:
            contacts.set_attributes(people[name], {attribute: value})
            pipeline.pump()
            pipeline.deliver()

    counts = {name: Message.objects.filter(contact_id=pk).count() for name, pk in people.items()}
    assert counts == {"ann": 0, "ben": 1, "cem": 2, "dan": 0, "eva": 1}


def test_what_is_left_on_gift_cards_is_an_attribute_that_follows_the_shop(fake_shop) -> None:
    customer = fake_shop.add_customer(email="ann@example.com")
    fake_shop.balances[customer.customer_id] = {"EUR": Decimal("25.00")}
    tell_changed(customer.customer_id, 1)
    known = contacts.find(customer_id=customer.customer_id)

    fake_shop.balances[customer.customer_id] = {}
    tell_changed(customer.customer_id, 2)

    assert known is not None
    assert known.attributes == {"gift_card_eur": 25}
    assert contacts.find(customer_id=customer.customer_id).attributes == {"gift_card_eur": 0}
    assert changes(known.pk) == [("gift_card_eur", None, 25, "shop"), ("gift_card_eur", 25, 0, "shop")]
    (declared,) = contacts.attributes()
    assert (declared.is_shown_to_customer, declared.keeps_history) == (True, True)


def tell_changed(customer_id: str, number: int) -> None:
    activity.record(
        Fact(
            kind=FactKind.CUSTOMER_CHANGED,
            source_key=f"gift_card:{customer_id}:{number}",
            occurred_at=clock.now() + timedelta(milliseconds=number),
            customer_id=customer_id,
        )
    )
    activity.record(Fact(kind=FactKind.VISITED, source_key=f"visit:{customer_id}:{number}", customer_id=customer_id))
    pipeline.pump()
