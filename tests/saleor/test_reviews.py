"""Reviews inside Saleor, which has none: bought, delivered, asked for by mail, written, published, shown."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from saleor.graphql.tests.fixtures import ApiClient
from saleor.order.models import Order

from crm_plugin import automations, clock, persons, reviews, tasks
from crm_plugin.models import Activity, Contact, Failure, Link, Rating, Review
from crm_plugin.reviews import LinkState, Source, Submission
from crm_plugin.shop import ProductRef
from demo.services.mailsink import MailSink
from tests.saleor import asking, checkout, engine
from tests.saleor.test_orders import FULFILL
from tests.saleor.world import SaleorWorld
from tests.stories import open_shop

pytestmark = [pytest.mark.saleor, pytest.mark.django_db]

LIST = """
query($product: ID!, $sort: CrmReviewSort, $verified: Boolean) {
  crmProductReviews(productId: $product, first: 10, sort: $sort, isVerified: $verified) {
    edges { node { id rating title body author isVerified language publishedAt variantId
      pictures { url width height } answer { text answeredAt } } } } }
"""
RATINGS = """
query($products: [ID!]!, $channel: String) { crmProductRatings(productIds: $products, channel: $channel) {
  productId average count histogram { stars count } jsonLd } }
"""
CREATE = """
mutation($input: CrmReviewInput!) { crmReviewCreate(input: $input) {
  review { id state pictures { url } } errors { field code message } } }
"""
QUEUE = """
query { crmReviews(first: 10) { edges { node {
  id title contact { email } orderId isVerified source pictures { url } } } } }
"""
PUBLISH = "mutation($id: ID!) { crmReviewPublish(id: $id) { review { state } errors { field code message } } }"
REJECT = """
mutation($id: ID!) { crmReviewReject(id: $id, remark: "names a person") {
  review { state remark contact { email } pictures { url } } errors { field code message } } }
"""
ANSWER = """
mutation($id: ID!) { crmReviewAnswer(id: $id, text: "Thank you!") {
  review { answer { text answeredAt } } errors { field code message } } }
"""
DELETE = (
    'mutation($id: ID!) { crmReviewDelete(id: $id, remark: "asked for") { deletedId errors { field code message } } }'
)
OWN = "query { crmMe { reviews(first: 5) { edges { node { state title pictures { url } } } } } }"
MODERATE = """
mutation($on: Boolean!) { crmSettingsUpdate(input: {isReviewModerated: $on}) {
  settings { isReviewModerated } errors { field code message } } }
