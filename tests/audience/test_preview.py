"""Counting an audience before it is used: exact, limited in time, cancellable, and no burden on who asked."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction

from crm_plugin import audience, clock, contacts
from crm_plugin.audience import AudienceRule
from crm_plugin.contacts import ChannelKind, Person
from crm_plugin.errors import InvalidInput
from crm_plugin.models import Activity, Consent, Contact, Endpoint
from tests.audience.blocking import blocked_contacts
from tests.fake_shop import FakeShop

EVERYBODY = {"include": {"type": "everybody"}}


def _rule(value: Any = EVERYBODY) -> AudienceRule:
    return AudienceRule.parse(value)


def _person(email: str, *, agrees: bool = False) -> int:
    pk = contacts.get_or_create(Person("", email)).pk
    if agrees:
        contacts.set_consent(pk, channel="email", is_granted=True, source="test")
    return pk


def _setting(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting(%s)", [name])
        return str(cursor.fetchone()[0])


@pytest.mark.django_db
def test_the_count_is_the_audience_and_only_some_can_be_reached(fake_shop: FakeShop) -> None:
    ann, bob, cem = (_person(f"{name}@example.com", agrees=name != "cem") for name in ("ann", "bob", "cem"))
    contacts.suppress("bob@example.com", channel="email", reason="hard_bounce")
    audience.follow(10)
    Contact.objects.create(created_at=clock.now())  # a visitor whom nobody knows

    found = audience.preview(_rule(), sample=2)

    assert found.count == len(audience.matching(_rule(), Contact.objects.values_list("pk", flat=True))) == 3
    assert found.reachable == dict.fromkeys(ChannelKind.values, 0) | {"email": 1}
    assert found.sample == (cem, bob)
    assert audience.preview(_rule(), sample=0).sample == ()
    assert ann not in found.sample


@pytest.mark.django_db
def test_each_channel_counts_whom_the_rule_of_that_channel_finds(fake_shop: FakeShop) -> None:
    people = Contact.objects.bulk_create(
        Contact(
            customer_id=f"c{number}" if number % 2 else None,
            email=f"{number}@example.com" if number % 3 else None,
            phone=f"+8210{number:08}" if number % 4 else "",
            created_at=clock.now(),
        )
        for number in range(60)
    )
    for place, channel in enumerate(ChannelKind):
        for contact in people[place::2]:
            contacts.set_consent(contact.pk, channel=channel, is_granted=True, source="test")
    for number, contact in enumerate(people[:40]):
        channel = ChannelKind.WEB_PUSH if number % 2 else ChannelKind.APP_PUSH
        contacts.add_endpoint(contact.pk, channel=channel, address=f"https://push.example/{number}")
    for number in (1, 4, 7):
        contacts.suppress(f"{number}@example.com", channel="email", reason="hard_bounce")
        contacts.suppress(f"+8210{number:08}", channel="kakao", reason="refused")
    audience.follow(100)

    found = audience.preview(_rule()).reachable

    asked = {channel: _rule({"include": {"type": "reachable", "channel": channel}}) for channel in ChannelKind.values}
    assert found == {channel: audience.count(rule) for channel, rule in asked.items()}
    assert all(0 < count < len(people) for count in found.values())


@pytest.mark.feature(53)
@pytest.mark.django_db
def test_people_who_are_reachable_on_either_of_two_channels_are_counted_once(fake_shop: FakeShop) -> None:
    now, friends, opt_ins, both = clock.now(), 4_200, 2_600, 900
    people = Contact.objects.bulk_create(
        [
            Contact(customer_id=f"c{number}", phone=f"+8210{number:08}", created_at=now)
            for number in range(friends + opt_ins - both + 50)
        ]
    )
    agreed = [("kakao", one) for one in people[:friends]] + [("sms", one) for one in people[friends - both :][:opt_ins]]
    Consent.objects.bulk_create(
        [Consent(contact=one, channel=channel, is_granted=True, changed_at=now) for channel, one in agreed]
    )
    either = {"type": "any", "of": [{"type": "reachable", "channel": channel} for channel in ("kakao", "sms")]}
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE crm_plugin_contact, crm_plugin_consent")  # as PostgreSQL does by itself after a while

    found = audience.preview(_rule({"include": either}))

    assert found.count == 5_900
    assert (found.reachable["kakao"], found.reachable["sms"], found.reachable["email"]) == (4_200, 2_600, 0)


@pytest.mark.parametrize("channel", [ChannelKind.WEB_PUSH, ChannelKind.APP_PUSH])
@pytest.mark.django_db
def test_a_push_reaches_those_who_have_a_device(channel: ChannelKind, fake_shop: FakeShop) -> None:
    ann, bob = (_person(f"{name}@example.com") for name in ("ann", "bob"))
    for pk in (ann, bob):
        contacts.set_consent(pk, channel=channel, is_granted=True, source="test")
    contacts.add_endpoint(ann, channel=channel, address="https://push.example/1")
    contacts.add_endpoint(ann, channel=channel, address="https://push.example/2")

    found = audience.preview(_rule({"include": {"type": "reachable", "channel": channel}}))

    assert (found.count, found.sample) == (1, (ann,))
    assert Endpoint.objects.count() == 2


@pytest.mark.django_db
def test_it_agrees_with_the_compiler_on_what_people_did(fake_shop: FakeShop) -> None:
    people = [_person(f"p{number}@example.com", agrees=number % 2 == 0) for number in range(20)]
    for number, pk in enumerate(people):
        for view in range(number % 5):
            Activity.objects.create(
                contact_id=pk, kind="viewed", source_key=f"{pk}:{view}", occurred_at=clock.now(), product_id="1"
            )
    rule = _rule(
        {
            "include": {"type": "did", "activity": "viewed", "times": {"op": "at_least", "count": 2}},
            "exclude": [{"type": "attribute", "name": "email", "op": "is", "value": "p2@example.com"}],
        }
    )

    found = audience.preview(rule, sample=50)

    expected = {pk for number, pk in enumerate(people) if number % 5 >= 2 and number != 2}
    assert (found.count, set(found.sample)) == (11, expected)
    assert set(found.sample) == audience.matching(rule, people)
    assert found.reachable["email"] == sum(pk in expected for pk in people[::2])


@pytest.mark.django_db
def test_it_leaves_no_limit_and_no_name_behind(fake_shop: FakeShop) -> None:
    before = _setting("statement_timeout"), _setting("application_name")

    with transaction.atomic():
        audience.preview(_rule(), name="n")
        inside = _setting("statement_timeout"), _setting("application_name")

    assert inside == before


@pytest.mark.django_db(transaction=True)
def test_a_count_that_takes_too_long_is_stopped_and_the_transaction_around_it_goes_on(
    fake_shop: FakeShop, settings: Any
) -> None:
    settings.CRM_PREVIEW_SECONDS = 0.2

    with transaction.atomic():
        contacts.declare_attribute("points", "number", "")
        with blocked_contacts(), pytest.raises(InvalidInput) as refused:
            audience.preview(_rule())
        after = _setting("statement_timeout")

    assert refused.value.code == "TIMEOUT"
    assert "0.2 seconds" in refused.value.message
    assert after == _setting("statement_timeout")
    assert [row.name for row in contacts.attributes()] == ["points"]


@pytest.mark.django_db(transaction=True)
def test_a_count_can_be_cancelled_by_its_name_only(fake_shop: FakeShop) -> None:
    def count() -> str:
        try:
            audience.preview(_rule(), name="mine")
        except InvalidInput as error:
            return error.code
        finally:
            connection.close()
        return "counted"

    with blocked_contacts(), ThreadPoolExecutor() as pool:
        running = pool.submit(count)
        while not (is_cancelled := audience.cancel("mine")) and not running.done():
            assert not audience.cancel("yours")
        code = running.result(timeout=30)

    assert is_cancelled
    assert code == "CANCELLED"
    assert not audience.cancel("mine")
