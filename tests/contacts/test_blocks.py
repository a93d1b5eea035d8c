"""Who is blocked where, kept beside the suppressions: right for whoever is touched, and looked at once a day."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm_plugin import clock, contacts, persons, pipeline
from crm_plugin.contacts import ChannelKind, Contact, Merge, SuppressionReason, blocks
from crm_plugin.models import Blocked, Endpoint, Suppression, Touched
from tests.contacts.conftest import NOON
from tests.fake_shop import FakeShop

pytestmark = pytest.mark.django_db

EMAIL, SMS, KAKAO = ChannelKind.EMAIL, ChannelKind.SMS, ChannelKind.KAKAO
PHONE = "+821012345678"
DAY = datetime(2026, 3, 2, tzinfo=UTC)

MakeContact = Callable[..., Contact]


@pytest.fixture
def ann(make_contact: MakeContact) -> Contact:
    return make_contact(email="ann@example.com")


@pytest.fixture
def statements() -> Iterator[CaptureQueriesContext]:
    with CaptureQueriesContext(connection) as captured:
        yield captured


def block(address: str = "ann@example.com", *, channel: ChannelKind = EMAIL) -> None:
    contacts.suppress(address, channel=channel, reason=SuppressionReason.HARD_BOUNCE)


def lift(address: str = "ann@example.com", *, channel: ChannelKind = EMAIL) -> None:
    contacts.lift_suppression(address, channel=channel)


def follow() -> set[tuple[int, str]]:
    while contacts.claim_touched(100):
        pass
    return set(Blocked.objects.values_list("contact_id", "channel"))


def test_whoever_is_touched_is_blocked_by_what_is_suppressed_now(ann: Contact) -> None:
    block()
    assert follow() == {(ann.pk, EMAIL)}

    lift()
    assert follow() == set()


def test_a_telephone_that_several_share_is_blocked_for_all_of_them_on_its_channel_only(
    ann: Contact, make_contact: MakeContact
) -> None:
    bob = make_contact(email="bob@example.com")
    for one in (ann, bob):
        contacts.set_phone(one.pk, PHONE)

    block("010-1234-5678", channel=SMS)
    assert follow() == set()  # no number without its country
    block("+82 10 1234 5678", channel=SMS)
    block(PHONE, channel=KAKAO)

    assert follow() == {(one.pk, channel) for one in (ann, bob) for channel in (SMS, KAKAO)}


def test_who_comes_with_a_suppressed_address_is_blocked(make_contact: MakeContact) -> None:
    block()

    ann = make_contact(email="ann@example.com")

    assert follow() == {(ann.pk, EMAIL)}


def test_a_changed_address_takes_the_block_off_and_one_handed_over_brings_it(shop: FakeShop) -> None:
    keys = [shop.add_customer(email=f"{name}@example.com").customer_id for name in ("ann", "bob")]
    contacts.resolve([contacts.Person(key) for key in keys], seen_before=NOON)
    ann, bob = (contacts.find(customer_id=key) for key in keys)
    assert ann
    assert bob
    block()
    follow()

    shop.change_customer(keys[0], email="new@example.com")
    shop.change_customer(keys[1], email="ann@example.com")
    contacts.refresh_customers(keys)

    assert follow() == {(bob.pk, EMAIL)}


def test_a_merge_ends_the_source_with_its_blocks_and_the_target_takes_over_what_it_gets(
    shop: FakeShop, make_contact: MakeContact
) -> None:
    account, guest = make_contact(customer_id="7", email="ann@example.com"), make_contact(email="office@example.com")
    contacts.set_phone(guest.pk, PHONE)
    block("office@example.com")
    block(PHONE, channel=SMS)
    assert follow() == {(guest.pk, EMAIL), (guest.pk, SMS)}

    contacts.absorb(Merge(source_id=guest.pk, target_id=account.pk))
    connection.check_constraints()

    assert follow() == {(account.pk, SMS)}


def test_nothing_is_kept_of_who_was_erased(ann: Contact) -> None:
    block()
    follow()

    contacts.erase([ann.pk])
    assert not Blocked.objects.exists()

    persons.erase(email="ann@example.com")
    assert follow() == set()
    assert Suppression.objects.count() == 1


def test_in_a_shop_without_suppressions_following_takes_no_statement_more(
    ann: Contact, statements: CaptureQueriesContext
) -> None:
    contacts.touch([ann.pk])
    before = len(statements)

    contacts.claim_touched(100)

    assert len(statements) - before == 2


def test_what_is_right_already_is_not_written_again(ann: Contact, make_contact: MakeContact) -> None:
    bob = make_contact(email="bob@example.com")
    block()
    follow()
    before = _versions()

    contacts.touch([ann.pk, bob.pk])
    follow()

    assert _versions() == before != []


def _versions() -> list[tuple[int, int]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, xmin::text::bigint FROM crm_plugin_blocked")
        return [(pk, version) for pk, version in cursor.fetchall()]


@pytest.mark.parametrize("is_missing", [True, False], ids=["missing", "too-much"])
def test_what_no_touch_told_is_put_right_within_a_day(ann: Contact, *, is_missing: bool) -> None:
    if is_missing:
        block()
        follow()
        Blocked.objects.all().delete()
    else:
        Blocked.objects.create(contact=ann, channel=EMAIL)
    Touched.objects.all().delete()

    for hour in range(24):
        with clock.travel(to=DAY + timedelta(hours=hour)):
            contacts.verify_blocks(every=timedelta(hours=1))

    assert follow() == ({(ann.pk, EMAIL)} if is_missing else set())


def test_a_day_of_looks_passes_over_everybody_and_one_look_over_few(
    make_contact: MakeContact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "_CHUNK", 3)
    people = [make_contact(email=f"{n}@example.com").pk for n in range(40)]
    for pk in people:
        Blocked.objects.create(contact_id=pk, channel=EMAIL)  # which nobody has suppressed
    every, found = timedelta(minutes=30), set()
    most = 2 * max(people) // 48 + 2

    for turn in range(48):
        Touched.objects.all().delete()
        with clock.travel(to=DAY + turn * every):
            assert contacts.verify_blocks(every=every) <= most
        found |= set(Touched.objects.values_list("contact_id", flat=True))

    assert found == set(people)


def test_looks_that_are_rarer_than_a_day_are_at_everybody(ann: Contact, make_contact: MakeContact) -> None:
    people = {ann.pk, *(make_contact(email=f"{n}@example.com").pk for n in range(9))}
    for pk in people:
        Blocked.objects.create(contact_id=pk, channel=EMAIL)
    Touched.objects.all().delete()

    contacts.verify_blocks(every=timedelta(days=3))

    assert set(Touched.objects.values_list("contact_id", flat=True)) == people


def test_without_suppressions_a_look_reads_nobody(ann: Contact, statements: CaptureQueriesContext) -> None:
    before = len(statements)

    assert contacts.verify_blocks(every=timedelta(days=1)) == 0

    assert len(statements) - before == 1
    assert ann.pk


def test_housekeeping_looks(ann: Contact, settings: object) -> None:
    settings.CRM_HOUSEKEEP_SECONDS = 2 * 86_400  # type: ignore[attr-defined]
    Blocked.objects.create(contact=ann, channel=EMAIL)

    pipeline.housekeep()

    assert follow() == set()


def test_a_device_touches_whoever_can_be_reached_by_it_now_or_could(ann: Contact, make_contact: MakeContact) -> None:
    bob = make_contact(email="bob@example.com")

    def touched_by(act: Callable[[], object]) -> set[int]:
        Touched.objects.all().delete()
        act()
        return set(Touched.objects.values_list("contact_id", flat=True))

    def add(contact: Contact) -> Endpoint:
        return contacts.add_endpoint(contact.pk, channel=ChannelKind.WEB_PUSH, address="https://push.example/1")

    assert touched_by(lambda: add(ann)) == {ann.pk}
    assert touched_by(lambda: add(ann)) == set()
    assert touched_by(lambda: add(bob)) == {ann.pk, bob.pk}
    remove = lambda: contacts.remove_endpoints(["https://push.example/1"], channel=ChannelKind.WEB_PUSH)  # noqa: E731
    assert touched_by(remove) == {bob.pk}
    assert touched_by(remove) == set()
