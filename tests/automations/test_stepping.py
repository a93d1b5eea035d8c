"""How a run moves: wait, send, exit, what becomes of its messages, and what ends it early."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crm_plugin import activity, automations, clock, contacts, messaging, persons, pipeline
from crm_plugin.models import Campaign, Contact, Enrollment, Interest, Message
from crm_plugin.shop import Fact, FactKind
from tests.fake_trade import order_facts
from tests.stories import on, running, send, wait

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _mail_stays_here(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


def sign_up(customer):
    activity.record(Fact(kind=FactKind.SIGNED_UP, source_key="s", customer_id=customer.customer_id))
    pipeline.pump()


def place(run):
    run.refresh_from_db()
    return run.state, run.step, run.reason


def outcome(state, reason=""):
    """What messaging tells of the one message."""
    message = Message.objects.get()
    return messaging.Delivered(
        message.pk,
        message.enrollment_id,
        message.contact_id,
        message.step_id,
        message.channel,
        messaging.MessageState(state),
        reason,
    )


def test_a_wait_passes_in_its_time_and_not_before(ann):
    running(on("signed_up"), [wait(seconds=60), send()])
    sign_up(ann)
    run = Enrollment.objects.get()
    waiting = place(run)
    with clock.travel(by=timedelta(seconds=59)):
        pipeline.pump()
        too_early = place(run)
    with clock.travel(by=timedelta(seconds=61)):
        pipeline.pump()

    assert waiting == too_early == ("active", 1, "")
    assert Message.objects.get().step_id == "mail"


def test_an_exit_ends_the_run_and_what_is_behind_it_does_not_happen(ann):
    running(on("signed_up"), [{"type": "exit", "id": "end"}, send()])

    sign_up(ann)

    assert place(Enrollment.objects.get())[0] == "exited"
    assert Message.objects.count() == 0


def test_a_run_rests_until_its_message_has_an_outcome(ann):
    running(on("signed_up"), [send(), wait()])
    sign_up(ann)
    pipeline.pump()

    run = Enrollment.objects.get()
    assert (run.step, run.due_at, Message.objects.count()) == (0, None, 1)


@pytest.mark.parametrize(
    ("state", "reason", "becomes"),
    [
        ("sent", "", ("active", 1, "")),
        ("unknown", "lease_expired", ("active", 1, "")),
        ("failed", "rejected", ("active", 1, "")),
        ("skipped", "frequency_cap", ("active", 1, "")),
        ("skipped", "no_consent", ("active", 1, "")),
        ("skipped", "sold_out", ("exited", 0, "sold_out")),
        ("skipped", "price_restored", ("exited", 0, "price_restored")),
        ("skipped", "campaign_ended", ("exited", 0, "campaign_ended")),
        ("skipped", "bought", ("converted", 0, "bought")),
    ],
)
def test_how_a_run_goes_on_after_its_message(ann, state, reason, becomes):
    running(on("signed_up"), [send(), wait()])
    sign_up(ann)
    run = Enrollment.objects.get()

    automations.go_on([outcome(state, reason)])

    assert place(run) == becomes


def test_the_last_message_completes_the_run_and_telling_it_twice_changes_nothing(ann):
    running(on("signed_up"))
    sign_up(ann)
    run = Enrollment.objects.get()

    automations.go_on([outcome("sent")])
    once = (*place(run), run.finished_at)
    automations.go_on([outcome("sent")])

    assert once[0] == "completed"
    assert (*place(run), run.finished_at) == once


def test_an_outcome_of_an_earlier_step_moves_nothing(ann):
    running(on("signed_up"), [send("first"), send("second"), wait()])
    sign_up(ann)
    late = outcome("sent")
    automations.go_on([late])
    pipeline.pump()
    run = Enrollment.objects.get()

    automations.go_on([late])

    assert place(run) == ("active", 1, "")


@pytest.mark.parametrize(("state", "reason"), [("archived", "campaign_archived"), ("ended", "campaign_ended")])
def test_a_campaign_that_is_over_lets_go_of_its_people(ann, state, reason):
    running(on("signed_up"), [wait(seconds=60), send()])
    sign_up(ann)
    Campaign.objects.update(state=state)

    with clock.travel(by=timedelta(seconds=61)):
        pipeline.pump()

    assert place(Enrollment.objects.get()) == ("exited", 1, reason)
    assert Message.objects.count() == 0


def test_a_message_of_an_archived_campaign_is_skipped_and_its_run_ends(ann, mailoutbox):
    campaign = running(on("signed_up"), [send(), wait()])
    sign_up(ann)
    automations.pause(campaign.pk)
    automations.delete_campaign(campaign.pk)

    pipeline.deliver()

    assert Message.objects.values_list("state", "reason").get() == ("skipped", "campaign_ended")
    assert (place(Enrollment.objects.get())[0], mailoutbox) == ("exited", [])


def test_a_paused_campaign_holds_its_messages_and_the_same_ones_go_out_on_resume(ann, mailoutbox):
    campaign = running(on("signed_up"))
    sign_up(ann)
    automations.pause(campaign.pk)
    pipeline.deliver()
    held = Message.objects.values_list("state", "reason").get()
    automations.publish(campaign.pk)
    with clock.travel(by=timedelta(seconds=61)):
        pipeline.deliver()

    assert held == ("queued", "campaign_paused")
    assert (Message.objects.get().state, len(mailoutbox)) == ("sent", 1)


def test_each_campaign_gets_its_share_of_a_pass(fake_shop, shoppers, settings):
    settings.CRM_ADVANCE_BATCH = 4
    crowded, small = running(on("signed_up"), [wait(seconds=1), wait("b")]), running(on("logged_in"), [wait(), send()])
    for customer in shoppers(6):
        kinds = (FactKind.SIGNED_UP, FactKind.LOGGED_IN) if customer.customer_id == "1" else (FactKind.SIGNED_UP,)
        activity.record_many(
            Fact(kind=kind, source_key=f"{kind}{customer.customer_id}", customer_id=customer.customer_id)
            for kind in kinds
        )
    pipeline._drain_once()

    moved = automations.advance(4)

    assert moved == 3
    assert Enrollment.objects.filter(campaign=crowded, step=1).count() == 2
    assert Enrollment.objects.filter(campaign=small, step=1).count() == 1


@pytest.mark.parametrize(
    ("exit_when", "buys", "ends"),
    [
        (["bought_item"], "liked", True),
        (["bought_item"], "other", False),
        (["ordered"], "other", True),
        ([], "liked", False),
    ],
)
def test_a_purchase_ends_the_run_where_the_campaign_says_so(fake_shop, ann, exit_when, buys, ends):
    running(on("liked"), [wait(seconds=60), send()], exit_when=exit_when)
    products = {"liked": fake_shop.add_product(), "other": fake_shop.add_product()}
    fake_shop.like(ann.customer_id, products["liked"].whole)
    pipeline.pump()

    activity.record_many(order_facts(fake_shop.place_order(products[buys].ref, customer_id=ann.customer_id)))
    with clock.travel(by=timedelta(seconds=61)):
        pipeline.pump()

    assert place(Enrollment.objects.get())[0] == ("converted" if ends else "active")


def test_what_was_bought_before_the_facts_were_read_counts(fake_shop, ann, mailoutbox):
    running(on("liked"))
    product = fake_shop.add_product()
    fake_shop.like(ann.customer_id, product.whole)
    activity.record_many(order_facts(fake_shop.place_order(product.ref, customer_id=ann.customer_id)))

    pipeline.pump()
    pipeline.deliver()

    assert (place(Enrollment.objects.get())[0], mailoutbox) == ("converted", [])


def test_a_purchase_ends_only_the_runs_that_began_before_it(fake_shop, ann):
    running(on("viewed", reentry="always"), [wait(seconds=60), send()])
    product = fake_shop.add_product()

    def view(key):
        activity.record(
            Fact(
                kind=FactKind.VIEWED,
                source_key=key,
                customer_id=ann.customer_id,
                product_id=product.product_id,
                shop_channel="default",
            )
        )
        pipeline.pump()

    view("before")
    activity.record_many(order_facts(fake_shop.place_order(product.ref, customer_id=ann.customer_id)))
    view("after")
    with clock.travel(by=timedelta(seconds=61)):
        pipeline.pump()

    assert list(Enrollment.objects.order_by("pk").values_list("state", flat=True)) == ["converted", "active"]


def test_a_digest_leaves_out_what_was_bought_and_goes_out_about_the_rest(fake_shop, ann, drop, mailoutbox):
    running({"type": "price_drop", "settle_seconds": 0})
    bought, left = fake_shop.add_product(price=50, name="Vase"), fake_shop.add_product(price=50, name="Bowl")
    for product in (bought, left):
        fake_shop.like(ann.customer_id, product.whole)
    pipeline.pump()
    drop(bought, left, to=40)
    pipeline.pump()

    activity.record_many(order_facts(fake_shop.place_order(bought.ref, customer_id=ann.customer_id)))
    pipeline.pump()
    pipeline.deliver()

    (mail,) = mailoutbox
    assert "Bowl" in mail.body
    assert "Vase" not in mail.body
    assert dict(Interest.objects.values_list("product_id", "alerted_price")) == {
        bought.product_id: None,
        left.product_id: 40,
    }


def test_a_second_message_of_the_same_run_is_no_second_alert(fake_shop, ann, drop, mailoutbox):
    running({"type": "price_drop", "settle_seconds": 0}, [send("first"), wait(seconds=60), send("reminder")])
    product = fake_shop.add_product(price=50)
    fake_shop.like(ann.customer_id, product.whole)
    pipeline.pump()
    drop(product, to=40)
    for seconds in (0, 1, 62):
        with clock.travel(by=timedelta(seconds=seconds)):
            pipeline.pump()
            pipeline.deliver()

    assert (len(mailoutbox), Enrollment.objects.get().state) == (2, "completed")


def test_a_price_that_fell_further_than_was_seen_is_told_once(fake_shop, ann, drop, see_prices, mailoutbox):
    running({"type": "price_drop", "settle_seconds": 0})
    product = fake_shop.add_product(price=50)
    fake_shop.like(ann.customer_id, product.whole)
    pipeline.pump()
    drop(product, to=40)
    pipeline.pump()

    fake_shop.set_price(product.ref, 30)
    pipeline.deliver()
    see_prices()
    pipeline.pump()
    pipeline.deliver()

    (mail,) = mailoutbox
    assert "30" in mail.body


def test_the_cool_down_of_a_guest_who_became_an_account_while_being_mailed_is_the_accounts(fake_shop, ann, mailoutbox):
    running({"type": "price_drop", "settle_seconds": 0, "sources": ["carted"]})
    product = fake_shop.add_product(price=50)
    guest = contacts.get_or_create(contacts.Person(email="guest@example.com"))
    contacts.set_consent(guest.pk, channel="email", is_granted=True, source="test")
    cart = fake_shop.add_cart(product.ref, email="guest@example.com")
    activity.record(Fact(kind=FactKind.CART_CHANGED, source_key="c", cart_ref=cart.cart_ref, email=cart.email))
    pipeline.pump()
    fake_shop.set_price(product.ref, 40)
    activity.look_again([product.product_id])
    pipeline.pump()
    pipeline.watch_prices()
    pipeline.pump()
    told = outcome("sent")

    fake_shop.change_customer(ann.customer_id, email="guest@example.com")
    activity.record(Fact(kind=FactKind.CUSTOMER_CHANGED, source_key="u", customer_id=ann.customer_id))
    pipeline.pump()
    pipeline._settle([told])

    assert Contact.objects.count() == 1
    assert Interest.objects.get().alerted_at is not None


def test_erasing_ends_the_runs_and_forgets_what_they_were_about(fake_shop, ann, mailoutbox):
    running(on("liked"), [wait(seconds=60), send()])
    fake_shop.like(ann.customer_id, fake_shop.add_product().whole)
    pipeline.pump()

    persons.erase(customer_id=ann.customer_id)
    with clock.travel(by=timedelta(seconds=61)):
        pipeline.pump()
        pipeline.deliver()

    run = Enrollment.objects.get()
    assert (run.state, run.reason, run.items, mailoutbox) == ("exited", "erased", [], [])
