"""Consent by channel, and the log that proves it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256

import pytest
from django.db import IntegrityError, transaction
from pytest_django import DjangoAssertNumQueries

from crm_plugin import clock, contacts
from crm_plugin.contacts import ChannelKind, Contact
from crm_plugin.errors import NotFound
from crm_plugin.merchant import Merchant
from crm_plugin.models import Consent, ConsentEvent, ConsentNotice
from tests.contacts.conftest import NOON, answers_of
from tests.fake_shop import FakeShop

pytestmark = pytest.mark.django_db

EMAIL = ChannelKind.EMAIL


@pytest.fixture
def guest(shop: FakeShop, make_contact: Callable[..., Contact]) -> Contact:
    """Somebody who has not been asked yet."""
    return make_contact(email="guest@example.com")


def answer(contact: Contact, *, is_granted: bool) -> bool:
    return contacts.set_consent(contact.pk, channel=EMAIL, is_granted=is_granted, source="preferences")


def test_nobody_has_consented_before_being_asked(guest: Contact) -> None:
    assert answers_of([guest.pk]) == {guest.pk: {}}


def test_a_grant_is_logged_with_its_proof(guest: Contact) -> None:
    with clock.travel(to=NOON):
        is_changed = contacts.set_consent(
            guest.pk, channel=EMAIL, is_granted=True, source="checkout", text_version="v3", evidence={"box": "ticked"}
        )

    line = ConsentEvent.objects.get()
    assert is_changed
    assert (line.contact_id, line.channel, line.is_granted, line.occurred_at) == (guest.pk, EMAIL, True, NOON)
    assert (line.source, line.text_version, line.evidence) == ("checkout", "v3", {"box": "ticked"})
    assert answers_of([guest.pk]) == {guest.pk: {EMAIL: True}}


@pytest.mark.parametrize("is_granted", [True, False])
def test_the_same_answer_twice_is_logged_once(guest: Contact, *, is_granted: bool) -> None:
    assert answer(guest, is_granted=is_granted)
    assert not answer(guest, is_granted=is_granted)

    assert ConsentEvent.objects.count() == 1


def test_every_change_is_a_line_of_the_log(guest: Contact) -> None:
    for is_granted in (True, False, True):
        assert answer(guest, is_granted=is_granted)

    assert list(ConsentEvent.objects.order_by("pk").values_list("is_granted", flat=True)) == [True, False, True]
    assert Consent.objects.get().is_granted


@pytest.mark.parametrize(
    "change",
    [{"is_granted": True}, {"source": "forged"}, {"text_version": "v9"}, {"evidence": {}}, {"occurred_at": NOON}],
    ids=lambda change: next(iter(change)),
)
def test_the_database_refuses_to_change_the_log(guest: Contact, change: dict[str, object]) -> None:
    contacts.set_consent(guest.pk, channel=EMAIL, is_granted=False, source="checkout", evidence={"box": "empty"})
    before = ConsentEvent.objects.values().get()

    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        ConsentEvent.objects.update(**change)

    assert ConsentEvent.objects.values().get() == before


def test_a_merge_may_move_a_line_to_another_contact(guest: Contact, make_contact: Callable[..., Contact]) -> None:
    answer(guest, is_granted=True)
    other = make_contact(email="other@example.com")

    ConsentEvent.objects.update(contact=other)

    assert ConsentEvent.objects.get().contact_id == other.pk


def test_an_erased_person_answers_nothing(guest: Contact) -> None:
    contacts.erase([guest.pk])

    assert not answer(guest, is_granted=True)
    assert not ConsentEvent.objects.exists()


def test_a_contact_that_does_not_exist_is_not_found() -> None:
    with pytest.raises(NotFound, match="no contact 404"):
        contacts.set_consent(404, channel=EMAIL, is_granted=True, source="preferences")


def test_kr_consent_keeps_the_text_that_was_agreed_to_where_no_version_is_named(guest: Contact) -> None:
    """KR consent: explicit prior consent per channel with time, text version, source."""
    Merchant.objects.create(pk=1, consent_text="I agree to advertisements.")

    contacts.set_consent(guest.pk, channel=EMAIL, is_granted=True, source="checkout", evidence={"box": "ticked"})
    contacts.set_consent(guest.pk, channel=EMAIL, is_granted=False, source="checkout")
    contacts.set_consent(guest.pk, channel=EMAIL, is_granted=True, source="checkout", text_version="v3")

    granted, withdrawn, again = ConsentEvent.objects.order_by("pk")
    assert granted.text_version == sha256(b"I agree to advertisements.").hexdigest()[:16]
    assert granted.evidence == {"box": "ticked", "text": "I agree to advertisements."}
    assert (withdrawn.text_version, withdrawn.evidence) == ("", {})
    assert (again.text_version, again.evidence) == ("v3", {})


@pytest.mark.parametrize("channel", list(ChannelKind))
def test_kr_consent_to_one_channel_is_none_to_another(guest: Contact, channel: str) -> None:
    """KR consent: per channel; none -> no ad. EU GDPR: granular."""
    contacts.set_consent(guest.pk, channel=channel, is_granted=True, source="preferences")

    agreed = [kind for kind in ChannelKind if contacts.reach([guest.pk], channel=kind)[guest.pk].has_consent]
    assert agreed == [channel]


@pytest.mark.parametrize("channel", list(ChannelKind))
def test_us_tcpa_and_can_spam_a_withdrawal_holds_at_once_on_every_channel(guest: Contact, channel: str) -> None:
    """US: within 10 business days; Gmail/Yahoo: within 2 days; KR free refusal: effective at once. Here: at once."""
    contacts.set_consent(guest.pk, channel=channel, is_granted=True, source="preferences")

    contacts.set_consent(guest.pk, channel=channel, is_granted=False, source="preferences")

    assert not contacts.reach([guest.pk], channel=channel)[guest.pk].has_consent


def night(contact: Contact, *, is_granted: bool) -> bool:
    return contacts.set_night_consent(contact.pk, channel=EMAIL, is_granted=is_granted, source="preferences")


def log() -> list[tuple[str, bool]]:
    return list(ConsentEvent.objects.order_by("pk").values_list("purpose", "is_granted"))


def test_kr_night_consent_is_one_of_its_own_and_has_its_own_line(guest: Contact) -> None:
    """KR night: separate night consent."""
    answer(guest, is_granted=True)
    assert not contacts.reach([guest.pk], channel=EMAIL)[guest.pk].has_night_consent

    assert [night(guest, is_granted=True), night(guest, is_granted=True)] == [True, False]

    assert contacts.reach([guest.pk], channel=EMAIL)[guest.pk].has_night_consent
    assert log() == [("marketing", True), ("night", True)]


def test_the_night_can_be_withdrawn_alone(guest: Contact) -> None:
    answer(guest, is_granted=True)
    night(guest, is_granted=True)

    assert night(guest, is_granted=False)

    reach = contacts.reach([guest.pk], channel=EMAIL)[guest.pk]
    assert (reach.has_consent, reach.has_night_consent) == (True, False)


def test_who_withdraws_withdraws_the_night_and_agreeing_again_does_not_bring_it_back(guest: Contact) -> None:
    answer(guest, is_granted=True)
    night(guest, is_granted=True)

    answer(guest, is_granted=False)
    answer(guest, is_granted=True)

    assert log() == [("marketing", True), ("night", True), ("marketing", False), ("night", False), ("marketing", True)]
    assert not contacts.reach([guest.pk], channel=EMAIL)[guest.pk].has_night_consent


@pytest.mark.parametrize("before", [None, False])
def test_there_is_no_night_without_a_day(guest: Contact, *, before: bool | None) -> None:
    if before is not None:
        answer(guest, is_granted=before)
    lines = ConsentEvent.objects.count()

    assert not night(guest, is_granted=True)
    assert ConsentEvent.objects.count() == lines


def test_every_line_waits_to_be_told(guest: Contact) -> None:
    answer(guest, is_granted=True)
    night(guest, is_granted=True)
    answer(guest, is_granted=False)

    assert ConsentNotice.objects.count() == ConsentEvent.objects.count() == 4


def test_a_consent_holds_until_its_end(guest: Contact) -> None:
    with clock.travel(to=NOON):
        contacts.set_consent(
            guest.pk, channel=EMAIL, is_granted=True, source="fair", expires_at=NOON + timedelta(days=1)
        )
        assert contacts.reach([guest.pk], channel=EMAIL)[guest.pk].has_consent
    with clock.travel(to=NOON + timedelta(days=1)):
        assert not contacts.reach([guest.pk], channel=EMAIL)[guest.pk].has_consent
        assert answer(guest, is_granted=True)
        assert contacts.reach([guest.pk], channel=EMAIL)[guest.pk].has_consent


def ask(contact: Contact, channel: str = EMAIL) -> bool:
    return contacts.set_consent(
        contact.pk, channel=channel, is_granted=True, source="footer_form", needs_confirmation=True
    )


@pytest.fixture
def careful(shop: FakeShop) -> None:
    """A merchant with double opt-in."""
    Merchant.objects.create(pk=1, is_double_opt_in=True)


def test_a_consent_from_an_open_form_waits_for_its_confirmation(careful: None, guest: Contact) -> None:
    assert ask(guest)

    row = Consent.objects.get()
    assert (row.is_granted, row.pending_at is not None) == (False, True)
    assert log() == [("confirmation", False)]


@pytest.mark.parametrize("channel", ["web_push", "app_push", "inbox"])
def test_a_device_or_an_account_needs_no_confirmation(careful: None, guest: Contact, channel: str) -> None:
    assert ask(guest, channel)
    assert Consent.objects.get().is_granted


def test_without_double_opt_in_an_open_form_grants_at_once(guest: Contact) -> None:
    assert ask(guest)
    assert Consent.objects.get().is_granted


def test_who_is_signed_in_needs_no_confirmation_and_ends_an_open_one(careful: None, guest: Contact) -> None:
    ask(guest)
    event_id = ConsentEvent.objects.get().pk

    assert answer(guest, is_granted=True)

    assert Consent.objects.get().is_granted
    assert Consent.objects.get().pending_at is None
    assert contacts.confirm_consent(event_id) is contacts.Confirmation.DONE
    assert ConsentEvent.objects.filter(purpose="marketing").count() == 1


def test_a_request_of_who_agreed_already_changes_nothing(careful: None, guest: Contact) -> None:
    answer(guest, is_granted=True)

    assert not ask(guest)
    assert Consent.objects.get().is_granted


def test_a_soft_opt_in_goes_on_holding_while_the_confirmation_is_open(careful: None, guest: Contact) -> None:
    purchase = contacts.Purchase(contact_id=guest.pk, channel=EMAIL, bought_at=clock.now(), expires_at=None)
    assert contacts.grant_by_purchase([purchase]) == 1

    assert ask(guest)

    row = Consent.objects.get()
    assert (row.is_granted, row.basis) == (True, "soft_opt_in")
    event_id = ConsentEvent.objects.get(purpose="confirmation").pk
    assert contacts.confirm_consent(event_id) is contacts.Confirmation.DONE
    assert (Consent.objects.get().basis, Consent.objects.get().pending_at) == ("express", None)


@pytest.mark.parametrize("event_id", [0, 404])
def test_what_was_never_asked_cannot_be_confirmed(guest: Contact, event_id: int) -> None:
    assert contacts.confirm_consent(event_id) is contacts.Confirmation.GONE
    assert contacts.look_at_confirmation(event_id) == (contacts.Confirmation.GONE, "", "")


def test_an_answer_is_no_request_that_could_be_confirmed(guest: Contact) -> None:
    answer(guest, is_granted=False)

    assert contacts.confirm_consent(ConsentEvent.objects.get().pk) is contacts.Confirmation.GONE
    assert not Consent.objects.get().is_granted


def test_no_purchases_are_no_statement(guest: Contact, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(0):
        assert contacts.grant_by_purchase([]) == 0


def test_the_proof_of_consent_is_the_whole_log_and_gone_with_the_person(guest: Contact) -> None:
    """KR record, EU GDPR art. 7: keep proof of consent; an erased person leaves nothing."""
    answer(guest, is_granted=True)
    answer(guest, is_granted=False)

    proof = contacts.consent_proof(guest.pk)

    assert proof is not None
    assert (proof.email, proof.customer_id) == ("guest@example.com", "")
    assert [(line.channel, line.purpose, line.is_granted, line.source) for line in proof.lines] == [
        ("email", "marketing", True, "preferences"),
        ("email", "marketing", False, "preferences"),
    ]
    contacts.erase([guest.pk])
    assert contacts.consent_proof(guest.pk) is None
    assert not ConsentNotice.objects.exists()
