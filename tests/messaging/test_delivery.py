"""The loop over a real mail server: what goes out, what is tried again, and what is never sent twice."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crm_plugin import clock, contacts, messaging
from crm_plugin.messaging import Go, Hold, Reason, Skip
from crm_plugin.models import Link, Message
from demo.services.mailsink import Moment
from tests.messaging.conftest import content, item_of, korean

pytestmark = pytest.mark.django_db


def state(message: Message) -> tuple[str, str]:
    message.refresh_from_db()
    return message.state, message.reason


def test_a_due_message_is_sent_once_with_both_bodies(smtp, queue, deliver):
    message = queue()

    outcomes = deliver()
    again = deliver()

    (letter,) = smtp.letters
    assert [(one.message_id, one.state) for one in outcomes] == [(message.pk, "sent")]
    assert again == []
    assert letter.recipients == ("ann@example.com",)
    assert "Hello Ann" in letter.html
    assert "/unsubscribe/" in letter.text
    message.refresh_from_db()
    assert (message.state, message.subject, message.attempts) == ("sent", "News for Ann", 1)
    assert (message.recipient, message.language, message.lease_token) == ("ann@example.com", "en", None)


def test_the_headers_offer_one_click_unsubscribe(smtp, queue, deliver, us):
    us.reply_to = "help@shop.example"
    us.save()
    message = queue()

    deliver()

    sent = smtp.letters[0].message
    assert sent["From"] == "The Shop <news@shop.example>"
    assert sent["Reply-To"] == "help@shop.example"
    assert sent["Message-ID"] == f"<{message.public_id}@shop.example>"
    assert sent["List-Unsubscribe"].strip().startswith("<https://shop.example/crm/unsubscribe/")
    assert sent["List-Unsubscribe"].strip().endswith("/>")
    assert sent["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_a_transactional_message_carries_no_unsubscribe_header_and_needs_no_consent(smtp, queue, deliver, make_contact):
    queue(make_contact(agrees=False), message_class="transactional")

    deliver()

    assert smtp.letters[0].message["List-Unsubscribe"] is None


def test_names_cannot_start_a_header(smtp, queue, deliver, make_contact, us):
    us.sender_name = "Shop\r\nBcc: everybody@example.com"
    us.save()
    queue(make_contact(first_name="Ann\r\nBcc: all@example.com"))

    deliver()

    (letter,) = smtp.letters
    assert letter.recipients == ("ann@example.com",)
    assert letter.message["Bcc"] is None
    assert letter.subject == "News for Ann Bcc: all@example.com"


def test_values_are_escaped_in_the_html_body(smtp, queue, deliver, make_contact):
    queue(make_contact(first_name="<script>alert(1)</script>"))

    deliver()

    assert "<script>" not in smtp.letters[0].html
    assert "&lt;script&gt;" in smtp.letters[0].html


@pytest.mark.parametrize(
    ("subject", "expected"),
    [("할인", "(광고) 할인"), ("(광고) 할인", "(광고) 할인"), ("[광 고](광고)할인", "(광고) 할인")],
)
def test_a_korean_advertisement_is_labelled_exactly_once(smtp, queue, deliver, make_contact, subject, expected):
    queue(make_contact(language="ko-KR"), template={"ko": korean(subject=subject), "en": content()})

    deliver()

    assert smtp.letters[0].subject == expected


def test_a_korean_order_notice_is_no_advertisement(smtp, queue, deliver, make_contact):
    queue(make_contact(language="ko"), template={"ko": content(subject="주문")}, message_class="transactional")

    deliver()

    assert smtp.letters[0].subject == "주문"


def test_a_temporary_refusal_is_tried_again_later(smtp, queue, deliver):
    smtp.answer("451 4.3.0 Try later", times=1)
    message = queue()

    outcomes = deliver()
    too_early = deliver()

    assert (outcomes, too_early, state(message)) == ([], [], ("queued", "retry"))
    with clock.travel(by=timedelta(seconds=61)):
        assert [one.state for one in deliver()] == ["sent"]
    assert len(smtp.letters) == 1
    message.refresh_from_db()
    assert message.attempts == 2


def test_the_tries_are_used_up(smtp, queue, deliver, settings):
    settings.CRM_MAX_ATTEMPTS = 1
    smtp.answer("451 4.3.0 Try later")
    message = queue()

    outcomes = deliver()

    assert [one.reason for one in outcomes] == ["retries_exhausted"]
    assert state(message) == ("failed", "retries_exhausted")


def test_a_refused_address_fails_and_is_written_to_no_more(smtp, queue, deliver, make_contact):
    smtp.answer("550 5.1.1 No such user", at=Moment.RECIPIENT)
    ann = make_contact()
    first, second = queue(ann), None

    deliver()
    second = queue(ann)
    deliver()

    assert state(first) == ("failed", "address_refused")
    assert "No such user" in first.detail
    assert state(second) == ("skipped", "suppressed")
    assert not smtp.letters


@pytest.mark.parametrize("at", [Moment.RECIPIENT, Moment.DATA])
def test_a_refusal_by_policy_fails_and_blocks_nobody(smtp, queue, deliver, make_contact, at):
    smtp.answer("554 5.7.1 Relaying denied", at=at)
    ann = make_contact()
    message = queue(ann)

    deliver()

    assert state(message) == ("failed", "rejected")
    assert contacts.reach([ann.pk], channel="email")[ann.pk].suppressed_for is None


def test_a_lost_connection_blurs_one_message_and_the_rest_goes_out_once(smtp, queue, deliver, make_contact):
    people = [make_contact(f"p{number}@example.com") for number in range(5)]
    messages = [queue(person) for person in people]
    smtp.drop_connection(recipient="p2@example.com", at=Moment.TAKEN)

    deliver()
    deliver()

    assert [state(message)[0] for message in messages] == ["sent", "sent", "unknown", "sent", "sent"]
    assert state(messages[2])[1] == "connection_lost"
    # The provider had taken it; that it is not sent again is the point.
    assert [len(smtp.letters_to(f"p{number}@example.com")) for number in range(5)] == [1] * 5


def test_a_421_answer_does_not_blur_the_next_message(smtp, queue, deliver, make_contact):
    messages = [queue(make_contact(f"p{number}@example.com")) for number in range(2)]
    smtp.answer("421 4.3.2 Going down", recipient="p0@example.com", times=1)

    deliver()

    assert [state(message) for message in messages] == [("queued", "retry"), ("sent", "")]


def test_when_the_provider_is_away_everything_waits_until_it_is_stale(smtp, queue, deliver, make_contact, settings):
    there, settings.EMAIL_PORT = settings.EMAIL_PORT, 1
    messages = [queue(make_contact(f"p{number}@example.com")) for number in range(3)]
    for hours in range(12):
        with clock.travel(by=timedelta(hours=hours)):
            assert deliver() == []
    away = {(*state(message), message.attempts) for message in messages}

    settings.EMAIL_PORT = there
    with clock.travel(by=timedelta(hours=12)):
        deliver()

    assert away == {("queued", "retry", 0)}
    assert {state(message) for message in messages} == {("sent", "")}


def test_what_the_provider_never_came_back_for_is_skipped_as_stale(smtp, queue, deliver, settings):
    settings.EMAIL_PORT = 1
    message = queue()

    with clock.travel(by=timedelta(days=30)):
        deliver()

    assert state(message) == ("skipped", "stale")


def test_prices_are_read_again_and_links_are_tracked_to_stored_urls(smtp, fake_shop, queue, deliver):
    vase = fake_shop.add_product(price=50, name="Vase & Co")
    fake_shop.set_price(vase.ref, 40)
    queue()

    (outcome,) = deliver(item_of(vase, baseline="50", limit="45"))

    (letter,) = smtp.letters
    assert "Vase &amp; Co: €40.00" in letter.html
    assert "Vase & Co: €40.00" in letter.text
    assert "https://shop.example/crm/click/" in letter.html
    assert Link.objects.get().url == fake_shop.product_cards([vase.whole], language="en")[vase.whole].url
    assert [item.product_id for item in outcome.items] == [vase.product_id]


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (lambda shop, vase: shop.set_price(vase.ref, 50), Reason.PRICE_RESTORED),
        (lambda shop, vase: shop.set_stock(vase.ref, 0), Reason.SOLD_OUT),
        (lambda shop, vase: shop.unpublish(vase.ref), Reason.UNAVAILABLE),
        (lambda shop, vase: shop.delete_product(vase.ref), Reason.UNAVAILABLE),
    ],
    ids=["price restored", "sold out", "unpublished", "deleted"],
)
def test_what_no_longer_holds_true_is_not_sent(smtp, fake_shop, queue, deliver, happens, reason):
    vase = fake_shop.add_product(price=40)
    message = queue()
    happens(fake_shop, vase)

    outcomes = deliver(item_of(vase, baseline="50", limit="45"))

    assert [(one.state, one.reason) for one in outcomes] == [("skipped", reason)]
    assert state(message) == ("skipped", reason)
    assert not smtp.letters


def test_an_item_that_no_longer_holds_true_is_left_out_of_a_digest(smtp, fake_shop, queue, deliver):
    vase, cup = fake_shop.add_product(price=40, name="Vase"), fake_shop.add_product(price=8, name="Cup")
    fake_shop.set_stock(cup.ref, 0)
    queue()

    (outcome,) = deliver(item_of(cup, baseline="10", limit="9"), item_of(vase, baseline="50", limit="45"))

    assert [item.product_id for item in outcome.items] == [vase.product_id]
    assert "Cup" not in smtp.letters[0].html


def test_the_shop_is_asked_once_per_language(smtp, fake_shop, queue, deliver, make_contact, monkeypatch):
    vase = fake_shop.add_product(price=40)
    asked = []
    answer = fake_shop.product_cards
    monkeypatch.setattr(
        fake_shop, "product_cards", lambda refs, *, language: asked.append(language) or answer(refs, language=language)
    )
    for number in range(6):
        person = make_contact(f"p{number}@example.com", language=["en", "de"][number % 2])
        queue(person, template={"en": content(), "de": content()})

    deliver(item_of(vase))

    assert sorted(asked) == ["de", "en"]
    assert len(smtp.letters) == 6


def test_verdicts_of_automations_are_written(smtp, queue, deliver):
    held, skipped = queue(), None
    until = clock.now() + timedelta(hours=3)

    assert deliver(verdict=Hold(until, Reason.CAMPAIGN_NOT_STARTED)) == []
    skipped = queue()
    outcomes = deliver(verdict=Skip(Reason.BOUGHT))

    assert state(held) == ("queued", "campaign_not_started")
    assert held.due_at == until
    assert [(one.message_id, one.reason) for one in outcomes] == [(skipped.pk, "bought")]
    assert not smtp.letters


def test_a_template_that_breaks_on_real_values_skips_its_message_only(smtp, queue, deliver, make_contact):
    broken = queue(make_contact("a@example.com"), template={"en": content(subject="{{ items[0].name }}")})
    fine = queue(make_contact("b@example.com"))

    deliver()

    assert state(broken) == ("skipped", "render_failed")
    assert state(fine) == ("sent", "")


def test_outcomes_are_reported_in_the_transaction_that_writes_them(smtp, queue):
    message = queue()
    claimed = messaging.claim(1)

    with pytest.raises(RuntimeError, match="no"):
        messaging.deliver(claimed, verdicts={message.pk: Go()}, on_outcomes=lambda _some: _refuse())

    assert state(message) == ("sending", "")


def _refuse() -> None:
    raise RuntimeError("no")
