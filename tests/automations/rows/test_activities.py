"""The acceptance examples of ``docs/features.toml`` for campaigns that start by what people do or who they are.

Where a row asks for recommended goods, the test puts them into the text (``showing``): what is proven there is who is
written to and when, not how goods are chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from crm_plugin import activity, audience, automations, clock, contacts, pipeline
from crm_plugin.coupons import Coupon
from crm_plugin.models import Enrollment, Member, Message
from crm_plugin.shop import Customer, Fact, FactKind, OrderState, ShopIdentity
from demo.services.mailsink import MailSink
from tests.automations.coupon_story import code_of, gift, issue, percent, showing, use
from tests.fake_catalogue import FakeProduct
from tests.fake_shop import FakeShop
from tests.fake_trade import order_facts, signed_up
from tests.stories import consenting, on, open_shop, running, send, wait

pytestmark = pytest.mark.django_db

SEOUL = ZoneInfo("Asia/Seoul")
#: Nine in the morning in Seoul.
START = datetime(2027, 3, 1, 9, tzinfo=SEOUL).astimezone(UTC)
DAY = 24 * 3600


@pytest.fixture(autouse=True)
def _in_seoul(fake_shop: FakeShop) -> None:
    fake_shop.shop_identity = ShopIdentity("Fake Shop", "https://shop.example/", "Asia/Seoul", "en")


@pytest.fixture
def member(fake_shop: FakeShop) -> Callable[..., Customer]:
    """Make somebody who agreed to mail."""

    def make(name: str = "", **more: Any) -> Customer:
        customer = fake_shop.add_customer(**({"email": f"{name}@example.com"} if name else {}), **more)
        consenting(customer.customer_id, customer.email)
        return customer

    return make


def work(at: datetime, *, until: timedelta = timedelta()) -> None:
    """Let the workers work at a moment, and every half a minute of what follows."""
    moment = at
    while moment <= at + until:
        with clock.travel(to=moment):
            pipeline.pump()
            pipeline.deliver()
        moment += timedelta(seconds=30)


def tell(kind: FactKind, customer: Customer, at: datetime, **more: Any) -> None:
    """Tell what somebody did; nobody has read it yet."""
    key = f"{kind}:{customer.customer_id}:{at.isoformat()}:{more.get('subject', '')}:{more.get('product_id', '')}"
    fact = Fact(
        kind=kind,
        source_key=key,
        occurred_at=at,
        customer_id=customer.customer_id,
        email=customer.email,
        **more,
    )
    activity.record(fact)


def view(customer: Customer, product: FakeProduct, at: datetime) -> None:
    tell(FactKind.VIEWED, customer, at, product_id=product.product_id, shop_channel=product.shop_channel)


def buy(fake_shop: FakeShop, product: FakeProduct, customer: Customer, at: datetime, state: OrderState | None = None):
    """Place an order, and move it on."""
    with clock.travel(to=at):
        order = fake_shop.place_order(product.ref, customer_id=customer.customer_id)
        if state is not None:
            order = fake_shop.set_order_state(order.order_ref, state)
        activity.record_many(order_facts(order, changed_at=at))
    return order


def written_to(smtp: MailSink) -> list[str]:
    return sorted(letter.recipients[0] for letter in smtp.letters)


def everybody_at_ten(include: dict[str, Any], *exclude: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A trigger that looks every morning for who is in an audience."""
    rule = {"include": include, "exclude": list(exclude)}
    return {"type": "audience", "audience": rule, "schedule": {"type": "daily", "at": "10:00"}, **more}


def did(kind: str, *products: FakeProduct, **more: Any) -> dict[str, Any]:
    what = {"what": {"products": [one.product_id for one in products]}} if products else {}
    return {"type": "did", "activity": kind, **what, **more}


@pytest.mark.feature(2)
def test_the_greeting_with_goods_of_the_season_goes_out_at_once(fake_shop, smtp, member) -> None:
    """The choice of the goods is the test's; that of the engine comes with recommendations."""
    winter = [fake_shop.add_product(name=f"Coat {n}", stock=0 if n < 2 else 5) for n in range(12)]
    offers = fake_shop.offers([one.product_id for one in winter], shop_channel="default")
    in_stock = {offer.product_id for offer in offers if offer.available}
    shown = [one.name for one in winter if one.product_id in in_stock]
    with clock.travel(to=START):
        running(on("signed_up"), [send(template=showing(", ".join(shown[:4])))])
        activity.record(signed_up(member("ann")))

    work(START, until=timedelta(seconds=60))

    (letter,) = smtp.letters
    assert [name for name in shown if name in letter.text] == ["Coat 2", "Coat 3", "Coat 4", "Coat 5"]
    assert not any(f"Coat {n}\n" in letter.text or f"Coat {n}," in letter.text for n in (0, 1))


