"""How a person can be reached and what they said to it, as one answer; and their telephone number."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from crm_plugin import clock, contacts
from crm_plugin.contacts import ChannelKind, Choices, Contact, Said
from crm_plugin.contacts.models import Consent, ConsentEvent, Touched
from crm_plugin.errors import InvalidInput, NotFound
from crm_plugin.merchant.models import Merchant
from tests.contacts.conftest import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann(make_contact: Callable[..., Contact]) -> Contact:
    """A contact with an account, nothing else."""
    return make_contact(customer_id="7", email="ann@example.com")


def test_the_channels_with_an_address_are_those_on_which_a_person_can_be_reached(ann: Contact) -> None:
    contacts.set_phone(ann.pk, "+82 10 1234 5678")
    contacts.add_endpoint(ann.pk, channel="web_push", address="https://push.example/1")

    found = contacts.standing(ann.pk)

    assert found is not None
    assert found.reachable == {"email", "sms", "kakao", "web_push", "inbox"}
    assert (found.blocked, found.consents, found.refused_topics) == (frozenset(), {}, frozenset())


def test_a_blocked_address_is_told_by_channel(ann: Contact) -> None:
    contacts.suppress("ann@example.com", channel="email", reason="complaint")

    found = contacts.standing(ann.pk)

    assert found is not None
    assert (found.reachable, found.blocked) == ({"email", "inbox"}, {"email"})


def test_a_channel_is_blocked_only_when_all_its_devices_are(ann: Contact) -> None:
    devices = [contacts.add_endpoint(ann.pk, channel="app_push", address=one) for one in ("a", "b")]
    contacts.suppress(devices[0].address_digest, channel="app_push", reason="manual")

    found = contacts.standing(ann.pk)

    assert found is not None
    assert found.blocked == frozenset()


def test_consent_that_ran_out_is_none_any_more(ann: Contact) -> None:
    with clock.travel(to=NOON):
        contacts.set_consent(ann.pk, channel="email", is_granted=True, source="test")
        contacts.set_consent(ann.pk, channel="sms", is_granted=False, source="test")
        Consent.objects.filter(channel="email").update(
            expires_at=NOON + timedelta(days=1), is_night_granted=True, basis="soft_opt_in"
        )
        (before, refused) = contacts.consent_states([ann.pk])[ann.pk]
    with clock.travel(to=NOON + timedelta(days=1)):
        (after, _) = contacts.consent_states([ann.pk])[ann.pk]

    assert (before.channel, before.is_granted, before.is_night_granted) == ("email", True, True)
    assert (before.basis, before.changed_at) == ("soft_opt_in", NOON)
    assert (refused.channel, refused.is_granted) == ("sms", False)
    assert (after.is_granted, after.is_night_granted) == (False, False)


def test_nobody_and_erased_people_stand_nowhere(ann: Contact) -> None:
    contacts.erase([ann.pk])

    assert contacts.standing(ann.pk) is None
    assert contacts.standing(404_404) is None
    assert contacts.consent_states([404_404]) == {404_404: ()}


@pytest.mark.parametrize(
    ("written", "country", "ours", "kept"),
    [
        ("+82 10-1234-5678", "", "", "+821012345678"),
        ("010-1234-5678", "KR", "US", "+821012345678"),
        ("010-1234-5678", "", "KR", "+821012345678"),
        ("(201) 555-0123", "US", "", "+12015550123"),
    ],
)
def test_a_telephone_number_is_kept_in_one_form(ann: Contact, written: str, country: str, ours: str, kept: str) -> None:
    Contact.objects.filter(pk=ann.pk).update(country=country)
    Merchant.objects.update_or_create(pk=1, defaults={"country": ours})

    assert contacts.set_phone(ann.pk, written) == kept
    assert Contact.objects.get(pk=ann.pk).phone == kept


@pytest.mark.parametrize("written", ["", "12", "010-1234-5678", "call me", "+82 10 1234 56789999", "\0", "٣" * 12])
def test_what_is_no_number_is_refused_and_the_one_that_is_kept_stays(ann: Contact, written: str) -> None:
    contacts.set_phone(ann.pk, "+82 10 1234 5678")

    with pytest.raises(InvalidInput) as refusal:
        contacts.set_phone(ann.pk, written)

    assert refusal.value.field == "phone"
    assert Contact.objects.get(pk=ann.pk).phone == "+821012345678"


def test_the_same_number_again_wakes_no_segment(ann: Contact) -> None:
    contacts.set_phone(ann.pk, "+821012345678")
    Touched.objects.all().delete()

    contacts.set_phone(ann.pk, "+82 10 1234 5678")
    same = Touched.objects.count()
    contacts.set_phone(ann.pk, "+82 10 1234 5679")

    assert (same, Touched.objects.count()) == (0, 1)


def test_erased_people_get_no_number(ann: Contact) -> None:
    contacts.erase([ann.pk])

    with pytest.raises(NotFound):
        contacts.set_phone(ann.pk, "+821012345678")


SAID = Said(source="test", text_version="v1", evidence={"message": "m"}, granted_evidence={"text": "I agree."})


def test_choices_are_kept_together_and_only_a_consent_is_proven_by_its_text(ann: Contact) -> None:
    contacts.save_topic("news", names={"en": "News"})
    contacts.set_consent(ann.pk, channel="email", is_granted=True, source="before")
    wanted = Choices(
        granted=frozenset({"sms"}),
        night_granted=frozenset({"sms"}),
        withdrawn=frozenset({"email"}),
        refused=frozenset({"news", "gone"}),
    )

    changes = contacts.choose(ann.pk, wanted, said=SAID)

    assert [(change.purpose, change.name, change.is_granted) for change in changes] == [
        ("marketing", "email", False),
        ("marketing", "sms", True),
        ("night", "sms", True),
        ("topic", "news", False),
    ]
    log = ConsentEvent.objects.filter(source="test").order_by("pk")
    assert list(log.values_list("purpose", "channel", "is_granted", "text_version", "evidence")) == [
        ("marketing", "email", False, "", {"message": "m"}),
        ("marketing", "sms", True, "v1", {"message": "m", "text": "I agree."}),
        ("night", "sms", True, "v1", {"message": "m", "text": "I agree."}),
        ("topic:news", "", False, "", {"message": "m"}),
    ]


def test_the_same_choices_again_change_nothing(ann: Contact) -> None:
    wanted = Choices(granted=frozenset({"sms"}), night_granted=frozenset({"sms"}))
    contacts.choose(ann.pk, wanted, said=SAID)

    assert contacts.choose(ann.pk, wanted, said=SAID) == ()
    assert ConsentEvent.objects.count() == 2


def test_a_night_without_its_channel_is_not_agreed_to(ann: Contact) -> None:
    assert contacts.choose(ann.pk, Choices(night_granted=frozenset({"sms"})), said=SAID) == ()
    assert not ConsentEvent.objects.exists()


def test_nothing_at_all_is_refused_on_every_channel_there_is(ann: Contact) -> None:
    contacts.set_consent(ann.pk, channel="email", is_granted=True, source="before")

    changes = contacts.choose(ann.pk, contacts.NOTHING_AT_ALL, said=SAID)

    assert [change.name for change in changes] == ChannelKind.values
    assert not Consent.objects.filter(is_granted=True).exists()
    assert contacts.choose(ann.pk, contacts.NOTHING_AT_ALL, said=SAID) == ()


def test_choices_of_nobody_are_an_error_and_of_erased_people_nothing(ann: Contact) -> None:
    contacts.erase([ann.pk])

    assert contacts.choose(ann.pk, Choices(granted=frozenset({"email"})), said=SAID) == ()
    with pytest.raises(NotFound):
        contacts.choose(404_404, Choices(granted=frozenset({"email"})), said=SAID)
    assert not ConsentEvent.objects.exists()
