"""What people are told about their consents, and when: results, double opt-in, the reminder after two years, expiry."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from crm_plugin import clock, contacts, messaging
from crm_plugin.contacts import ChannelKind, Contact
from crm_plugin.merchant import Merchant
from crm_plugin.messaging import ReceiptKind, Told
from crm_plugin.models import Consent, ConsentEvent, ConsentNotice, Message
from demo.services.mailsink import Moment
from tests.together import together

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 2, 3, tzinfo=UTC)  # noon in Seoul
YEAR = timedelta(days=365)
PHONE = "+821012345678"

MakeContact = Callable[..., Contact]


@pytest.fixture(autouse=True)
def _empty_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def korea(us: Merchant) -> Merchant:
    """A merchant in Korea."""
    us.country, us.time_zone, us.default_language = "KR", "Asia/Seoul", "ko"
    us.save()
    return us


@pytest.fixture
def ann(korea: Merchant, make_contact: MakeContact) -> Contact:
    """A reader in Korea who said nothing yet."""
    return make_contact(agrees=False, country="KR", language="ko")


def answer(contact: Contact, channel: str = "email", *, is_granted: bool = True, **more: Any) -> bool:
    return contacts.set_consent(contact.pk, channel=channel, is_granted=is_granted, source="footer_form", **more)


def uphold(limit: int = 100) -> list[Message]:
    """Uphold, and return the messages that are due for it."""
    before = set(Message.objects.values_list("pk", flat=True))
    messaging.uphold_consents(limit)
    return list(Message.objects.exclude(pk__in=before).order_by("pk"))


def post(deliver: Callable[..., Any]) -> None:
    """Hand out what is due as the pipeline does."""
    claimed = messaging.claim(100)
    messaging.deliver(claimed, verdicts=messaging.verdicts_of_notices(claimed), on_outcomes=lambda _outcomes: None)


@pytest.mark.parametrize("is_granted", [True, False])
def test_kr_result_notice_tells_sender_what_and_date_with_the_next_look(
    smtp, deliver, ann: Contact, *, is_granted: bool
) -> None:
    """KR result notice: the result of consent or refusal within 14 days: sender, what, date."""
    with clock.travel(to=NOON):
        answer(ann, is_granted=is_granted)
        (notice,) = uphold()
        post(deliver)

    event = ConsentEvent.objects.get()
    assert (notice.occasion, notice.message_class, notice.channel) == (f"consent:{event.pk}", "transactional", "email")
    (letter,) = smtp.letters
    text = letter.text
    assert "The Shop" in letter.subject
    assert "(광고)" not in letter.subject
    assert f"2026-03-02 이메일 광고성 정보 수신 {'동의' if is_granted else '거부(동의 철회)'}" in text
    assert "The Shop에서" in text
    assert messaging.told_at(ann.pk) == {event.pk: Message.objects.get().finished_at}


def test_kr_result_notice_of_a_withdrawal_reaches_who_no_longer_consents(smtp, deliver, ann: Contact) -> None:
    """KR result notice: of a withdrawal too; it is no advertisement, so the missing consent does not stop it."""
    answer(ann)
    uphold()
    answer(ann, is_granted=False)

    uphold()
    post(deliver)

    assert [row.state for row in Message.objects.order_by("pk")] == ["sent", "sent"]
    assert len(smtp.letters) == 2


def test_kr_result_notice_of_all_that_was_said_at_once_is_one_message(ann: Contact) -> None:
    answer(ann)
    contacts.set_night_consent(ann.pk, channel="email", is_granted=True, source="page")
    answer(ann, "sms")

    (notice,) = uphold()

    assert notice.data["events"] == list(ConsentEvent.objects.order_by("pk").values_list("pk", flat=True))
    assert len(notice.data["lines_ko"]) == 3
    assert "야간" in notice.data["lines_ko"][1]
    assert not ConsentNotice.objects.exists()
    assert uphold() == []


def test_kr_result_notice_is_not_sent_where_the_law_asks_for_none(us: Merchant, make_contact: MakeContact) -> None:
    make_contact(country="DE")

    assert uphold() == []
    assert not ConsentNotice.objects.exists()


@pytest.mark.parametrize(
    ("email", "phone", "blocked", "expected"),
    [
        ("ann@example.com", PHONE, False, "email"),
        ("ann@example.com", PHONE, True, "sms"),
        ("ann@example.com", "", True, "email"),
        (None, PHONE, False, "sms"),
    ],
)
def test_a_notice_goes_by_mail_else_by_text_message(
    ann: Contact, email: str | None, phone: str, expected: str, *, blocked: bool
) -> None:
    Contact.objects.filter(pk=ann.pk).update(email=email, phone=phone, customer_id="7")
    if blocked:
        contacts.suppress("ann@example.com", channel="email", reason="hard_bounce")
    answer(ann, "web_push")

    assert [row.channel for row in uphold()] == [expected]


def bounce(notice: Message, *, times: int = 1) -> list[Message]:
    """Let the e-mail of a notice come back, as its provider tells; return the text messages that are due for it."""
    Message.objects.filter(pk=notice.pk).update(state="sent", recipient="ann@example.com", provider_id="one")
    for number in range(times):
        told = Told(channel="email", kind=ReceiptKind.HARD_BOUNCE, provider_id="one", event_id=str(number))
        messaging.keep([told])
        messaging.settle_receipts(10)
    return list(Message.objects.filter(channel="sms"))


def test_kr_result_notice_that_comes_back_is_told_by_text_message_and_once(ann: Contact) -> None:
    contacts.set_phone(ann.pk, PHONE)
    answer(ann)
    (notice,) = uphold()

    (text,) = bounce(notice, times=2)

    assert (text.occasion, text.data, text.state) == (notice.occasion, notice.data, "queued")
    assert text.message_class == "transactional"


def test_kr_result_notice_that_the_mail_server_refuses_is_told_by_text_message(smtp, deliver, ann: Contact) -> None:
    contacts.set_phone(ann.pk, PHONE)
    answer(ann)
    uphold()
    smtp.answer("550 5.1.1 no such user", at=Moment.RECIPIENT)

    post(deliver)

    assert set(Message.objects.values_list("channel", "state")) == {("email", "failed"), ("sms", "queued")}


@pytest.mark.parametrize("why", ["no telephone", "a blocked telephone"])
def test_a_notice_that_comes_back_and_has_no_other_way_is_not_told(ann: Contact, why: str) -> None:
    if why == "a blocked telephone":
        contacts.set_phone(ann.pk, PHONE)
        contacts.suppress(PHONE, channel="sms", reason="stop")
    answer(ann)
    (notice,) = uphold()

    assert bounce(notice) == []


def test_the_link_of_a_double_opt_in_goes_to_no_other_address(korea: Merchant, ann: Contact) -> None:
    korea.is_double_opt_in = True
    korea.save()
    contacts.set_phone(ann.pk, PHONE)
    contacts.set_consent(ann.pk, channel="email", is_granted=True, source="form", needs_confirmation=True)
    (notice,) = uphold()

    assert notice.occasion.startswith("confirm:")
    assert bounce(notice) == []


def test_somebody_without_any_address_cannot_be_told(ann: Contact) -> None:
    Contact.objects.filter(pk=ann.pk).update(email=None, phone="", customer_id="7")
    answer(ann, "web_push")

    assert uphold() == []


def test_everywhere_a_suppressed_address_gets_no_notice_either(smtp, deliver, ann: Contact) -> None:
    """Everywhere: global suppression before send."""
    answer(ann)
    contacts.suppress("ann@example.com", channel="email", reason="complaint")

    uphold()
    post(deliver)

    assert [(row.state, row.reason) for row in Message.objects.all()] == [("skipped", "suppressed")]
    assert not smtp.letters


def test_an_erased_person_is_told_nothing(ann: Contact) -> None:
    answer(ann)
    contacts.erase([ann.pk])

    assert uphold() == []
    assert not ConsentNotice.objects.exists()


def test_the_queue_is_taken_off_in_bounds(korea: Merchant, make_contact: MakeContact) -> None:
    for number in range(5):
        make_contact(f"p{number}@example.com")

    assert [len(uphold(2)) for _ in range(4)] == [2, 2, 1, 0]


def test_many_people_cost_as_many_statements_as_one(korea: Merchant, make_contact: MakeContact) -> None:
    make_contact("first@example.com")
    uphold()

    counts = []
    for size in (1, 20):
        cache.clear()
        for number in range(size):
            make_contact(f"p{size}.{number}@example.com")
        with CaptureQueriesContext(connection) as statements:
            messaging.uphold_consents(100)
        counts.append(len(statements))

    assert counts[0] == counts[1]
    assert Message.objects.count() == 22


def ask(contact: Contact, channel: str = "email") -> bool:
    return answer(contact, channel, needs_confirmation=True)


@pytest.fixture
def careful(us: Merchant) -> Merchant:
    """A merchant with double opt-in."""
    us.is_double_opt_in = True
    us.save()
    return us


def test_eu_gdpr_double_opt_in_asks_by_a_link_and_sends_no_advertisement_before(
    smtp, queue, deliver, careful: Merchant, make_contact: MakeContact
) -> None:
    """EU GDPR: demonstrable consent: double opt-in."""
    bob = make_contact("bob@example.com", agrees=False, country="DE")
    ask(bob)
    advertisement = queue(bob)

    (notice,) = uphold()
    deliver_all = messaging.claim(100)
    verdicts = messaging.verdicts_of_notices(deliver_all)
    messaging.deliver(deliver_all, verdicts=verdicts, on_outcomes=lambda _outcomes: None)

    advertisement.refresh_from_db()
    (letter,) = smtp.letters
    assert "confirm" in letter.subject
    assert (advertisement.state, advertisement.reason) == ("skipped", "no_consent")
    event = ConsentEvent.objects.get()
    assert notice.occasion == f"confirm:{event.pk}"
    token = re.search(r"confirm/([^/]+)/", notice.data["url"])
    assert token is not None
    assert messaging.read_confirmation(token[1]) == event.pk


def test_double_opt_in_asked_for_by_telephone_goes_by_text_message(
    careful: Merchant, make_contact: MakeContact
) -> None:
    bob = make_contact("bob@example.com", agrees=False, phone="+4915112345678")
    ask(bob, "sms")

    assert [row.channel for row in uphold()] == ["sms"]


def test_asking_again_on_the_same_day_sends_nothing_more_on_the_next_it_does(
    careful: Merchant, make_contact: MakeContact
) -> None:
    bob = make_contact("bob@example.com", agrees=False)
    with clock.travel(to=NOON):
        assert [ask(bob), ask(bob)] == [True, False]
        assert len(uphold()) == 1
        assert not ask(bob)
        assert uphold() == []
    with clock.travel(to=NOON + timedelta(days=1)):
        assert ask(bob)
        assert len(uphold()) == 1


@pytest.mark.parametrize("token", ["", "12", "12:forged", "x" * 5_000])
def test_a_forged_confirmation_means_nothing(token: str) -> None:
    assert messaging.read_confirmation(token) is None


def agreed(contact: Contact, at: datetime, channel: str = "email") -> None:
    """Somebody agreed then, and was told."""
    with clock.travel(to=at):
        answer(contact, channel)
    ConsentNotice.objects.all().delete()


def test_kr_re_confirm_every_two_years_says_that_when_and_how_to_withdraw(smtp, deliver, ann: Contact) -> None:
    """KR re-confirm: every 2 years from consent: that they consented, the date, how to keep or withdraw it."""
    agreed(ann, NOON)
    with clock.travel(to=NOON + 2 * YEAR - timedelta(days=1)):
        assert uphold() == []
    cache.clear()

    with clock.travel(to=NOON + 2 * YEAR):
        (notice,) = uphold()
        post(deliver)

    (letter,) = smtp.letters
    text = letter.text
    assert notice.occasion.startswith("reconfirm:")
    assert notice.message_class == "transactional"
    assert "2026-03-02 이메일 광고성 정보 수신 동의" in text
    assert "유지" in text
    assert "철회" in text
    assert "/preferences/" in text
    assert Consent.objects.get().is_granted
    assert ConsentEvent.objects.count() == 1


def test_kr_re_confirm_comes_again_two_years_after_the_last_and_never_twice(ann: Contact) -> None:
    agreed(ann, NOON)
    counts = []
    for after in (2 * YEAR, 2 * YEAR, 3 * YEAR, 4 * YEAR - timedelta(days=1), 4 * YEAR):
        cache.clear()
        with clock.travel(to=NOON + after):
            counts.append(len(uphold()))

    assert counts == [1, 0, 0, 0, 1]


@pytest.mark.parametrize(
    ("fields", "is_reminded"),
    [
        ({"country": "KR", "language": ""}, True),
        ({"country": "", "language": "", "phone": ""}, True),
        ({"country": "", "language": "en", "phone": PHONE}, True),
        ({"country": "", "language": "en", "phone": "+4915112345678"}, False),
        ({"country": "DE", "language": "ko-KR"}, True),
        ({"country": "DE", "language": "en"}, False),
        ({"country": "DE", "language": ""}, True),
    ],
)
def test_kr_re_confirm_is_for_whom_korean_law_holds_as_for_their_messages(
    ann: Contact, fields: dict[str, str], *, is_reminded: bool
) -> None:
    agreed(ann, NOON)
    Contact.objects.filter(pk=ann.pk).update(**fields)

    with clock.travel(to=NOON + 2 * YEAR):
        assert len(uphold()) == int(is_reminded)
    assert bool(Consent.objects.get().reminded_at) == is_reminded


def test_kr_re_confirm_of_several_channels_is_one_message_and_of_a_withdrawn_one_none(ann: Contact) -> None:
    agreed(ann, NOON)
    agreed(ann, NOON, "web_push")
    agreed(ann, NOON, "sms")
    answer(ann, "sms", is_granted=False)
    ConsentNotice.objects.all().delete()

    with clock.travel(to=NOON + 2 * YEAR):
        (notice,) = uphold()

    assert notice.data["lines_en"] == [
        "2026-03-02: you agreed to advertisements by e-mail",
        "2026-03-02: you agreed to advertisements by browser notification",
    ]


def test_reminders_are_bounded_and_go_on_where_they_stopped(korea: Merchant, make_contact: MakeContact) -> None:
    for number in range(5):
        agreed(make_contact(f"p{number}@example.com", agrees=False), NOON)

    with clock.travel(to=NOON + 2 * YEAR):
        assert [len(uphold(2)) for _ in range(4)] == [2, 2, 1, 0]


def bought(contact: Contact, at: datetime) -> int:
    """A purchase, as the drain tells of it."""
    return messaging.consents_by_purchase({contact.pk: at})


@pytest.fixture
def lenient(korea: Merchant) -> Merchant:
    """A merchant in Korea for whom a purchase may stand for consent."""
    korea.is_soft_opt_in = True
    korea.save()
    return korea


def has_consent(contact: Contact, channel: str = "email") -> bool:
    return contacts.reach([contact.pk], channel=channel)[contact.pk].has_consent


def test_kr_consent_a_purchase_stands_for_consent_for_six_months_and_the_next_one_moves_the_end(
    lenient: Merchant, ann: Contact
) -> None:
    """KR consent: exception: same-kind goods within 6 months of the deal: a separate basis that expires."""
    with clock.travel(to=NOON):
        assert bought(ann, NOON) == 1
        assert has_consent(ann)
    with clock.travel(to=NOON + timedelta(days=100)):
        assert bought(ann, NOON + timedelta(days=100)) == 1
        assert bought(ann, NOON + timedelta(days=50)) == 0
    with clock.travel(to=NOON + timedelta(days=281)):
        assert has_consent(ann)
    with clock.travel(to=NOON + timedelta(days=283)):
        assert not has_consent(ann)
        uphold()

    log = ConsentEvent.objects.order_by("pk").values_list("is_granted", "basis", "source")
    assert list(log) == [
        (True, "soft_opt_in", "purchase"),
        (True, "soft_opt_in", "purchase"),
        (False, "soft_opt_in", "expired"),
    ]
    assert not ConsentNotice.objects.exists()
    assert not Message.objects.exists()


def test_a_purchase_after_the_end_begins_anew(lenient: Merchant, ann: Contact) -> None:
    with clock.travel(to=NOON):
        bought(ann, NOON)
    with clock.travel(to=NOON + YEAR):
        uphold()
        assert bought(ann, NOON) == 0
        assert bought(ann, NOON + YEAR) == 1
        assert has_consent(ann)


def test_eu_eprivacy_soft_opt_in_lasts_until_the_person_objects(lenient: Merchant, make_contact: MakeContact) -> None:
    """EU ePrivacy: soft opt-in for own similar goods."""
    bob = make_contact("bob@example.com", agrees=False, country="FR", language="fr")
    with clock.travel(to=NOON):
        bought(bob, NOON)
    with clock.travel(to=NOON + 3 * YEAR):
        uphold()
        assert has_consent(bob)
        answer(bob, is_granted=False)
        assert bought(bob, NOON + 3 * YEAR) == 0
        assert not has_consent(bob)


@pytest.mark.parametrize(("country", "language"), [("US", "en"), ("JP", "ja")])
def test_a_purchase_is_no_consent_where_the_law_knows_none(
    lenient: Merchant, make_contact: MakeContact, country: str, language: str
) -> None:
    bob = make_contact("bob@example.com", agrees=False, country=country, language=language)

    assert bought(bob, clock.now()) == 0
    assert not Consent.objects.exists()


def test_a_purchase_is_no_consent_unless_the_merchant_wants_it(ann: Contact) -> None:
    assert bought(ann, clock.now()) == 0
    assert not Consent.objects.exists()


@pytest.mark.parametrize("is_granted", [True, False])
def test_kr_free_refusal_what_a_person_said_is_never_overruled_by_a_purchase(
    lenient: Merchant, ann: Contact, *, is_granted: bool
) -> None:
    """KR free refusal: never after refusal."""
    answer(ann, is_granted=is_granted)

    assert bought(ann, clock.now()) == 0
    assert (Consent.objects.get().basis, Consent.objects.get().is_granted) == ("express", is_granted)


def test_what_a_person_says_replaces_what_the_purchase_stood_for(lenient: Merchant, ann: Contact) -> None:
    with clock.travel(to=NOON):
        bought(ann, NOON)
        assert answer(ann)
    with clock.travel(to=NOON + YEAR):
        uphold()
        assert has_consent(ann)
    row = Consent.objects.get()
    assert (row.basis, row.expires_at) == ("express", None)


def test_an_erased_buyer_consents_to_nothing(lenient: Merchant, ann: Contact) -> None:
    contacts.erase([ann.pk])

    assert bought(ann, clock.now()) == 0
    assert not Consent.objects.exists()


def test_purchases_of_many_cost_as_many_statements_as_of_one(lenient: Merchant, make_contact: MakeContact) -> None:
    counts = []
    for size in (1, 30):
        people = [make_contact(f"p{size}.{number}@example.com", agrees=False, phone=PHONE) for number in range(size)]
        with CaptureQueriesContext(connection) as statements:
            assert messaging.consents_by_purchase({one.pk: clock.now() for one in people}) == 2 * size
        counts.append(len(statements))

    assert counts[0] == counts[1]


def test_a_consent_that_runs_out_takes_the_night_with_it_and_touches_the_segments(ann: Contact) -> None:
    with clock.travel(to=NOON):
        answer(ann, expires_at=NOON + timedelta(days=10))
        contacts.set_night_consent(ann.pk, channel="email", is_granted=True, source="page")
        contacts.claim_touched(100)
        ConsentNotice.objects.all().delete()
    with clock.travel(to=NOON + timedelta(days=10)):
        assert messaging.uphold_consents(10) == 1
        assert contacts.claim_touched(100) == [ann.pk]

    log = ConsentEvent.objects.filter(source="expired").order_by("pk").values_list("purpose", "is_granted")
    assert set(log) == {("marketing", False), ("night", False)}
    assert not Consent.objects.get().is_night_granted


@pytest.mark.parametrize("channel", list(ChannelKind))
def test_every_channel_has_a_name_in_the_notices(ann: Contact, channel: str) -> None:
    answer(ann, channel)

    (notice,) = uphold()

    assert len(notice.data["lines_ko"]) == len(notice.data["lines_en"]) == 1


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_tell_nobody_twice_and_forget_nobody(korea: Merchant, make_contact: MakeContact) -> None:
    people = [make_contact(f"p{number}@example.com") for number in range(40)]
    for one in people[:20]:
        contacts.set_consent(
            one.pk, channel="email", is_granted=True, source="fair", expires_at=clock.now() + timedelta(seconds=1)
        )

    def work() -> None:
        while contacts_waiting():
            with transaction.atomic():
                messaging.uphold_consents(7)

    with clock.travel(to=clock.now() + timedelta(seconds=2)):
        together(work, work)

    told = [event for data in Message.objects.values_list("data", flat=True) for event in data["events"]]
    assert sorted(told) == list(
        ConsentEvent.objects.exclude(source="expired").order_by("pk").values_list("pk", flat=True)
    )
    assert ConsentEvent.objects.filter(source="expired").count() == 20


def contacts_waiting() -> bool:
    return ConsentNotice.objects.exists() or Consent.objects.filter(expires_at__isnull=False).exists()
