"""The order of the gates: each is named when it is the only obstacle, and the first when there are several."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from crm_plugin.messaging import CampaignCap, GateTerms, Hold, Reason, Skip
from crm_plugin.messaging.gates import History
from crm_plugin.messaging.throttles import Throttle, Throttles
from tests.messaging.gate_story import ANN, judge, merchant_of, person

#: 22:00 in Seoul: night for an SMS, and in the merchant's quiet hours below.
NIGHT = datetime(2027, 3, 1, 13, tzinfo=UTC)
HOUR = timedelta(hours=1)
#: In the order of the design, section 3, step 7.
OBSTACLES = {
    "address": Reason.NO_ADDRESS,
    "consent": Reason.NO_CONSENT,
    "suppression": Reason.SUPPRESSED,
    "topic": Reason.TOPIC_REFUSED,
    "night": Reason.NIGHT_BAN,
    "cap": Reason.FREQUENCY_CAP,
    "campaign cap": Reason.CAMPAIGN_CAP,
    "quiet hours": Reason.QUIET_HOURS,
    "throttle": Reason.THROTTLED,
}
#: Those that news about the person's own business passes.
OF_ADVERTISEMENTS = {"consent", "topic", "night", "cap", "quiet hours"}


def verdict(
    *obstacles: str, message_class: str = "marketing", stale_after: timedelta = 72 * HOUR
) -> Hold | Skip | None:
    """What the gates say of an SMS for a Korean, with these obstacles."""
    history = History()
    if "cap" in obstacles:
        history.add(contact_id=ANN, campaign_id=None, channel="sms", at=NIGHT - HOUR, is_marketing=True)
    if "campaign cap" in obstacles:
        history.add(contact_id=ANN, campaign_id=7, channel="kakao", at=NIGHT - HOUR, is_marketing=False)
    us: dict[str, Any] = {"caps": [{"channel": "sms", "count": 1, "hours": 24}]}
    if "quiet hours" in obstacles:
        us |= {"quiet_from": time(20), "quiet_to": time(9)}
    full = Throttle(key="full", begins_at=NIGHT, most=5, length=HOUR)
    who = person(
        address="" if "address" in obstacles else "+821012345678",
        has_consent="consent" not in obstacles,
        has_night_consent="night" not in obstacles,
        suppressed_for="stop" if "suppression" in obstacles else None,
        refused_topics=frozenset({"sales"} if "topic" in obstacles else {"news"}),
        country="KR",
    )
    return judge(
        who,
        merchant_of(**us),
        at=NIGHT,
        channel="sms",
        message_class=message_class,
        terms=GateTerms(cap=CampaignCap(1, timedelta(days=7)), topic="sales"),
        history=history,
        throttles=Throttles([full], counts={"full": 5}) if "throttle" in obstacles else None,
        stale_after=stale_after,
    )


def reason_of(found: Hold | Skip | None) -> Reason | None:
    return None if found is None else found.reason


def test_without_an_obstacle_it_goes():
    assert verdict() is None


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_each_gate_is_named_by_its_reason(obstacle: str):
    found = verdict(obstacle)

    assert reason_of(found) is OBSTACLES[obstacle]
    assert isinstance(found, Hold) == (obstacle in {"night", "quiet hours", "throttle"})


@pytest.mark.parametrize("first", range(len(OBSTACLES)))
def test_of_several_obstacles_the_first_is_named(first: int):
    rest = list(OBSTACLES)[first:]

    assert reason_of(verdict(*rest)) is OBSTACLES[rest[0]]


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_news_about_the_persons_own_business_passes_what_is_about_advertisements(obstacle: str):
    found = verdict(obstacle, message_class="transactional")

    assert reason_of(found) is (None if obstacle in OF_ADVERTISEMENTS else OBSTACLES[obstacle])


def test_nobody_is_written_to_who_is_not_there():
    assert judge(None) == Skip(Reason.NO_ADDRESS)


def test_a_topic_that_was_refused_keeps_only_its_own_messages_back():
    who = person(refused_topics=frozenset({"sales"}))

    assert judge(who, terms=GateTerms(topic="sales")) == Skip(Reason.TOPIC_REFUSED)
    assert judge(who, terms=GateTerms(topic="news")) is None
    assert judge(who) is None


@pytest.mark.parametrize("obstacle", ["night", "quiet hours", "throttle"])
def test_what_would_be_held_until_it_is_stale_is_skipped_at_once_and_says_why(obstacle: str):
    found = verdict(obstacle, stale_after=timedelta(minutes=5))

    assert isinstance(found, Skip)
    assert found.reason is Reason.STALE
    assert found.detail.startswith(OBSTACLES[obstacle].value)


def test_a_message_may_be_held_as_long_as_it_is_news():
    held = verdict("night")
    assert isinstance(held, Hold)
    until = held.until - NIGHT

    assert reason_of(verdict("night", stale_after=until)) is Reason.STALE
    assert verdict("night", stale_after=until + timedelta(seconds=1)) == held


def test_a_message_that_is_stale_is_skipped_and_counts_for_nothing():
    history = History()
    slow = Throttle(key="slow", begins_at=NIGHT, most=5, length=HOUR)
    throttles = Throttles([slow], counts={"slow": 0})

    found = judge(person(), at=NIGHT, history=history, throttles=throttles, stale_after=timedelta())

    assert found == Skip(Reason.STALE)
    assert throttles.counts == {"slow": 0}
    assert not history.advertisements


def test_what_is_refused_or_held_counts_for_no_cap():
    us = merchant_of(caps=[{"channel": "sms", "count": 1, "hours": 24}])
    history = History()
    who = person(country="KR")

    held = judge(who, us, at=NIGHT, channel="sms", history=history)
    later = judge(who, us, at=NIGHT + 11 * HOUR, channel="sms", history=history)
    again = judge(who, us, at=NIGHT + 12 * HOUR, channel="sms", history=history)

    assert held == Hold(NIGHT + 10 * HOUR, Reason.NIGHT_BAN)
    assert later is None
    assert again == Skip(Reason.FREQUENCY_CAP)
