"""Features rows 7, 8, 11, 12 and 58: carts and checkouts that are left alone, and the hour after something happened."""

from __future__ import annotations

import pytest

from crm_plugin.models import Enrollment, Message
from tests.automations.timer_story import abandoned, after, begin_checkout, buy, fill, time, view, work
from tests.stories import CONTENT, running, send, wait

pytestmark = pytest.mark.django_db

HOUR = 3600


@pytest.fixture(autouse=True)
def _mail_stays_here(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


@pytest.fixture
def vase(fake_shop):
    return fake_shop.add_product(price=50, name="Vase")


def starts(trigger, steps=(), **more):
    with time("09:00"):
        return running(trigger, steps, **more)


def subject(text):
    return {"template": {"en": {**CONTENT, "subject": text}}}


@pytest.mark.feature(7)
def test_a_cart_touched_again_is_reminded_of_an_hour_after_the_last_touch(fake_shop, ann, vase, mailoutbox):
    starts(abandoned())
    for moment, quantity in (("10:00", 1), ("10:40", 2)):
        with time(moment):
            fill(fake_shop, "c1", vase, quantity=quantity, customer_id=ann.customer_id)
        work(moment)
    for moment in ("11:00", "11:39"):
        work(moment)
    too_early = len(mailoutbox)
    work("11:40")

    assert too_early == 0
    assert [mail.to for mail in mailoutbox] == [[ann.email]]


@pytest.mark.feature(7)
def test_a_purchase_a_minute_before_the_reminder_prevents_it(fake_shop, ann, vase, mailoutbox):
    starts(abandoned())
    with time("10:00"):
        fill(fake_shop, "c1", vase, customer_id=ann.customer_id)
    work("10:00")
    with time("10:40"):
        fill(fake_shop, "c1", vase, quantity=2, customer_id=ann.customer_id)
    work("10:40")
    with time("11:39"):
        buy(fake_shop, customer_id=ann.customer_id, cart_ref="c1")
    work("11:39")
    work("11:40")
    work("12:40")

    assert mailoutbox == []
    assert not Enrollment.objects.exists()


@pytest.mark.feature(7)
def test_a_purchase_as_a_guest_ends_a_reminder_that_is_held_by_quiet_hours(fake_shop, ann, vase, mailoutbox):
    starts(abandoned(), exit_when=["ordered"], quiet_hours={"start": "11:00", "end": "20:00", "zone": "shop"})
    with time("10:00"):
        fill(fake_shop, "c1", vase, customer_id=ann.customer_id)
    work("10:00")
    work("11:00")
    held = list(Message.objects.values_list("state", flat=True))
    with time("14:00"):
        buy(fake_shop, vase, email=ann.email)
    work("14:00")
    ended = list(Enrollment.objects.values_list("state", flat=True))
    work("21:00")

    assert "sent" not in held
    assert ended == ["converted"]
    assert mailoutbox == []


@pytest.mark.feature(8)
def test_the_reminder_changes_with_the_time_that_has_passed(fake_shop, ann, vase, mailoutbox):
    steps = [
        send("a", **subject("a")),
        wait("to_24", seconds=23 * HOUR),
        send("b", **subject("b")),
        wait("to_72", seconds=48 * HOUR),
        send("c", **subject("c")),
    ]
    starts(abandoned(minutes=60), steps)
    with time("10:00"):
        fill(fake_shop, "c1", vase, customer_id=ann.customer_id)
    work("10:00")
    told = []
    for hours in range(1, 100):
        work(f"{(10 + hours) % 24}:00", day=(10 + hours) // 24)
        told += [(hours, mail.subject) for mail in mailoutbox[len(told) :]]

    assert [(hours, text.removeprefix("(AD) ")[-1]) for hours, text in told] == [(1, "a"), (24, "b"), (72, "c")]
    assert Enrollment.objects.get().state == "completed"


@pytest.mark.feature(8)
def test_the_same_cart_touched_without_a_change_gets_no_text_twice(fake_shop, ann, vase, mailoutbox):
    starts(abandoned(minutes=60), [send("a"), wait("to_24", seconds=23 * HOUR), send("b")])
    for moment in ("10:00", "12:00", "14:00"):
        with time(moment):
            fill(fake_shop, "c1", vase, customer_id=ann.customer_id)
        work(moment)
        work(f"{int(moment[:2]) + 1}:00")
    work("12:00", day=1)

    assert sorted(Message.objects.values_list("step_id", flat=True)) == ["a", "b"]
    assert len(mailoutbox) == 2


@pytest.mark.feature(11)
def test_a_begun_checkout_is_reminded_of_and_its_cart_is_not(fake_shop, ann, vase, mailoutbox):
    starts(abandoned(minutes=60), [send(**subject("cart"))])
    starts(abandoned("checkout", 30), [send(**subject("checkout"))])
    with time("10:00"):
        fill(fake_shop, "c1", vase, customer_id=ann.customer_id)
    work("10:00")
    with time("10:10"):
        begin_checkout("c1", customer_id=ann.customer_id)
    work("10:10")
    for moment in ("10:39", "10:40", "11:00", "11:10", "12:00"):
        work(moment)

    assert len(mailoutbox) == 1
    assert "checkout" in mailoutbox[0].subject


@pytest.mark.feature(12)
def test_who_left_the_order_form_is_offered_other_products(fake_shop, ann, vase, mailoutbox):
    """What is recommended is stubbed: four products that the merchant wrote into the template, none of the cart.

    The timing and the audience are the row's: the message about a checkout that was left alone.
    """
    others = [fake_shop.add_product(price=10 + n, name=f"Other {n}") for n in range(4)]
    offered = "\n".join(product.name["en"] if isinstance(product.name, dict) else product.name for product in others)
    text = f"{offered}\n{{{{ unsubscribe_url }}}}"
    content = {**CONTENT, "subject": "You may like these", "text": text}
    starts(abandoned("checkout", 30), [send(template={"en": content})])
    with time("10:00"):
        fill(fake_shop, "c1", vase, customer_id=ann.customer_id)
        begin_checkout("c1", customer_id=ann.customer_id)
    work("10:00")
    work("10:30")

    (mail,) = mailoutbox
    assert [f"Other {n}" in mail.body for n in range(4)] == [True] * 4
    assert "Vase" not in mail.body


@pytest.mark.feature(58)
def test_three_hours_after_a_view_everybody_is_written_to_at_their_own_minute(fake_shop, shoppers, vase, mailoutbox):
    """The real-time mode; that of a fixed hour, for the cohort of a day, is played where the calendar's rows are."""
    people = shoppers(3)
    starts(after("viewed", 3))
    for moment, customer in zip(("10:00", "10:07", "11:30"), people, strict=True):
        with time(moment):
            view(vase, customer_id=customer.customer_id)
        work(moment)
    told = {}
    for moment in ("12:59", "13:00", "13:06", "13:07", "14:29", "14:30", "15:00"):
        before = len(mailoutbox)
        work(moment)
        told |= {mail.to[0]: moment for mail in mailoutbox[before:]}

    assert told == dict(zip((one.email for one in people), ("13:00", "13:07", "14:30"), strict=True))
