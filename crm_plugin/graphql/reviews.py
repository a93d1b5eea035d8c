"""Reviews as a storefront shows them, and as a customer writes them."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self

import graphene

from crm_plugin import contacts, ids, reviews, shop
from crm_plugin.contacts import Person
from crm_plugin.errors import InvalidInput
from crm_plugin.graphql.access import Caller, admits, reads
from crm_plugin.graphql.arguments import channel_named, product_named
from crm_plugin.graphql.enums import CrmEnum
from crm_plugin.graphql.loaders import loaders
from crm_plugin.graphql.mutation import CrmMutation, result
from crm_plugin.graphql.pagination import PAGE_LIMIT, Page, Window, list_field, page_of_places, page_of_rows, read_place
from crm_plugin.graphql.scalars import DateTime, Decimal
from crm_plugin.reviews import Place, ProductRating, Review, ReviewState, Shelf, Sort, Source, Span, Submission
from crm_plugin.shop import Actor, ProductRef

_GREATEST_KEY = 2**63 - 1


class CrmReviewState(CrmEnum):
    """Whether a review can be read by everybody."""

    class Meta:
        enum = ReviewState
        words = {
            ReviewState.PENDING: "Waits for staff to look at it.",
            ReviewState.PUBLISHED: "Everybody can read it.",
            ReviewState.REJECTED: "Only staff and its author can read it.",
        }


class CrmReviewSort(CrmEnum):
    """The order of reviews."""

    class Meta:
        enum = Sort
        words = {
            Sort.NEWEST: "The newest first.",
            Sort.OLDEST: "The oldest first.",
            Sort.BEST: "Most stars first, among equals the newest.",
            Sort.WORST: "Fewest stars first, among equals the oldest.",
        }


class CrmReviewPicture(graphene.ObjectType):
    """A picture of a review."""

    url = graphene.String(required=True, description="Of a JPEG file.")
    width = graphene.Int(required=True, description="In pixels.")
    height = graphene.Int(required=True, description="In pixels.")


class CrmMerchantAnswer(graphene.ObjectType):
    """What the merchant says to a review."""

    text = graphene.String(required=True, description="Plain text.")
    answered_at = DateTime(required=True, description="When it was last written.")


def _id(review: Review, _info: Any) -> str:
    return ids.to_global("CrmReview", review.pk)


def _product_id(found: Review | ProductRating, _info: Any) -> str:
    return ids.to_global("Product", found.product_id)


def _variant_id(review: Review, _info: Any) -> str | None:
    return ids.to_global("ProductVariant", review.variant_id) if review.variant_id else None


@reads
def _pictures(review: Review, _info: Any) -> list[CrmReviewPicture]:
    return [
        CrmReviewPicture(url=reviews.picture_url(one.file), width=one.width, height=one.height)
        for one in review.pictures.all()
    ]


def _answer(review: Review, _info: Any) -> CrmMerchantAnswer | None:
    return CrmMerchantAnswer(text=review.answer, answered_at=review.answered_at) if review.answer else None


class ReviewFields:
    """What there is of a review, whoever reads it."""

    id = graphene.ID(required=True, resolver=_id, description="A CrmReview.")
    product_id = graphene.ID(required=True, resolver=_product_id, description="The shop's Product.")
    variant_id = graphene.ID(resolver=_variant_id, description="The shop's ProductVariant; null: none was named.")
    rating = graphene.Int(required=True, description="One to five stars.")
    title = graphene.String(required=True, description="Plain text; may be empty.")
    body = graphene.String(required=True, description="Plain text; may be empty.")
    author = graphene.String(required=True, description="The name to show; empty: none is shown.")
    is_verified = graphene.Boolean(required=True, description="The person has bought the product.")
    language = graphene.String(required=True, description="Code, such as ko; empty: unknown.")
    published_at = DateTime(description="Null: not yet.")
    pictures = graphene.List(
        graphene.NonNull(CrmReviewPicture),
        required=True,
        resolver=_pictures,
        description=f"Those that the author added; at most {reviews.MAX_PICTURES}.",
    )
    answer = graphene.Field(CrmMerchantAnswer, resolver=_answer, description="Null: none.")


class CrmReview(ReviewFields, graphene.ObjectType):
    """A review that everybody can read."""


class CrmReviewConnection(Page, node=CrmReview):
    """A page of reviews."""


class CrmOwnReview(ReviewFields, graphene.ObjectType):
    """A review that the caller wrote."""

    state = CrmReviewState(required=True, description="Whether others can read it.")
    written_at = DateTime(required=True, description="When the caller sent it.")


class CrmOwnReviewConnection(Page, node=CrmOwnReview):
    """A page of the caller's reviews, newest first."""


