"""The whole way in a real Oscar shop: liked in the storefront, reduced by staff, mailed by the campaign."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from oscar.core.loading import get_model

from crm_plugin import automations, clock, contacts, merchant, pipeline
from crm_plugin.contacts import ChannelKind, Person
from crm_plugin.messaging import MessageState
from crm_plugin.models import Message
from crm_plugin.shop import ProductRef
from tests.shops.oscar.world import OscarWorld, User

StockRecord = get_model("partner", "StockRecord")
#: Longer than any campaign waits for further price changes.
LATER = timedelta(minutes=5)


@pytest.fixture
def ref(world: OscarWorld) -> ProductRef:
    return world.make_product(prices=[Decimal("48.00")], stocks=[20], name="Celadon bowl")[0]


@pytest.fixture
def campaign(world: OscarWorld) -> None:
    """The recipe, published by a merchant who said who is writing."""
    sender = {"sender_name": "Maru", "sender_email": "hello@maru.example", "postal_address": "12 Way, Seoul"}
    merchant.update(**sender, consent_text="You agreed to this.")
    made = automations.create_campaign(name="Price drop", definition=automations.recipe("liked_price_drop"))
    automations.publish(made.pk)


@pytest.fixture
def likes_it(world: OscarWorld, client: Client, ref: ProductRef, campaign: None) -> None:
    """Ann agreed to mail, and likes the product."""
    customer_id = world.make_customer(email="ann@example.com", first_name="Ann")
    contact = contacts.get_or_create(Person(customer_id, "ann@example.com"))
    contacts.set_consent(contact.pk, channel=ChannelKind.EMAIL, is_granted=True, source="test")
    client.force_login(User.objects.get(pk=customer_id))
    client.post(reverse("customer:wishlists-add-product", kwargs={"product_pk": ref.product_id}))
    mail.outbox.clear()


def save_price(ref: ProductRef, price: str) -> None:
    record = StockRecord.objects.get(product_id=ref.variant_id)
    record.price = Decimal(price)
    record.save()


def work(between: Callable[[], object] = bool) -> None:
    """Do what the workers do: look at once, and again when the campaign has waited; ``between`` happens before."""
    for passes in range(3):
        pipeline.pump()
        pipeline.watch_prices()
        pipeline.pump()
        if not passes:
            between()
    with clock.travel(by=LATER):
        pipeline.pump()
        pipeline.deliver()


@pytest.mark.usefixtures("likes_it")
def test_who_likes_a_product_is_mailed_when_its_price_drops(ref: ProductRef) -> None:
    pipeline.pump()
    pipeline.watch_prices()

    save_price(ref, "36.00")
    work()

    (letter,) = mail.outbox
    assert letter.to == ["ann@example.com"]
    assert "Celadon bowl" in letter.subject
    assert "36.00" in letter.body
    assert Message.objects.get().state == MessageState.SENT


@pytest.mark.usefixtures("likes_it")
def test_a_price_that_dropped_before_anything_was_read_is_told_too(ref: ProductRef) -> None:
    save_price(ref, "36.00")

    work()

    assert len(mail.outbox) == 1


@pytest.mark.feature(22)
@pytest.mark.usefixtures("likes_it")
def test_a_small_drop_and_a_second_drop_soon_after_bring_no_mail(ref: ProductRef) -> None:
    save_price(ref, "46.00")
    work()
    assert mail.outbox == []

    save_price(ref, "36.00")
    work()
    save_price(ref, "37.00")
    work()
    save_price(ref, "36.00")
    work()

    assert len(mail.outbox) == 1


@pytest.mark.usefixtures("likes_it")
def test_sold_out_before_the_mail_goes_is_not_mailed(world: OscarWorld, ref: ProductRef) -> None:
    save_price(ref, "36.00")

    work(between=lambda: world.set_stock(ref, 0))

    assert mail.outbox == []
    assert Message.objects.get().reason == "sold_out"


@pytest.mark.usefixtures("likes_it")
def test_a_price_that_rose_again_before_the_mail_goes_is_not_mailed(world: OscarWorld, ref: ProductRef) -> None:
    save_price(ref, "36.00")

    work(between=lambda: world.set_price(ref, Decimal("48.00")))

    assert mail.outbox == []
    assert Message.objects.get().reason == "price_restored"


@pytest.mark.usefixtures("likes_it")
def test_an_account_deleted_before_the_mail_goes_is_forgotten(ref: ProductRef) -> None:
    save_price(ref, "36.00")

    work(between=lambda: User.objects.get(email="ann@example.com").delete())

    assert mail.outbox == []
    assert contacts.find(email="ann@example.com") is None


@pytest.mark.usefixtures("likes_it")
def test_who_bought_it_meanwhile_is_not_mailed(world: OscarWorld, ref: ProductRef) -> None:
    save_price(ref, "36.00")
    customer_id = str(User.objects.get(email="ann@example.com").pk)

    work(between=lambda: world.place_order([(ref, 1)], customer_id=customer_id))

    assert [letter for letter in mail.outbox if "List-Unsubscribe" in letter.extra_headers] == []