def _views_of_a(fake_shop: FakeShop, member: Callable[..., Customer]) -> FakeProduct:
    """Views 2, 3, 5, and the one with 5 bought it."""
    product = fake_shop.add_product(price=50)
    for name, views in (("two", 2), ("three", 3), ("five", 5)):
        customer = member(name)
        for minute in range(views):
            view(customer, product, START + timedelta(minutes=minute))
    buy(fake_shop, product, customer, START + timedelta(minutes=6))
    return product


@pytest.mark.feature(6)
def test_of_those_who_viewed_it_three_times_the_one_who_did_not_buy_is_reminded(fake_shop, smtp, member) -> None:
    with clock.travel(to=START):
        product = _views_of_a(fake_shop, member)
        looked = did("viewed", product, times={"op": "at_least", "count": 3})
        running(everybody_at_ten(looked, did("bought", product)))
    work(START + timedelta(minutes=10))
    before_ten = written_to(smtp)

    work(START + timedelta(hours=1, seconds=1))
    work(START + timedelta(hours=25, seconds=1))

    assert before_ten == []
    assert written_to(smtp) == ["three@example.com"]


@pytest.mark.feature(6)
def test_who_views_it_the_third_time_is_reminded_an_hour_later_unless_bought(fake_shop, smtp, member) -> None:
    with clock.travel(to=START):
        looked = {"include": did("viewed", times={"op": "at_least", "count": 3})}
        running(on("viewed") | {"audience": looked}, [wait(seconds=3600), send()])
        _views_of_a(fake_shop, member)
    work(START + timedelta(minutes=7))
    work(START + timedelta(minutes=30))
    early = written_to(smtp)

    work(START + timedelta(minutes=67))

    assert early == []
    assert written_to(smtp) == ["three@example.com"]
    ends = dict(Enrollment.objects.values_list("contact__email", "state"))
    assert ends == {"three@example.com": "completed", "five@example.com": "converted"}


@pytest.mark.feature(13)
def test_an_order_of_100_000_won_or_more_that_stands_starts_the_follow_up(fake_shop, smtp, member) -> None:
    amount = {"op": "gte", "value": 100_000, "currency": "KRW"}
    with clock.travel(to=START):
        running(
            on("ordered") | {"amount": amount}, [wait(seconds=DAY), send()], exit_when=["order_undone", "unsubscribed"]
        )
        orders = {}
        for name, price in (("less", 99_999), ("enough", 100_000), ("more", 150_000)):
            goods = fake_shop.add_product(price=price, shop_channel="kr")
            orders[name] = buy(fake_shop, goods, member(name), START)
    work(START)
    entered = set(Enrollment.objects.values_list("contact__email", flat=True))
    with clock.travel(to=START + timedelta(hours=3)):
        refunded = fake_shop.set_order_state(orders["more"].order_ref, OrderState.REFUNDED)
        activity.record_many(order_facts(refunded, changed_at=clock.now()))
    work(START + timedelta(hours=3))

    work(START + timedelta(days=1, seconds=1))

    assert entered == {"enough@example.com", "more@example.com"}
    assert written_to(smtp) == ["enough@example.com"]
    assert Enrollment.objects.values_list("state", "reason").get(contact__email="more@example.com")[0] == "exited"


@pytest.mark.feature(14)
def test_a_paid_order_brings_one_thank_you_and_a_cancelled_or_unpaid_one_none(fake_shop, smtp, member) -> None:
    product = fake_shop.add_product(price=50)
    with clock.travel(to=START):
        running(on("paid"), [wait(seconds=600), send(offers=False)], exit_when=["order_undone"])
        twice, cancels, never_pays = member("twice"), member("cancels"), member("never_pays")
    for _ in range(2):
        paid = buy(fake_shop, product, twice, START, OrderState.PAID)
        activity.record_many(order_facts(paid, changed_at=START))
    gone = buy(fake_shop, product, cancels, START, OrderState.PAID)
    buy(fake_shop, product, never_pays, START)
    work(START)
    with clock.travel(to=START + timedelta(minutes=5)):
        cancelled = fake_shop.set_order_state(gone.order_ref, OrderState.CANCELLED)
        activity.record_many(order_facts(cancelled, changed_at=clock.now()))
    work(START + timedelta(minutes=5))

    work(START + timedelta(minutes=10, seconds=1))

    assert written_to(smtp) == ["twice@example.com", "twice@example.com"]
    assert Enrollment.objects.filter(subject_key=f"order:{gone.order_ref}").get().state == "exited"


