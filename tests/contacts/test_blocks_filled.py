"""The migration that finds the contacts whose address was suppressed before there was a table for them."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection

from crm_plugin import clock, contacts
from crm_plugin.contacts import ChannelKind, SuppressionReason
from crm_plugin.models import Blocked, Contact, Touched

pytestmark = pytest.mark.django_db

migration = import_module("crm_plugin.migrations.0015_blocks_filled")


@pytest.fixture
def people() -> list[Contact]:
    rows = [
        Contact(email=f"{n}@example.com", phone="+821012345678" if n % 2 else "", created_at=clock.now())
        for n in range(7)
    ]
    return Contact.objects.bulk_create([*rows, Contact(customer_id="8", created_at=clock.now())])


def fill() -> None:
    migration.fill(apps, connection.schema_editor())


def block(address: str, channel: ChannelKind = ChannelKind.EMAIL) -> None:
    contacts.suppress(address, channel=channel, reason=SuppressionReason.MANUAL)


def blocked() -> set[tuple[int, str]]:
    return set(Blocked.objects.values_list("contact_id", "channel"))


def test_whoever_has_a_suppressed_address_is_found_on_each_channel(people, monkeypatch):
    monkeypatch.setattr(migration, "BATCH", 2)
    block("0@example.com")
    block("5@example.com")
    block("stranger@example.com")
    block("+821012345678", ChannelKind.KAKAO)
    Touched.objects.all().delete()

    fill()

    pks = [contact.pk for contact in people]
    owners = {pks[1], pks[3], pks[5]}
    assert blocked() == {(pks[0], "email"), (pks[5], "email"), *((pk, "kakao") for pk in owners)}
    assert set(Touched.objects.values_list("contact_id", flat=True)) == {pks[0], *owners}


def test_begun_again_it_writes_nobody_twice(people):
    block("3@example.com")

    fill()
    fill()

    assert blocked() == {(people[3].pk, "email")}


@pytest.mark.usefixtures("people")
def test_in_a_shop_without_suppressions_nobody_is_read(django_assert_num_queries):
    with django_assert_num_queries(3):
        fill()

    assert blocked() == set()
