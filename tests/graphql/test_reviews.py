"""Reviews by the API: what everybody reads, what a customer writes, what staff decide."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm_plugin import clock, ids, merchant, reviews
from crm_plugin.contacts import Contact
from crm_plugin.models import Review
from crm_plugin.reviews import Source, Submission
from crm_plugin.shop import ProductRef
from tests.fake_shop import FakeShop
from tests.graphql.conftest import APP, CUSTOMER, MANAGER, NOBODY, NOON, STAFF, VIEWER, Ask
from tests.reviews.conftest import files_in, picture

pytestmark = pytest.mark.django_db

LIST = """query($product: ID!, $first: Int, $last: Int, $after: String, $before: String, $sort: CrmReviewSort,
    $rating: Int, $isVerified: Boolean, $language: String, $hasPictures: Boolean, $channel: String) {
  crmProductReviews(productId: $product, first: $first, last: $last, after: $after, before: $before, sort: $sort,
      rating: $rating, isVerified: $isVerified, language: $language, hasPictures: $hasPictures, channel: $channel) {
    pageInfo { hasNextPage hasPreviousPage endCursor startCursor }
    edges { cursor node { id rating title body author isVerified language publishedAt variantId productId
      pictures { url width height } answer { text answeredAt } } } } }"""
RATINGS = """query($products: [ID!]!, $channel: String) { crmProductRatings(productIds: $products, channel: $channel) {
  productId average count histogram { stars count } jsonLd } }"""
CREATE = """mutation($input: CrmReviewInput!) { crmReviewCreate(input: $input) {
  review { id state rating title body author isVerified writtenAt publishedAt pictures { url } }
  errors { field code } } }"""
OWN = "{ crmMe { reviews(first: 10) { edges { node { id state title productId } } } } }"
QUEUE = """query($state: CrmReviewState, $product: ID, $rating: Int, $first: Int, $after: String) {
  crmReviews(state: $state, product: $product, rating: $rating, first: $first, after: $after) {
    pageInfo { hasNextPage endCursor }
    edges { node { id state source title contact { email } orderId channel remark moderatedBy
      pictures { url } answer { text } } } } }"""
PUBLISH = "mutation($id: ID!) { crmReviewPublish(id: $id) { review { id state moderatedBy } errors { field code } } }"
REJECT = """mutation($id: ID!, $remark: String!) { crmReviewReject(id: $id, remark: $remark) {
  review { state remark contact { email } } errors { field code } } }"""
ANSWER = """mutation($id: ID!, $text: String!) { crmReviewAnswer(id: $id, text: $text) {
  review { answer { text answeredAt } answeredBy } errors { field code } } }"""
DELETE = """mutation($id: ID!, $remark: String!) { crmReviewDelete(id: $id, remark: $remark) {
  deletedId errors { field code } } }"""

Write = Callable[..., Review]


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = str(tmp_path / "media")
    return tmp_path / "media"


@pytest.fixture
def ann(make_contact: Callable[..., Contact]) -> Contact:
    return make_contact("ann@example.com", customer_id="7")


@pytest.fixture
def mug(shop: FakeShop) -> ProductRef:
    return shop.add_product(name="Mug", price=20).ref


@pytest.fixture
def write(ann: Contact, mug: ProductRef) -> Write:
    """Ann writes a review of the mug, each of another order; published unless told otherwise."""

    def make(*, is_published: bool = True, **values: Any) -> Review:
        number = Review.objects.count()
        given = {"contact_id": ann.pk, "product_id": mug.product_id, "rating": 5, "source": Source.LINK, **values}
        review = reviews.submit(Submission(**{"order_ref": str(number), "shop_channel": "default", **given}))
        return reviews.publish(review.pk, by="test") if is_published else review

    return make


def gid(review: Review) -> str:
    return ids.to_global("CrmReview", review.pk)


def product_id(ref: ProductRef) -> str:
    return ids.to_global("Product", ref.product_id)


def nodes(answer: Any) -> list[dict[str, Any]]:
    assert answer.errors == []
    (found,) = answer.data.values()
    return [edge["node"] for edge in found["edges"]]


# What everybody reads


def test_everybody_reads_what_is_published(ask: Ask, write: Write, mug: ProductRef) -> None:
    review = write(title="Fine", body="Keeps <b>warm</b>", author="Ann", language="en", pictures=[picture()])
    write(is_published=False)
    reviews.answer(review.pk, text="Thank you", by="user:92")

    (node,) = nodes(ask(LIST, caller=NOBODY, product=product_id(mug), first=10))

    (shown,) = node.pop("pictures")
    assert shown["url"].startswith("https://shop.example/media/crm/reviews/")
    assert (shown["width"], shown["height"]) == (40, 30)
    assert node == {
        "id": gid(review),
        "rating": 5,
        "title": "Fine",
        "body": "Keeps <b>warm</b>",
        "author": "Ann",
        "isVerified": False,
        "language": "en",
        "publishedAt": NOON.isoformat(),
        "variantId": None,
        "productId": product_id(mug),
        "answer": {"text": "Thank you", "answeredAt": NOON.isoformat()},
    }


@pytest.mark.parametrize(
    ("sort", "expected"),
    [(None, [3, 5, 1, 4]), ("NEWEST", [3, 5, 1, 4]), ("OLDEST", [4, 1, 5, 3]), ("BEST", [5, 4, 3, 1]),
     ("WORST", [1, 3, 4, 5])],
)  # fmt: skip
def test_pages_follow_one_another_in_every_order(
    ask: Ask, write: Write, mug: ProductRef, sort: str | None, expected: list[int]
) -> None:
    for stars in (4, 1, 5, 3):
        write(rating=stars)

    first = ask(LIST, product=product_id(mug), sort=sort, first=3)
    info = first.data["crmProductReviews"]["pageInfo"]
    rest = ask(LIST, product=product_id(mug), sort=sort, first=3, after=info["endCursor"])
    back = ask(LIST, product=product_id(mug), sort=sort, last=2, before=info["endCursor"])

    assert [node["rating"] for node in (*nodes(first), *nodes(rest))] == expected
    assert [node["rating"] for node in nodes(back)] == expected[:2]
    assert (info["hasNextPage"], info["hasPreviousPage"]) == (True, False)
    assert rest.data["crmProductReviews"]["pageInfo"]["hasNextPage"] is False


@pytest.mark.parametrize(
    ("wanted", "count"),
    [({"rating": 4}, 1), ({"language": "ko"}, 1), ({"isVerified": True}, 0), ({"hasPictures": True}, 1),
     ({"channel": "default"}, 2), ({"channel": "kr"}, 0)],
)  # fmt: skip
def test_a_list_can_be_narrowed(ask: Ask, write: Write, mug: ProductRef, wanted: dict[str, Any], count: int) -> None:
    write(rating=4, language="ko")
    write(rating=5, language="en", pictures=[picture()])

    assert len(nodes(ask(LIST, product=product_id(mug), first=9, **wanted))) == count


@pytest.mark.parametrize(
    "cursor",
    ["x", "W10=", "WyJuZXdlc3QiLCAxXQ==", base64.urlsafe_b64encode(b'["newest", ["2026-03-02", 1]]').decode()],
)
def test_a_made_up_cursor_is_refused(ask: Ask, mug: ProductRef, cursor: str) -> None:
    answer = ask(LIST, product=product_id(mug), first=1, after=cursor)

    assert answer.codes == ["GraphQLError"]
    assert "`after` is not a cursor of this list" in answer.messages[0]


def test_a_cursor_of_another_order_is_refused(ask: Ask, write: Write, mug: ProductRef) -> None:
    write()
    cursor = ask(LIST, product=product_id(mug), first=1).data["crmProductReviews"]["pageInfo"]["endCursor"]

    assert ask(LIST, product=product_id(mug), first=1, after=cursor, sort="BEST").codes == ["GraphQLError"]


@pytest.mark.parametrize("rating", [0, 6])
def test_stars_that_there_are_not_are_refused(ask: Ask, mug: ProductRef, rating: int) -> None:
    assert ask(LIST, product=product_id(mug), first=1, rating=rating).codes == ["GraphQLError"]


def test_ratings_of_a_grid(ask: Ask, write: Write, mug: ProductRef) -> None:
    for stars in (5, 5, 4):
        write(rating=stars, author="Ann")
    unrated = ids.to_global("Product", "999")

    rated, none = ask(RATINGS, caller=NOBODY, products=[product_id(mug), unrated]).data["crmProductRatings"]

    assert (rated["productId"], rated["average"], rated["count"]) == (product_id(mug), 4.67, 3)
    assert rated["histogram"] == [{"stars": n, "count": count} for n, count in enumerate([0, 0, 0, 1, 2], start=1)]
    assert json.loads(rated["jsonLd"])["aggregateRating"]["reviewCount"] == 3
    assert (none["productId"], none["average"], none["count"], none["jsonLd"]) == (unrated, None, 0, None)


def test_a_grid_of_a_hundred_takes_as_many_queries_as_one_product(
    ask: Ask, write: Write, shop: FakeShop, mug: ProductRef
) -> None:
    grid = [mug, *(shop.add_product(name=f"Cup {number}").ref for number in range(99))]
    for ref in grid:
        write(product_id=ref.product_id, author="Ann")

    def count(refs: list[ProductRef]) -> int:
        with CaptureQueriesContext(connection) as seen:
            answer = ask(RATINGS, products=[product_id(ref) for ref in refs])
        assert all(one["jsonLd"] for one in answer.data["crmProductRatings"])
        return len(seen)

    assert count(grid) == count(grid[:1]) == 3


def test_more_than_a_hundred_products_are_refused(ask: Ask, mug: ProductRef) -> None:
    assert ask(RATINGS, products=[product_id(mug)] * 101).codes == ["GraphQLError"]


def test_ratings_in_a_channel_that_is_not_there_are_refused(ask: Ask, mug: ProductRef) -> None:
    assert ask(RATINGS, products=[product_id(mug)], channel="moon").codes == ["GraphQLError"]


# What a customer writes


def test_a_customer_writes_a_review(ask: Ask, ann: Contact, mug: ProductRef, media: Path) -> None:
    sent = base64.b64encode(picture()).decode()
    words = {"title": "Fine", "body": "Warm", "author": "Ann", "language": "en"}

    answer = ask(
        CREATE, caller=CUSTOMER, input={"productId": product_id(mug), "rating": 4, "pictures": [sent], **words}
    ).data["crmReviewCreate"]

    assert answer["errors"] == []
    assert (answer["review"]["state"], answer["review"]["rating"], answer["review"]["title"]) == ("PENDING", 4, "Fine")
    row = Review.objects.get()
    assert (row.contact_id, row.source, row.shop_channel, row.order_ref) == (ann.pk, "account", "default", "")
    assert len(answer["review"]["pictures"]) == len(files_in(media)) == 1


def test_who_was_never_heard_of_writes_too(ask: Ask, shop: FakeShop, mug: ProductRef) -> None:
    shop.add_customer(customer_id="7", email="ann@example.com")

    answer = ask(CREATE, caller=CUSTOMER, input={"productId": product_id(mug), "rating": 4}).data["crmReviewCreate"]

    assert answer["errors"] == []
    assert Review.objects.get().contact_id == Contact.objects.get(customer_id="7").pk


def test_without_moderation_it_is_published_at_once(ask: Ask, ann: Contact, mug: ProductRef) -> None:
    merchant.update(is_review_moderated=False)

    ask(CREATE, caller=CUSTOMER, input={"productId": product_id(mug), "rating": 4})

    assert [node["rating"] for node in nodes(ask(LIST, product=product_id(mug), first=1))] == [4]


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"rating": 6}, "rating", "INVALID"),
        ({"title": "x" * 121}, "title", "TOO_LONG"),
        ({"productId": ids.to_global("Product", "999")}, "productId", "NOT_FOUND"),
        ({"productId": "nonsense"}, "productId", "GRAPHQL_ERROR"),
        ({"variantId": ids.to_global("ProductVariant", "999")}, "variantId", "NOT_FOUND"),
        ({"channel": "moon"}, "channel", "NOT_FOUND"),
        ({"pictures": ["!"]}, "pictures.0", "INVALID"),
        ({"pictures": [base64.b64encode(b"hello").decode()]}, "pictures.0", "INVALID"),
        ({"pictures": [""] * 5}, "pictures", "LIMIT"),
    ],
    ids=str,
)
def test_what_is_wrong_is_refused_by_field(
    ask: Ask, ann: Contact, mug: ProductRef, media: Path, change: dict[str, Any], field: str, code: str
) -> None:
    given = {"productId": product_id(mug), "rating": 4, **change}

    answer = ask(CREATE, caller=CUSTOMER, input=given).data["crmReviewCreate"]

    assert answer == {"review": None, "errors": [{"field": field, "code": code}]}
    assert not Review.objects.exists()
    assert files_in(media) == []


def test_a_second_one_is_refused(ask: Ask, ann: Contact, mug: ProductRef) -> None:
    given = {"productId": product_id(mug), "rating": 4}
    ask(CREATE, caller=CUSTOMER, input=given)

    answer = ask(CREATE, caller=CUSTOMER, input=given).data["crmReviewCreate"]

    assert answer == {"review": None, "errors": [{"field": None, "code": "UNIQUE"}]}
    assert Review.objects.count() == 1


def test_a_customer_sees_their_own_in_every_state(ask: Ask, write: Write, make_contact: Any) -> None:
    other = make_contact("bob@example.com", customer_id="8")
    write(contact_id=other.pk, title="Bob's")
    with clock.travel(to=NOON.replace(hour=13)):
        write(title="Second", is_published=False)
    write(title="First")

    found = ask(OWN, caller=CUSTOMER).data["crmMe"]["reviews"]["edges"]

    assert [(edge["node"]["title"], edge["node"]["state"]) for edge in found] == [
        ("Second", "PENDING"),
        ("First", "PUBLISHED"),
    ]


# What staff decide


def test_the_queue_shows_who_wrote_about_which_order_the_oldest_first(ask: Ask, write: Write) -> None:
    for hour in (13, 14):
        with clock.travel(to=NOON.replace(hour=hour)):
            write(title=f"At {hour}", is_published=False, order_ref=f"o{hour}")
    write(title="Published")

    first, second = nodes(ask(QUEUE, caller=VIEWER, first=5))

    assert (first["title"], second["title"]) == ("At 13", "At 14")
    assert first["contact"] == {"email": "ann@example.com"}
    assert (first["orderId"], first["channel"], first["source"]) == (ids.to_global("Order", "o13"), "default", "LINK")


def test_the_queue_is_paged_and_narrowed(ask: Ask, write: Write, mug: ProductRef) -> None:
    for number, stars in enumerate((1, 5, 1)):
        with clock.travel(to=NOON.replace(minute=number)):
            write(rating=stars, title=str(number), is_published=False)
    write(product_id="999", is_published=False)

    page = ask(QUEUE, caller=VIEWER, product=product_id(mug), rating=1, first=1)
    info = page.data["crmReviews"]["pageInfo"]
    rest = ask(QUEUE, caller=VIEWER, product=product_id(mug), rating=1, first=5, after=info["endCursor"])

    assert [node["title"] for node in (*nodes(page), *nodes(rest))] == ["0", "2"]
    assert info["hasNextPage"] is True


def test_a_page_of_the_queue_takes_as_many_queries_as_one_review(ask: Ask, write: Write, make_contact: Any) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as seen:
            nodes(ask(QUEUE, caller=VIEWER, first=50))
        return len(seen)

    write(is_published=False, pictures=[picture()])
    one = count()
    for number in range(5):
        person = make_contact(f"p{number}@example.com")
        write(contact_id=person.pk, is_published=False, pictures=[picture(), picture()])

    assert count() == one


def test_staff_publish_reject_answer_and_delete(ask: Ask, write: Write, mug: ProductRef) -> None:
    review = write(is_published=False)

    published = ask(PUBLISH, caller=MANAGER, id=gid(review)).data["crmReviewPublish"]
    assert published == {"review": {"id": gid(review), "state": "PUBLISHED", "moderatedBy": "user:92"}, "errors": []}
    answered = ask(ANSWER, caller=APP, id=gid(review), text="Thanks").data["crmReviewAnswer"]
    assert answered["review"]["answer"]["text"] == "Thanks"
    assert answered["review"]["answeredBy"] == "app:5"
    assert nodes(ask(LIST, product=product_id(mug), first=1))[0]["answer"]["text"] == "Thanks"

    rejected = ask(REJECT, caller=MANAGER, id=gid(review), remark="an advertisement").data["crmReviewReject"]
    assert rejected["review"] == {
        "state": "REJECTED",
        "remark": "an advertisement",
        "contact": {"email": "ann@example.com"},
    }
    assert nodes(ask(LIST, product=product_id(mug), first=1)) == []

    deleted = ask(DELETE, caller=MANAGER, id=gid(review), remark="spam").data["crmReviewDelete"]
    assert deleted == {"deletedId": gid(review), "errors": []}
    assert not Review.objects.exists()


@pytest.mark.parametrize(
    ("mutation", "given"),
    [(PUBLISH, {}), (REJECT, {"remark": "x"}), (ANSWER, {"text": "x"}), (DELETE, {"remark": "x"})],
)
def test_what_is_not_there_is_told(ask: Ask, mutation: str, given: dict[str, str]) -> None:
    (answer,) = ask(mutation, caller=MANAGER, id=ids.to_global("CrmReview", 987_654_321), **given).data.values()

    assert [error["code"] for error in answer["errors"]] == ["NOT_FOUND"]


def test_a_rejection_needs_a_reason(ask: Ask, write: Write) -> None:
    review = write(rating=1)

    answer = ask(REJECT, caller=MANAGER, id=gid(review), remark=" ").data["crmReviewReject"]

    assert answer == {"review": None, "errors": [{"field": "remark", "code": "REQUIRED"}]}
    assert Review.objects.get().state == "published"


@pytest.mark.parametrize("caller", [NOBODY, CUSTOMER, STAFF, VIEWER])
def test_nobody_else_decides(ask: Ask, write: Write, caller: Any) -> None:
    review = write(is_published=False)

    calls = [
        ask(PUBLISH, caller=caller, id=gid(review)),
        ask(REJECT, caller=caller, id=gid(review), remark="x"),
        ask(ANSWER, caller=caller, id=gid(review), text="x"),
        ask(DELETE, caller=caller, id=gid(review), remark="x"),
    ]

    assert [answer.codes for answer in calls] == [["PermissionDenied"]] * 4
    row = Review.objects.get()
    assert (row.state, row.answer) == ("pending", "")


@pytest.mark.parametrize("caller", [NOBODY, CUSTOMER, STAFF])
def test_nobody_else_sees_the_queue(ask: Ask, write: Write, caller: Any) -> None:
    write(is_published=False)

    assert ask(QUEUE, caller=caller, first=1).codes == ["PermissionDenied"]


@pytest.mark.parametrize("caller", [NOBODY, APP])
def test_without_an_account_nobody_writes_by_the_api(ask: Ask, mug: ProductRef, caller: Any) -> None:
    assert ask(CREATE, caller=caller, input={"productId": product_id(mug), "rating": 1}).codes == ["PermissionDenied"]
    assert not Review.objects.exists()


def test_the_merchant_decides_whether_somebody_looks_at_them(ask: Ask) -> None:
    change = """mutation($on: Boolean) { crmSettingsUpdate(input: {isReviewModerated: $on}) {
      settings { isReviewModerated } errors { code } } }"""

    assert ask("{ crmSettings { isReviewModerated } }", caller=VIEWER).data["crmSettings"]["isReviewModerated"] is True
    changed = ask(change, caller=MANAGER, on=False).data["crmSettingsUpdate"]

    assert changed == {"settings": {"isReviewModerated": False}, "errors": []}
    assert merchant.load().is_review_moderated is False
