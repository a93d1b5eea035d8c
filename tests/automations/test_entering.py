"""Entering a campaign: how often, how many at once, and that two who enter somebody at one time enter them once."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from crm_plugin import clock, contacts, persons
from crm_plugin.automations.entering import MAX_SUBJECT, Entrant, Key, enroll, key_of
from crm_plugin.automations.triggers import Concurrency, Reentry
from crm_plugin.models import Campaign, Contact, Enrollment
from tests.stories import consenting, on, running, wait
from tests.together import together

NOW = datetime(2027, 3, 1, 9, tzinfo=UTC)
ONCE, PER_SUBJECT, ALWAYS, AFTER = Reentry.ONCE, Reentry.PER_SUBJECT, Reentry.ALWAYS, Reentry.AFTER
CONTACT, SUBJECT = Concurrency.CONTACT, Concurrency.SUBJECT


@pytest.fixture
def campaign(db: None, fake_shop: Any) -> Campaign:
    """One that waits."""
    with clock.travel(to=NOW):
        return running(on("signed_up"), [wait()])


@pytest.fixture
def ann(campaign: Campaign) -> Contact:
    """Somebody known."""
    return consenting("", "ann@example.com")


def entrant(campaign: Campaign, contact: Contact, subject: str = "", *, epoch: int = 0, lane: str = "", **more: Any):
    """An entrant, at ``NOW``."""
    values = {"due_at": NOW, "entered_at": NOW, **more}
    return Entrant(
        campaign_id=campaign.pk,
        version_id=campaign.version_id,
        contact_id=contact.pk,
        subject_key=subject,
        epoch=epoch,
        lane=lane,
        **values,
    )


def finish_all() -> None:
    Enrollment.objects.filter(state="active").update(state="completed", finished_at=NOW, due_at=None)


@pytest.mark.parametrize(
    ("reentry", "concurrency", "key"),
    [
        (ONCE, SUBJECT, Key("", 0, "")),
        (ONCE, CONTACT, Key("", 0, "")),
        (PER_SUBJECT, SUBJECT, Key("order:7", 0, "order:7")),
        (PER_SUBJECT, CONTACT, Key("order:7", 0, "")),
        (ALWAYS, SUBJECT, Key("order:7", 81, "order:7")),
        (ALWAYS, CONTACT, Key("order:7", 81, "")),
        (AFTER, SUBJECT, Key("order:7", 81, "")),
        (AFTER, CONTACT, Key("order:7", 81, "")),
    ],
)
def test_the_keys_of_a_run_say_how_often_and_how_many_at_once(reentry, concurrency, key):
    assert key_of(reentry, concurrency, subject="order:7", occasion=81) == key


def test_a_subject_that_is_too_long_is_cut_to_what_the_column_holds():
    key = key_of(ALWAYS, SUBJECT, subject="about:" + "x" * 200, occasion=1)

    assert len(key.subject_key) == len(key.lane) == MAX_SUBJECT


def test_two_long_subjects_that_begin_alike_are_two():
    one, other = (key_of(PER_SUBJECT, SUBJECT, subject=f"about:{'x' * 150}{end}", occasion=1) for end in "ab")

    assert one.subject_key != other.subject_key


def test_nobody_asked_is_nobody_entered(db, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert enroll([]) == 0


def test_what_a_run_is_about_is_kept_as_it_was_given(campaign, ann):
    items = [{"product_id": "81", "variant_id": "", "shop_channel": "kr"}]
    context = {"activity": 5, "data": {"serial": "Ä-1", "deep": {"n": [1, None]}}, "order_ref": "7"}

    with transaction.atomic():
        enroll([entrant(campaign, ann, "order:7", lane="order:7", items=items, context=context)])

    run = Enrollment.objects.get()
    assert (run.items, run.context, run.arms) == (items, context, {})
    assert (run.state, run.step, run.due_at, run.entered_at) == ("active", 0, NOW, NOW)


def test_of_several_in_one_batch_that_are_the_same_the_one_that_happened_first_enters(campaign, ann):
    later = entrant(campaign, ann, "product:1", lane="product:1", entered_at=NOW)
    first = entrant(campaign, ann, "product:1", lane="product:1", entered_at=NOW - timedelta(minutes=5))

    with transaction.atomic():
        entered = enroll([later, first, later])

    assert entered == 1
    assert Enrollment.objects.get().entered_at == first.entered_at


def test_once_ever_also_when_the_first_run_is_over(campaign, ann):
    with transaction.atomic():
        enroll([entrant(campaign, ann, "product:1", lane="product:1")])
    finish_all()

    with transaction.atomic():
        again = enroll([entrant(campaign, ann, "product:1", lane="product:1")])
        other = enroll([entrant(campaign, ann, "product:2", lane="product:2")])

    assert (again, other) == (0, 1)


@pytest.mark.parametrize(("lane", "entered"), [("", 0), ("product:2", 1)])
def test_while_a_run_is_under_way_no_other_of_its_lane_begins(campaign, ann, lane, entered):
    with transaction.atomic():
        enroll([entrant(campaign, ann, "product:1", lane="" if lane == "" else "product:1")])

    with transaction.atomic():
        meanwhile = enroll([entrant(campaign, ann, "product:2", lane=lane)])
    finish_all()
    with transaction.atomic():
        afterwards = enroll([entrant(campaign, ann, "product:3", lane=lane)])

    assert (meanwhile, afterwards) == (entered, 1)


@pytest.mark.parametrize(("days", "entered"), [(6, 0), (7, 1), (8, 1)])
def test_again_only_after_so_many_days_since_the_last_entry(campaign, ann, days, entered):
    with transaction.atomic():
        enroll([entrant(campaign, ann, epoch=1)])
    finish_all()
    at = NOW + timedelta(days=days)

    with transaction.atomic():
        again = enroll([entrant(campaign, ann, epoch=2, entered_at=at, not_since=at - timedelta(days=7))])

    assert again == entered


def test_of_two_in_one_batch_that_may_enter_again_after_days_one_does(campaign, ann):
    both = [entrant(campaign, ann, epoch=n, not_since=NOW - timedelta(days=7)) for n in (1, 2)]

    with transaction.atomic():
        assert enroll(both) == 1


def test_who_was_erased_or_is_unknown_does_not_enter(campaign, ann):
    visitor = Contact.objects.create(created_at=NOW, last_seen_at=NOW)
    persons.erase(email="ann@example.com")

    with transaction.atomic():
        assert enroll([entrant(campaign, one) for one in (ann, visitor)]) == 0

    assert not Enrollment.objects.exists()


def test_entering_a_thousand_is_one_statement(campaign, django_assert_num_queries):
    people = [contacts.get_or_create(contacts.Person("", f"p{n}@example.com")) for n in range(50)]
    entrants = [entrant(campaign, one, f"product:{n}", lane=f"product:{n}") for one in people for n in range(20)]

    with transaction.atomic(), django_assert_num_queries(1):
        assert enroll(entrants) == 1000


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "keys",
    [
        [("product:1", 0, "product:1"), ("product:1", 0, "product:1")],  # the same run
        [("product:1", 0, ""), ("product:2", 0, "")],  # one person, one run at once
        [("", 5, ""), ("", 6, "")],  # each time, but not while one is under way
    ],
)
def test_two_connections_that_enter_the_same_people_enter_them_once(fake_shop, keys):
    campaign = running(on("signed_up"), [wait()])
    people = [consenting("", f"p{n}@example.com") for n in range(20)]

    def enter(subject: str, epoch: int, lane: str, order: int) -> None:
        with transaction.atomic():
            enroll([entrant(campaign, one, subject, epoch=epoch, lane=lane) for one in people[::order]])

    together(lambda: enter(*keys[0], 1), lambda: enter(*keys[1], -1))

    counts = Counter(Enrollment.objects.filter(state="active").values_list("contact_id", flat=True))
    assert counts == {one.pk: 1 for one in people}


@pytest.mark.django_db(transaction=True)
def test_the_database_itself_refuses_what_code_forgets(fake_shop):
    campaign = running(on("signed_up"), [wait()])
    ann = consenting("", "ann@example.com")
    with transaction.atomic():
        enroll([entrant(campaign, ann, "a", lane="a")])

    for wrong in (
        "UPDATE crm_plugin_enrollment SET state = 'completed'",
        "UPDATE crm_plugin_enrollment SET finished_at = now()",
        "UPDATE crm_plugin_enrollment SET state = 'exited', finished_at = now()",
    ):
        with pytest.raises(Exception, match="crm_enrollment_ends_once"), transaction.atomic():
            connection.cursor().execute(wrong)
