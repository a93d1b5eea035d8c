"""Tables of the reviews room."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class ReviewState(models.TextChoices):
    """Whether a review can be read by everybody."""

    PENDING = "pending"
    PUBLISHED = "published"
    REJECTED = "rejected"


class Review(models.Model):
    """What somebody wrote about a product. The one table from which reviews are read, in every shop.

    Attributes:
        contact: who; NULL once the person was erased.
        order_ref: the order that it is about; empty when it was written without a request.
        rating: 1 to 5 stars.
        author: the name that is shown.
        is_verified: the person bought the product (EU directive 2019/2161: a shop says how it makes sure of that).
        native_ref: the shop's own id, where the shop keeps reviews too.
        source: ``link`` (the form of a request), ``account`` (the storefront), ``shop`` (the shop's own form).
        written_at: when; ``published_at``: since when everybody can read it.
        answer: of the merchant, shown below it.
    """

    contact = models.ForeignKey(
        "crm_plugin.Contact", on_delete=models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    product_id = models.CharField(max_length=64)
    variant_id = models.CharField(max_length=64, blank=True, default="")
    shop_channel = models.CharField(max_length=64, blank=True, default="")
    order_ref = models.CharField(max_length=64, blank=True, default="")
    rating = models.PositiveSmallIntegerField()
    title = models.CharField(max_length=255, blank=True, default="")
    body = models.TextField(blank=True, default="")
    author = models.CharField(max_length=255, blank=True, default="")
    language = models.CharField(max_length=12, blank=True, default="")
    state = models.CharField(max_length=9, choices=ReviewState.choices)
    is_verified = models.BooleanField(default=False)
    native_ref = models.CharField(max_length=64, blank=True, default="")
    source = models.CharField(max_length=8)
    written_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True, blank=True)
    moderated_at = models.DateTimeField(null=True, blank=True)
    moderated_by = models.CharField(max_length=120, blank=True, default="")
    remark = models.CharField(max_length=500, blank=True, default="", help_text="Why staff rejected it; for staff.")
    answer = models.TextField(blank=True, default="")
    answered_at = models.DateTimeField(null=True, blank=True)
    answered_by = models.CharField(max_length=120, blank=True, default="")

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(rating__gte=1, rating__lte=5), name="crm_review_stars"),
            models.CheckConstraint(
                condition=~Q(state="published") | Q(published_at__isnull=False), name="crm_review_published_some_time"
            ),
            models.UniqueConstraint(
                fields=("contact", "product_id", "order_ref"),
                condition=Q(contact__isnull=False, native_ref="") | Q(contact__isnull=False, source="link"),
                name="crm_review_once",
            ),
            models.UniqueConstraint(fields=("native_ref",), condition=~Q(native_ref=""), name="crm_review_native_once"),
        )
        indexes = (
            models.Index(
                fields=("product_id", "-published_at", "-id"),
                condition=Q(state="published"),
                name="crm_review_of_product",
            ),
            models.Index(
                fields=("product_id", "-rating", "-published_at", "-id"),
                condition=Q(state="published"),
                name="crm_review_by_stars",
            ),
            models.Index(
                fields=("state", "written_at", "id"), condition=~Q(state="published"), name="crm_review_queue"
            ),
            models.Index(fields=("written_at", "id"), name="crm_review_written"),
            models.Index(fields=("contact", "product_id"), name="crm_review_contact"),
        )
        default_permissions = ()

    def __str__(self) -> str:
        return f"review {self.pk} of product {self.product_id}"


class ReviewPicture(models.Model):
    """A picture of a review, as it was written anew: without what the camera put into the file.

    ``file`` is its name in Django's default storage.
    """

    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="pictures")
    position = models.PositiveSmallIntegerField()
    file = models.CharField(max_length=200)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("review", "position"), name="crm_picture_unique"),)
        default_permissions = ()

    def __str__(self) -> str:
        return f"picture {self.position} of review {self.review_id}"


class Rating(models.Model):
    """How many published reviews of a product have how many stars: a projection of ``Review``."""

    product_id = models.CharField(max_length=64, primary_key=True)
    stars_1 = models.PositiveIntegerField(default=0)
    stars_2 = models.PositiveIntegerField(default=0)
    stars_3 = models.PositiveIntegerField(default=0)
    stars_4 = models.PositiveIntegerField(default=0)
    stars_5 = models.PositiveIntegerField(default=0)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"rating of product {self.product_id}"


class ReviewRequest(models.Model):
    """A person was asked for a review of a product; not again within twelve months, but for a reminder of the same run.

    ``enrollment_id`` is the run that asked.
    """

    contact = models.ForeignKey("crm_plugin.Contact", on_delete=models.CASCADE, related_name="+", db_index=False)
    product_id = models.CharField(max_length=64)
    enrollment_id = models.BigIntegerField(null=True, blank=True)
    asked_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("contact", "product_id"), name="crm_review_request_once"),)
        indexes = (models.Index(fields=("asked_at",), name="crm_review_request_asked"),)
        default_permissions = ()

    def __str__(self) -> str:
        return f"contact {self.contact_id} was asked about product {self.product_id}"
