"""When a cart or a checkout counts as left alone, whose it is, and what becomes of it meanwhile."""

from __future__ import annotations

import pytest

from crm_plugin import activity, automations, pipeline
from crm_plugin.models import Campaign, Contact, Enrollment, Message, Timer
from crm_plugin.shop import Fact, FactKind
from tests.automations.timer_story import abandoned, at, begin_checkout, buy, fill, tell_cart, time, work
from tests.stories import consenting, running, send, wait

pytestmark = pytest.mark.django_db

SERIES = [send("a"), wait("day", seconds=86_400), send("b")]


@pytest.fixture(autouse=True)
def _mail_stays_here(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


@pytest.fixture
def vase(fake_shop):
    return fake_shop.add_product(price=50, name="Vase")


@pytest.fixture
def bowl(fake_shop):
    return fake_shop.add_product(price=20, name="Bowl")


def runs():
    return list(Enrollment.objects.order_by("pk").values_list("campaign_id", "state", "reason"))


def starts(trigger, steps=(), moment="09:00", **more):
    with time(moment):
        return running(trigger, steps, **more)


def carted(fake_shop, moment, *products, customer_id="", **more):
    with time(moment):
        cart = fill(fake_shop, "c1", *products, customer_id=customer_id, **more)
    work(moment)
    return cart


def test_a_cart_that_lies_there_starts_one_run_about_what_is_in_it(fake_shop, ann, vase, bowl):
    starts(abandoned())
    carted(fake_shop, "10:00", vase, bowl, customer_id=ann.customer_id)
    work("10:59")
    too_early = Enrollment.objects.count()
    work("11:00")
    work("12:00")

    run = Enrollment.objects.get()
    assert too_early == 0
    assert {item["product_id"] for item in run.items} == {vase.product_id, bowl.product_id}
    assert (run.subject_key, run.lane, run.context["cart_ref"]) == ("cart:c1", "cart:c1", "c1")
    assert run.entered_at == at("10:00")
    assert 0 < run.epoch < 2**63
    assert not Timer.objects.exists()


def test_a_line_that_is_taken_out_starts_the_clock_anew(fake_shop, ann, vase, bowl):
    starts(abandoned())
    carted(fake_shop, "10:00", vase, bowl, customer_id=ann.customer_id)
    carted(fake_shop, "10:30", vase, customer_id=ann.customer_id)
    work("11:00")
    too_early = Enrollment.objects.count()
    work("11:30")

    assert (too_early, Enrollment.objects.count()) == (0, 1)


def test_a_shop_that_keeps_no_time_of_a_removal_is_believed_when_it_tells_of_one(fake_shop, ann, vase):
    """Oscar's baskets have the times of their lines only: one that was taken out leaves none."""
    starts(abandoned())
    cart = carted(fake_shop, "10:00", vase, customer_id=ann.customer_id)
    gone = Fact(kind=FactKind.CART_CHANGED, source_key="gone", cart_ref="c1", customer_id=ann.customer_id)
    with time("10:30"):
        activity.record(gone)
    work("10:30")
    work("11:00")
    too_early = Enrollment.objects.count()
    work("11:30")

    assert cart.changed_at == at("10:00")
    assert too_early == 0
    assert Enrollment.objects.get().entered_at == at("10:30")


def test_an_older_fact_that_comes_late_never_moves_the_clock_back(fake_shop, ann, vase):
    starts(abandoned())
    carted(fake_shop, "10:30", vase, customer_id=ann.customer_id)
    with time("10:40"):
        activity.record(Fact(kind=FactKind.CART_CHANGED, source_key="late", occurred_at=at("10:00"), cart_ref="c1"))
    work("10:40")

    assert Timer.objects.get().due_at == at("11:30")


def test_a_change_that_nobody_told_is_seen_when_the_cart_is_asked_again(fake_shop, ann, vase, bowl):
    starts(abandoned())
    carted(fake_shop, "10:00", vase, customer_id=ann.customer_id)
    with time("10:45"):
        fake_shop.change_cart("c1", bowl.ref, customer_id=ann.customer_id)
    work("11:00")
    too_early = Enrollment.objects.count()
    work("11:45")

    run = Enrollment.objects.get()
    assert too_early == 0
    assert [item["product_id"] for item in run.items] == [bowl.product_id]


@pytest.mark.parametrize("is_empty", [True, False])
def test_a_cart_that_is_empty_or_gone_starts_nothing(fake_shop, ann, vase, is_empty):
    starts(abandoned())
    carted(fake_shop, "10:00", vase, customer_id=ann.customer_id)
    with time("10:10"):
        if is_empty:
            fill(fake_shop, "c1", customer_id=ann.customer_id)
        else:
            del fake_shop.cart_rows["c1"]
    work("11:00")
    work("12:00")

    assert not Enrollment.objects.exists()
    assert not Timer.objects.exists()


def test_who_bought_since_is_left_alone_whatever_they_bought(fake_shop, ann, vase, bowl):
    starts(abandoned())
    carted(fake_shop, "10:00", vase, customer_id=ann.customer_id)
    with time("10:30"):
        buy(fake_shop, bowl, customer_id=ann.customer_id)
    work("10:30")
    work("11:00")

    assert not Enrollment.objects.exists()


def test_a_guest_who_bought_with_the_same_address_is_the_same_person(fake_shop, ann, vase, bowl):
    starts(abandoned())
    carted(fake_shop, "10:00", vase, customer_id=ann.customer_id)
    with time("10:30"):
        buy(fake_shop, bowl, email=ann.email.upper())
    work("10:30")
    work("11:00")

    assert not Enrollment.objects.exists()


def test_an_order_that_was_cancelled_is_no_purchase(fake_shop, ann, vase, bowl):
    starts(abandoned())
    carted(fake_shop, "10:00", vase, customer_id=ann.customer_id)
    with time("10:30"):
        order = buy(fake_shop, bowl, customer_id=ann.customer_id)
        activity.record(
            Fact(
                kind=FactKind.CANCELLED,
                source_key="cancelled",
                order_ref=order.order_ref,
                customer_id=ann.customer_id,
            )
        )
    work("10:30")
    work("11:00")

    assert Enrollment.objects.count() == 1


def test_what_was_bought_before_the_cart_changed_does_not_count(fake_shop, ann, vase, bowl):
    starts(abandoned())
    with time("09:30"):
        buy(fake_shop, bowl, customer_id=ann.customer_id)
    carted(fake_shop, "10:00", vase, customer_id=ann.customer_id)
    work("11:00")

    assert Enrollment.objects.count() == 1


def test_new_content_ends_the_run_of_the_old_one_when_its_own_time_has_come(fake_shop, ann, vase, bowl):
    campaign = starts(abandoned(), SERIES)
    carted(fake_shop, "10:00", vase, customer_id=ann.customer_id)
    work("11:00")
    carted(fake_shop, "12:00", bowl, customer_id=ann.customer_id)
    meanwhile = runs()
    work("13:00")

    assert meanwhile == [(campaign.pk, "active", "")]
    assert runs() == [(campaign.pk, "exited", "superseded"), (campaign.pk, "active", "")]
    assert Message.objects.filter(step_id="a").count() == 2


def test_the_same_content_is_never_told_twice(fake_shop, ann, vase, bowl):
    starts(abandoned())
    for moment, product in (("10:00", vase), ("12:00", bowl), ("14:00", vase)):
        carted(fake_shop, moment, product, customer_id=ann.customer_id)
        work(f"{int(moment[:2]) + 1}:00")

    assert Enrollment.objects.count() == 2


def test_the_order_of_the_lines_and_their_price_are_no_new_content(fake_shop, ann, vase, bowl):
    starts(abandoned())
    carted(fake_shop, "10:00", vase, bowl, customer_id=ann.customer_id)
    work("11:00")
    fake_shop.set_price(vase.ref, 40)
    carted(fake_shop, "12:00", bowl, vase, customer_id=ann.customer_id)
    work("13:00")

    assert Enrollment.objects.count() == 1


def test_another_quantity_is_new_content(fake_shop, ann, vase):
    starts(abandoned())
    carted(fake_shop, "10:00", vase, customer_id=ann.customer_id)
    work("11:00")
    carted(fake_shop, "12:00", vase, quantity=2, customer_id=ann.customer_id)
    work("13:00")

    assert Enrollment.objects.count() == 2


@pytest.mark.parametrize(("value", "entered"), [(49, 1), (50, 1), (51, 0)])
def test_what_the_cart_has_to_be_worth(fake_shop, ann, vase, value, entered):
    starts(abandoned(value={"op": "gte", "value": value, "currency": "EUR"}))
    carted(fake_shop, "10:00", vase, customer_id=ann.customer_id)
    work("11:00")

    assert Enrollment.objects.count() == entered


@pytest.mark.parametrize(("more", "entered"), [
    ({"value": {"op": "gte", "value": 1, "currency": "KRW"}}, 0),
    ({"shop_channels": ["kr"]}, 0),
    ({"shop_channels": ["default", "kr"]}, 1),
    ({"audience": {"include": {"type": "did", "activity": "viewed"}}}, 0),
])  # fmt: skip
def test_whose_carts_are_meant(fake_shop, ann, vase, more, entered):
    starts(abandoned(**more))
    carted(fake_shop, "10:00", vase, customer_id=ann.customer_id)
    work("11:00")

    assert Enrollment.objects.count() == entered


def test_an_audience_is_asked_when_the_time_has_come(fake_shop, ann, vase):
    starts(abandoned(audience={"include": {"type": "did", "activity": "viewed"}}))
    carted(fake_shop, "10:00", vase, customer_id=ann.customer_id)
    with time("10:30"):
        activity.record(
            Fact(kind=FactKind.VIEWED, source_key="v", customer_id=ann.customer_id, product_id=vase.product_id)
        )
    work("10:30")
    work("11:00")

    assert Enrollment.objects.count() == 1


def test_a_begun_checkout_belongs_to_the_cart_campaign_when_no_other_runs(fake_shop, ann, vase):
    campaign = starts(abandoned())
    carted(fake_shop, "10:00", vase, customer_id=ann.customer_id)
    with time("10:10"):
        begin_checkout("c1", customer_id=ann.customer_id)
    work("10:10")
    work("11:10")

    assert runs()[0][0] == campaign.pk


def test_a_checkout_campaign_for_another_channel_takes_no_cart_away(fake_shop, ann, vase):
    campaign = starts(abandoned())
    starts(abandoned("checkout", 30, shop_channels=["kr"]))
    carted(fake_shop, "10:00", vase, customer_id=ann.customer_id)
    with time("10:10"):
        begin_checkout("c1", customer_id=ann.customer_id)
    work("10:10")
    work("11:10")

    assert [one[0] for one in runs()] == [campaign.pk]


def test_a_checkout_that_never_began_is_none(fake_shop, ann, vase):
    starts(abandoned("checkout", 30))
    carted(fake_shop, "10:00", vase, customer_id=ann.customer_id)
    work("11:00")

    assert not Enrollment.objects.exists()


def test_a_change_of_the_cart_moves_the_checkouts_clock_too(fake_shop, ann, vase, bowl):
    starts(abandoned("checkout", 30))
    carted(fake_shop, "10:00", vase, customer_id=ann.customer_id)
    with time("10:10"):
        begin_checkout("c1", customer_id=ann.customer_id)
    work("10:10")
    carted(fake_shop, "10:30", bowl, customer_id=ann.customer_id)
    work("10:40")
    too_early = Enrollment.objects.count()
    work("11:00")

    assert too_early == 0
    assert Enrollment.objects.get().entered_at == at("10:30")


def test_a_checkouts_run_ends_the_carts_run_that_is_under_way(fake_shop, ann, vase):
    cart, checkout = starts(abandoned(), SERIES), starts(abandoned("checkout", 30), SERIES)
    carted(fake_shop, "10:00", vase, customer_id=ann.customer_id)
    work("11:00")
    with time("11:10"):
        begin_checkout("c1", customer_id=ann.customer_id)
    work("11:10")
    meanwhile = runs()
    work("11:40")
    work("12:40")

    assert meanwhile == [(cart.pk, "active", "")]
    assert runs() == [(cart.pk, "exited", "superseded"), (checkout.pk, "active", "")]


def test_a_guest_is_known_by_the_address_they_left_at_the_checkout(fake_shop, vase):
    contact = consenting("", "guest@example.com")
    starts(abandoned("checkout", 30))
    carted(fake_shop, "10:00", vase)
    with time("10:05"):
        begin_checkout("c1", email="guest@example.com")
    work("10:05")
    work("10:35")

    assert Enrollment.objects.get().contact_id == contact.pk


def test_a_visitor_who_says_who_they_are_in_time_is_reminded(fake_shop, vase):
    starts(abandoned())
    carted(fake_shop, "10:00", vase, visitor_id="b" * 32)
    with time("10:20"):
        activity.record(
            Fact(
                kind=FactKind.SIGNED_UP, source_key="s", customer_id="77", email="new@example.com", visitor_id="b" * 32
            )
        )
    work("10:20")
    work("11:00")

    assert Enrollment.objects.get().contact == Contact.objects.get(customer_id="77")


def test_a_cart_that_is_somebody_elses_by_now_is_told_to_nobody_else(fake_shop, shoppers, vase):
    ann, bob = shoppers(2)
    starts(abandoned())
    carted(fake_shop, "10:00", vase, customer_id=ann.customer_id)
    carted(fake_shop, "10:30", vase, customer_id=bob.customer_id)
    work("11:00")
    work("11:30")

    assert Enrollment.objects.get().contact.customer_id == bob.customer_id


def test_what_happened_before_the_campaign_ran_starts_nothing(fake_shop, ann, vase):
    cart = carted(fake_shop, "10:00", vase, customer_id=ann.customer_id)
    starts(abandoned(), moment="10:30")
    with time("10:40"):
        tell_cart(cart)
    work("10:40")

    assert not Timer.objects.exists()


def test_old_carts_of_a_back_fill_start_nothing(fake_shop, ann, vase):
    starts(abandoned())
    with time("10:00"):
        cart = fake_shop.change_cart("c1", vase.ref, customer_id=ann.customer_id)
    with time("12:00", day=2):
        tell_cart(cart)
    work("12:00", day=2)

    assert not Timer.objects.exists()


def test_a_pause_keeps_the_timer_until_the_campaign_goes_on(fake_shop, ann, vase):
    campaign = starts(abandoned())
    carted(fake_shop, "10:00", vase, customer_id=ann.customer_id)
    with time("10:30"):
        automations.pause(campaign.pk)
    work("11:00")
    work("12:00", day=5)
    paused = Enrollment.objects.count(), Timer.objects.count()
    with time("12:01", day=5):
        automations.publish(campaign.pk)
    work("12:02", day=5)

    assert paused == (0, 1)
    assert Enrollment.objects.count() == 1


@pytest.mark.parametrize("state", ["ended", "archived"])
def test_the_timers_of_a_campaign_that_is_over_go(fake_shop, ann, vase, state):
    campaign = starts(abandoned())
    carted(fake_shop, "10:00", vase, customer_id=ann.customer_id)
    Campaign.objects.filter(pk=campaign.pk).update(state=state)
    work("11:00")

    assert not Enrollment.objects.exists()
    assert not Timer.objects.exists()


def test_a_reminder_that_is_two_days_late_is_dropped(fake_shop, ann, vase, caplog):
    starts(abandoned())
    carted(fake_shop, "10:00", vase, customer_id=ann.customer_id)
    work("11:01", day=2)

    assert not Enrollment.objects.exists()
    assert not Timer.objects.exists()
    assert "timers are dropped" in caplog.text


def test_many_carts_are_asked_of_the_shop_at_once(fake_shop, shoppers, vase, monkeypatch):
    starts(abandoned())
    for number, customer in enumerate(shoppers(5)):
        with time("10:00"):
            fill(fake_shop, f"c{number}", vase, customer_id=customer.customer_id)
    work("10:00")
    asked = []
    monkeypatch.setattr(fake_shop, "carts", lambda refs: asked.append(set(refs)) or {})
    with time("11:00"):
        pipeline.pump()

    assert asked == [{f"c{number}" for number in range(5)}]
