"""Whatever messages come, whichever workers judge them by whichever clocks: no cap, consent or night is broken."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from crm_plugin import messaging
from crm_plugin.contacts import Contact
from crm_plugin.merchant import Cap
from crm_plugin.messaging import GateTerms, Hold, MessageClass, Skip, TemplateSource
from crm_plugin.messaging.gates import Clocks, Gatekeeper, History
from crm_plugin.models import Message
from tests.messaging.conftest import CONTENT
from tests.messaging.gate_story import merchant_of, person, plan

#: Clocks are changed in Berlin and New York in these days.
START = datetime(2027, 3, 12, tzinfo=UTC)
ZONES = ("Asia/Seoul", "Europe/Berlin", "America/New_York", "UTC")
_numbers = count()

channels = some.sampled_from(["email", "sms", "web_push"])
windows = some.one_of(
    some.fixed_dictionaries({"hours": some.integers(1, 48)}), some.fixed_dictionaries({"days": some.integers(1, 3)})
)
caps = some.lists(
    some.builds(
        lambda channel, count, window: {"channel": channel, "count": count, **window},
        some.one_of(channels, some.just("")),
        some.integers(1, 3),
        windows,
    ),
    min_size=1,
    max_size=3,
)
minutes = some.integers(0, 4 * 24 * 60).map(lambda number: timedelta(minutes=number))


@dataclass(frozen=True, slots=True)
class Offer:
    """A message that one worker finds due, by its own clock."""

    at: datetime
    channel: str
    message_class: str
    has_consent: bool
    has_night_consent: bool
    takes: timedelta = timedelta()
    becomes: str = "sent"


offers = some.lists(
    some.builds(
        Offer,
        minutes.map(lambda later: START + later),
        channels,
        some.sampled_from(["marketing", "marketing", "marketing", "transactional"]),
        some.sampled_from([True, True, True, False]),
        some.booleans(),
        some.integers(0, 600).map(lambda number: timedelta(seconds=number)),
        some.sampled_from(["sent", "unknown", "bounced"]),
    ),
    min_size=1,
    max_size=25,
)


def most_in_any_window(times: Iterable[datetime], length: timedelta) -> int:
    """The most of the moments that lie in one stretch of the length, its end not included."""
    ordered = list(times)
    return max((sum(start <= at < start + length for at in ordered) for start in ordered), default=0)


def most_on_days(times: Iterable[datetime], days: int, zone: ZoneInfo) -> int:
    """The most of the moments that lie on so many calendar days in a row."""
    dates = [at.astimezone(zone).date() for at in times]
    return max((sum(first <= day < first + timedelta(days=days) for day in dates) for first in dates), default=0)


def check_caps(rules: Iterable[Cap], got: dict[str, list[datetime]], zone: ZoneInfo) -> None:
    """No window of any cap holds more than it allows."""
    for cap in rules:
        times = [at for channel, some_ in got.items() for at in some_ if cap.channel in ("", channel)]
        if cap.hours is not None:
            assert most_in_any_window(times, timedelta(hours=cap.hours)) <= cap.count
        else:
            assert most_on_days(times, cap.days or 0, zone) <= cap.count


@settings(max_examples=150, deadline=None)
@given(caps=caps, offers=offers, zone=some.sampled_from(ZONES), country=some.sampled_from(["KR", "US", "DE"]))
def test_no_cap_consent_or_night_is_ever_broken(
    caps: list[dict[str, Any]], offers: list[Offer], zone: str, country: str
):
    us = merchant_of(caps=caps)
    rules, history, clocks = us.cap_rules, History(), Clocks(us)
    got: dict[str, list[datetime]] = defaultdict(list)
    for one in offers:  # in the order in which workers get hold of the person, not in that of their clocks
        who = person(
            time_zone=zone, country=country, has_consent=one.has_consent, has_night_consent=one.has_night_consent
        )
        keeper = Gatekeeper(us, one.channel, one.at, history, clocks, rules)
        found = keeper.judge(plan(one.at, channel=one.channel, message_class=one.message_class), who, GateTerms())
        if one.message_class == "transactional":
            assert found is None
        elif found is None:
            assert one.has_consent
            assert not is_night(one, zone, country)
            got[one.channel].append(one.at)
        if isinstance(found, Hold):
            assert found.until > one.at

    check_caps(rules, got, ZoneInfo(zone))


def is_night(one: Offer, zone: str, country: str) -> bool:
    """The law in so many words: Korea by its own clocks but e-mail, America's text messages by the person's."""
    if country == "KR" and one.channel != "email" and not one.has_night_consent:
        return not 8 <= one.at.astimezone(ZoneInfo("Asia/Seoul")).hour < 21
    if country == "US" and one.channel == "sms":
        return not 8 <= one.at.astimezone(ZoneInfo(zone)).hour < 21
    return False


@dataclass(slots=True)
class Outbox:
    """The rows of one person, as workers leave them behind: on their way first, then done, or come back."""

    contact: Contact
    template_id: int
    under_way: list[tuple[Message, Offer]] = field(default_factory=list)

    def begin(self, one: Offer) -> None:
        row = Message.objects.create(
            contact=self.contact,
            template_id=self.template_id,
            channel=one.channel,
            message_class=one.message_class,
            state="sending",
            lease_until=one.at,
            occasion=f"test:{next(_numbers)}",
            due_at=one.at,
            stale_at=one.at,
            created_at=one.at,
        )
        self.under_way.append((row, one))

    def finish_oldest(self) -> None:
        if self.under_way:
            row, one = self.under_way.pop(0)
            is_lost = one.becomes == "bounced"
            row.state, row.reason = ("failed", "bounced") if is_lost else (one.becomes, "")
            row.finished_at = one.at + one.takes
            row.save()


@pytest.mark.django_db
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(caps=caps, offers=offers, zone=some.sampled_from(ZONES), most_under_way=some.integers(0, 3))
def test_no_cap_is_ever_broken_by_what_the_outbox_says(
    make_contact: Callable[..., Contact],
    caps: list[dict[str, Any]],
    offers: list[Offer],
    zone: str,
    most_under_way: int,
):
    us = merchant_of(caps=caps)
    template = messaging.save_template(TemplateSource.parse({"en": CONTENT}), message_class=MessageClass.MARKETING)
    outbox = Outbox(make_contact(f"p{next(_numbers)}@example.com"), template)
    for one in offers:
        with transaction.atomic():
            found = judged(us, outbox.contact, one, zone)
            if found is None:
                outbox.begin(one)
        if len(outbox.under_way) > most_under_way:
            outbox.finish_oldest()
    while outbox.under_way:
        outbox.finish_oldest()

    got: dict[str, list[datetime]] = defaultdict(list)
    rows = Message.objects.filter(contact=outbox.contact, message_class="marketing")
    for channel, at in rows.values_list("channel", "finished_at"):
        assert at is not None
        got[channel].append(at)
    check_caps(us.cap_rules, got, ZoneInfo(zone))


def judged(us: Any, contact: Contact, one: Offer, zone: str) -> Hold | Skip | None:
    """What a worker's gatekeeper says who has just locked the person."""
    keeper = Gatekeeper.on_duty(us, contact_ids=[contact.pk], channel=one.channel, now=one.at)
    planned = plan(one.at, channel=one.channel, message_class=one.message_class, contact_id=contact.pk)
    return keeper.judge(planned, person(contact_id=contact.pk, time_zone=zone), GateTerms())


def test_the_yardstick_of_days_counts_days():
    zone = ZoneInfo("Asia/Seoul")
    evening = datetime(2027, 3, 1, 23, tzinfo=zone)

    assert most_on_days([evening, evening + timedelta(hours=2)], 1, zone) == 1
    assert most_on_days([evening, evening + timedelta(hours=2)], 2, zone) == 2
    assert most_in_any_window([evening, evening + timedelta(hours=2)], timedelta(hours=2)) == 1
    assert date(2027, 3, 1) == evening.date()
