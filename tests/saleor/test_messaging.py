"""Channels inside Saleor: a cart is recalled by e-mail, and by text message where the e-mail bounced."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from crm_plugin import automations, clock, contacts, messaging, tasks
from crm_plugin.messaging import ReceiptKind, Told
from crm_plugin.models import Contact, Enrollment, Message, Suppression
from demo.services.mailsink import MailSink, Moment
from tests.messaging.providers import solapi_server
from tests.messaging.providers.solapi_server import SolapiServer
from tests.saleor import asking, checkout, engine
from tests.saleor.world import SaleorWorld
from tests.stories import open_shop

if TYPE_CHECKING:
    from saleor.graphql.tests.fixtures import ApiClient

    from crm_plugin.shop import ProductRef

pytestmark = [pytest.mark.saleor, pytest.mark.django_db]

ADDRESS = """
mutation($input: AddressInput!) { accountAddressCreate(input: $input, type: SHIPPING) {
  address { phone } errors { field code message } } }
"""
TEXT_CONSENT = """
mutation { crmConsentUpdate(input: {channel: SMS, isGranted: true, source: "footer_form"}) {
  consents { channel isGranted } errors { field code message } } }
"""
SEOUL = {
    "firstName": "Ann", "lastName": "Kim", "streetAddress1": "세종대로 110", "city": "중구",
    "countryArea": "서울특별시", "postalCode": "04524", "country": "KR", "phone": "+821012345678",
}  # fmt: skip
TEXT = {"en": {"form": "lms", "title": "Your cart", "text": "Still interested in your cart? {{ cart.url }}"}}


@pytest.fixture
def solapi(settings: Any) -> Iterator[SolapiServer]:
    with SolapiServer() as server:
        settings.CRM_SOLAPI_URL = server.url
        settings.CRM_SOLAPI_API_KEY, settings.CRM_SOLAPI_API_SECRET = solapi_server.KEY, solapi_server.SECRET
        settings.CRM_SMS_PROVIDERS = ("KR=solapi",)
        yield server


@pytest.fixture
def mug(world: SaleorWorld) -> ProductRef:
    return world.make_product(prices=[Decimal(20)], stocks=[50], name="Blue Mug")[0]


@pytest.fixture
def reminder(crm: Any, configure: Callable[..., None], solapi: SolapiServer) -> None:
    """The cart reminder, with a text message for those whom its mails do not reach; without quiet hours.

    Saleor's times are those of its own clock: with them, what comes first would depend on when the test is run.
    """
    configure(
        storefront_product_url="https://shop.example/{channel}/products/{slug}",
        storefront_cart_url="https://shop.example/cart/{checkout_id}",
    )
    open_shop(
        consent_text="You agreed to this.", time_zone="UTC", sms_sender="15881234", sms_refusal_number="080-123-4567"
    )
    definition = {**automations.recipe("cart_reminder"), "quiet_hours": None}
    first = next(step for step in definition["steps"] if step["type"] == "send")
    first["fallbacks"] = [{"channel": "sms", "template": TEXT}]
    automations.publish(automations.create_campaign(name="Carts", definition=definition).pk)


def _in_seoul(world: SaleorWorld, email: str) -> ApiClient:
    """Register, agree to mail and to text messages, and leave an address in Korea."""
    client = asking.register(world, email)
    asking.ask(client, ADDRESS, input=SEOUL)
    asking.ask(client, TEXT_CONSENT)
    engine.run()
    return client


def _work(start: datetime, hours: range) -> None:
    # A text message waits for the night in Korea to end, and for the quiet hours by the shop's clocks.
    for hour in hours:
        with clock.travel(to=start + timedelta(hours=hour)):
            engine.run()
            tasks.housekeep.delay()
            engine.run()


@pytest.mark.feature(60)
def test_a_cart_is_recalled_by_mail_and_by_text_message_where_the_mail_bounced(
    reminder: None, mug: ProductRef, world: SaleorWorld, smtp: MailSink, solapi: SolapiServer
) -> None:
    ann, bob = _in_seoul(world, "ann@example.com"), _in_seoul(world, "bob@gone.example")
    smtp.answer("550 5.1.1 No such user", recipient="bob@gone.example", at=Moment.RECIPIENT)
    start = datetime.now(UTC)
    for client in (ann, bob):
        checkout.start(client, mug)
    engine.run()

    _work(start, range(2, 27, 3))

    assert {letter.recipients for letter in smtp.letters} == {("ann@example.com",)}
    texts = Message.objects.filter(channel="sms", occasion="")
    assert [(one.state, one.form, one.recipient) for one in texts] == [("sent", "lms", "+821012345678")]
    assert texts.get().contact == Contact.objects.get(email="bob@gone.example")
    # The notice of what became of his consents goes the same way (network act, article 50(7)).
    (notice,) = Message.objects.filter(channel="sms").exclude(occasion="")
    assert (notice.state, notice.message_class) == ("sent", "transactional")
    (sent,) = (one for one in solapi.taken.values() if one.get("subject", "").startswith("(광고)"))
    assert re.search(r"https?://\S+/l/[A-Za-z0-9]{10}/", sent["text"])
    assert sent["text"].endswith("무료거부 080-123-4567")
    assert Suppression.objects.get().reason == "refused"


def test_a_bounce_that_is_told_later_brings_the_text_message_too(
    reminder: None, mug: ProductRef, world: SaleorWorld, smtp: MailSink, solapi: SolapiServer
) -> None:
    client = _in_seoul(world, "ann@example.com")
    start = datetime.now(UTC)
    checkout.start(client, mug)
    engine.run()
    _work(start, range(2, 15, 3))
    mail = Message.objects.filter(channel="email").earliest("pk")
    by_mail_only = len(solapi.taken)

    messaging.keep([Told(channel="email", kind=ReceiptKind.HARD_BOUNCE, provider_id=mail.provider_id)])
    _work(start, range(15, 40, 3))

    assert (by_mail_only, len(solapi.taken)) == (0, 1)
    mail.refresh_from_db()
    assert (mail.state, mail.reason) == ("failed", "bounced")
    assert not contacts.contacts().filter(email=None).exists()
    assert Enrollment.objects.count() == 1