@pytest.mark.feature(20)
def test_each_of_the_second_step_gets_a_code_of_their_own_that_ends_in_seven_days(fake_shop, smtp, member) -> None:
    text = showing("{{ coupon.code }} until {{ coupon.expires_on }}")
    trigger = {"type": "after", "activity": "ordered", "unit": "days", "amounts": [180], "at": "10:00"}
    product = fake_shop.add_product(price=50)
    ordered_at = START - timedelta(days=179)
    with clock.travel(to=ordered_at - timedelta(days=1)):
        running(trigger, [gift(percent(15), expires_in_days=7), send(template=text)])
    people = [member(f"p{n}") for n in range(3)]
    for one in people:
        buy(fake_shop, product, one, ordered_at)
    work(ordered_at)

    for hours in (1, 25, 26):
        work(START + timedelta(hours=hours, seconds=1))

    told = {letter.recipients[0]: letter.text.split(" until ")[0] for letter in smtp.letters}
    assert told == {one.email: code_of(one) for one in people}
    assert len(set(told.values())) == len(smtp.letters) == 3
    sent_on = Message.objects.earliest("finished_at").finished_at.astimezone(SEOUL).date()
    midnight = datetime.combine(sent_on + timedelta(days=8), time(), SEOUL)  # D+7 23:59:59 is over
    for code in told.values():
        in_shop = fake_shop.coupons([code])[code]
        assert (in_shop.is_personal, in_shop.is_usable, in_shop.ends_at) == (True, True, midnight)
        assert fake_shop.series_rows[fake_shop.coupon_rows[code].series_ref].terms.percent == 15
    use(fake_shop, told[people[0].email], people[0], product.ref)
    assert fake_shop.coupons([told[people[0].email]])[told[people[0].email]].is_usable is False


@pytest.mark.feature(23)
def test_of_forty_who_like_it_the_35_who_did_not_buy_it_get_a_coupon(fake_shop, smtp, member) -> None:
    product = fake_shop.add_product(price=50)
    with clock.travel(to=START):
        people = [member(f"p{n:02}") for n in range(40)]
        for customer in people:
            fake_shop.like(customer.customer_id, product.whole)
        for customer in people[:5]:
            buy(fake_shop, product, customer, START + timedelta(minutes=1))
        once = {"type": "once", "at": "2027-03-01T10:00:00"}
        running(
            everybody_at_ten(did("liked", product), did("bought", product)) | {"schedule": once},
            [gift(percent(10)), send(template=showing("Code: {{ coupon.code }}"))],
        )
    work(START + timedelta(minutes=1))
    early = (len(smtp.letters), Coupon.objects.count())

    work(START + timedelta(hours=1, seconds=1))

    assert early == (0, 0)
    assert written_to(smtp) == [f"p{n:02}@example.com" for n in range(5, 40)]
    assert {letter.recipients[0]: letter.text.split()[1] for letter in smtp.letters} == {
        customer.email: code_of(customer) for customer in people[5:]
    }
    assert Coupon.objects.count() == len(fake_shop.coupon_rows) == 35


@pytest.mark.feature(25)
def test_who_came_by_a_search_word_is_written_to_and_who_came_without_is_not(fake_shop, smtp, member) -> None:
    """The goods that match the word are the test's choice."""
    dress = fake_shop.add_product(name="여름 원피스")
    word = {"type": "inflow", "touch": "last", "field": "keyword", "op": "contains", "value": "원피스"}
    with clock.travel(to=START):
        running(on("visited") | {"audience": {"include": word}}, [send(template=showing(dress.name))])
        searched, direct = member("searched"), member("direct")
    tell(FactKind.VISITED, searched, START, data={"source": "naver", "medium": "cpc", "keyword": "원피스"})
    tell(FactKind.VISITED, direct, START, data={"source": "direct"})

    work(START)

    assert written_to(smtp) == ["searched@example.com"]
    assert "원피스" in smtp.letters[0].text
    assert not Enrollment.objects.filter(contact__email="direct@example.com").exists()


