"""The whole way, with a real database and a real SMTP server: from a fact to a mail, and every way it can end."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import transaction

from crm_plugin import activity, automations, clock, contacts, persons, pipeline
from crm_plugin.conf import settings as conf
from crm_plugin.models import Activity, Contact, Enrollment, Inbox, Interest, Message, PriceWatch
from crm_plugin.shop import Fact, FactKind, ProductRef
from demo.services.mailsink import MailSink
from tests.fake_shop import FakeShop
from tests.fake_trade import order_facts
from tests.stories import BROWSER, consenting, definition, on, running, send, wait

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ann(fake_shop: FakeShop):
    """A customer who agreed to mail."""
    customer = fake_shop.add_customer(email="ann@example.com", first_name="Ann")
    consenting(customer.customer_id)
    return customer


@pytest.fixture
def look():
    """Look at every watched price now, then move everything that is due."""

    def run() -> None:
        PriceWatch.objects.update(due_at=clock.now())
        pipeline.watch_prices()
        pipeline.pump()
        pipeline.deliver()

    return run


def subjects(sink: MailSink) -> list[str]:
    return [str(mail.subject) for mail in sink.letters]


def test_a_liked_product_gets_cheaper_and_the_mail_goes_out_once(fake_shop, ann, look, smtp):
    campaign = running()
    product = fake_shop.add_product(price=50, name="Vase")
    fake_shop.like(ann.customer_id, product.whole)
    pipeline.pump()

    fake_shop.set_price(product.ref, 45)
    look()
    look()

    message = Message.objects.get()
    assert subjects(smtp) == ["Vase for Ann"]
    assert (message.state, message.recipient, message.campaign_id) == ("sent", "ann@example.com", campaign.pk)
    assert Enrollment.objects.values_list("state", "reason").get() == ("completed", "")
    assert Interest.objects.get().alerted_at is not None


def test_the_same_drop_told_by_two_scans_and_a_second_campaign_run_mails_once(fake_shop, ann, look, smtp):
    running()
    product = fake_shop.add_product(price=50)
    fake_shop.like(ann.customer_id, product.whole)
    pipeline.pump()
    fake_shop.set_price(product.ref, 40)
    look()
    fake_shop.set_price(product.ref, 50)
    look()
    fake_shop.set_price(product.ref, 40)
    look()

    assert len(smtp.letters) == 1


def test_an_import_that_drops_many_prices_is_one_digest(fake_shop, ann, look, smtp):
    running({"type": "price_drop", "settle_seconds": 60})
    products = [fake_shop.add_product(price=50, name=f"Vase {n}") for n in range(4)]
    for product in products:
        fake_shop.like(ann.customer_id, product.whole)
    pipeline.pump()

    for product in products[:2]:
        fake_shop.set_price(product.ref, 30)
    look()
    for product in products[2:]:
        fake_shop.set_price(product.ref, 30)
    look()
    nothing_yet = len(smtp.letters)
    with clock.travel(by=timedelta(seconds=61)):
        look()

    body = smtp.letters[0].text
    assert nothing_yet == 0
    assert len(smtp.letters) == 1
    assert all(product.name in body for product in products)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda shop, product: shop.set_price(product.ref, 50), "price_restored"),
        (lambda shop, product: shop.set_stock(product.ref, 0), "sold_out"),
        (lambda shop, product: shop.unpublish(product.whole), "unavailable"),
        (lambda shop, product: shop.delete_product(product.whole), "unavailable"),
    ],
    ids=["restored", "sold out", "unpublished", "deleted"],
)
def test_what_is_no_longer_true_at_dispatch_is_skipped_with_its_reason(fake_shop, ann, smtp, change, reason):
    running()
    product = fake_shop.add_product(price=50)
    fake_shop.like(ann.customer_id, product.whole)
    pipeline.pump()
    fake_shop.set_price(product.ref, 40)
    PriceWatch.objects.update(due_at=clock.now())
    pipeline.watch_prices()
    pipeline.pump()

    change(fake_shop, product)
    pipeline.deliver()

    assert smtp.letters == ()
    assert Message.objects.values_list("state", "reason").get() == ("skipped", reason)
    assert Enrollment.objects.values_list("state", "reason").get() == ("exited", reason)
    assert Interest.objects.get().alerted_at is None


def _unsubscribe(contact):
    contacts.set_consent(contact.pk, channel="email", is_granted=False, source="test")


def _erase(contact):
    persons.erase(customer_id=contact.customer_id)


def _suppress(contact):
    contacts.suppress(contact.email, channel="email", reason="complaint")


@pytest.mark.parametrize(
    ("change", "reason"), [(_unsubscribe, "no_consent"), (_erase, "exited"), (_suppress, "suppressed")]
)
def test_who_left_between_enrolling_and_sending_gets_nothing(fake_shop, ann, smtp, change, reason):
    running(on("liked"))
    product = fake_shop.add_product(price=50)
    fake_shop.like(ann.customer_id, product.whole)
    pipeline.pump()

    change(Contact.objects.get())
    pipeline.deliver()

    assert smtp.letters == ()
    assert Message.objects.values_list("state", "reason").get() == ("skipped", reason)


def test_who_bought_it_meanwhile_converts_and_gets_nothing(fake_shop, ann, smtp):
    running(on("liked"))
    product = fake_shop.add_product(price=50)
    fake_shop.like(ann.customer_id, product.whole)
    pipeline.pump()

    activity.record_many(order_facts(fake_shop.place_order(product.ref, customer_id=ann.customer_id)))
    pipeline.pump()
    pipeline.deliver()

    assert smtp.letters == ()
    assert Message.objects.values_list("state", "reason").get() == ("skipped", "bought")
    assert Enrollment.objects.get().state == "converted"


def test_who_took_the_like_back_is_not_alerted(fake_shop, ann, smtp):
    running()
    product = fake_shop.add_product(price=50)
    fake_shop.like(ann.customer_id, product.whole)
    pipeline.pump()
    fake_shop.set_price(product.ref, 40)
    PriceWatch.objects.update(due_at=clock.now())
    pipeline.watch_prices()
    pipeline.pump()

    fake_shop.unlike(ann.customer_id, product.whole)
    pipeline.pump()
    pipeline.deliver()

    assert smtp.letters == ()
    assert Message.objects.get().reason == "exited"


def test_a_draft_sends_nothing(fake_shop, ann, smtp):
    automations.create_campaign(name="Draft", definition=definition(on("liked")))
    product = fake_shop.add_product(price=50)
    fake_shop.like(ann.customer_id, product.whole)

    pipeline.pump()
    pipeline.deliver()

    assert Enrollment.objects.count() == Message.objects.count() == len(smtp.letters) == 0


def test_steps_wait_and_send_in_order_and_each_once(fake_shop, ann, smtp):
    running(on("signed_up"), [send("first"), wait(seconds=3600), send("second")])
    activity.record(Fact(kind=FactKind.SIGNED_UP, source_key="s", customer_id=ann.customer_id))
    for _ in range(2):
        pipeline.pump()
        pipeline.deliver()
    at_once = len(smtp.letters)
    with clock.travel(by=timedelta(seconds=3601)):
        for _ in range(2):
            pipeline.pump()
            pipeline.deliver()

    assert (at_once, len(smtp.letters)) == (1, 2)
    assert list(Message.objects.order_by("pk").values_list("step_id", "state")) == [
        ("first", "sent"),
        ("second", "sent"),
    ]
    assert Enrollment.objects.get().state == "completed"


def test_pause_holds_and_resume_goes_on_where_it_was(fake_shop, ann, smtp):
    campaign = running(on("signed_up"), [wait(seconds=60), send()])
    activity.record(Fact(kind=FactKind.SIGNED_UP, source_key="s", customer_id=ann.customer_id))
    pipeline.pump()
    automations.pause(campaign.pk)
    with clock.travel(by=timedelta(seconds=61)):
        pipeline.pump()
        pipeline.deliver()
        held = (len(smtp.letters), Enrollment.objects.get().step)
        automations.publish(campaign.pk)
        pipeline.pump()
        pipeline.deliver()

    assert held == (0, 1)
    assert len(smtp.letters) == 1


def test_a_campaign_whose_period_is_over_drops_what_is_due(fake_shop, ann, smtp):
    running(on("signed_up"), [wait(seconds=3600), send()], ends_at=clock.now() + timedelta(minutes=30))
    activity.record(Fact(kind=FactKind.SIGNED_UP, source_key="s", customer_id=ann.customer_id))
    pipeline.pump()
    with clock.travel(by=timedelta(seconds=3601)):
        pipeline.housekeep()
        pipeline.pump()
        pipeline.deliver()

    assert smtp.letters == ()
    assert Enrollment.objects.values_list("state", "reason").get() == ("exited", "campaign_ended")


def test_history_starts_no_campaign(fake_shop, ann, smtp):
    running(on("ordered"))
    product = fake_shop.add_product(price=50)
    with clock.travel(by=timedelta(days=-30)):
        fake_shop.place_order(product.ref, customer_id=ann.customer_id)

    pipeline.backfill(lambda *_: None)
    pipeline.pump()
    pipeline.deliver()

    assert Contact.objects.get().orders_count == 1
    assert (Enrollment.objects.count(), smtp.letters) == (0, ())


def test_backfill_is_resumable_and_reads_everything_once(fake_shop, settings):
    settings.CRM_RECONCILE_BATCH = 2
    products = [fake_shop.add_product(price=10 + n) for n in range(3)]
    customers = [fake_shop.add_customer() for _ in range(5)]
    for customer in customers:
        fake_shop.place_order(products[0].ref, customer_id=customer.customer_id)
    pages: list[int] = []

    def stop_after_two(_stream: str, count: int) -> None:
        pages.append(count)
        if len(pages) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipeline.backfill(stop_after_two)
    pipeline.backfill(lambda *_: None)
    again = pipeline.backfill(lambda *_: None)

    assert again == 0
    assert Contact.objects.filter(orders_count=1).count() == 5
    assert Activity.objects.filter(kind="signed_up").count() == 5


def test_an_order_that_no_hook_told_is_found_by_reconcile(fake_shop, ann):
    product = fake_shop.add_product(price=50)
    pipeline.reconcile()
    fake_shop.place_order(product.ref, customer_id=ann.customer_id)

    pipeline.reconcile()
    pipeline.pump()
    pipeline.reconcile()
    pipeline.pump()

    assert Contact.objects.get().orders_count == 1
    assert Activity.objects.filter(kind="ordered").count() == 1


def test_a_late_commit_behind_the_watermark_is_found(fake_shop, ann):
    product = fake_shop.add_product(price=50)
    pipeline.reconcile()
    pipeline.reconcile()
    with clock.travel(by=timedelta(seconds=-conf().reconcile_overlap_seconds / 2)):
        fake_shop.place_order(product.ref, customer_id=ann.customer_id)

    pipeline.reconcile()
    pipeline.pump()

    assert Contact.objects.get().orders_count == 1


def test_switched_off_nothing_moves_and_switched_on_it_goes_on(fake_shop, ann, smtp):
    running(on("liked"))
    product = fake_shop.add_product(price=50)
    fake_shop.like(ann.customer_id, product.whole)
    fake_shop.is_enabled = False
    pipeline.pump()
    pipeline.deliver()
    pipeline.housekeep()
    off = (Inbox.objects.count(), len(smtp.letters))

    fake_shop.is_enabled = True
    pipeline.pump()
    pipeline.deliver()

    assert off == (1, 0)
    assert len(smtp.letters) == 1


def test_one_broken_fact_is_set_aside_and_stops_nobody(fake_shop, ann):
    product = fake_shop.add_product(price=50)
    good = Fact(
        kind=FactKind.VIEWED,
        source_key="good",
        customer_id=ann.customer_id,
        product_id=product.product_id,
        shop_channel="default",
    )
    activity.record(Fact(kind=FactKind.VIEWED, source_key="broken", customer_id=ann.customer_id, data={}))
    Inbox.objects.filter(source_key="broken").update(kind="viewed", product_id="1", quantity=2, amount=1, contact_id=-1)
    Inbox.objects.filter(source_key="broken").update(
        kind="bought", contact_id=None, quantity=-5, shop_channel="default"
    )
    activity.record(good)

    pipeline.pump()

    assert list(Inbox.objects.values_list("source_key", flat=True)) == ["broken"]
    assert Inbox.objects.get().error != ""
    assert Activity.objects.get().source_key == "good"


def test_the_account_is_deleted_and_nothing_that_names_the_person_stays(fake_shop, ann, smtp):
    running(on("liked"))
    product = fake_shop.add_product(price=50)
    fake_shop.like(ann.customer_id, product.whole)
    pipeline.pump()
    pipeline.deliver()
    fake_shop.delete_customer(ann.customer_id)

    activity.record(
        Fact(
            kind=FactKind.CUSTOMER_DELETED,
            source_key=f"customer:{ann.customer_id}:deleted",
            customer_id=ann.customer_id,
            email=ann.email,
        )
    )
    pipeline.pump()

    contact = Contact.objects.get()
    assert (contact.customer_id, contact.email, contact.first_name) == (None, None, "")
    assert Activity.objects.count() == Interest.objects.count() == 0
    assert Message.objects.values_list("state", "recipient", "subject").get() == ("sent", "", "")


def test_a_guest_who_gets_an_account_keeps_history_and_run(fake_shop, smtp):
    running(on("ordered"), [wait(seconds=60), send()], exit_when=[])
    product = fake_shop.add_product(price=50)
    consenting("", "guest@example.com")
    activity.record_many(order_facts(fake_shop.place_order(product.ref, email="guest@example.com")))
    pipeline.pump()
    customer = fake_shop.add_customer(email="Guest@example.com")
    activity.record(Fact(kind=FactKind.SIGNED_UP, source_key="s", customer_id=customer.customer_id))
    pipeline.pump()
    with clock.travel(by=timedelta(seconds=61)):
        pipeline.pump()
        pipeline.deliver()

    contact = Contact.objects.get()
    assert (contact.customer_id, contact.email, contact.orders_count) == (customer.customer_id, "guest@example.com", 1)
    assert len(smtp.letters) == 1


def test_an_account_that_moves_to_a_guests_address_takes_over_the_guest(fake_shop, ann, smtp):
    running(on("ordered"), [wait(seconds=60), send()], exit_when=[])
    product = fake_shop.add_product(price=50)
    consenting("", "guest@example.com")
    activity.record_many(order_facts(fake_shop.place_order(product.ref, email="guest@example.com")))
    activity.record_many(order_facts(fake_shop.place_order(product.ref, customer_id=ann.customer_id)))
    pipeline.pump()
    fake_shop.change_customer(ann.customer_id, email="guest@example.com")
    activity.record(Fact(kind=FactKind.CUSTOMER_CHANGED, source_key="c", customer_id=ann.customer_id))
    pipeline.pump()

    contact = Contact.objects.get()
    assert (contact.customer_id, contact.email, contact.orders_count) == (ann.customer_id, "guest@example.com", 2)
    assert Enrollment.objects.filter(contact=contact).count() == 2


def test_a_click_on_the_link_is_known_and_leads_to_the_product(fake_shop, ann, smtp, client):
    running(on("liked"))
    product = fake_shop.add_product(price=50)
    fake_shop.like(ann.customer_id, product.whole)
    pipeline.pump()
    pipeline.deliver()
    link = re.search(r"https://shop\.example/crm(/click/[^\"'\s]+)", smtp.letters[0].html).group(1)

    with clock.travel(by=timedelta(minutes=1)):
        response = client.get(f"/crm{link}", headers={"user-agent": BROWSER})
    pipeline.pump()

    assert response.status_code == 302
    assert response.headers["Location"].startswith("https://shop.example/default/products/")
    assert Message.objects.get().clicked_at is not None


def test_activities_that_wait_in_the_inbox_survive_a_rolled_back_request(fake_shop, ann):
    product = fake_shop.add_product(price=50)

    def request() -> None:
        with transaction.atomic():
            fake_shop.like(ann.customer_id, ProductRef(product.product_id, "default"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        request()

    assert Inbox.objects.count() == 0


def test_other_mail_about_the_product_takes_no_alert_away(fake_shop, ann, smtp):
    running()
    running(on("viewed"))
    product = fake_shop.add_product(price=50)
    fake_shop.like(ann.customer_id, product.whole)
    pipeline.pump()
    view = Fact(
        kind=FactKind.VIEWED,
        source_key="view",
        customer_id=ann.customer_id,
        product_id=product.product_id,
        shop_channel="default",
    )
    activity.record(view)
    pipeline.pump()
    fake_shop.set_price(product.ref, 40)
    PriceWatch.objects.update(due_at=clock.now())
    pipeline.watch_prices()
    pipeline.pump()

    pipeline.deliver()

    assert sorted(Message.objects.values_list("state", "reason")) == [("sent", ""), ("sent", "")]
    assert len(smtp.letters) == 2
