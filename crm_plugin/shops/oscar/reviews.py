"""Reviews: Oscar's own product reviews, as the engine reads them, and those that it writes among them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.utils.text import Truncator
from oscar.core.loading import get_model

from crm_plugin.shop import NewReview, ShopReview
from crm_plugin.shops.oscar.catalogue import ids_of
from crm_plugin.shops.oscar.keys import primary_key, primary_keys

User: Any = get_user_model()
Product = get_model("catalogue", "Product")
ProductReview = get_model("reviews", "ProductReview")

_JUDGED: Final = {ProductReview.FOR_MODERATION: None, ProductReview.APPROVED: True, ProductReview.REJECTED: False}
_TITLE_LENGTH: Final = 80


def reviews(review_refs: Collection[str]) -> Mapping[str, ShopReview]:
    """Return the reviews by primary key; one whose product was deleted is gone with it."""
    rows = ProductReview.objects.filter(
        pk__in=primary_keys(ProductReview, review_refs), product__isnull=False
    ).select_related("product", "user")
    return {str(row.pk): _review(row) for row in rows}


def keep_review(review: NewReview) -> str:
    """Write the review; return its key, empty when the product is gone or the customer has reviewed it before.

    Oscar has room for one review of each product by each customer, and asks for the name and the address of others.
    """
    product = Product.objects.filter(pk=primary_key(Product, review.product_id)).first()
    user = User.objects.filter(pk=primary_key(User, review.customer_id)).first() if review.customer_id else None
    if product is None:
        return ""
    words = {
        "score": review.rating,
        "title": review.title.strip() or _title(review.body, review.rating),
        "body": review.body,
        "name": review.author,
        "email": review.email,
        "status": ProductReview.APPROVED if review.is_published else ProductReview.FOR_MODERATION,
    }
    if user is None:
        return str(ProductReview.objects.create(product=product, **words).pk)
    row, is_new = ProductReview.objects.get_or_create(product=product, user=user, defaults=words)
    return str(row.pk) if is_new else ""


def judge_review(review_ref: str, *, is_published: bool) -> None:
    """Publish a review or take it back, as staff do in the dashboard; one that is gone is no error."""
    row = ProductReview.objects.filter(pk=primary_key(ProductReview, review_ref), product__isnull=False).first()
    if row is not None:
        row.status = ProductReview.APPROVED if is_published else ProductReview.REJECTED
        row.save()  # counts the product's rating anew


def _review(row: Any) -> ShopReview:
    product_id, variant_id = ids_of(row.product)
    return ShopReview(
        review_ref=str(row.pk),
        product_id=product_id,
        variant_id=variant_id,
        rating=max(row.score, 1),  # Oscar knows no stars at all as well
        title="" if row.title == _title(row.body, row.score) else row.title,
        body=row.body,
        author=row.name or str(row.reviewer_name),
        written_at=row.date_created,
        is_published=_JUDGED.get(row.status),
        customer_id=str(row.user_id or ""),
        email=row.user.email if row.user else row.email,
    )


def _title(body: str, rating: int) -> str:
    """Return what stands for a title that nobody wrote: Oscar's pages make a link of it."""
    return Truncator(" ".join(body.split())).chars(_TITLE_LENGTH) or "★" * rating