class CrmStarCount(graphene.ObjectType):
    """How many reviews have so many stars."""

    stars = graphene.Int(required=True, description="1 to 5.")
    count = graphene.Int(required=True, description="Published reviews with so many.")


def _histogram(found: Any, _info: Any) -> list[CrmStarCount]:
    counts = enumerate(found.rating.stars, start=1)
    return [CrmStarCount(stars=stars, count=count) for stars, count in counts]


def _json_ld(found: Any, info: Any) -> Any:
    return loaders(info).json_ld.load((found.rating.product_id, found.channel, found.language))


class CrmProductRating(graphene.ObjectType):
    """How people rate a product."""

    product_id = graphene.ID(required=True, description="The shop's Product.")
    average = Decimal(description="Of 1 to 5, to two places; null: no review.")
    count = graphene.Int(required=True, description="Of published reviews.")
    histogram = graphene.List(
        graphene.NonNull(CrmStarCount), required=True, resolver=_histogram, description="One star first."
    )
    json_ld = graphene.String(
        resolver=_json_ld,
        description="The product with its rating and its newest reviews as schema.org has it, safe to be put into "
        '`<script type="application/ld+json">`. Null: no review, or the channel does not show the product.',
    )

    rating: ProductRating
    channel: str
    language: str


def _own(rating: ProductRating, *, channel: str, language: str) -> CrmProductRating:
    shown = CrmProductRating(
        product_id=ids.to_global("Product", rating.product_id), average=rating.average, count=rating.count
    )
    shown.rating, shown.channel, shown.language = rating, channel, language
    return shown


@admits(Caller.ANYONE)
def _product_ratings(
    _actor: Actor, _info: Any, *, product_ids: list[str], channel: str | None = None, language: str | None = None
) -> list[CrmProductRating]:
    if len(product_ids) > PAGE_LIMIT:
        raise InvalidInput(f"At most {PAGE_LIMIT} products at once.", field="product_ids", code="LIMIT")
    keys = [ids.from_global("Product", one, field="product_ids") for one in product_ids]
    slug, spoken = channel_named(channel), language or shop.current().identity().language
    found = reviews.ratings(keys)
    return [_own(found[key], channel=slug, language=spoken) for key in keys]


@admits(Caller.ANYONE)
def _product_reviews(
    _actor: Actor, _info: Any, *, product_id: str, sort: str = Sort.NEWEST, first: int | None = None, **asked: Any
) -> Any:
    page = {"first": first, **{name: asked.pop(name, None) for name in ("after", "last", "before")}}
    if asked.get("rating") is not None and asked["rating"] not in range(1, 6):
        raise InvalidInput("One to five stars.", field="rating")
    shelf = Shelf(
        product_id=ids.from_global("Product", product_id, field="product_id"),
        shop_channel=asked.get("channel"),
        rating=asked.get("rating"),
        is_verified=asked.get("is_verified"),
        language=asked.get("language"),
        has_pictures=asked.get("has_pictures"),
    )
    window, order = Window.read(CrmReviewConnection, **page), Sort(sort)
    rows = reviews.published(shelf, sort=order, span=span_of(window, name=order.value, columns=order.columns))
    return page_of_reviews(rows, window=window, name=order.value, columns=order.columns)


def span_of(window: Window, *, name: str, columns: Sequence[str]) -> Span:
    """Return which rows of a list in an order a page asks for, and one more."""

    def parse(found: Any, values: Any) -> Place:
        if found != name or not isinstance(values, list) or len(values) != len(columns):
            raise ValueError
        return tuple(_value(column, value) for column, value in zip(columns, values, strict=True))

    return Span(
        limit=window.size + 1,
        after=read_place(window, "after", parse=parse),
        before=read_place(window, "before", parse=parse),
        is_backward=window.is_backward,
    )


def page_of_reviews(rows: Sequence[Review], *, window: Window, name: str, columns: Sequence[str]) -> Any:
    """Return the page of reviews that were read in an order; a cursor is the values of its columns."""

    def place(row: Review) -> list[int | str]:
        values = [getattr(row, column) for column in columns]
        return [value.isoformat() if isinstance(value, datetime) else value for value in values]

    return page_of_places(rows, window=window, order=name, place=place)


def _value(column: str, value: Any) -> int | datetime:
    if column.endswith("_at"):
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError
        return moment
    if type(value) is not int or not 0 < value <= _GREATEST_KEY:
        raise ValueError
    return value


