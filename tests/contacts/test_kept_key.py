"""The key of digests: kept with the first of them, missed when it changes, and no mail to who said no meanwhile."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core import checks
from django.core.management import CommandError, call_command
from django.db import connection

from crm_plugin import clock, contacts, ids, pipeline
from crm_plugin.contacts import ChannelKind, Person
from crm_plugin.models import Erasure, KeyFingerprint, Message, Suppression
from tests.fake_shop import FakeShop
from tests.stories import consenting, on, running, send

OLD, NEW = "the key of the first year", "the key of the second year"
EMAIL = ChannelKind.EMAIL


@pytest.fixture(autouse=True)
def _old_key(settings: Any, fake_shop: FakeShop) -> None:
    settings.SECRET_KEY = OLD


def _told() -> list[str | None]:
    return [found.id for found in checks.run_checks(tags=[checks.Tags.database], databases=["default"])]


def _crm(*words: str) -> str:
    out = StringIO()
    call_command("crm", *words, stdout=out, stderr=StringIO())
    return out.getvalue()


def _suppress() -> None:
    contacts.suppress("ann@example.com", channel=EMAIL, reason="complaint")


def _bury() -> None:
    contacts.erase([], also=[Person("7")])


def _add_device() -> None:
    contact = contacts.get_or_create(Person(email="ann@example.com"))
    contacts.add_endpoint(contact.pk, channel=ChannelKind.APP_PUSH, address="a-token")


@pytest.mark.django_db
@pytest.mark.parametrize("digest", [_suppress, _bury, _add_device], ids=["suppression", "tombstone", "device"])
def test_the_first_digest_keeps_the_fingerprint_of_its_key_and_never_the_key(digest: Any, settings: Any) -> None:
    digest()

    settings.SECRET_KEY = NEW

    kept = KeyFingerprint.objects.get()
    assert OLD not in kept.fingerprint
    assert not contacts.is_key_kept()
    settings.CRM_SECRET_KEY = OLD
    assert contacts.is_key_kept()


@pytest.mark.django_db
def test_a_key_changes_freely_while_nothing_was_kept_under_it(settings: Any) -> None:
    contacts.keep_key()

    settings.SECRET_KEY = NEW

    assert contacts.is_key_kept()
    assert not KeyFingerprint.objects.exists()


@pytest.mark.django_db
def test_a_later_digest_under_another_key_does_not_make_that_one_right(settings: Any) -> None:
    _suppress()
    settings.SECRET_KEY = NEW

    contacts.suppress("bob@example.com", channel=EMAIL, reason="complaint")
    contacts.erase([], also=[Person("8")])
    pipeline.housekeep()

    assert not contacts.is_key_kept()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("rows", ["suppression", "erasure"])
def test_digests_that_are_older_than_the_table_are_covered_from_the_first_housekeeping(
    rows: str, settings: Any
) -> None:
    now = clock.now()
    if rows == "suppression":
        Suppression.objects.create(channel=EMAIL, address_digest="d", reason="manual", created_at=now)
    else:
        Erasure.objects.create(identity_digest="d", erased_at=now)
    pipeline.housekeep()

    settings.SECRET_KEY = NEW

    assert not contacts.is_key_kept()


@pytest.mark.django_db
def test_the_check_says_what_to_do_and_only_where_a_database_is_looked_at(settings: Any) -> None:
    _suppress()
    assert _told() == []

    settings.SECRET_KEY = NEW

    (found,) = checks.run_checks(tags=[checks.Tags.database], databases=["default"])
    assert found.id == "crm.W004"
    assert "CRM_SECRET_KEY" in str(found.hint)
    assert "crm adopt-key" in str(found.hint)
    assert "crm.W004" not in [one.id for one in checks.run_checks()]
    assert KeyFingerprint.objects.count() == 1


@pytest.mark.django_db
def test_a_database_that_is_not_migrated_yet_is_no_error() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE crm_plugin_keyfingerprint RENAME TO not_yet")

    assert _told() == []


@pytest.mark.django_db
def test_status_fails_and_says_what_to_do_until_the_key_is_adopted(settings: Any) -> None:
    _suppress()
    assert json.loads(_crm("status"))["is_key_kept"] is True
    assert _crm("adopt-key") == "crm adopt-key: nothing to do\n"
    settings.SECRET_KEY = NEW

    with pytest.raises(CommandError, match="CRM_SECRET_KEY") as refused:
        _crm("status")
    said = _crm("adopt-key")

    assert refused.value.returncode == 1
    assert said == "crm adopt-key: the present key counts from now on\n"
    assert json.loads(_crm("status"))["is_key_kept"] is True
    assert _told() == []


@pytest.mark.django_db
def test_a_way_out_in_an_old_mail_outlives_the_key(settings: Any) -> None:
    under_old = ids.sign("unsubscribe", "one")

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW, [OLD]
    assert ids.unsign("unsubscribe", under_old) == "one"

    settings.CRM_SECRET_KEY = "a key of one's own"
    under_own = ids.sign("unsubscribe", "one")
    assert under_own != ids.sign("unsubscribe", "two")
    assert [ids.unsign("unsubscribe", token) for token in (under_old, under_own)] == ["one", "one"]
    settings.SECRET_KEY_FALLBACKS = []
    assert ids.unsign("unsubscribe", under_old) is None
    settings.SECRET_KEY = "another"
    assert ids.unsign("unsubscribe", under_own) == "one"


@pytest.mark.django_db(transaction=True)
def test_after_a_change_of_the_key_no_advertisement_goes_out_before_somebody_has_decided(
    fake_shop: FakeShop, smtp: Any, settings: Any
) -> None:
    running(on("liked"), [send()])
    ann, bob = (fake_shop.add_customer(email=f"{name}@example.com") for name in ("ann", "bob"))
    for person in (ann, bob):
        consenting(person.customer_id)
    _suppress()
    product = fake_shop.add_product(price=50)
    settings.SECRET_KEY = NEW

    for person in (ann, bob):
        fake_shop.like(person.customer_id, product.whole)
    pipeline.pump()
    pipeline.deliver()

    assert not smtp.letters
    assert set(Message.objects.values_list("state", "reason")) == {("queued", "key_changed")}

    settings.CRM_SECRET_KEY = OLD
    with clock.travel(to=clock.now() + timedelta(minutes=6)):
        pipeline.deliver()

    assert [letter.recipients for letter in smtp.letters] == [("bob@example.com",)]
    assert set(Message.objects.values_list("recipient", "state", "reason")) == {
        ("", "skipped", "suppressed"),
        ("bob@example.com", "sent", ""),
    }


@pytest.mark.django_db(transaction=True)
def test_once_the_new_key_is_adopted_mail_goes_out_again(fake_shop: FakeShop, smtp: Any, settings: Any) -> None:
    running(on("liked"), [send()])
    bob = fake_shop.add_customer(email="bob@example.com")
    consenting(bob.customer_id)
    _suppress()
    settings.SECRET_KEY = NEW
    fake_shop.like(bob.customer_id, fake_shop.add_product(price=50).whole)
    pipeline.pump()
    pipeline.deliver()

    _crm("adopt-key")
    with clock.travel(to=clock.now() + timedelta(minutes=6)):
        pipeline.deliver()

    assert [letter.recipients for letter in smtp.letters] == [("bob@example.com",)]


@pytest.mark.django_db(transaction=True)
def test_what_is_no_advertisement_goes_out_all_the_while(fake_shop: FakeShop, smtp: Any, settings: Any) -> None:
    running(on("liked"), [send(message_class="transactional")])
    bob = fake_shop.add_customer(email="bob@example.com")
    consenting(bob.customer_id)
    _suppress()
    settings.SECRET_KEY = NEW

    fake_shop.like(bob.customer_id, fake_shop.add_product(price=50).whole)
    pipeline.pump()
    pipeline.deliver()

    assert len(smtp.letters) == 1
