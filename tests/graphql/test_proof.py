"""The proof of consent: who may have it, what stands in it, and that it is logged."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import pytest

from crm_plugin import clock, contacts, ids
from crm_plugin.contacts import Contact
from crm_plugin.models import Export
from crm_plugin.shop import Actor
from tests.graphql.conftest import CUSTOMER, MANAGER, NOBODY, NOON, STAFF, VIEWER, Ask

pytestmark = pytest.mark.django_db

PROVE = """mutation($contact: ID!) {
  crmConsentProofCreate(contactId: $contact) { proof csv errors { field code } } }"""


@pytest.fixture
def ann(make_contact: Callable[..., Contact]) -> Contact:
    """Somebody who said nothing yet."""
    return make_contact("ann@example.com")


def _of(contact: Contact) -> str:
    return ids.to_global("CrmContact", contact.pk)


def test_kr_record_and_eu_gdpr_the_whole_log_with_time_text_version_source_and_evidence(ask: Ask, ann: Contact) -> None:
    """KR record: keep proof of consent; EU GDPR: demonstrable consent (article 7(1))."""
    with clock.travel(to=NOON):
        contacts.set_consent(
            ann.pk, channel="sms", is_granted=True, source="=form", text_version="v3", evidence={"box": "동의"}
        )

    answer = ask(PROVE, caller=MANAGER, contact=_of(ann)).data["crmConsentProofCreate"]

    (line,) = answer["proof"].pop("lines")
    assert answer["errors"] == []
    assert answer["proof"]["email"] == "ann@example.com"
    assert line == {
        "occurred_at": NOON.isoformat(),
        "channel": "sms",
        "purpose": "marketing",
        "is_granted": True,
        "basis": "express",
        "source": "=form",
        "text_version": "v3",
        "evidence": {"box": "동의"},
        "told_at": None,
    }
    (row,) = csv.DictReader(io.StringIO(answer["csv"]))
    assert (row["is_granted"], row["source"], row["evidence"]) == ("true", "'=form", '{"box": "동의"}')


def test_who_asked_for_a_proof_stands_in_the_log_of_exports(ask: Ask, ann: Contact) -> None:
    ask(PROVE, caller=MANAGER, contact=_of(ann))

    line = Export.objects.get()
    assert (line.actor, line.what, line.rows_count) == ("user:92", {"consent_proof": ann.pk}, 0)
    assert line.fetched_at is not None


@pytest.mark.parametrize("caller", [NOBODY, CUSTOMER, STAFF, VIEWER])
def test_nobody_else_gets_a_proof_and_nothing_is_logged(ask: Ask, ann: Contact, caller: Actor) -> None:
    assert ask(PROVE, caller=caller, contact=_of(ann)).codes == ["PermissionDenied"]
    assert not Export.objects.exists()


def test_of_an_erased_person_nothing_is_left_to_prove(ask: Ask, ann: Contact) -> None:
    contacts.set_consent(ann.pk, channel="sms", is_granted=True, source="form")
    contacts.erase([ann.pk])

    answer = ask(PROVE, caller=MANAGER, contact=_of(ann)).data["crmConsentProofCreate"]

    assert answer == {"proof": None, "csv": None, "errors": [{"field": "contactId", "code": "NOT_FOUND"}]}
    assert not Export.objects.exists()
