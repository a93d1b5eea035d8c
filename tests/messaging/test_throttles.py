"""Throttles: how fast messages go out to a domain, through a provider, and from a sender that is new."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from crm_plugin import clock, messaging
from crm_plugin.merchant import Merchant
from crm_plugin.messaging import Hold, Reason, Skip
from crm_plugin.messaging.gates import Clocks
from crm_plugin.messaging.throttles import WARM_UP_DAYS, Throttles, warm_up_limit
from crm_plugin.models import SendingCount
from tests.messaging.gate_story import judge, merchant_of, person
from tests.together import together

pytestmark = pytest.mark.django_db

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
NEVER = NOON + timedelta(days=999)


def offered(
    us: Merchant, *addresses: str, at: datetime = NOON, channel: str = "email", stale_at: datetime = NEVER, **more: Any
) -> list[datetime | None]:
    """Until when a chunk of messages is held, each by its address."""
    with transaction.atomic():
        throttles = Throttles.open(us, channel=channel, addresses=addresses, now=at, clocks=Clocks(us))
        values: dict[str, Any] = {"is_marketing": True, "stale_at": stale_at} | more
        found = [throttles.hold(address, **values) for address in addresses]
        throttles.close()
    return found


def mails(count: int, domain: str = "example.com") -> list[str]:
    return [f"p{number}@{domain}" for number in range(count)]


def counted() -> dict[tuple[str, datetime], int]:
    return {(key, at): count for key, at, count in SendingCount.objects.values_list("key", "begins_at", "count")}


# A receiving domain


def test_a_receiving_domain_gets_no_more_than_its_limit_in_an_hour():
    us = merchant_of(domain_limits={"example.com": 3})
    at = NOON + 20 * MINUTE

    first = offered(us, *mails(2), at=at)
    second = offered(us, *mails(2), at=at + 39 * MINUTE)
    third = offered(us, *mails(3), at=NOON + HOUR)

    assert first == [None, None]
    assert second == [None, NOON + HOUR]
    assert third == [None, None, None]
    assert counted() == {("domain:example.com", NOON): 4, ("domain:example.com", NOON + HOUR): 3}


def test_other_domains_and_other_channels_are_not_slowed_down():
    us = merchant_of(domain_limits={"example.com": 1})
    offered(us, *mails(1))

    assert offered(us, *mails(3, "example.org"), *mails(2, "mail.example.com")) == [None] * 5
    assert offered(us, "+821012345678", channel="sms") == [None]
    assert offered(us, "ANN@EXAMPLE.COM") == [NOON + HOUR]


def test_what_waits_comes_one_after_the_other_and_never_more_in_an_hour_than_the_limit():
    us = merchant_of(domain_limits={"example.com": 10})
    offered(us, *mails(10))

    waiting = [at for chunk in range(3) for at in offered(us, *mails(12), at=NOON + chunk * MINUTE) if at is not None]

    assert waiting == sorted(waiting)
    assert len(set(waiting)) == len(waiting) == 36
    assert Counter((at - NOON) // HOUR for at in waiting) == {1: 10, 2: 10, 3: 10, 4: 6}
    assert all((at - NOON) % HOUR < HOUR / 10 for at in waiting)


def test_news_about_the_persons_own_business_waits_before_all_advertisements():
    us = merchant_of(domain_limits={"example.com": 2})
    offered(us, *mails(9))

    assert offered(us, *mails(2), is_marketing=False) == [NOON + HOUR] * 2
    assert counted() == {("domain:example.com", NOON): 9}


def test_what_will_be_stale_when_its_turn_comes_takes_nobodys_place():
    us = merchant_of(domain_limits={"example.com": 1})
    offered(us, *mails(1))

    late = offered(us, *mails(5), stale_at=NOON + HOUR)
    other = offered(us, *mails(1))

    assert late == [NOON + HOUR] * 5
    assert other == [NOON + HOUR]


# A provider


@pytest.mark.parametrize(("channel", "setting"), [("email", "CRM_EMAIL_PER_MINUTE"), ("sms", "CRM_SMS_PER_MINUTE")])
def test_a_provider_gets_no_more_than_its_limit_in_a_minute(settings: Any, channel: str, setting: str):
    setattr(settings, setting, 2)
    us = merchant_of()
    at = NOON + timedelta(seconds=30)

    assert offered(us, *mails(3), at=at, channel=channel) == [None, None, NOON + MINUTE]
    assert offered(us, *mails(1), at=at, channel=channel, is_marketing=False) == [NOON + MINUTE]
    assert offered(us, *mails(1), at=NOON + MINUTE, channel=channel) == [None]
    other = {"email": "sms", "sms": "email"}[channel]
    assert offered(us, *mails(5), at=at, channel=other) == [None] * 5


def test_without_limits_nothing_is_asked_or_written():
    with CaptureQueriesContext(connection) as asked:
        throttles = Throttles.open(
            merchant_of(), channel="email", addresses=mails(3), now=NOON, clocks=Clocks(merchant_of())
        )
        assert [throttles.hold(address, is_marketing=True, stale_at=NEVER) for address in mails(3)] == [None] * 3
        throttles.close()

    assert not asked.captured_queries
    assert not SendingCount.objects.exists()


def test_the_slowest_of_several_throttles_holds_and_the_others_are_not_used_up(settings: Any):
    settings.CRM_EMAIL_PER_MINUTE = 2
    us = merchant_of(domain_limits={"example.com": 1})

    found = offered(us, *mails(2), *mails(2, "example.org"))

    assert found == [None, NOON + HOUR, None, NOON + MINUTE]
    assert counted() == {("domain:example.com", NOON): 2, ("provider:email", NOON): 3}


# A sender that is new


def test_a_new_sender_may_send_half_as_much_again_each_day():
    began = date(2027, 3, 1)
    days = [warm_up_limit(began, 500, began + timedelta(days=number)) for number in (-1, 0, 1, 2, 3, 18, 19)]

    assert days == [None, 500, 750, 1125, 1687, 738_945, None]
    assert warm_up_limit(began, 1, began + timedelta(days=WARM_UP_DAYS)) is None
    assert warm_up_limit(began, 2_000_000, began) is None


def test_the_warm_up_counts_the_days_of_the_merchant_and_lets_news_about_the_persons_own_business_pass():
    us = merchant_of(time_zone="Asia/Seoul", warm_up_from=date(2027, 3, 1), warm_up_first=4)
    tomorrow = datetime(2027, 3, 2, tzinfo=ZoneInfo("Asia/Seoul"))

    news = offered(us, *mails(3), is_marketing=False)
    found = offered(us, *mails(3))
    more_news = offered(us, *mails(1), is_marketing=False)
    next_day = offered(us, *mails(7), at=tomorrow)

    assert news == [None] * 3
    assert found[0] is None
    assert found[1] == tomorrow
    assert found[2] is not None
    assert tomorrow < found[2] < tomorrow + timedelta(hours=2.4)
    assert more_news == [None]
    assert next_day[:6] == [None] * 6
    assert next_day[6] == tomorrow + timedelta(days=1)


def test_what_is_too_much_for_tomorrow_waits_for_the_day_that_has_room():
    us = merchant_of(warm_up_from=NOON.date(), warm_up_first=4)
    offered(us, *mails(4))

    waiting = offered(us, *mails(6 + 9 + 1))

    days = Counter(at.date().day for at in waiting if at is not None)
    assert days == {2: 6, 3: 9, 4: 1}


# The gate


def test_a_message_is_held_for_its_turn_or_skipped_when_that_comes_too_late(settings: Any):
    settings.CRM_EMAIL_PER_MINUTE = 1
    us = merchant_of()

    def ask(stale_after: timedelta) -> Hold | Skip | None:
        throttles = Throttles.open(us, channel="email", addresses=(), now=NOON, clocks=Clocks(us))
        found = judge(person(), us, throttles=throttles, stale_after=stale_after)
        throttles.close()
        return found

    assert ask(HOUR) is None
    assert ask(HOUR) == Hold(NOON + MINUTE, Reason.THROTTLED)
    assert ask(timedelta(seconds=30)) == Skip(Reason.STALE, "throttled until 2027-03-01 12:02 UTC")


# Several workers


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("round_", range(3))
def test_several_workers_together_stay_within_every_limit(settings: Any, round_: int):
    settings.CRM_EMAIL_PER_MINUTE = 40
    us = merchant_of(domain_limits={"example.com": 17, "example.org": 9}, warm_up_from=NOON.date(), warm_up_first=31)
    sent: list[str] = []
    held: list[datetime] = []

    def work() -> None:
        for _chunk in range(6):
            chunk = [*mails(3), *mails(2, "example.org"), *mails(1, "example.net")]
            for address, until in zip(chunk, offered(us, *chunk), strict=True):
                if until is None:
                    sent.append(address)
                else:
                    held.append(until)

    together(work, work, work)

    domains = Counter(address.partition("@")[2] for address in sent)
    assert len(sent) == 31
    assert domains["example.com"] <= 17
    assert domains["example.org"] <= 9
    assert len(sent) + len(held) == 3 * 6 * 6
    assert min(held) > NOON


@pytest.mark.django_db(transaction=True)
def test_workers_that_need_the_same_limits_in_another_order_do_not_lock_one_another_out():
    domains = [f"d{number}.example" for number in range(8)]
    us = merchant_of(domain_limits=dict.fromkeys(domains, 5))

    def work(order: list[str]) -> None:
        for _chunk in range(10):
            offered(us, *(f"p@{domain}" for domain in order))

    together(partial(work, domains), partial(work, domains[::-1]))

    assert set(SendingCount.objects.values_list("count", flat=True)) == {20}


# Upkeep


def test_counts_of_stretches_that_are_long_over_are_forgotten():
    for days in range(6):
        SendingCount.objects.create(key="warm_up", begins_at=NOON - timedelta(days=days), count=1)

    with clock.travel(to=NOON):
        first, rest, none = (messaging.forget_counts(limit) for limit in (1, 100, 100))

    assert (first, rest, none) == (1, 1, 0)
    assert SendingCount.objects.count() == 4
