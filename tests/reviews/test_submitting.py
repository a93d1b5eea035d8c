from __future__ import annotations

import pytest
from django.core.files.storage import default_storage

from crm_plugin import contacts, persons, pipeline, reviews
from crm_plugin.activity.models import Activity, Inbox
from crm_plugin.errors import InvalidInput, NotFound
from crm_plugin.models import Review, ReviewPicture
from crm_plugin.reviews import AlreadyReviewed, Source, Submission
from crm_plugin.shop import OrderState
from tests.reviews.conftest import drain, files_in, picture, ratings_kept, ratings_recounted
from tests.together import together

pytestmark = pytest.mark.django_db


def told() -> list[tuple[str, str]]:
    return list(Inbox.objects.order_by("id").values_list("kind", "source_key"))


def test_a_review_waits_for_somebody_to_look_at_it(submit):
    review = submit(title="Fine", body="Keeps warm.", author="Ann")

    kept = Review.objects.get()
    assert (kept.state, kept.published_at, kept.rating, kept.title, kept.author) == ("pending", None, 5, "Fine", "Ann")
    assert told() == [("reviewed", f"crm_review:{review.pk}")]
    assert ratings_kept() == {}


def test_it_is_published_at_once_where_nobody_looks(submit, unmoderated):
    review = submit(rating=2)

    assert (review.state, review.published_at) == ("published", review.written_at)
    assert told() == [
        ("reviewed", f"crm_review:{review.pk}"),
        ("review_published", f"crm_review:{review.pk}:published"),
    ]
    assert ratings_kept() == {review.product_id: (0, 1, 0, 0, 0)} == ratings_recounted()


def test_the_activities_carry_the_stars_and_the_order(submit, unmoderated):
    submit(rating=4, shop_channel="default")
    drain()

    rows = Activity.objects.order_by("kind").values_list("kind", "order_ref", "shop_channel", "data")
    assert list(rows) == [
        ("review_published", "81", "default", {"score": 4}),
        ("reviewed", "81", "default", {"score": 4}),
    ]


def test_a_second_one_of_the_same_order_is_refused(submit):
    submit(rating=1)

    with pytest.raises(AlreadyReviewed):
        submit(rating=5, pictures=[b"not even looked at"])

    assert Review.objects.get().rating == 1
    assert len(told()) == 1


def test_of_another_order_there_may_be_one_more(submit):
    submit(order_ref="81")
    submit(order_ref="82")
    submit(order_ref="", source=Source.ACCOUNT)

    assert Review.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_a_hundred_at_once_are_one(submit, media, ann, mug, unmoderated):
    outcomes: list[str] = []
    sent = picture()

    def send() -> None:
        for _ in range(10):
            try:
                submit(pictures=[sent])
                outcomes.append("kept")
            except AlreadyReviewed:
                outcomes.append("refused")

    together(*[send] * 10)

    assert (outcomes.count("kept"), outcomes.count("refused")) == (1, 99)
    assert ratings_kept() == {mug.product_id: (0, 0, 0, 0, 1)} == ratings_recounted()
    assert len(files_in(media)) == 1
    assert [kind for kind, _key in told()] == ["reviewed", "review_published"]


@pytest.mark.parametrize("rating", [0, 6, -1, True, "5", 4.5])
def test_stars_are_one_to_five(submit, rating):
    with pytest.raises(InvalidInput) as refused:
        submit(rating=rating)

    assert refused.value.field == "rating"
    assert not Review.objects.exists()


@pytest.mark.parametrize(("field", "longest"), [("title", 120), ("body", 5_000), ("author", 60)])
def test_what_is_too_long_is_refused(submit, field, longest):
    submit(**{field: "x" * longest})

    with pytest.raises(InvalidInput) as refused:
        submit(order_ref="82", **{field: "x" * (longest + 1)})

    assert (refused.value.field, refused.value.code) == (field, "TOO_LONG")
    assert Review.objects.count() == 1


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("a\x00b\x07c\ud800", "abc"),
        ("  one \t two\r\n\r\n\r\n\r\nthree  ", "one two\n\nthree"),
        ("safe \u202egnihtemos", "safe gnihtemos"),
        ("\u1112\u1161\u11ab", "한"),
        ("👩‍🔧 ok", "👩‍🔧 ok"),
    ],
)
def test_text_stays_what_a_person_reads(submit, sent, kept):
    review = submit(body=sent)

    assert Review.objects.get(pk=review.pk).body == kept


