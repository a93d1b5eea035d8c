"""A message shows a code only while an order could use it: asked again right before it goes out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_plugin import activity, automations, clock, coupons, pipeline
from crm_plugin.coupons import Coupon
from crm_plugin.models import Contact, Enrollment, Message
from crm_plugin.shop import Customer, Fact, FactKind
from tests.automations.coupon_story import advance, code_of, drain, gift, join, percent, showing, use
from tests.fake_shop import FakeShop
from tests.stories import on, open_shop, running, send, wait

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)

WITH_CODE = showing("{% if coupon.code != '' %}Code: {{ coupon.code }}{% else %}No code{% endif %}")


def start(customer: Customer, *steps: dict[str, Any], **more: Any) -> None:
    """A campaign that gives the person a code and then asks for a message, which nobody has handed out yet."""
    # What a purchase ends is not shown here.
    running(on("signed_up"), [gift(percent(), **more), *(steps or [send(template=WITH_CODE)])], exit_when=[])
    join([customer])
    advance()
    advance()


def fates() -> list[tuple[str, str]]:
    return list(Message.objects.order_by("pk").values_list("state", "reason"))


def test_a_code_that_is_good_is_shown(fake_shop, ann, mailoutbox):
    start(ann)

    pipeline.deliver()

    (mail,) = mailoutbox
    assert f"Code: {code_of(ann)}" in mail.body


def used(shop: FakeShop, code: str, customer: Customer) -> None:
    use(shop, code, customer)
    drain()


def withdrawn(_shop: FakeShop, code: str, _customer: Customer) -> None:
    coupons.withdraw(Coupon.objects.get(code=code).pk)


def deleted(shop: FakeShop, code: str, _customer: Customer) -> None:
    shop.delete_coupon(code)


def made_useless(shop: FakeShop, code: str, _customer: Customer) -> None:
    shop.series_rows[shop.coupon_rows[code.upper()].series_ref].is_useless = True


WAYS_TO_GO = [used, withdrawn, deleted, made_useless]


@pytest.mark.parametrize("happens", WAYS_TO_GO)
def test_a_message_that_would_show_a_code_that_is_gone_is_left_out(fake_shop, ann, mailoutbox, happens):
    start(ann)
    happens(fake_shop, code_of(ann), ann)

    pipeline.deliver()

    assert mailoutbox == []
    assert fates() == [("skipped", "coupon_gone")]
    assert Enrollment.objects.get().state == "completed"  # the message is left out, the run goes on


@pytest.mark.parametrize("happens", WAYS_TO_GO)
def test_a_campaign_that_does_without_sends_it_without_the_code(fake_shop, ann, mailoutbox, happens):
    start(ann, on_failure="go_on")
    code = code_of(ann)
    happens(fake_shop, code, ann)

    pipeline.deliver()

    (mail,) = mailoutbox
    assert "No code" in mail.body
    assert code not in mail.body + str(mail.alternatives)


def test_a_code_that_expired_while_the_message_was_held_is_not_shown(fake_shop, ann, mailoutbox):
    start(ann, expires_in_days=1)
    Message.objects.update(stale_at=clock.now() + timedelta(days=9))

    with clock.travel(by=timedelta(days=3)):
        pipeline.deliver()

    assert (mailoutbox, fates()) == ([], [("skipped", "coupon_gone")])


def test_a_message_that_names_no_coupon_goes_out_whatever_became_of_the_code(fake_shop, ann, mailoutbox):
    start(ann, send(template=showing("We like you.")))
    used(fake_shop, code_of(ann), ann)

    pipeline.deliver()

    assert len(mailoutbox) == 1


def test_the_next_message_of_the_run_is_about_something_else_and_goes_out(fake_shop, ann, mailoutbox):
    start(ann, send(template=WITH_CODE), send(id="next", template=showing("Something else")))
    used(fake_shop, code_of(ann), ann)

    for _ in range(3):
        pipeline.pump()
        pipeline.deliver()

    assert [mail.body.split("\n")[0] for mail in mailoutbox] == ["Something else"]


def test_a_code_that_everybody_may_use_is_none_of_ours_to_judge(fake_shop, ann, mailoutbox):
    running(on("signed_up"), [wait(seconds=1), send(template=WITH_CODE)])
    join([ann])
    Enrollment.objects.update(context={"coupon": {"code": "SPRING", "name": ""}}, step=1, due_at=clock.now())
    advance()

    pipeline.deliver()

    assert "Code: SPRING" in mailoutbox[0].body


def test_the_shop_is_asked_once_for_all_messages_of_a_pass(fake_shop, shoppers, mailoutbox, monkeypatch):
    running(on("signed_up"), [gift(percent()), send(template=WITH_CODE)])
    join(shoppers(12))
    advance()
    advance()
    calls = []
    ask = fake_shop.coupons
    monkeypatch.setattr(fake_shop, "coupons", lambda codes: calls.append(len(codes)) or ask(codes))

    pipeline.deliver()

    assert calls == [12]
    assert len({mail.body.split("\n")[0] for mail in mailoutbox}) == 12


def test_an_account_tells_why_there_was_no_code_and_why_a_message_was_left_out(fake_shop, shoppers):
    gone, never = shoppers(2)
    start(gone)
    used(fake_shop, code_of(gone), gone)
    pipeline.deliver()
    archived = percent()
    campaign = running(on("liked"), [gift(archived), send(template=WITH_CODE)])
    told = _account(gone, Enrollment.objects.get().campaign_id)
    coupons.archive_template(archived.pk)
    join_by_like(never)
    advance()

    assert any("the coupon that it would have shown cannot be used any more" in line for line in told["en"])
    assert any("안내할 쿠폰을 더 이상 쓸 수 없음" in line for line in told["ko"])
    account = _account(never, campaign.pk)
    assert "The step gift could give no coupon: the coupon was put away." in account["en"]
    assert "gift 단계에서 쿠폰을 발급하지 못했습니다: 보관된 쿠폰." in account["ko"]


def _account(customer: Customer, campaign_id: int) -> dict[str, list[str]]:
    who = Contact.objects.get(customer_id=customer.customer_id).pk
    return {
        language: [line.sentence for line in automations.explain_message(who, campaign_id, language=language)]
        for language in ("en", "ko")
    }


def join_by_like(customer: Customer) -> None:
    activity.record(Fact(kind=FactKind.LIKED, source_key="like", customer_id=customer.customer_id, product_id="1"))
    drain()


def test_a_code_whose_mail_a_cap_left_out_stays_theirs_and_is_told_before_it_ends(fake_shop, ann, mailoutbox):
    """It stands in their account from the first moment, so it is not taken back (docs/coupons.md)."""
    with clock.travel(to=NOON):
        offer = [gift(percent(), expires_in_days=7), send(id="offer", template=showing())]
        running(on("signed_up"), [send(id="hello"), *offer], exit_when=[])
        soon = showing("Soon over: {% for coupon in coupons %}{{ coupon.code }}{% endfor %}")
        running({"type": "coupon_expiry", "days_before": 3, "at": "10:00"}, [send(id="soon", template=soon)])
        open_shop(caps=[{"channel": "", "count": 1, "hours": 16}])
        join([ann])
        for _ in range(3):
            pipeline.pump()
            pipeline.deliver()
    first, code = fates(), code_of(ann)
    with clock.travel(to=NOON + timedelta(days=4)):
        for _ in range(2):
            pipeline.pump()
            pipeline.deliver()

    assert first == [("sent", ""), ("skipped", "frequency_cap")]
    assert [code in mail.body for mail in mailoutbox] == [False, True]
    assert f"Soon over: {code}" in mailoutbox[1].body