"""
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = str(tmp_path / "media")
    return tmp_path / "media"


@pytest.fixture
def mug(world: SaleorWorld) -> ProductRef:
    world.channel.allow_unpaid_orders = True
    world.channel.save()
    return world.make_product(prices=[Decimal(20)], stocks=[50], name="Blue Mug")[0]


@pytest.fixture
def manager(crm: Any) -> ApiClient:
    return asking.staff("manage_crm", "manage_orders", email="boss@example.com")


def picture() -> bytes:
    file = BytesIO()
    Image.new("RGB", (40, 30), "red").save(file, "PNG")
    return file.getvalue()


def product(ref: ProductRef) -> str:
    return asking.gid("Product", ref.product_id)


def shown(ref: ProductRef, **wanted: Any) -> list[dict[str, Any]]:
    """What anybody sees in the storefront."""
    page = asking.ask(asking.anybody(), LIST, product=product(ref), **wanted)
    return [edge["node"] for edge in page["edges"]]


def fulfil(world: SaleorWorld, manager: ApiClient, order: str) -> Order:
    row = Order.objects.get()
    stocks = [{"quantity": 1, "warehouse": asking.gid("Warehouse", world.warehouse.pk)}]
    lines = [{"orderLineId": asking.gid("OrderLine", row.lines.get().pk), "stocks": stocks}]
    asking.ask(manager, FULFILL, order=order, input={"lines": lines})
    return row


def work_until(start: datetime, *, days: int) -> None:
    """Let the workers work day by day; a little later as well, as a night may hold a mail."""
    for day in range(1, days + 1):
        for hour in (9, 10, 11):
            with clock.travel(to=(start + day * DAY).replace(hour=hour, minute=5)):
                engine.run()
                tasks.housekeep.delay()
                engine.run()


def token_in_mail() -> str:
    """Return the token of the form that the one mail leads to; its link is stored where clicks are counted."""
    (address,) = (link.url for link in Link.objects.all() if "/review/" in link.url)
    return address.rstrip("/").rpartition("/")[2]


@pytest.mark.feature(15)
def test_who_bought_is_asked_writes_by_the_link_and_is_read_in_the_storefront(
    world: SaleorWorld, mug: ProductRef, manager: ApiClient, crm: Any, smtp: MailSink
) -> None:
    open_shop(consent_text="You agreed to this.", time_zone="UTC")
    made = automations.create_campaign(name="Ask", definition=automations.recipe("review_request"))
    automations.publish(made.pk)
    ann, start = asking.register(world), datetime.now(UTC)
    row = fulfil(world, manager, checkout.buy(ann, mug, email="ann@example.com"))
    engine.run()

    work_until(start, days=12)
    (letter,) = smtp.letters
    assert letter.recipients == ("ann@example.com",)
    with crm.writable():
        link = reviews.read_link(token_in_mail())
        assert link is not None
        assert (link.state, link.product_id, link.order_ref) == (LinkState.OPEN, mug.product_id, str(row.pk))
        reviews.submit(
            Submission(
                contact_id=link.contact_id,
                product_id=link.product_id,
                variant_id=link.variant_id,
                order_ref=link.order_ref,
                shop_channel=link.shop_channel,
                language=link.language,
                rating=5,
                title="Fine",
                body="<script>alert(1)</script>",
                author="Ann",
                pictures=[picture()],
                source=Source.LINK,
            )
        )
    assert shown(mug) == []

    (waiting,) = (edge["node"] for edge in asking.ask(manager, QUEUE)["edges"])
    assert (waiting["contact"], waiting["source"], waiting["isVerified"]) == (
        {"email": "ann@example.com"},
        "LINK",
        True,
    )
    assert waiting["orderId"] == asking.gid("Order", row.pk)
    asking.ask(manager, PUBLISH, id=waiting["id"])
    asking.ask(manager, ANSWER, id=waiting["id"])

    (review,) = shown(mug, sort="BEST", verified=True)
    assert (review["rating"], review["title"], review["body"]) == (5, "Fine", "<script>alert(1)</script>")
    assert review["answer"]["text"] == "Thank you!"
    assert review["variantId"] == asking.gid("ProductVariant", mug.variant_id)
    (image,) = review["pictures"]
    assert image["url"].startswith("https://api.shop.example/")
    assert image["url"].endswith(".jpg")
    engine.drain()
    kinds = Activity.objects.filter(kind__startswith="review").values_list("kind", flat=True)
    assert sorted(kinds) == ["review_published", "reviewed"]
    with crm.writable():
        again = reviews.read_link(token_in_mail())
    assert again is not None
    assert again.state is LinkState.REVIEWED
    assert not Failure.objects.exists()


@pytest.mark.feature(15)
def test_who_has_reviewed_it_meanwhile_is_not_asked(
    world: SaleorWorld, mug: ProductRef, manager: ApiClient, smtp: MailSink
) -> None:
    open_shop(consent_text="You agreed to this.", time_zone="UTC")
    made = automations.create_campaign(name="Ask", definition=automations.recipe("review_request"))
    automations.publish(made.pk)
    ann, start = asking.register(world), datetime.now(UTC)
    fulfil(world, manager, checkout.buy(ann, mug, email="ann@example.com"))
    engine.run()

    asking.ask(ann, CREATE, input={"productId": product(mug), "rating": 3})
    work_until(start, days=12)

    assert smtp.letters == ()


def test_a_grid_has_its_ratings(world: SaleorWorld, mug: ProductRef, manager: ApiClient) -> None:
    asking.ask(manager, MODERATE, on=False)
    given = {"productId": product(mug), "channel": world.channel.slug, "author": "Ann", "title": "</script>"}
    for stars in (5, 4):
        client = asking.customer(world.make_customer(email=f"c{stars}@example.com"))
        asking.ask(client, CREATE, input={**given, "rating": stars})
    other = world.make_product(prices=[Decimal(5)], stocks=[1], name="Red Cup")[0]

    found = asking.ask(asking.anybody(), RATINGS, products=[product(mug), product(other)], channel=world.channel.slug)

    assert [(one["average"], one["count"]) for one in found] == [(4.5, 2), (None, 0)]
    assert [one["count"] for one in found[0]["histogram"]] == [0, 0, 0, 1, 1]
    assert "<" not in found[0]["jsonLd"]
    assert json.loads(found[0]["jsonLd"])["name"] == "Blue Mug"
    assert found[1]["jsonLd"] is None


def test_a_customer_writes_in_the_storefront_and_staff_take_it_away(
    world: SaleorWorld, mug: ProductRef, manager: ApiClient, media: Path
) -> None:
    ann = asking.customer(world.make_customer(email="ann@example.com"))
    sent = [base64.b64encode(picture()).decode()]

    made = asking.ask(
        ann, CREATE, input={"productId": product(mug), "rating": 1, "title": "Bob did it", "pictures": sent}
    )
    key = made["review"]["id"]
    assert made["review"]["state"] == "PENDING"
    asking.ask(manager, PUBLISH, id=key)
    assert len(shown(mug)) == 1
    rejected = asking.ask(manager, REJECT, id=key)["review"]
    assert (rejected["state"], rejected["contact"]) == ("REJECTED", {"email": "ann@example.com"})
    assert shown(mug) == []
    (own,) = (edge["node"] for edge in asking.ask(ann, OWN)["reviews"]["edges"])
    assert (own["state"], len(own["pictures"])) == ("REJECTED", 1)

    asking.ask(manager, DELETE, id=key)

    assert not Review.objects.exists()
    rating = Rating.objects.get()
    assert [getattr(rating, f"stars_{stars}") for stars in range(1, 6)] == [0] * 5


def test_a_second_one_is_refused(world: SaleorWorld, mug: ProductRef) -> None:
    ann = asking.customer(world.make_customer(email="ann@example.com"))
    given = {"productId": product(mug), "rating": 1}
    asking.ask(ann, CREATE, input=given)

    answer = asking.post(ann, CREATE, input={**given, "rating": 5})["data"]["crmReviewCreate"]

    assert [error["code"] for error in answer["errors"]] == ["UNIQUE"]
    assert Review.objects.get().rating == 1


def test_of_an_erased_account_only_the_stars_are_left(
    world: SaleorWorld, mug: ProductRef, manager: ApiClient, crm: Any
) -> None:
    key = world.make_customer(email="ann@example.com")
    asking.ask(manager, MODERATE, on=False)
    asking.ask(asking.customer(key), CREATE, input={"productId": product(mug), "rating": 2, "author": "Ann Lee"})

    persons.erase(customer_id=key)

    (review,) = shown(mug)
    assert (review["rating"], review["author"], review["title"]) == (2, "", "")
    assert not Contact.objects.filter(customer_id=key).exists()
