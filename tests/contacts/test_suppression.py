"""Addresses that must not be written to."""

from __future__ import annotations

import pytest

from crm_plugin import contacts
from crm_plugin.contacts import ChannelKind, SuppressionReason
from crm_plugin.models import Suppression

pytestmark = pytest.mark.django_db

EMAIL = ChannelKind.EMAIL


def suppress(address: str, *, reason: str = SuppressionReason.REFUSED, detail: str = "") -> None:
    contacts.suppress(address, channel=EMAIL, reason=reason, detail=detail)


def test_an_address_is_kept_as_a_digest_only() -> None:
    suppress("Ann@Example.com", detail="550 5.1.1 <Ann@Example.com>: no such user")

    row = Suppression.objects.get()
    assert (row.reason, row.detail) == ("refused", "550 5.1.1 <…>: no such user")
    assert "ann" not in row.address_digest


def test_the_first_reason_stays_however_the_address_is_written() -> None:
    suppress("ann@example.com", reason=SuppressionReason.COMPLAINT)
    suppress(" ANN@example.com", reason=SuppressionReason.HARD_BOUNCE)

    assert Suppression.objects.get().reason == "complaint"


def test_what_is_no_address_is_passed_over() -> None:
    suppress("undisclosed-recipients:;")

    assert not Suppression.objects.exists()


def test_a_long_answer_of_a_provider_is_cut() -> None:
    suppress("ann@example.com", detail="x" * 1_000)

    assert len(Suppression.objects.get().detail) == 300


def test_a_lifted_block_is_gone() -> None:
    suppress("ann@example.com")

    assert contacts.lift_suppression("Ann@example.com", channel=EMAIL)
    assert not contacts.lift_suppression("ann@example.com", channel=EMAIL)
    assert not Suppression.objects.exists()
