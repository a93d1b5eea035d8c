"""Calls that are over go, and links that nobody can have any more; what may still be clicked leads where it led."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.db import transaction

from crm_plugin import clock, contacts, messaging
from crm_plugin.messaging.tracking import Found, Links, store_links
from crm_plugin.models import Campaign, CampaignVersion, Enrollment, Link, ShortLink, WebhookCall

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
BEFORE = NOW - 400 * DAY
PAST, YOUNG = BEFORE - 3 * DAY, BEFORE + DAY
URL = "https://shop.example/vase"


def forget_past(limit: int = 1_000) -> int:
    with clock.travel(to=NOW), transaction.atomic():
        return messaging.forget_past(BEFORE, limit)


def mail(url: str, *, at: datetime, is_short: bool = False) -> str:
    """A message with a link is written; the token or the code of the link."""
    found = Found()
    tracked = Links(uuid4(), public_url="https://shop.example/crm/", found=found, is_short=is_short).track(url)
    with clock.travel(to=at):
        store_links(found)
    return tracked.rstrip("/").rpartition("/")[2]


def call(*, state: str, at: datetime) -> UUID:
    """A webhook call that came to this."""
    contact, count = contacts.get_or_create(contacts.Person("7")), WebhookCall.objects.count()
    campaign, _ = Campaign.objects.get_or_create(name="Test", draft={}, created_at=PAST, updated_at=PAST)
    version, _ = CampaignVersion.objects.get_or_create(campaign=campaign, number=1, definition={}, published_at=PAST)
    run = Enrollment.objects.create(
        campaign=campaign, version=version, contact=contact, epoch=count, lane=f"run:{count}", entered_at=at
    )
    finished_at = at if state in ("sent", "failed") else None
    made = WebhookCall.objects.create(
        contact=contact,
        enrollment=run,
        campaign=campaign,
        step_id="tell",
        url=URL,
        payload={},
        state=state,
        due_at=at,
        created_at=at,
        finished_at=finished_at,
    )
    return made.public_id


def test_calls_that_were_answered_or_given_up_go_and_those_tried_again_stay() -> None:
    call(state="sent", at=PAST)
    call(state="failed", at=PAST)
    kept = {call(state="queued", at=PAST), call(state="sending", at=PAST), call(state="sent", at=YOUNG)}

    gone = [forget_past(1), forget_past(1), forget_past(1)]

    assert gone == [1, 1, 0]
    assert set(WebhookCall.objects.values_list("public_id", flat=True)) == kept


def test_a_link_goes_when_no_young_message_has_it() -> None:
    old, young = mail("https://shop.example/gone", at=PAST), mail(URL, at=YOUNG)

    gone = forget_past()

    assert gone == 1
    assert messaging.read_click(old) is None
    assert (messaging.read_click(young) or ("", ""))[1] == URL


def test_a_link_that_young_messages_have_too_stays_for_all() -> None:
    first = mail(URL, at=PAST - 100 * DAY)
    mail(URL, at=YOUNG)

    gone = forget_past()

    assert gone == 0
    assert messaging.read_click(first) is not None


def test_using_a_link_again_on_the_same_day_writes_nothing() -> None:
    mail(URL, at=YOUNG)
    mail(URL, at=YOUNG + DAY / 2)
    same_day = Link.objects.get().used_at
    mail(URL, at=YOUNG + 2 * DAY)

    assert same_day == YOUNG
    assert Link.objects.get().used_at == YOUNG + 2 * DAY


def test_a_link_whose_last_use_is_known_to_the_day_only_is_given_that_day() -> None:
    mail(URL, at=BEFORE - DAY / 2)

    assert forget_past() == 0


def test_short_addresses_go_before_the_link_they_lead_to() -> None:
    for _ in range(3):
        mail(URL, at=PAST, is_short=True)
    young = mail("https://shop.example/mug", at=YOUNG, is_short=True)

    passes = []
    while gone := forget_past(2):
        passes.append((gone, Link.objects.count()))

    assert passes == [(2, 2), (2, 1)]
    assert ShortLink.objects.get().code == young
    assert messaging.read_short(young) is not None


def test_a_link_that_was_deleted_is_made_again() -> None:
    mail(URL, at=PAST)
    forget_past()

    again = mail(URL, at=NOW)

    assert messaging.read_click(again) is not None