@pytest.mark.feature(26)
def test_an_issued_coupon_is_told_once_with_its_code_and_its_last_day(fake_shop, smtp, member) -> None:
    at = START + timedelta(hours=1)
    with clock.travel(to=START):
        open_shop()
        automations.publish(automations.create_from_recipe("coupon_issued_notice", name="Notice").pk)
        running(on("signed_up"), [gift(percent(15)), send(template=showing("{{ coupon.code }}", subject="Hello"))])
        ann, bob = member("ann"), member("bob")
        template = percent(10, name="Spring", expires_in_days=30)
    with clock.travel(to=at):
        for _ in range(2):
            issue(template, ann)
        activity.record(signed_up(bob))

    work(at, until=timedelta(minutes=2))

    (letter,) = smtp.letters_to(ann.email)
    assert code_of(ann) in letter.text
    assert "March 31, 2027" in letter.text
    (his,) = smtp.letters_to(bob.email)  # what a campaign gives away stands in its own mail
    assert (his.subject.endswith("Hello"), code_of(bob) in his.text) == (True, True)


@pytest.mark.feature(28)
def test_of_2999_3000_and_8000_points_the_last_two_are_told_theirs(fake_shop, smtp, member) -> None:
    contacts.declare_attribute("points", "number")
    with clock.travel(to=START):
        for name, points in (("few", 2_999), ("enough", 3_000), ("many", 8_000)):
            who = contacts.find(email=member(name).email)
            contacts.set_attributes(who.pk, {"points": points})
        enough = {"type": "attribute", "name": "points", "op": "gte", "value": 3_000}
        running(
            everybody_at_ten(enough),
            [send(template=showing("You have {{ contact.attributes.points | number }} points"))],
        )

    work(START + timedelta(hours=1, seconds=1))

    assert {letter.recipients[0]: letter.text.split()[2] for letter in smtp.letters} == {
        "enough@example.com": "3,000",
        "many@example.com": "8,000",
    }


@pytest.mark.feature(30)
def test_who_is_interested_in_a_category_is_shown_at_most_four_of_its_reduced_goods(fake_shop, smtp, member) -> None:
    """Which of the reduced goods are shown is the test's choice; who is interested is the engine's."""
    bags, hats = fake_shop.add_group("Bags"), fake_shop.add_group("Hats")
    reduced = [fake_shop.add_product(name=f"Bag {n}", price=40, regular_price=50) for n in range(6)]
    hat = fake_shop.add_product(name="Hat", price=40, regular_price=50)
    fake_shop.put_in(hat, hats)
    for product in reduced:
        fake_shop.put_in(product, bags)
    with clock.travel(to=START - timedelta(days=1)):
        for name, product in (("bagfan", reduced[0]), ("hatfan", hat)):
            customer = member(name)
            for minute in range(2):
                view(customer, product, clock.now() - timedelta(minutes=minute))
        work(clock.now())
    with clock.travel(to=START):
        interested = {"type": "interest", "tags": [bags.key], "min_score": 2}
        shown = "\n".join(one.name for one in reduced[:4])
        running(everybody_at_ten(interested), [send(template=showing(shown))])

    work(START + timedelta(hours=1, seconds=1))

    assert written_to(smtp) == ["bagfan@example.com"]
    assert [line for line in smtp.letters[0].text.splitlines() if line.startswith(("Bag", "Hat"))] == [
        f"Bag {n}" for n in range(4)
    ]


@pytest.mark.feature(31)
def test_of_who_ordered_never_once_or_twice_only_once_is_led_to_a_second_order(fake_shop, smtp, member) -> None:
    """Recommended goods in it are missing."""
    product = fake_shop.add_product(price=50)
    with clock.travel(to=START):
        once = {"type": "attribute", "name": "orders_count", "op": "eq", "value": 1}
        running(everybody_at_ten(once), [gift(percent(10)), send(template=showing("{{ coupon.code }}"))])
        people = [member(f"ordered{orders}") for orders in range(3)]
        for orders, customer in enumerate(people):
            for n in range(orders):
                buy(fake_shop, product, customer, START + timedelta(minutes=n))
    work(START + timedelta(minutes=5))

    work(START + timedelta(hours=1, seconds=1))

    assert written_to(smtp) == ["ordered1@example.com"]
    assert smtp.letters[0].text.startswith(code_of(people[1]))
    assert Coupon.objects.count() == 1


