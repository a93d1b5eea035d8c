"""Timers: setting, moving and firing them, people who merge or leave, and so many hours after something."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection, transaction

from crm_plugin import activity, automations, clock, pipeline
from crm_plugin.automations import timers
from crm_plugin.automations.firing import fire_timers
from crm_plugin.automations.timers import Alarm
from crm_plugin.contacts import Merge
from crm_plugin.models import Contact, Enrollment, ScheduleSlot, Timer
from crm_plugin.shop import Fact, FactKind
from tests.automations.timer_story import DAY, abandoned, after, at, buy, fill, time, view, work
from tests.fake_trade import order_facts
from tests.stories import running, send
from tests.together import together

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _mail_stays_here(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


@pytest.fixture
def vase(fake_shop):
    return fake_shop.add_product(price=50, name="Vase")


@pytest.fixture
def bowl(fake_shop):
    return fake_shop.add_product(price=20, name="Bowl")


def starts(trigger, steps=(), moment="09:00", **more):
    with time(moment):
        return running(trigger, steps, **more)


def viewed(moment, product, customer):
    with time(moment):
        view(product, customer_id=customer.customer_id)
    work(moment)


def an_alarm(campaign, contact, minutes, **more):
    start = DAY + timedelta(minutes=minutes)
    values = {"subject_key": "cart:1", "starts_at": start, "due_at": start + timedelta(hours=1), **more}
    return Alarm(campaign_id=campaign.pk, contact_id=contact.pk, **values)


def entered():
    return list(Enrollment.objects.order_by("pk").values_list("subject_key", "epoch", "context__rung"))


def test_the_later_start_counts_in_whatever_order_they_come(ann):
    campaign, contact = running(abandoned()), Contact.objects.get()

    moved = [timers.arm([an_alarm(campaign, contact, minutes)]) for minutes in (10, 40, 20)]
    moved.append(timers.arm([an_alarm(campaign, contact, 30), an_alarm(campaign, contact, 50)]))

    assert moved == [1, 1, 0, 1]
    assert Timer.objects.get().due_at == DAY + timedelta(minutes=110)


def test_nobody_who_is_gone_or_erased_gets_a_timer(ann):
    campaign, contact = running(abandoned()), Contact.objects.get()
    Contact.objects.filter(pk=contact.pk).update(erased_at=clock.now(), customer_id=None, email=None)

    assert timers.arm([an_alarm(campaign, contact, 10)]) == 0
    assert not Timer.objects.exists()


def test_when_two_are_one_the_later_start_of_both_counts(shoppers):
    shoppers(2)
    campaign, (source, target) = running(abandoned()), Contact.objects.order_by("pk")
    timers.arm([
        an_alarm(campaign, source, 30), an_alarm(campaign, target, 10),
        an_alarm(campaign, source, 10, subject_key="cart:2"), an_alarm(campaign, target, 30, subject_key="cart:2"),
        an_alarm(campaign, source, 20, subject_key="cart:3"),
    ])  # fmt: skip

    timers.absorb(Merge(source_id=source.pk, target_id=target.pk))

    found = Timer.objects.order_by("subject_key").values_list("contact_id", "subject_key", "starts_at")
    assert list(found) == [
        (target.pk, f"cart:{number}", DAY + timedelta(minutes=minutes))
        for number, minutes in ((1, 30), (2, 30), (3, 20))
    ]


def test_who_asks_to_be_forgotten_has_no_timers(shoppers):
    shoppers(2)
    campaign, (one, other) = running(abandoned()), Contact.objects.order_by("pk")
    timers.arm([an_alarm(campaign, one, 10), an_alarm(campaign, other, 10)])

    timers.forget([one.pk])

    assert Timer.objects.get().contact_id == other.pk


def test_there_is_nothing_to_fire(ann):
    with transaction.atomic():
        assert fire_timers(10) is None


def test_the_oldest_go_first_and_no_more_than_asked_for(fake_shop, shoppers, vase):
    starts(after("viewed", 1))
    people = shoppers(3)
    for minutes, customer in enumerate(people):
        viewed(f"10:0{minutes}", vase, customer)

    with time("12:00"):
        done = [fire_timers(2), fire_timers(2), fire_timers(2)]

    assert done == [2, 1, None]
    order = Enrollment.objects.order_by("pk").values_list("contact__customer_id", flat=True)
    assert list(order)[-1] == people[2].customer_id


@pytest.mark.parametrize(("unit", "amount", "due"), [("minutes", 45, "10:45"), ("hours", 3, "13:00")])
def test_so_long_after_to_the_minute(ann, vase, unit, amount, due):
    starts(after("viewed", amount, unit=unit))
    viewed("10:00", vase, ann)
    with clock.travel(to=at(due) - timedelta(seconds=1)):
        pipeline.pump()
    too_early = Enrollment.objects.count()
    work(due)

    run = Enrollment.objects.get()
    assert too_early == 0
    assert (run.subject_key, run.epoch, run.entered_at) == (f"product:{vase.product_id}", amount, at("10:00"))
    assert run.context["kind"] == "viewed"


def test_a_later_one_starts_the_clock_anew(ann, vase, bowl):
    starts(after("viewed", 1))
    viewed("10:00", vase, ann)
    viewed("10:30", bowl, ann)
    work("11:00")
    too_early = Enrollment.objects.count()
    work("11:30")

    assert too_early == 0
    assert entered() == [(f"product:{bowl.product_id}", 1, 1)]


def test_one_that_the_filter_leaves_out_restarts_nothing(ann, vase, bowl):
    starts(after("viewed", 1, what={"products": [vase.product_id]}))
    viewed("10:00", vase, ann)
    viewed("10:30", bowl, ann)
    work("11:00")

    assert entered() == [(f"product:{vase.product_id}", 1, 1)]


def test_each_of_them_counts_when_asked_for(ann, vase, bowl):
    starts(after("viewed", 1, which="each"))
    viewed("10:00", vase, ann)
    viewed("10:30", bowl, ann)
    work("11:00")
    first = entered()
    work("11:30")

    assert first == [(f"product:{vase.product_id}", 1, 1)]
    assert entered()[1:] == [(f"product:{bowl.product_id}", 1, 1)]


def test_a_ladder_is_a_run_for_each_rung(ann, vase):
    starts(after("viewed", 1, 2, 5), [{"type": "wait", "id": "long", "seconds": 86_400}, send()])
    viewed("10:00", vase, ann)
    for moment in ("11:00", "12:00", "15:00", "16:00"):
        work(moment)

    assert [(epoch, rung) for _subject, epoch, rung in entered()] == [(1, 1), (2, 2), (5, 5)]


def test_a_ladder_that_may_be_climbed_always_is(ann, vase):
    starts(after("viewed", 1, 2, reentry="always"))
    for moment in ("10:00", "13:00"):
        viewed(moment, vase, ann)
        for hours in (1, 2):
            work(f"{int(moment[:2]) + hours}:00")

    assert [rung for *_, rung in entered()] == [1, 2, 1, 2]


def test_the_audience_is_asked_at_the_moment(ann, vase, bowl):
    starts(after("viewed", 1, audience={"include": {"type": "did", "activity": "liked"}}))
    viewed("10:00", vase, ann)
    with time("10:30"):
        activity.record(
            Fact(kind=FactKind.LIKED, source_key="l", customer_id=ann.customer_id, product_id=bowl.product_id)
        )
    work("10:30")
    work("11:00")

    assert len(entered()) == 1


def test_who_is_not_in_the_audience_at_the_moment_does_not_enter(ann, vase):
    starts(after("viewed", 1, audience={"include": {"type": "did", "activity": "liked"}}))
    viewed("10:00", vase, ann)
    work("11:00")

    assert entered() == []
    assert not Timer.objects.exists()


def test_an_order_that_is_the_first_no_more_starts_nothing(fake_shop, ann, vase):
    """Its row told of it late: an older order came to light within the hour."""
    starts(after("ordered", 1, is_first_order=True))
    with time("08:00"):
        older = fake_shop.place_order(vase.ref, customer_id=ann.customer_id)
    with time("10:00"):
        buy(fake_shop, vase, customer_id=ann.customer_id)
    work("10:00")
    with time("10:30"):
        activity.record_many(order_facts(older))
    work("10:30")
    work("11:00")

    assert entered() == []


def test_what_happened_before_counts_when_its_moment_comes_after(ann, vase, shoppers):
    (bob,) = shoppers(1)
    viewed("09:20", vase, bob)
    viewed("09:40", vase, ann)
    starts(after("viewed", 1), moment="10:30")
    for moment in ("10:31", "10:40", "12:00"):
        work(moment)

    (run,) = Enrollment.objects.all()
    assert run.contact.customer_id == ann.customer_id
    assert run.entered_at == at("09:40")


def test_that_is_looked_up_once_for_each_time_that_it_begins_to_run(ann, vase):
    campaign = starts(after("viewed", 1))
    for moment in ("09:01", "09:02", "10:00"):
        work(moment)
    before = ScheduleSlot.objects.filter(campaign=campaign).count()
    with time("11:00"):
        automations.pause(campaign.pk)
    viewed("11:30", vase, ann)
    with time("11:40"):
        automations.publish(campaign.pk)
    for moment in ("11:41", "12:30"):
        work(moment)

    assert before == 1
    assert ScheduleSlot.objects.filter(campaign=campaign).count() == 2
    assert len(entered()) == 1


def test_what_was_due_in_a_pause_is_done_when_it_ends(ann, vase):
    campaign = starts(after("viewed", 1))
    viewed("10:00", vase, ann)
    with time("10:30"):
        automations.pause(campaign.pk)
    work("11:00")
    work("11:00", day=5)
    paused = len(entered()), Timer.objects.count()
    with time("11:01", day=5):
        automations.publish(campaign.pk)
    work("11:02", day=5)

    assert paused == (0, 1)
    assert len(entered()) == 1


def test_a_moment_that_is_long_past_when_it_is_told_starts_nothing(ann, vase):
    starts(after("viewed", 1))
    with time("12:00", day=1):
        activity.record(
            Fact(
                kind=FactKind.VIEWED,
                source_key="old",
                occurred_at=at("10:00"),
                customer_id=ann.customer_id,
                product_id=vase.product_id,
                shop_channel="default",
            )
        )
    work("12:00", day=1)

    assert not Timer.objects.exists()


def test_a_campaign_that_starts_otherwise_by_now_fires_nothing(ann, vase):
    campaign = starts(after("viewed", 1))
    viewed("10:00", vase, ann)
    with time("10:30"):
        draft = {**campaign.draft, "trigger": {"type": "activity", "activity": "liked"}}
        automations.update_campaign(campaign.pk, definition=draft)
        automations.publish(campaign.pk)
    work("11:00")

    assert entered() == []
    assert not Timer.objects.exists()


def test_a_rung_that_is_no_more_starts_nothing(ann, vase):
    campaign = starts(after("viewed", 1, 2))
    viewed("10:00", vase, ann)
    with time("10:30"):
        automations.update_campaign(campaign.pk, definition={**campaign.draft, "trigger": after("viewed", 2)})
        automations.publish(campaign.pk)
    for moment in ("11:00", "12:00"):
        work(moment)

    assert [rung for *_, rung in entered()] == [2]


def test_a_campaign_of_days_sets_no_timers(ann, vase):
    starts({"type": "after", "activity": "viewed", "unit": "days", "amounts": [2], "at": "10:00"})
    viewed("10:00", vase, ann)

    assert not Timer.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_workers_fire_every_timer_once(fake_shop, shoppers, vase):
    campaign = starts(abandoned())
    people = shoppers(30)
    for number, customer in enumerate(people):
        with time("10:00"):
            fill(fake_shop, f"c{number}", vase, customer_id=customer.customer_id)
    work("10:00")
    fired = []

    def fire():
        with clock.travel(to=at("11:00")):
            for _ in range(100):
                with transaction.atomic():
                    done = fire_timers(4)
                fired.append(done or 0)
                if done is None:
                    return

    together(fire, fire)

    assert sum(fired) == len(people)
    assert Enrollment.objects.filter(campaign=campaign).count() == len(people)


@pytest.mark.django_db(transaction=True)
def test_a_timer_waits_while_its_contact_is_in_the_drains_hands(ann, vase, fake_shop):
    starts(abandoned())
    with time("10:00"):
        fill(fake_shop, "c1", vase, customer_id=ann.customer_id)
    work("10:00")
    done = []

    def fire():
        with clock.travel(to=at("11:00")), transaction.atomic():
            done.append(fire_timers(10))

    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT id FROM crm_plugin_contact FOR NO KEY UPDATE")
        together(fire)
    together(fire)

    assert done == [None, 1]


@pytest.mark.django_db(transaction=True)
def test_a_run_in_another_workers_hands_makes_the_new_content_wait(fake_shop, ann, vase, bowl):
    starts(abandoned(), [{"type": "wait", "id": "long", "seconds": 86_400}, send()])
    for moment, product in (("10:00", vase), ("12:00", bowl)):
        with time(moment):
            fill(fake_shop, "c1", product, customer_id=ann.customer_id)
        work(moment)
        if product is vase:
            work("11:00")

    def fire(moment):
        with clock.travel(to=moment), transaction.atomic():
            fire_timers(10)

    with transaction.atomic():
        Enrollment.objects.select_for_update().get()
        together(lambda: fire(at("13:00")))
    waiting = list(Enrollment.objects.values_list("state", flat=True))
    together(lambda: fire(at("13:01")))

    assert waiting == ["active"]
    assert list(Enrollment.objects.order_by("pk").values_list("state", flat=True)) == ["exited", "active"]
