"""Static lists: what is put in by hand, and who must leave every list."""

from __future__ import annotations

import pytest

from crm_plugin import audience, clock, contacts, persons, pipeline
from crm_plugin.audience import Segment
from crm_plugin.errors import InvalidInput, NotFound
from crm_plugin.models import Contact, Inbox, Member
from tests.audience.living import EVERYBODY, emails, guest, live, quiet, told

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_shop")]
JOINED, LEFT = "segment_joined", "segment_left"


def fresh(segment: Segment) -> Segment:
    return audience.segments().get(pk=segment.pk)


def test_people_are_put_in_and_taken_out_once_and_it_is_told() -> None:
    made = audience.create_segment("List")
    ann, ben = guest("ann@example.com"), guest("ben@example.com")

    added = (audience.add_members(made.pk, [ann, ben, ann]), audience.add_members(made.pk, [ann]))
    removed = (audience.remove_members(made.pk, [ben]), audience.remove_members(made.pk, [ben, 404_404_404]))

    assert (added, removed) == ((2, 0), (1, 0))
    assert (emails(made), fresh(made).members_count) == (["ann@example.com"], 1)
    assert told(made) == [(JOINED, "ann@example.com"), (JOINED, "ben@example.com"), (LEFT, "ben@example.com")]


def test_nobody_gets_in_who_is_nobody_or_must_not_be_written_to() -> None:
    made = audience.create_segment("List")
    visitor = Contact.objects.create(created_at=clock.now()).pk
    erased, bounced, manual = guest("gone@example.com"), guest("bounced@example.com"), guest("manual@example.com")
    persons.erase(email="gone@example.com")
    contacts.suppress("bounced@example.com", channel="email", reason="hard_bounce")
    contacts.suppress("manual@example.com", channel="email", reason="manual")

    added = audience.add_members(made.pk, [visitor, erased, bounced, manual, 404_404_404])

    assert (added, emails(made)) == (1, ["manual@example.com"])


@pytest.mark.parametrize("reason", ["hard_bounce", "complaint"])
def test_whose_mail_comes_back_or_who_complains_leaves_every_list(reason: str) -> None:
    lists = [audience.create_segment(name) for name in ("One", "Two")]
    ann, ben = guest("ann@example.com"), guest("ben@example.com")
    everybody = live("Everybody", EVERYBODY)
    for made in lists:
        audience.add_members(made.pk, [ann, ben])
    quiet()

    contacts.suppress("Ann@Example.com", channel="email", reason=reason)
    pipeline.pump()

    assert [emails(made) for made in lists] == [["ben@example.com"]] * 2
    assert [fresh(made).members_count for made in lists] == [1, 1]
    assert [told(made)[-1] for made in lists] == [(LEFT, "ann@example.com")] * 2
    assert emails(everybody) == ["ann@example.com", "ben@example.com"]  # a rule is a rule; `reachable` is one too


def test_who_does_not_want_mail_stays_on_the_list() -> None:
    made = audience.create_segment("List")
    ann = guest("ann@example.com")
    audience.add_members(made.pk, [ann])

    contacts.set_consent(ann, channel="email", is_granted=False, source="test")
    contacts.suppress("ann@example.com", channel="email", reason="manual")
    pipeline.pump()

    assert emails(made) == ["ann@example.com"]


def test_a_live_segment_that_names_a_list_follows_it() -> None:
    made = audience.create_segment("List")
    ann = guest("ann@example.com")
    segment = live("On the list", {"type": "segment", "segment": made.pk})

    audience.add_members(made.pk, [ann])
    pipeline.pump()
    put_in = emails(segment)
    audience.remove_members(made.pk, [ann])
    pipeline.pump()

    assert (put_in, emails(segment)) == (["ann@example.com"], [])
    assert told(segment) == [(JOINED, "ann@example.com"), (LEFT, "ann@example.com")]


def test_only_a_list_can_be_changed_by_hand() -> None:
    segment, archived = audience.create_segment("Live", {"include": EVERYBODY}), audience.create_segment("List")
    audience.archive_segment(archived.pk)
    ann = guest("ann@example.com")

    for change in (audience.add_members, audience.remove_members):
        with pytest.raises(InvalidInput, match="only a static list"):
            change(segment.pk, [ann])
        with pytest.raises(InvalidInput, match="archived"):
            change(archived.pk, [ann])
        with pytest.raises(NotFound):
            change(99, [ann])

    assert (Member.objects.count(), Inbox.objects.count()) == (0, 0)
