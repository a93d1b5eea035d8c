"""A person's own day: at an hour by their clocks or the shop's, once, also where a campaign began in the middle."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from crm_plugin import clock, contacts, pipeline
from crm_plugin.models import Contact, Enrollment, Message
from crm_plugin.shop import ShopIdentity
from tests.fake_shop import FakeShop
from tests.stories import consenting, running

pytestmark = pytest.mark.django_db

SEOUL = "Asia/Seoul"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def in_zone(fake_shop: FakeShop):
    """Return a function that puts the shop into a time zone."""

    def move(zone: str) -> None:
        fake_shop.shop_identity = ShopIdentity("Fake Shop", "https://shop.example/", zone, "en")

    return move


@pytest.mark.parametrize("zone", ["contact", "shop"])
def test_everybody_is_greeted_at_ten_by_their_own_clocks_or_the_shops(fake_shop, in_zone, zone):
    in_zone(SEOUL)
    zones = {"Pacific/Kiritimati": "T20:00", "America/Los_Angeles": "T18:00", "Mars/Olympus": "", "": ""}
    with clock.travel(to=at("2027-05-20T00:00")):
        contacts.declare_attribute("birthday", "date")
        people = {name: consenting(fake_shop.add_customer().customer_id).pk for name in zones}
        for name, pk in people.items():
            Contact.objects.filter(pk=pk).update(time_zone=name, attributes={"birthday": "1990-06-10"})
        running({"type": "date", "attribute": "birthday", "at": "10:00", "zone": zone})

    for hour in range(72):
        with clock.travel(to=at("2027-06-09T00:00") + timedelta(hours=hour)):
            pipeline.pump()

    queued = {pk: Message.objects.get(contact_id=pk).created_at for pk in people.values()}
    expected = {
        "Pacific/Kiritimati": at("2027-06-09T20:00"),
        "America/Los_Angeles": at("2027-06-10T17:00"),
        "Mars/Olympus": at("2027-06-10T01:00"),
        "": at("2027-06-10T01:00"),
    }
    assert queued == {
        people[name]: moment if zone == "contact" else at("2027-06-10T01:00") for name, moment in expected.items()
    }


def test_whose_hour_was_over_before_the_campaign_ran_is_not_greeted(fake_shop, in_zone):
    in_zone(SEOUL)
    with clock.travel(to=at("2027-06-10T02:00")):  # 11:00 in Seoul, 04:00 in Berlin
        contacts.declare_attribute("birthday", "date")
        here, there = (consenting(fake_shop.add_customer().customer_id).pk for _ in range(2))
        Contact.objects.filter(pk__in=(here, there)).update(attributes={"birthday": "1990-06-10"})
        Contact.objects.filter(pk=there).update(time_zone="Europe/Berlin")
        running({"type": "date", "attribute": "birthday", "at": "10:00"})
        pipeline.pump()

    assert Enrollment.objects.values_list("contact_id", "due_at").get() == (there, at("2027-06-10T08:00"))


def test_a_date_that_does_not_come_every_year_comes_once_with_its_offset(fake_shop, in_zone):
    in_zone(SEOUL)
    with clock.travel(to=at("2027-05-20T00:00")):
        contacts.declare_attribute("wedding", "date")
        pk = consenting(fake_shop.add_customer().customer_id).pk
        contacts.set_attributes(pk, {"wedding": "2027-06-10"})
        trigger = {"type": "date", "attribute": "wedding", "at": "10:00", "offset_days": -7, "is_yearly": False}
        running({**trigger, "zone": "shop"})

    for moment in ("2026-06-03T01:00", "2027-06-02T01:00", "2027-06-03T01:00", "2027-06-04T01:00", "2028-06-03T01:00"):
        with clock.travel(to=at(moment)):
            pipeline.pump()

    run = Enrollment.objects.get()
    assert (run.entered_at, run.context["date"]) == (at("2027-06-03T01:00"), "2027-06-10")
