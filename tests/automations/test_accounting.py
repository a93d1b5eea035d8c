"""Explain: why somebody got, or did not get, a message."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from crm_plugin import activity, automations, clock, contacts, coupons, pipeline
from crm_plugin.automations.accounting import Line, explain_message, explain_one
from crm_plugin.automations.accounting.wording import REASONS, SENTENCES, Code
from crm_plugin.coupons import Issued, Request
from crm_plugin.errors import NotFound
from crm_plugin.messaging import Reason
from crm_plugin.models import Campaign, Contact, Enrollment, Message, ScheduleSlot, Timer
from crm_plugin.shop import Customer, Fact, FactKind, ShopIdentity
from tests.automations.coupon_story import percent
from tests.fake_shop import FakeShop
from tests.stories import definition, on, open_shop, running, send, wait

pytestmark = pytest.mark.django_db

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
Shoppers = Callable[[int], list[Customer]]


@pytest.fixture(autouse=True)
def _noon(fake_shop: FakeShop):
    fake_shop.shop_identity = ShopIdentity("Fake Shop", "https://shop.example/", "Asia/Seoul", "en")
    with clock.travel(to=NOON):
        yield


@pytest.fixture
def ada(shoppers: Shoppers) -> Contact:
    """Ada agreed to mail."""
    return Contact.objects.get(customer_id=shoppers(1)[0].customer_id)


def did(kind: FactKind, who: Contact, **more: Any) -> None:
    key = f"{kind}:{who.pk}:{clock.now().isoformat()}"
    activity.record(Fact(kind=kind, source_key=key, customer_id=who.customer_id or "", **more))
    pipeline.pump()


def codes(lines: tuple[Line, ...]) -> list[str]:
    return [line.code for line in lines]


def find(lines: tuple[Line, ...], code: Code) -> Line:
    (found,) = (line for line in lines if line.code == code.value)
    return found


# Who entered


def test_the_whole_story_of_a_run_in_order(ada: Contact):
    campaign = running(on("logged_in"), [send("first"), wait(), send("second")])
    did(FactKind.LOGGED_IN, ada)
    pipeline.deliver()
    pipeline.pump()

    lines = explain_message(ada.pk, campaign.pk)

    assert codes(lines) == ["runs_since", "entered", "sent", "stands_at", "waits_until", "under_way"]
    assert find(lines, Code.SENT).sentence == "The message first (email) was sent on 2027-03-01 21:00."
    assert find(lines, Code.WAITS_UNTIL).at == NOON + HOUR
    assert [line.depth for line in lines] == [0, 0, 1, 1, 1, 0]


def test_it_can_be_read_in_korean(ada: Contact):
    campaign = running(on("logged_in"))
    did(FactKind.LOGGED_IN, ada)
    pipeline.deliver()

    english, korean = (explain_message(ada.pk, campaign.pk, language=language) for language in ("en", "ko-KR"))

    assert codes(english) == codes(korean)
    assert find(korean, Code.SENT).sentence == "메시지 mail(email)을(를) 2027-03-01 21:00에 보냈습니다."


def test_a_skipped_message_says_why(ada: Contact):
    campaign = running(on("logged_in"))
    contacts.set_consent(ada.pk, channel="email", is_granted=False, source="test")
    did(FactKind.LOGGED_IN, ada)
    pipeline.deliver()

    lines = explain_message(ada.pk, campaign.pk)

    skipped = find(lines, Code.SKIPPED)
    assert skipped.params == {
        "step": "mail",
        "channel": "email",
        "message": str(Message.objects.get().pk),
        "reason": "no_consent",
    }
    assert "did not agree to marketing" in skipped.sentence
    assert "no_consent" in codes(lines)


def test_a_held_message_says_until_when(ada: Contact):
    quiet = {"start": "20:00", "end": "08:00", "zone": "shop"}
    campaign = running(on("logged_in"), quiet_hours=quiet)
    did(FactKind.LOGGED_IN, ada)  # 21:00 in Seoul
    pipeline.deliver()

    lines = explain_message(ada.pk, campaign.pk)

    assert find(lines, Code.HELD).at == NOON + 11 * HOUR
    assert find(lines, Code.HELD).sentence.endswith("is held until 2027-03-02 08:00: quiet hours.")


def test_an_end_and_an_arm_are_told(ada: Contact):
    arms = [{"name": "none", "weight": 1, "is_holdout": True}]
    campaign = running(on("logged_in"), [{"type": "split", "id": "test", "arms": arms}, send()])
    did(FactKind.LOGGED_IN, ada)

    lines = explain_message(ada.pk, campaign.pk)

    assert find(lines, Code.WENT_ARM).params == {"step": "test", "arm": "none"}
    assert "for comparison" in find(lines, Code.EXITED).sentence


def test_what_is_waited_for_is_told(ada: Contact):
    step = {"type": "wait_for", "id": "order", "activity": "ordered", "timeout_seconds": 3600}
    campaign = running(on("logged_in"), [step, send()])
    did(FactKind.LOGGED_IN, ada)

    lines = explain_message(ada.pk, campaign.pk)

    assert find(lines, Code.WAITS_FOR).params == {"activity": "ordered"}
    assert find(lines, Code.WAITS_FOR).at == NOON + HOUR


def test_what_is_overdue_is_told(ada: Contact):
    campaign = running(on("logged_in"), [wait(), send()])
    did(FactKind.LOGGED_IN, ada)

    with clock.travel(to=NOON + 2 * HOUR):
        lines = explain_message(ada.pk, campaign.pk)

    assert find(lines, Code.IS_DUE).at == NOON + HOUR


def test_opens_and_clicks_belong_to_their_message(ada: Contact):
    campaign = running(on("logged_in"))
    did(FactKind.LOGGED_IN, ada)
    pipeline.deliver()
    Message.objects.update(opened_at=NOON + HOUR, clicked_at=NOON + HOUR, detail="250 ok")

    lines = explain_message(ada.pk, campaign.pk)

    at = codes(lines).index("sent")
    assert codes(lines)[at : at + 4] == ["sent", "opened", "clicked", "detail"]
    assert [line.depth for line in lines[at : at + 4]] == [1, 2, 2, 2]


def test_what_used_up_the_frequency_cap_is_told(ada: Contact):
    campaign = running(on("logged_in"))
    open_shop(caps=[{"channel": "email", "count": 1, "hours": 16}])
    did(FactKind.LOGGED_IN, ada)
    pipeline.deliver()
    with clock.travel(to=NOON + HOUR):
        second = running(on("logged_in"), [send("other")])
        open_shop(caps=[{"channel": "email", "count": 1, "hours": 16}])
        did(FactKind.LOGGED_IN, ada)
        pipeline.deliver()

        lines = explain_message(ada.pk, second.pk)

    assert find(lines, Code.SKIPPED).params["reason"] == "frequency_cap"
    assert (find(lines, Code.COUNTED).at, find(lines, Code.COUNTED).params["step"]) == (NOON, "mail")
    assert find(lines, Code.COUNTED).params["campaign"] == campaign.name


# Who does not enter again


@pytest.mark.parametrize(
    ("trigger", "code"),
    [
        (on("logged_in", reentry="once"), Code.NOT_AGAIN),
        ({**on("logged_in", reentry="after"), "reentry_days": 7}, Code.NOT_AGAIN_BEFORE),
    ],
)
def test_the_rule_of_reentry_is_told(ada: Contact, trigger: dict[str, Any], code: Code):
    campaign = running(trigger)
    did(FactKind.LOGGED_IN, ada)
    pipeline.deliver()

    line = find(explain_message(ada.pk, campaign.pk), code)

    assert line.at == (NOON if code is Code.NOT_AGAIN else NOON + timedelta(days=7))


def test_what_was_done_since_the_newest_run_is_told_too(fake_shop: FakeShop, ada: Contact):
    wanted, other = fake_shop.add_product(price=10), fake_shop.add_product(price=20)
    campaign = running({**on("viewed"), "what": {"products": [wanted.product_id]}})
    did(FactKind.VIEWED, ada, product_id=wanted.product_id, shop_channel="default")
    with clock.travel(to=NOON + HOUR):
        did(FactKind.VIEWED, ada, product_id=other.product_id, shop_channel="default")

        lines = explain_message(ada.pk, campaign.pk)

    assert find(lines, Code.OTHER_PRODUCT).at == NOON + HOUR
    assert "suits" not in codes(lines)


# Who never entered


def test_nobody_enters_a_draft_or_a_campaign_that_is_paused(ada: Contact):
    open_shop()
    draft = automations.create_campaign(name="Draft", definition=definition(on("logged_in")))
    paused = running(on("logged_in"))
    automations.pause(paused.pk)

    assert codes(explain_message(ada.pk, draft.pk)) == ["not_running", "never_entered"]
    lines = explain_message(ada.pk, paused.pk)
    assert codes(lines)[:3] == ["not_running", "never_entered", "no_activity"]
    assert "it is paused" in lines[0].sentence


def test_no_activity_of_the_kind(ada: Contact):
    campaign = running(on("ordered"))

    line = find(explain_message(ada.pk, campaign.pk), Code.NO_ACTIVITY)

    assert line.sentence == "It starts by ordered; the person has never done that."


def test_an_activity_from_before_the_campaign_ran(ada: Contact):
    did(FactKind.LOGGED_IN, ada)
    with clock.travel(to=NOON + HOUR):
        campaign = running(on("logged_in"))

        line = find(explain_message(ada.pk, campaign.pk), Code.TOO_OLD)

    assert (line.at, line.params["since"]) == (NOON, (NOON + HOUR).isoformat())


@pytest.mark.parametrize(
    ("filters", "fact", "code"),
    [
        ({"what": {"products": ["404"]}}, {}, Code.OTHER_PRODUCT),
        ({"what": {"groups": ["category:404"]}}, {}, Code.OTHER_PRODUCT),
        ({"what": {"shop_channels": ["kr"]}}, {}, Code.OTHER_SHOP_CHANNEL),
        ({"what": {"subject": {"op": "is", "value": "x"}}}, {}, Code.OTHER_SUBJECT),
        ({"amount": {"op": "gte", "value": 100_000, "currency": "EUR"}}, {}, Code.OTHER_AMOUNT),
        ({"said": [{"key": "by", "value": "staff"}]}, {"data": {"by": "campaign"}}, Code.OTHER_DATA),
        ({"said": [{"key": "by", "value": "staff"}]}, {}, Code.OTHER_DATA),
    ],
)
def test_the_filter_that_was_not_passed_is_named(
    fake_shop: FakeShop, ada: Contact, filters: dict[str, Any], fact: dict[str, Any], code: Code
):
    product = fake_shop.add_product(price=10)
    campaign = running({**on("viewed"), **filters})
    did(FactKind.VIEWED, ada, product_id=product.product_id, shop_channel="default", **fact)

    lines = explain_message(ada.pk, campaign.pk)

    assert not Enrollment.objects.exists()
    assert find(lines, code).at == NOON


def test_who_is_not_in_the_audience_is_told_condition_by_condition(ada: Contact):
    audience = {"include": {"type": "attribute", "name": "country", "op": "is", "value": "KR"}}
    campaign = running({**on("logged_in"), "audience": audience})
    did(FactKind.LOGGED_IN, ada)

    lines = explain_message(ada.pk, campaign.pk)

    at = codes(lines).index("not_in_audience")
    assert codes(lines)[at - 1 : at + 3] == ["suits", "not_in_audience", "condition_holds", "condition_fails"]
    assert "KR" in lines[at + 2].sentence
    assert [line.depth for line in lines[at : at + 3]] == [0, 1, 1]


def test_moments_of_the_schedule_are_told(ada: Contact):
    everybody = {"include": {"type": "attribute", "name": "country", "op": "is", "value": "KR"}}
    campaign = running({"type": "audience", "audience": everybody, "schedule": {"type": "daily", "at": "21:30"}})
    none_yet = explain_message(ada.pk, campaign.pk)
    with clock.travel(to=NOON + HOUR):
        pipeline.pump()
        ScheduleSlot.objects.create(campaign=campaign, slot_at=NOON, state="dropped", created_at=NOON)
        lines = explain_message(ada.pk, campaign.pk)

    assert "no_slot_yet" in codes(none_yet)
    assert [code for code in codes(lines) if code.startswith("slot")] == ["slot_dropped", "slot_done"]
    assert "not_in_audience" in codes(lines)


def test_a_day_that_nobody_knows(ada: Contact):
    contacts.declare_attribute("birthday", "date")
    campaign = running({"type": "date", "attribute": "birthday", "at": "10:00"})
    joined = running({"type": "date", "attribute": "joined_at", "at": "10:00"})
    Contact.objects.update(joined_at=NOON)

    assert find(explain_message(ada.pk, campaign.pk), Code.NO_DATE).params == {"attribute": "birthday"}
    assert find(explain_message(ada.pk, joined.pk), Code.HAS_DATE).params["value"] == "2027-03-01"


def test_coupons_are_told(ada: Contact):
    campaign = running({"type": "coupon_expiry", "at": "10:00"})
    before = explain_message(ada.pk, campaign.pk)
    with clock.travel(to=NOON), transaction.atomic():
        wanted = [Request(key="1", contact_id=ada.pk, occasion="staff:hello")]
        got = coupons.issue(percent(10, expires_in_days=19).pk, wanted)["1"]
    assert isinstance(got, Issued)

    after = explain_message(ada.pk, campaign.pk)
    coupons.withdraw(got.coupon_id)
    withdrawn = explain_message(ada.pk, campaign.pk, language="ko")

    assert "no_coupon" in codes(before)
    assert find(after, Code.HAS_COUPON).sentence == f"The coupon {got.code} ends on 2027-03-20; not used."
    assert find(withdrawn, Code.HAS_COUPON).sentence == f"쿠폰 {got.code}은(는) 2027-03-20에 만료됩니다 (취소됨)."


def test_a_timer_that_runs_and_a_cart_that_does_not_wait(ada: Contact):
    campaign = running({"type": "abandoned"})
    nothing = explain_message(ada.pk, campaign.pk)
    Timer.objects.create(campaign=campaign, contact=ada, subject_key="cart:7", starts_at=NOON, due_at=NOON + HOUR)

    waiting = explain_message(ada.pk, campaign.pk)

    assert "no_cart_waits" in codes(nothing)
    assert find(waiting, Code.TIMER).at == NOON + HOUR


def test_days_after_are_counted(ada: Contact):
    campaign = running({"type": "after", "activity": "logged_in", "unit": "days", "amounts": [2, 9], "at": "10:00"})
    did(FactKind.LOGGED_IN, ada)

    line = find(explain_message(ada.pk, campaign.pk), Code.TIMES_COME_LATER)

    assert line.params == {"times": "2027-03-03 10:00, 2027-03-10 10:00"}


def test_interest_and_waves(fake_shop: FakeShop, ada: Contact, drop: Callable[..., None]):
    campaign = running()
    nobody = explain_message(ada.pk, campaign.pk)
    product = fake_shop.add_product(price=100)
    fake_shop.like(ada.customer_id or "", product.whole)
    pipeline.pump()

    liked = explain_message(ada.pk, campaign.pk)

    assert {"no_interest", "no_wave"} <= set(codes(nobody))
    assert find(liked, Code.HAS_INTEREST).params == {"count": "1"}


def test_a_visitor_and_an_erased_person_are_nobody(ada: Contact):
    campaign = running(on("logged_in"))
    visitor = Contact.objects.create(created_at=NOON)
    erased = Contact.objects.create(created_at=NOON, erased_at=NOON)

    assert "nobody" in codes(explain_message(visitor.pk, campaign.pk))
    assert "erased" in codes(explain_message(erased.pk, campaign.pk))


def test_a_period_that_is_over_or_has_not_begun(ada: Contact):
    later = running(on("logged_in"), starts_at=NOON + HOUR)
    over = running(on("logged_in"), ends_at=NOON + HOUR)

    assert "not_started" in codes(explain_message(ada.pk, later.pk))
    with clock.travel(to=NOON + 2 * HOUR):
        assert "period_over" in codes(explain_message(ada.pk, over.pk))


# One message


def test_one_message_says_what_became_of_it_and_of_its_run(ada: Contact):
    running(on("logged_in"))
    did(FactKind.LOGGED_IN, ada)
    contacts.suppress(ada.email or "", channel="email", reason="complaint")
    pipeline.deliver()

    lines = explain_one(Message.objects.get().pk)

    assert codes(lines) == ["skipped", "entered", "completed"]
    assert "the address is blocked" in lines[0].sentence


@pytest.mark.parametrize(
    ("state", "reason", "code"),
    [("failed", "rejected", "failed"), ("unknown", "lease_expired", "unknown"), ("sending", "", "sending")],
)
def test_each_state_of_a_message_has_its_line(ada: Contact, state: str, reason: str, code: str):
    running(on("logged_in"))
    did(FactKind.LOGGED_IN, ada)
    Message.objects.update(state=state, reason=reason, finished_at=NOON, lease_until=NOON)

    lines = explain_one(Message.objects.get().pk)

    assert lines[0].code == code
    assert not reason or REASONS[reason][0] in lines[0].sentence


@pytest.mark.feature(61)
def test_a_message_that_went_on_over_another_channel_says_which(ada: Contact):
    inbox = {"channel": "inbox", "template": {"en": {"title": "News", "text": "There is news."}}}
    contacts.set_consent(ada.pk, channel="inbox", is_granted=True, source="test")
    contacts.set_consent(ada.pk, channel="email", is_granted=False, source="test")
    campaign = running(on("logged_in"), [send("news", fallbacks=[inbox])])
    did(FactKind.LOGGED_IN, ada)
    pipeline.deliver()
    pipeline.deliver()

    lines = explain_message(ada.pk, campaign.pk)
    one = explain_one(Message.objects.get(channel="email").pk, language="ko")

    assert codes(lines)[1:5] == ["entered", "skipped", "went_on", "sent"]
    assert find(lines, Code.WENT_ON).sentence == "So it was tried over the step's next channel, inbox."
    assert find(lines, Code.WENT_ON).depth == find(lines, Code.SKIPPED).depth + 1
    assert find(one, Code.WENT_ON).params == {"next": "inbox"}
    assert "went_on" not in codes(explain_one(Message.objects.get(channel="inbox").pk))


def test_a_message_that_failed_on_its_last_channel_went_nowhere(ada: Contact):
    campaign = running(on("logged_in"))
    did(FactKind.LOGGED_IN, ada)
    Message.objects.update(state="failed", reason="bounced", finished_at=NOON)

    lines = explain_message(ada.pk, campaign.pk)

    assert "failed" in codes(lines)
    assert "went_on" not in codes(lines)


def test_a_topic_that_the_person_refused_is_told(ada: Contact):
    contacts.save_topic("sales", names={"en": "Sales"})
    about_sales, other = running(on("logged_in"), topic="sales"), running(on("logged_in"))

    before = codes(explain_message(ada.pk, about_sales.pk))
    contacts.refuse_topics(ada.pk, ["sales"], source="test")
    lines = explain_message(ada.pk, about_sales.pk)

    assert "topic_refused" not in before
    assert find(lines, Code.TOPIC_REFUSED).params == {"topic": "sales"}
    assert "topic_refused" not in codes(explain_message(ada.pk, other.pk))


def test_what_came_back_is_told_among_what_used_up_the_frequency_cap(ada: Contact):
    first = running(on("logged_in"))
    did(FactKind.LOGGED_IN, ada)
    pipeline.deliver()
    Message.objects.update(state="failed", reason="bounced")
    second = running(on("visited"))
    open_shop(caps=[{"channel": "", "count": 1, "hours": 16}])
    with clock.travel(to=NOON + HOUR):
        did(FactKind.VISITED, ada)
        pipeline.deliver()
        lines = explain_message(ada.pk, second.pk)

    assert first.pk != second.pk
    assert find(lines, Code.SKIPPED).params["reason"] == "frequency_cap"
    assert find(lines, Code.COUNTED).at == NOON


def test_what_there_is_not_is_not_found(ada: Contact):
    campaign = running(on("logged_in"))

    for call in (
        lambda: explain_message(ada.pk, 404_404_404),
        lambda: explain_message(404_404_404, campaign.pk),
        lambda: explain_one(404_404_404),
    ):
        with pytest.raises(NotFound):
            call()


# Words


def test_every_fact_and_every_reason_has_words_in_both_languages():
    assert set(SENTENCES) == set(Code)
    assert {reason.value for reason in Reason} <= set(REASONS)
    assert all(english and korean and english != korean for english, korean in (*SENTENCES.values(), *REASONS.values()))


def test_nothing_is_changed_by_asking(ada: Contact):
    campaign = running(on("logged_in"))
    did(FactKind.LOGGED_IN, ada)
    before = list(Enrollment.objects.values()), list(Message.objects.values()), list(Campaign.objects.values())

    explain_message(ada.pk, campaign.pk)
    explain_one(Message.objects.get().pk)

    assert (
        list(Enrollment.objects.values()),
        list(Message.objects.values()),
        list(Campaign.objects.values()),
    ) == before