class ReviewQueries(graphene.ObjectType):
    """Root fields by which everybody reads reviews."""

    crm_product_reviews = list_field(
        CrmReviewConnection,
        description="The published reviews of a product. Open to everybody.",
        resolver=_product_reviews,
        product_id=graphene.ID(required=True, description="The shop's Product."),
        sort=CrmReviewSort(description="Left out: the newest first."),
        channel=graphene.String(description="Only those written in this sales channel; left out: all."),
        rating=graphene.Int(description="Only those with so many stars."),
        is_verified=graphene.Boolean(description="Only those of people who bought it, or only the others."),
        language=graphene.String(description="Only those in this language, such as ko."),
        has_pictures=graphene.Boolean(description="Only those with pictures, or only the others."),
    )
    crm_product_ratings = graphene.Field(
        graphene.List(graphene.NonNull(CrmProductRating), required=True),
        description="How people rate products, in the order asked for: one query for a whole grid. Open to everybody.",
        resolver=_product_ratings,
        product_ids=graphene.List(
            graphene.NonNull(graphene.ID), required=True, description=f"Products of the shop, at most {PAGE_LIMIT}."
        ),
        channel=graphene.String(description="Slug of the sales channel, for `jsonLd`; left out: the default one."),
        language=graphene.String(description="For `jsonLd`; left out: the shop's."),
    )


@reads
def _own_reviews(actor: Actor, _info: Any, **page: Any) -> Any:
    contact = contacts.find(customer_id=actor.customer_id)
    rows = reviews.reviews_of(contact.pk if contact is not None else 0)
    return page_of_rows(CrmOwnReviewConnection, rows, moment="written_at", **page)


class OwnReviewFields:
    """The part of ``crmMe`` that is what the customer wrote."""

    reviews = list_field(
        CrmOwnReviewConnection,
        description="What the customer wrote, in whatever state, newest first.",
        resolver=_own_reviews,
    )


class CrmReviewInput(graphene.InputObjectType):
    """A review of a product."""

    product_id = graphene.ID(required=True, description="The shop's Product.")
    variant_id = graphene.ID(description="The shop's ProductVariant; left out: the product as a whole.")
    channel = graphene.String(description="Slug of the sales channel; left out: the shop's default one.")
    rating = graphene.Int(required=True, description="One to five stars.")
    title = graphene.String(description=f"At most {reviews.MAX_TITLE} characters.")
    body = graphene.String(description=f"Plain text, at most {reviews.MAX_BODY} characters.")
    author = graphene.String(description=f"The name to show, at most {reviews.MAX_AUTHOR} characters.")
    language = graphene.String(description="Of the text, such as ko.")
    pictures = graphene.List(
        graphene.NonNull(graphene.String),
        description=f"JPEG, PNG or WebP files in base64, at most {reviews.MAX_PICTURES} of at most 5 MB; the endpoint "
        "limits the body as a whole.",
    )


class CrmReviewCreate(CrmMutation, caller=Caller.CUSTOMER):
    """Write a review of a product; one a customer, besides those that requests ask for. Requires an account."""

    review = result(CrmOwnReview)

    class Arguments:
        input = CrmReviewInput(required=True, description="The product, the stars and what is said.")

    @classmethod
    def perform(cls, actor: Actor, *, input: dict[str, Any]) -> Self:
        """Take it up, when the channel shows the product."""
        ref = _shown(input)
        writer = contacts.get_or_create(Person(actor.customer_id, contacts.normalize_email(actor.email)))
        review = reviews.submit(
            Submission(
                contact_id=writer.pk,
                product_id=ref.product_id,
                variant_id=ref.variant_id,
                shop_channel=ref.shop_channel,
                rating=input["rating"],
                source=Source.ACCOUNT,
                pictures=_files(input.get("pictures") or ()),
                **{name: input.get(name) or "" for name in ("title", "body", "author", "language")},
            )
        )
        return cls(review=reviews.with_pictures(review))


def _shown(given: dict[str, Any]) -> ProductRef:
    """Return what the review is about, when the channel shows it; sold out is fine."""
    ref = product_named(given["product_id"], given.get("variant_id"), given.get("channel"))
    offers = shop.current().offers([ref.product_id], shop_channel=ref.shop_channel)
    if not offers:
        raise InvalidInput("There is no such product in this channel.", field="product_id", code="NOT_FOUND")
    if ref.variant_id and ref.variant_id not in {offer.variant_id for offer in offers}:
        raise InvalidInput("The product has no such variant.", field="variant_id", code="NOT_FOUND")
    return ref


def _files(encoded: Sequence[str]) -> list[bytes]:
    if len(encoded) > reviews.MAX_PICTURES:
        raise InvalidInput(f"At most {reviews.MAX_PICTURES} pictures.", field="pictures", code="LIMIT")
    return [_file(text, place) for place, text in enumerate(encoded)]


def _file(text: str, place: int) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput("This is not base64.", field=f"pictures.{place}") from None


class ReviewMutations(graphene.ObjectType):
    """Root fields by which customers write reviews."""

    crm_review_create = CrmReviewCreate.Field()