@pytest.mark.feature(72)
@pytest.mark.parametrize(("stock", "told"), [(3, ["Only 3 left"]), (0, []), (1_000, [""])])
def test_how_many_are_left_is_that_of_the_moment_of_sending(fake_shop, smtp, member, stock, told) -> None:
    with clock.travel(to=START):
        lamp = fake_shop.add_product(name="Lamp", price=50, stock=40)
        text = showing("Lamp: {% for item in items %}{{ item.available | stock: 5 }}{% endfor %}.")
        running(on("liked"), [wait(seconds=3600), send(template=text)])
        fake_shop.like(member("ann").customer_id, lamp.whole)
    work(START)
    fake_shop.set_stock(lamp.ref, stock)

    work(START + timedelta(hours=1, seconds=1))

    assert [letter.text.partition(".")[0].removeprefix("Lamp:").strip() for letter in smtp.letters] == told
    assert Message.objects.get().reason == ("" if stock else "sold_out")


@pytest.mark.feature(33)
def test_a_submitted_form_makes_the_profile_the_list_the_segment_and_one_message(fake_shop, smtp) -> None:
    contacts.declare_attribute("interest", "text")
    with clock.travel(to=START):
        newsletter = audience.create_segment("Newsletter")
        of_a = {"type": "attribute", "name": "interest", "op": "is", "value": "A"}
        segment = audience.create_segment("A", {"include": of_a})
        pipeline.upkeep_audience()
        running(
            on("form_submitted") | {"what": {"subject": {"op": "is", "value": "landing"}}},
            [
                {"type": "set_attribute", "id": "keep", "name": "interest", "from_event": "interest"},
                {"type": "list", "id": "join", "segment": newsletter.pk},
                send(),
            ],
        )
        consenting("", "new@example.com")
        for key in ("f1", "f1", "f2"):
            form = "landing" if key == "f1" else "other"
            activity.record(
                Fact(
                    kind=FactKind.FORM_SUBMITTED,
                    source_key=key,
                    email="new@example.com",
                    subject=form,
                    data={"interest": "A"},
                )
            )
        pipeline.pump()
        pipeline.deliver()
        pipeline.upkeep_audience()
        pipeline.pump()

    who = contacts.find(email="new@example.com")
    assert who.attributes == {"interest": "A"}
    assert set(Member.objects.filter(contact=who).values_list("segment", flat=True)) == {newsletter.pk, segment.pk}
    assert written_to(smtp) == ["new@example.com"]


@pytest.mark.feature(34)
def test_a_registered_product_brings_one_request_for_a_review_after_14_days(fake_shop, smtp, member) -> None:
    with clock.travel(to=START):
        text = showing("How do you like {{ event.serial }}?")
        registered = {"what": {"subject": {"op": "is", "value": "product_registration"}}}
        running(on("form_submitted") | registered, [wait(seconds=14 * DAY), send(template=text)])
        ann = member("ann")
    for _ in range(2):
        tell(FactKind.FORM_SUBMITTED, ann, START, subject="product_registration", data={"serial": "BK-81"})
    work(START)
    work(START + timedelta(days=14) - timedelta(seconds=30))
    early = len(smtp.letters)

    work(START + timedelta(days=14, seconds=30), until=timedelta(minutes=1))

    assert early == 0
    (letter,) = smtp.letters
    assert letter.text.startswith("How do you like BK-81?")


@pytest.mark.feature(35)
def test_a_click_in_a_social_shop_that_leaves_an_address_starts_a_run_about_the_product(fake_shop, smtp) -> None:
    product, other = fake_shop.add_product(name="Lamp"), fake_shop.add_product(name="Chair")
    with clock.travel(to=START):
        running(on("custom") | {"what": {"subject": {"op": "is", "value": "social_shop_click"}}})
        consenting("", "social@example.com")
        for key, who in (("known", {"email": "social@example.com"}), ("unknown", {"visitor_id": "v" * 24})):
            activity.record(
                Fact(
                    kind=FactKind.CUSTOM,
                    source_key=key,
                    subject="social_shop_click",
                    product_id=product.product_id,
                    shop_channel="default",
                    **who,
                )
            )

    work(START)

    run = Enrollment.objects.get()
    assert [item["product_id"] for item in run.items] == [product.product_id]
    (letter,) = smtp.letters
    assert letter.recipients == ("social@example.com",)
    assert product.name in letter.text
    assert other.name not in letter.text
