"""The acceptance examples of ``docs/features.toml`` for campaigns that go by the clock, with their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from crm_plugin import activity, automations, clock, contacts, coupons, pipeline, reviews
from crm_plugin.coupons import Coupon
from crm_plugin.messaging import read_click
from crm_plugin.models import Enrollment, Message, ScheduleSlot
from crm_plugin.reviews import Link
from crm_plugin.shop import Customer, Fact, FactKind, OrderState, ShopIdentity
from tests.automations.coupon_story import code_of, issue, percent, showing, use
from tests.fake_catalogue import FakeProduct
from tests.fake_shop import FakeShop
from tests.fake_trade import order_facts, signed_up
from tests.stories import consenting, open_shop, running, send, wait

pytestmark = pytest.mark.django_db

SEOUL = ZoneInfo("Asia/Seoul")
NEVER_ORDERED = {"include": {"type": "did", "activity": "ordered", "times": {"op": "at_most", "count": 0}}}


@pytest.fixture
def shop(fake_shop: FakeShop) -> FakeShop:
    """A shop in Seoul."""
    fake_shop.shop_identity = ShopIdentity("Fake Shop", "https://shop.example/", "Asia/Seoul", "en")
    return fake_shop


def seoul(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SEOUL).astimezone(UTC)


def after(kind: str, *days: int, at: str = "10:00", **more: Any) -> dict[str, Any]:
    return {"type": "after", "activity": kind, "unit": "days", "amounts": list(days), "at": at, **more}


def members(shop: FakeShop, count: int) -> list[Customer]:
    """Customers who agreed to mail."""
    made = [shop.add_customer() for _ in range(count)]
    for customer in made:
        consenting(customer.customer_id, customer.email)
    return made


def tell(kind: FactKind, customer: Customer, at: datetime, **more: Any) -> None:
    key = f"{kind}:{customer.customer_id}:{at.isoformat()}:{more.get('subject', '')}"
    activity.record(Fact(kind=kind, source_key=key, occurred_at=at, customer_id=customer.customer_id, **more))


def buy(shop: FakeShop, customer: Customer, at: datetime, *products: FakeProduct) -> str:
    """Place an order and return its ref."""
    with clock.travel(to=at):
        goods = products or (shop.add_product(price=10),)
        order = shop.place_order(*(one.ref for one in goods), customer_id=customer.customer_id)
        activity.record_many(order_facts(order))
        pipeline.pump()
        return order.order_ref


def move(shop: FakeShop, order_ref: str, state: OrderState, at: datetime) -> None:
    """Move an order on, told by a hook."""
    with clock.travel(to=at):
        activity.record_many(order_facts(shop.set_order_state(order_ref, state), changed_at=at))
        pipeline.pump()


def deliver(customer: Customer, order_ref: str, at: datetime) -> None:
    """The shop says that an order arrived."""
    with clock.travel(to=at):
        key = activity.delivered_key(order_ref)
        who = customer.customer_id
        activity.record(Fact(kind=FactKind.DELIVERED, source_key=key, customer_id=who, order_ref=order_ref))
        pipeline.pump()


def work(at: datetime) -> None:
    """Do once what the workers do all the time."""
    with clock.travel(to=at):
        pipeline.pump()
        pipeline.deliver()


def work_at(hour: str, days: Sequence[str]) -> None:
    for day in days:
        work(seoul(f"{day}T{hour}"))


def entered() -> list[str]:
    return sorted(Enrollment.objects.values_list("contact__customer_id", flat=True))


@pytest.mark.feature(4)
def test_of_ten_who_joined_three_days_ago_the_six_without_an_order(shop: FakeShop) -> None:
    joined = seoul("2027-03-01T15:00")
    with clock.travel(to=joined):
        people = members(shop, 10)
        activity.record_many(signed_up(one) for one in people)
        pipeline.pump()
    for one in people[:4]:
        buy(shop, one, seoul("2027-03-02T12:00"))
    with clock.travel(to=seoul("2027-03-03T09:00")):
        running(after("signed_up", 3, audience=NEVER_ORDERED))

    work_at("10:00", ["2027-03-03", "2027-03-04", "2027-03-05"])

    assert entered() == sorted(one.customer_id for one in people[4:])
    assert set(Enrollment.objects.values_list("campaign__name", "entered_at")) == {("Test", joined)}


@pytest.mark.feature(5)
def test_who_did_not_come_for_exactly_and_for_at_least_fourteen_days(shop: FakeShop) -> None:
    people = dict(zip((13, 14, 15), members(shop, 3), strict=True))
    for days, one in people.items():
        tell(FactKind.LOGGED_IN, one, seoul("2027-03-20T08:00") - timedelta(days=days))
    came = {"type": "did", "activity": "logged_in"}
    lately = {"type": "within", "amount": 14, "unit": "days"}
    stayed_away = {"all": [came, {**came, "times": {"op": "at_most", "count": 0}, "window": lately}]}
    audience = {"include": {"type": "all", "of": stayed_away["all"]}}
    with clock.travel(to=seoul("2027-03-20T09:00")):
        pipeline.pump()
        exactly = running(after("logged_in", 14))
        at_least = running(
            {"type": "audience", "audience": audience, "schedule": {"type": "daily", "at": "10:00"}},
        )

    work(seoul("2027-03-20T10:00"))

    found = {one.pk: set(Enrollment.objects.filter(campaign=one).values_list("contact__customer_id", flat=True))
             for one in (exactly, at_least)}  # fmt: skip
    assert found[exactly.pk] == {people[14].customer_id}
    assert found[at_least.pk] == {people[14].customer_id, people[15].customer_id}


ASK = send(
    offers=False,
    is_review_request=True,
    template=showing("{% for item in items %}{{ item.name }}: {{ item.review_url }}\n{% endfor %}"),
)
REVIEW_REQUEST = {"steps": [ASK], "exit_when": ["order_undone", "reviewed_item"]}


def asked_in(text: str) -> dict[str, str]:
    """What a mail asks about, and the addresses of the forms."""
    lines = (line.strip().partition(": ") for line in text.splitlines())
    tokens = {name: read_click(url.rstrip("/").rpartition("/")[2]) for name, dots, url in lines if dots}
    return {name: found[1] for name, found in tokens.items() if found is not None}


def form_of(url: str) -> Link:
    """What the address of a form stands for."""
    prefix = "https://shop.example/crm/review/"
    assert url.startswith(prefix)
    found = reviews.read_link(url.removeprefix(prefix).rstrip("/"))
    assert found is not None
    return found


@pytest.mark.feature(15)
def test_seven_days_after_delivery_one_review_request_with_a_link_for_each_item(shop: FakeShop, mailoutbox) -> None:
    bowl, cup = shop.add_product(price=10, name="Bowl"), shop.add_product(price=5, name="Cup")
    happy, wrote, sent_back = members(shop, 3)
    orders = {one.customer_id: buy(shop, one, seoul("2027-03-01T12:00"), cup, bowl) for one in (happy, sent_back)}
    orders[wrote.customer_id] = buy(shop, wrote, seoul("2027-03-01T12:00"), bowl)
    with clock.travel(to=seoul("2027-03-02T12:00")):
        running(after("delivered", 7), **REVIEW_REQUEST)
    for one in (happy, wrote, sent_back):
        deliver(one, orders[one.customer_id], seoul("2027-03-03T18:00"))
    with clock.travel(to=seoul("2027-03-05T12:00")):
        tell(FactKind.REVIEWED, wrote, clock.now(), product_id=bowl.product_id, shop_channel="default")
        pipeline.pump()
    move(shop, orders[sent_back.customer_id], OrderState.REFUNDED, seoul("2027-03-06T12:00"))
    shop.set_stock(cup.ref, 0)  # what they have is no offer: that it sold out meanwhile does not matter

    work(seoul("2027-03-10T09:59"))
    before = len(mailoutbox)
    work_at("10:00", ["2027-03-10", "2027-03-11", "2027-03-12"])

    assert before == 0
    (mail,) = mailoutbox
    assert mail.to == [happy.email]
    asked = asked_in(mail.body)
    assert list(asked) == ["Bowl", "Cup"]  # the dearest first
    with clock.travel(to=seoul("2027-03-12T12:00")):
        forms = [form_of(url) for url in asked.values()]
    assert [(form.product_id, form.order_ref) for form in forms] == [
        (one.product_id, orders[happy.customer_id]) for one in (bowl, cup)
    ]
    assert {form.contact_id for form in forms} == {contacts.find(customer_id=happy.customer_id).pk}


@pytest.mark.feature(15)
def test_an_item_that_was_reviewed_is_left_out_of_the_request(shop: FakeShop, mailoutbox) -> None:
    bowl, cup = shop.add_product(price=10, name="Bowl"), shop.add_product(price=5, name="Cup")
    (ann,) = members(shop, 1)
    order_ref = buy(shop, ann, seoul("2027-03-01T12:00"), bowl, cup)
    with clock.travel(to=seoul("2027-03-02T12:00")):
        running(after("delivered", 7), **REVIEW_REQUEST)
    deliver(ann, order_ref, seoul("2027-03-03T18:00"))
    tell(FactKind.REVIEWED, ann, seoul("2027-03-05T12:00"), product_id=bowl.product_id, shop_channel="default")

    work(seoul("2027-03-10T10:00"))

    (mail,) = mailoutbox
    assert list(asked_in(mail.body)) == ["Cup"]


@pytest.mark.feature(15)
def test_a_line_that_was_refunded_is_left_out_of_the_request(shop: FakeShop, mailoutbox) -> None:
    bowl, cup = shop.add_product(price=10, name="Bowl"), shop.add_product(price=5, name="Cup")
    (ann,) = members(shop, 1)
    order_ref = buy(shop, ann, seoul("2027-03-01T12:00"), bowl, cup)
    with clock.travel(to=seoul("2027-03-02T12:00")):
        running(after("delivered", 7), **REVIEW_REQUEST)
    deliver(ann, order_ref, seoul("2027-03-03T18:00"))
    shop.refund_lines(order_ref, bowl.ref)

    work(seoul("2027-03-10T10:00"))

    (mail,) = mailoutbox
    assert list(asked_in(mail.body)) == ["Cup"]


@pytest.mark.feature(16)
def test_who_did_not_confirm_five_days_after_delivery_gets_one_notice(shop: FakeShop, mailoutbox) -> None:
    confirmed, silent = (shop.add_customer() for _ in range(2))  # neither agreed to advertising: it is a notice
    both = [(one, buy(shop, one, seoul("2027-03-01T12:00"))) for one in (confirmed, silent)]
    other = buy(shop, confirmed, seoul("2027-03-01T12:00"))  # an order of the same person, not confirmed
    with clock.travel(to=seoul("2027-03-02T12:00")):
        open_shop()
        automations.publish(automations.create_from_recipe("purchase_confirm", name="Confirm").pk)
    for one, order_ref in [*both, (confirmed, other)]:
        deliver(one, order_ref, seoul("2027-03-03T18:00"))
    with clock.travel(to=seoul("2027-03-04T12:00")):
        activity.confirm_receipt(shop.order_rows[both[0][1]])

    work_at("10:00", ["2027-03-07", "2027-03-08", "2027-03-09"])

    assert sorted(mail.to for mail in mailoutbox) == sorted([[silent.email], [confirmed.email]])
    assert {message.message_class for message in Message.objects.all()} == {"transactional"}
    assert {message.created_at for message in Message.objects.all()} == {seoul("2027-03-08T10:00")}
    (his,) = (mail for mail in mailoutbox if mail.to == [silent.email])
    button = next(line for line in his.body.splitlines() if line.startswith("Yes, it has arrived: "))
    found = read_click(button.rstrip("/").rpartition("/")[2])
    assert found is not None
    receipt = activity.read_receipt(found[1].rstrip("/").rpartition("/")[2])
    assert receipt is not None
    assert receipt.order == shop.order_rows[both[1][1]]


@pytest.mark.feature(16)
def test_who_confirms_while_the_notice_is_held_does_not_get_it(shop: FakeShop, mailoutbox) -> None:
    ann = shop.add_customer()
    order_ref = buy(shop, ann, seoul("2027-03-01T12:00"))
    with clock.travel(to=seoul("2027-03-02T12:00")):
        open_shop()
        automations.publish(automations.create_from_recipe("purchase_confirm", name="Confirm").pk)
    deliver(ann, order_ref, seoul("2027-03-03T18:00"))
    with clock.travel(to=seoul("2027-03-08T10:00")):
        pipeline.pump()
        activity.confirm_receipt(shop.order_rows[order_ref])

    work(seoul("2027-03-08T10:01"))

    assert mailoutbox == []
    assert Enrollment.objects.values_list("state", "reason").get() == ("exited", "exited")


@pytest.mark.feature(17)
def test_born_on_29_february_is_greeted_on_the_28th_and_once_a_year(shop: FakeShop, mailoutbox) -> None:
    with clock.travel(to=seoul("2027-02-01T12:00")):
        contacts.declare_attribute("birthday", "date")
        (ann,) = members(shop, 1)
        person = contacts.find(customer_id=ann.customer_id)
        assert person is not None
        contacts.set_attributes(person.pk, {"birthday": "1992-02-29"})
        running({"type": "date", "attribute": "birthday", "at": "10:00"})

    days = ("2027-02-27", "2027-02-28", "2027-03-01")
    sent = {}
    for day in days:
        work(seoul(f"{day}T09:59"))
        sent[day, "09:59"] = len(mailoutbox)
        work(seoul(f"{day}T10:00"))
        sent[day, "10:00"] = len(mailoutbox)
    with clock.travel(to=seoul("2027-03-02T12:00")):
        contacts.set_attributes(person.pk, {"birthday": "1992-03-05"})
    work_at("10:00", ["2027-03-05", "2027-03-06"])
    same_year = len(mailoutbox)
    work_at("10:00", ["2028-03-04", "2028-03-05"])

    assert list(sent.values()) == [0, 0, 0, 1, 1, 1]
    assert (same_year, len(mailoutbox)) == (1, 2)


@pytest.mark.feature(18)
def test_a_year_after_the_first_order(shop: FakeShop, mailoutbox) -> None:
    (ann,) = members(shop, 1)
    buy(shop, ann, seoul("2025-11-22T08:00"))
    with clock.travel(to=seoul("2025-11-22T09:00")):
        running({"type": "date", "attribute": "first_order_at", "at": "10:00"})
    work(seoul("2025-11-22T10:00"))
    on_the_day = len(mailoutbox)
    buy(shop, ann, seoul("2026-11-02T12:00"))

    work_at("10:00", ["2026-11-02", "2026-11-21", "2026-11-22", "2026-11-23"])

    assert on_the_day == 0
    assert [message.created_at for message in Message.objects.all()] == [seoul("2026-11-22T10:00")]
    assert len(mailoutbox) == 1


@pytest.mark.feature(19)
def test_each_lapse_has_its_own_message_once_until_the_next_order(shop: FakeShop) -> None:
    today = seoul("2027-03-20T08:00")
    people = dict(zip((89, 90, 180, 365), members(shop, 4), strict=True))
    for days, one in sorted(people.items(), reverse=True):
        buy(shop, one, today - timedelta(days=days))
    with clock.travel(to=today + timedelta(hours=1)):
        running(after("ordered", 90, 180, 365), [send()], exit_when=["ordered"])

    work(seoul("2027-03-20T10:00"))
    first = dict(Enrollment.objects.values_list("contact__customer_id", "context__rung"))
    work(seoul("2027-03-20T10:30"))
    again = Enrollment.objects.count()

    assert first == {people[90].customer_id: 90, people[180].customer_id: 180, people[365].customer_id: 365}
    assert again == 3
    # the next order sets the clock back: 90 days after it, step 1 once more, and step 3 for nobody else
    buy(shop, people[180], seoul("2027-03-21T12:00"))
    Enrollment.objects.all().delete()
    work_at("10:00", ["2027-06-18", "2027-06-19", "2027-06-20"])
    runs = Enrollment.objects.filter(contact__customer_id=people[180].customer_id)
    assert list(runs.values_list("context__rung", flat=True)) == [90]
    work_at("10:00", ["2027-09-21"])  # 365 days after the order that was followed by another
    assert runs.count() == 1


@pytest.mark.feature(21)
def test_a_category_is_due_again_three_days_before_its_cycle_ends(shop: FakeShop, mailoutbox) -> None:
    coffee = shop.add_group("Coffee")
    beans, mug = shop.add_product(price=10, name="Beans"), shop.add_product(price=10, name="Mug")
    shop.put_in(beans, coffee)
    once, twice = members(shop, 2)
    with clock.travel(to=seoul("2026-10-30T12:00")):
        running(after("bought", 27, what={"groups": [coffee.key]}))
    for one in (once, twice):
        buy(shop, one, seoul("2026-11-01T12:00"), beans, mug)
    buy(shop, twice, seoul("2026-11-20T12:00"), beans)
    buy(shop, once, seoul("2026-11-21T12:00"), mug)  # another category sets no clock back

    work_at("10:00", [f"2026-11-{day}" for day in range(22, 31)] + [f"2026-12-{day:02}" for day in range(1, 25)])

    sent = Message.objects.order_by("created_at").values_list("contact__customer_id", "created_at")
    assert list(sent) == [
        (once.customer_id, seoul("2026-11-28T10:00")),
        (twice.customer_id, seoul("2026-12-17T10:00")),
    ]
    assert all("Beans: " in mail.body and "Mug: " not in mail.body for mail in mailoutbox)


@pytest.mark.feature(27)
def test_coupons_that_end_in_three_days_and_were_not_used(shop: FakeShop, mailoutbox) -> None:
    used, one_code, two_codes, later = people = members(shop, 4)
    with clock.travel(to=seoul("2027-03-13T12:00")):
        ten, five = percent(10, name="Ten", expires_in_days=7), percent(5, name="Five", expires_in_days=7)
        for template, one in [*((ten, one) for one in people), (five, two_codes)]:
            issue(template, one, expires_in_days=8 if one is later else None)
    with clock.travel(to=seoul("2027-03-14T12:00")):
        use(shop, code_of(used), used)
        open_shop()
        automations.publish(automations.create_from_recipe("coupon_expiry", name="Expiry").pk)

    work(seoul("2027-03-17T09:59"))
    before = Enrollment.objects.count()
    work(seoul("2027-03-17T10:00"))

    assert before == 0
    runs = {run.contact.customer_id: run for run in Enrollment.objects.select_related("contact")}
    assert set(runs) == {one_code.customer_id, two_codes.customer_id}
    both = sorted(Coupon.objects.filter(contact__customer_id=two_codes.customer_id), key=lambda row: row.code)
    assert runs[two_codes.customer_id].context["coupons"] == [
        {"id": row.pk, "code": row.code, "expires_on": "2027-03-20", "name": row.name} for row in both
    ]
    assert sorted(mail.to for mail in mailoutbox) == sorted([[one_code.email], [two_codes.email]])
    (digest,) = (mail for mail in mailoutbox if mail.to == [two_codes.email])
    assert digest.subject.endswith("2 coupons end in three days")
    assert all(row.code in digest.body for row in both)


@pytest.mark.feature(27)
def test_a_coupon_that_is_used_while_the_reminder_is_held_is_not_told(shop: FakeShop, mailoutbox) -> None:
    (ann, bob) = members(shop, 2)
    with clock.travel(to=seoul("2027-03-13T12:00")):
        ten, five = (percent(10, name=name, expires_in_days=7) for name in ("Ten", "Five"))
        for template, one in ((ten, ann), (ten, bob), (five, bob)):
            issue(template, one)
    text = showing("{% for coupon in coupons %}{{ coupon.name }} {% endfor %}")
    with clock.travel(to=seoul("2027-03-14T12:00")):
        running({"type": "coupon_expiry", "days_before": 3, "at": "10:00"}, [send(template=text)], exit_when=[])
    with clock.travel(to=seoul("2027-03-17T10:00")):
        pipeline.pump()
        use(shop, code_of(ann), ann)
        coupons.withdraw(Coupon.objects.get(contact__customer_id=bob.customer_id, name="Ten").pk)

    work(seoul("2027-03-17T10:01"))

    assert [(mail.to, mail.body.split()[0]) for mail in mailoutbox] == [([bob.email], "Five")]
    assert Message.objects.get(contact__customer_id=ann.customer_id).reason == "coupon_gone"


@pytest.mark.feature(32)
def test_who_subscribed_through_the_teaser_gets_the_opening_message_and_nobody_after(shop: FakeShop) -> None:
    people = members(shop, 120)
    for one in people:
        tell(FactKind.FORM_SUBMITTED, one, seoul("2027-03-18T12:00"), subject="teaser")
    teaser = {"type": "did", "activity": "form_submitted", "what": {"subject": {"op": "is", "value": "teaser"}}}
    with clock.travel(to=seoul("2027-03-19T12:00")):
        members(shop, 1)  # a friend who came another way
        pipeline.pump()
        schedule = {"type": "once", "at": "2027-03-20T10:00"}
        running({"type": "audience", "audience": {"include": teaser}, "schedule": schedule})

    with clock.travel(to=seoul("2027-03-20T09:59")):
        pipeline.pump()
        before = Message.objects.count()
    with clock.travel(to=seoul("2027-03-20T10:00")):
        pipeline.pump()
        queued = Message.objects.filter(state="queued").count()
    (late,) = members(shop, 1)
    tell(FactKind.FORM_SUBMITTED, late, seoul("2027-03-21T09:00"), subject="teaser")
    work_at("10:00", ["2027-03-21", "2027-03-22"])

    assert (before, queued, Message.objects.count()) == (0, 120, 120)
    assert ScheduleSlot.objects.values_list("state", "enrolled_count").get() == ("done", 120)


@pytest.mark.feature(52)
def test_two_days_after_a_view_and_never_for_those_before_the_campaign(shop: FakeShop, mailoutbox) -> None:
    product = shop.add_product(price=10)
    people = dict(zip((29, 30, 31), members(shop, 3), strict=True))
    for day, one in people.items():
        at = seoul(f"2027-01-{day}T12:00")
        tell(FactKind.VIEWED, one, at, product_id=product.product_id, shop_channel="default")
    with clock.travel(to=seoul("2027-02-01T09:30")):
        pipeline.pump()
        running(after("viewed", 2))

    mailed = {}
    for day in (1, 2, 3, 4):
        work(seoul(f"2027-02-0{day}T10:00"))
        mailed[day] = [mail.to[0] for mail in mailoutbox]
        mailoutbox.clear()

    assert mailed == {1: [people[30].email], 2: [people[31].email], 3: [], 4: []}


@pytest.mark.feature(58)
def test_at_a_fixed_time_the_same_people_as_in_real_time_at_other_times(shop: FakeShop) -> None:
    bowl, cup = shop.add_product(price=10), shop.add_product(price=10)
    people = members(shop, 8)
    with clock.travel(to=seoul("2027-03-01T08:00")):
        what = {"what": {"products": [bowl.product_id]}, "reentry": "once"}
        at_once = running({"type": "activity", "activity": "viewed", **what}, [wait(seconds=86_400), send()])
        next_day = running(after("viewed", 1, **what), [send()])
    for number, one in enumerate(people):
        at = seoul("2027-03-02T00:00") + timedelta(hours=3 * number)
        for product in [(bowl,), (cup,), (bowl, cup)][number % 3]:
            with clock.travel(to=at):
                tell(FactKind.VIEWED, one, at, product_id=product.product_id, shop_channel="default", subject="")
                pipeline.pump()

    for hour in range(72):
        with clock.travel(to=seoul("2027-03-02T00:00") + timedelta(hours=hour)):
            pipeline.pump()

    found = {
        campaign.pk: dict(Message.objects.filter(campaign_id=campaign.pk).values_list("contact_id", "created_at"))
        for campaign in (at_once, next_day)
    }
    assert len(found[at_once.pk]) == 5
    assert set(found[at_once.pk]) == set(found[next_day.pk])
    assert set(found[next_day.pk].values()) == {seoul("2027-03-03T10:00")}
    assert len(set(found[at_once.pk].values())) == 5