def test_a_title_is_one_line(submit):
    assert submit(title=" two\nlines \x0b").title == "two lines"


@pytest.mark.parametrize(("sent", "kept"), [("ko", "ko"), ("PT_br", "pt-br"), ("'; drop", ""), ("", "")])
def test_a_language_is_a_code(submit, sent, kept):
    assert submit(language=sent).language == kept


def test_who_bought_it_is_verified(submit, fake_shop, ann, mug):
    order = fake_shop.place_order(mug, customer_id="7")
    pipeline.reconcile()
    drain()

    assert submit(order_ref="", source=Source.ACCOUNT).is_verified
    assert submit(order_ref=order.order_ref).is_verified


def test_an_order_that_was_not_told_yet_verifies_too(submit, fake_shop, mug):
    order = fake_shop.place_order(mug, customer_id="7")

    assert submit(order_ref=order.order_ref).is_verified


def test_a_cancelled_order_verifies_nobody(submit, fake_shop, mug):
    order = fake_shop.place_order(mug, customer_id="7")
    pipeline.reconcile()
    drain()
    fake_shop.set_order_state(order.order_ref, OrderState.CANCELLED)
    pipeline.reconcile()
    drain()

    assert not submit(order_ref=order.order_ref).is_verified


def test_who_never_bought_it_is_not_verified(submit, fake_shop, ann):
    other = fake_shop.add_product(name="Vase")
    fake_shop.place_order(other.ref, customer_id="7")
    pipeline.reconcile()
    drain()

    assert not submit(order_ref="").is_verified


def test_nobody_writes_for_somebody_who_was_erased(submit, ann):
    persons.erase(customer_id="7")

    with pytest.raises(NotFound):
        submit()

    assert not Review.objects.exists()


def test_a_shop_with_reviews_gets_a_copy_once(submit, fake_shop, mug):
    fake_shop.keeps_reviews = True

    first, second = submit(order_ref="81", title="Fine"), submit(order_ref="82")

    (kept,) = fake_shop.review_rows.values()
    assert (first.native_ref, second.native_ref) == (kept.review_ref, "")
    assert (kept.product_id, kept.title, kept.customer_id, kept.is_published) == (mug.product_id, "Fine", "7", None)
    assert told()[0] == ("reviewed", f"review:{kept.review_ref}")


def test_of_one_that_fails_late_nothing_is_left(submit, fake_shop, media, monkeypatch):
    def fail(_review):
        raise RuntimeError("the shop is down")

    monkeypatch.setattr(fake_shop, "keep_review", fail)

    with pytest.raises(RuntimeError):
        submit(pictures=[picture()])

    assert not Review.objects.exists()
    assert not Inbox.objects.exists()
    assert files_in(media) == []


def test_of_pictures_that_cannot_be_kept_nothing_is_left(submit, media, monkeypatch):
    save = default_storage.save

    def fail_second(name, content):
        if files_in(media):
            raise OSError("no space left")
        return save(name, content)

    monkeypatch.setattr(default_storage, "save", fail_second)

    with pytest.raises(OSError, match="no space left"):
        submit(pictures=[picture(), picture()])

    assert not Review.objects.exists()
    assert not ReviewPicture.objects.exists()
    assert files_in(media) == []


def test_a_guest_can_write(fake_shop, mug):
    guest = contacts.get_or_create(contacts.Person("", "gus@example.com"))
    fake_shop.keeps_reviews = True

    reviews.submit(
        Submission(contact_id=guest.pk, product_id=mug.product_id, rating=3, order_ref="81", source=Source.LINK)
    )

    (kept,) = fake_shop.review_rows.values()
    assert (kept.customer_id, kept.email) == ("", "gus@example.com")
