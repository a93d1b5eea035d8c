from __future__ import annotations

from datetime import timedelta

import pytest

from crm_plugin import clock, contacts, ids, persons, reviews
from crm_plugin.contacts import Person
from crm_plugin.models import Contact
from crm_plugin.reviews import LinkState
from tests.reviews.conftest import drain

pytestmark = pytest.mark.django_db


@pytest.fixture
def token(ann, mug):
    return reviews.link(
        ann.pk, mug.product_id, order_ref="81", variant_id=mug.variant_id, shop_channel="default", language="ko"
    )


def test_a_link_says_who_may_write_about_what(token, ann, mug):
    found = reviews.read_link(token)

    assert found is not None
    assert (found.state, found.contact_id, found.product_id, found.variant_id) == (
        LinkState.OPEN,
        ann.pk,
        mug.product_id,
        mug.variant_id,
    )
    assert (found.order_ref, found.shop_channel, found.language) == ("81", "default", "ko")
    assert found.issued_on == clock.now().date()


def test_it_fits_into_a_path(token):
    assert set(token) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_:")


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token[:-1],
        lambda token: token + "x",
        lambda token: "A" + token[1:],
        lambda token: token.partition(":")[0],
        lambda _token: "",
        lambda _token: "x" * 100_000,
        lambda _token: "\x00:\ud800",
        lambda token: ids.sign("click", token.partition(":")[0]),
        lambda _token: ids.sign("review", "no such thing"),
    ],
    ids=["cut", "longer", "changed", "unsigned", "empty", "huge", "odd", "of another purpose", "signed, but none"],
)
def test_a_forged_one_says_nothing(token, change):
    assert reviews.read_link(change(token)) is None


@pytest.mark.parametrize(("days", "state"), [(180, LinkState.OPEN), (181, LinkState.EXPIRED)])
def test_it_is_good_for_180_days(token, days, state):
    with clock.travel(by=timedelta(days=days)):
        found = reviews.read_link(token)

    assert found is not None
    assert found.state is state


def test_once_written_it_says_so_even_when_it_is_late(token, submit):
    submit()

    with clock.travel(by=timedelta(days=400)):
        found = reviews.read_link(token)

    assert found is not None
    assert found.state is LinkState.REVIEWED


def test_of_another_order_it_is_open(token, submit):
    submit(order_ref="82")

    found = reviews.read_link(token)

    assert found is not None
    assert found.state is LinkState.OPEN


def test_of_somebody_who_was_erased_it_names_nobody(token):
    persons.erase(customer_id="7")

    found = reviews.read_link(token)

    assert found is not None
    assert (found.state, found.contact_id, found.author) == (LinkState.GONE, 0, "")


def test_a_guest_who_became_a_customer_can_still_write(fake_shop, mug):
    order = fake_shop.place_order(mug, email="gus@example.com")
    guest = contacts.get_or_create(Person("", "gus@example.com"))
    token = reviews.link(guest.pk, mug.product_id, order_ref=order.order_ref)
    account = contacts.get_or_create(Person("9", ""))
    fake_shop.add_customer(customer_id="9", email="gus@example.com")
    for merge in contacts.refresh_customers(["9"]):
        persons.absorb(merge)
    drain()
    assert not Contact.objects.filter(pk=guest.pk).exists()

    found = reviews.read_link(token)

    assert found is not None
    assert (found.state, found.contact_id) == (LinkState.OPEN, account.pk)
