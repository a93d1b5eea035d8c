"""Reviews as staff see them: the queue, and what is decided about them."""

from __future__ import annotations

from typing import Any, Final, Self

import graphene

from crm_plugin import ids, reviews
from crm_plugin.errors import InvalidInput
from crm_plugin.graphql.access import Caller, admits
from crm_plugin.graphql.arguments import name_of, row_key
from crm_plugin.graphql.contacts import CrmContact
from crm_plugin.graphql.enums import CrmEnum
from crm_plugin.graphql.loaders import beside
from crm_plugin.graphql.mutation import CrmMutation, result
from crm_plugin.graphql.pagination import Page, Window, list_field
from crm_plugin.graphql.reviews import CrmReviewState, ReviewFields, page_of_reviews, span_of
from crm_plugin.graphql.scalars import DateTime
from crm_plugin.reviews import Review, ReviewState, Source
from crm_plugin.shop import Actor

_COLUMNS: Final = ("written_at", "id")


class CrmReviewSource(CrmEnum):
    """Where a review was written."""

    class Meta:
        enum = Source
        words = {
            Source.LINK: "In the form that a request leads to.",
            Source.ACCOUNT: "In the storefront, by a customer who has signed in.",
            Source.SHOP: "In a form of the shop's own.",
        }


def _order_id(review: Review, _info: Any) -> str | None:
    return ids.to_global("Order", review.order_ref) if review.order_ref else None


class CrmModeratedReview(ReviewFields, graphene.ObjectType):
    """A review with all that staff need to decide about it."""

    state = CrmReviewState(required=True, description="Whether others can read it.")
    source = CrmReviewSource(required=True, description="By which way it came.")
    written_at = DateTime(required=True, description="When its author sent it.")
    contact = graphene.Field(
        CrmContact, resolver=beside("contact", "contact_id"), description="Null: nobody who is known (any more)."
    )
    order_id = graphene.ID(resolver=_order_id, description="The shop's Order; null: written without a request.")
    channel = graphene.String(
        required=True, resolver=lambda review, _info: review.shop_channel, description="Slug; empty: unknown."
    )
    remark = graphene.String(required=True, description="Why it was rejected; for staff.")
    moderated_at = DateTime(description="Null: nobody has decided yet.")
    moderated_by = graphene.String(required=True, description="Such as user:7; shop: in the shop's own back office.")
    answered_by = graphene.String(required=True, description="Who wrote the answer, such as user:7; empty: nobody.")


class CrmModeratedReviewConnection(Page, node=CrmModeratedReview):
    """A page of reviews."""


@admits(Caller.VIEWER)
def _reviews(
    _actor: Actor,
    _info: Any,
    *,
    state: str = ReviewState.PENDING,
    product: str | None = None,
    rating: int | None = None,
    **page: Any,
) -> Any:
    if rating is not None and rating not in range(1, 6):
        raise InvalidInput("One to five stars.", field="rating")
    product_id = ids.from_global("Product", product, field="product") if product is not None else None
    asked, window = ReviewState(state), Window.read(CrmModeratedReviewConnection, **page)
    span = span_of(window, name=asked.value, columns=_COLUMNS)
    rows = reviews.queue(asked, product_id=product_id, rating=rating, span=span)
    return page_of_reviews(rows, window=window, name=asked.value, columns=_COLUMNS)


class ModerationQueries(graphene.ObjectType):
    """Root fields by which staff read reviews."""

    crm_reviews = list_field(
        CrmModeratedReviewConnection,
        description="Reviews in a state: those that wait the oldest first, others the newest. Requires view_crm.",
        resolver=_reviews,
        state=CrmReviewState(description="Left out: those that wait for somebody to look at them."),
        product=graphene.ID(description="Only those of this Product of the shop."),
        rating=graphene.Int(description="Only those with so many stars."),
    )


class _Judgement(CrmMutation, abstract=True):
    """What mutations about one review have in common."""

    review = result(CrmModeratedReview)


class CrmReviewPublish(_Judgement, caller=Caller.MANAGER):
    """Let everybody read a review, one that was rejected too. Requires manage_crm."""

    class Arguments:
        id = graphene.ID(required=True, description="A CrmReview.")

    @classmethod
    def perform(cls, actor: Actor, *, id: str) -> Self:
        """Publish it."""
        found = reviews.publish(_key(id), by=name_of(actor))
        return cls(review=reviews.with_pictures(found))


class CrmReviewReject(_Judgement, caller=Caller.MANAGER):
    """Let nobody read a review, also one that was published. Requires manage_crm.

    For a reason that would hold for five stars as well: to keep bad reviews back because they are bad is against the
    law in the EU and in Korea.
    """

    class Arguments:
        id = graphene.ID(required=True, description="A CrmReview.")
        remark = graphene.String(required=True, description="The reason, for staff; at most 500 characters.")

    @classmethod
    def perform(cls, actor: Actor, *, id: str, remark: str) -> Self:
        """Reject it."""
        found = reviews.reject(_key(id), remark=remark, by=name_of(actor))
        return cls(review=reviews.with_pictures(found))


class CrmReviewAnswer(_Judgement, caller=Caller.MANAGER):
    """Say something below a review; empty text takes it back. Requires manage_crm."""

    class Arguments:
        id = graphene.ID(required=True, description="A CrmReview.")
        text = graphene.String(required=True, description="Plain text, at most 5,000 characters.")

    @classmethod
    def perform(cls, actor: Actor, *, id: str, text: str) -> Self:
        """Answer it."""
        found = reviews.answer(_key(id), text=text, by=name_of(actor))
        return cls(review=reviews.with_pictures(found))


class CrmReviewDelete(CrmMutation, caller=Caller.MANAGER):
    """Delete a review and its pictures for good: what must not be kept, or what its author takes back.

    Requires manage_crm.
    """

    deleted_id = graphene.ID(description="Null when refused.")

    class Arguments:
        id = graphene.ID(required=True, description="A CrmReview.")
        remark = graphene.String(required=True, description="The reason, kept in the log.")

    @classmethod
    def perform(cls, actor: Actor, *, id: str, remark: str) -> Self:
        """Delete it."""
        reviews.take_down(_key(id), remark=remark, by=name_of(actor))
        return cls(deleted_id=id)


def _key(value: str) -> int:
    return row_key("CrmReview", value, field="id")


class ModerationMutations(graphene.ObjectType):
    """Root fields by which staff decide about reviews."""

    crm_review_publish = CrmReviewPublish.Field()
    crm_review_reject = CrmReviewReject.Field()
    crm_review_answer = CrmReviewAnswer.Field()
    crm_review_delete = CrmReviewDelete.Field()
