"""Consent on the whole way, through the pipeline and a real mail server: bought, asked, confirmed, told, withdrawn."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client

from crm_plugin import clock, contacts, messaging, pipeline
from crm_plugin.contacts import Person
from crm_plugin.models import Consent, ConsentEvent, Contact
from demo.services.mailsink import MailSink
from tests.fake_shop import FakeShop
from tests.stories import on, open_shop, running, send

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    cache.clear()


def buy(shop: FakeShop, customer_id: str) -> None:
    """A customer buys, and the CRM hears of it."""
    shop.place_order(shop.add_product(price=50).ref, customer_id=customer_id)
    pipeline.reconcile()
    pipeline.pump()
    pipeline.deliver()


def test_kr_consent_a_purchase_lets_advertisements_go_out_until_the_refusal_and_none_after(
    fake_shop: FakeShop, smtp: MailSink
) -> None:
    """KR consent: soft opt-in; KR free refusal: at once, and never after refusal, whatever is bought later."""
    running(on("ordered", reentry="always"), [send()], exit_when=[])
    open_shop(is_soft_opt_in=True, country="KR")
    ann = fake_shop.add_customer(email="ann@example.com")
    pipeline.reconcile()

    buy(fake_shop, ann.customer_id)
    assert [str(letter.subject)[:4] for letter in smtp.letters] == ["(광고)"]
    assert Consent.objects.get(channel="email").basis == "soft_opt_in"

    contacts.set_consent(Contact.objects.get().pk, channel="email", is_granted=False, source="unsubscribe_link")
    buy(fake_shop, ann.customer_id)

    assert len(smtp.letters) == 1
    assert not Consent.objects.get(channel="email").is_granted


def test_eu_gdpr_double_opt_in_from_the_request_to_the_first_advertisement(fake_shop: FakeShop, smtp: MailSink) -> None:
    """EU GDPR: demonstrable consent: asked by mail, granted by the button, and told where Korean law asks for it."""
    open_shop(is_double_opt_in=True, country="KR")
    bob = contacts.get_or_create(Person(email="bob@example.com"))
    contacts.set_consent(bob.pk, channel="email", is_granted=True, source="footer_form", needs_confirmation=True)
    pipeline.housekeep()
    pipeline.deliver()

    (letter,) = smtp.letters
    assert re.search(r"https?://\S+", letter.text)
    asked = ConsentEvent.objects.get(purpose="confirmation")
    assert not contacts.reach([bob.pk], channel="email")[bob.pk].has_consent

    assert Client().post("/crm/" + messaging.confirmation_path(asked.pk)).status_code == 200
    pipeline.housekeep()
    pipeline.deliver()

    assert contacts.reach([bob.pk], channel="email")[bob.pk].has_consent
    assert len(smtp.letters) == 2
    assert "choice" in smtp.letters[1].subject


def test_kr_result_notice_of_a_withdrawal_is_due_within_14_days_and_goes_out_with_the_next_look(
    fake_shop: FakeShop, smtp: MailSink
) -> None:
    """KR result notice: within 14 days."""
    open_shop(country="KR")
    bob = contacts.get_or_create(Person(email="bob@example.com"))
    contacts.set_consent(bob.pk, channel="email", is_granted=False, source="page")

    with clock.travel(by=timedelta(minutes=1)):
        for _ in range(3):
            pipeline.housekeep()
            pipeline.deliver()

    assert len(smtp.letters) == 1
