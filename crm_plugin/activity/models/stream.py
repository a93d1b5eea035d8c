"""The stream of what people did, and what is derived from it."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Inbox(models.Model):
    """A fact on its way in: written by one INSERT in the shop's request, projected and deleted by the drain.

    ``error`` is filled when the row broke the drain by itself; such a row is set aside, counted, and kept for a
    person to look at.
    """

    kind = models.CharField(max_length=32)
    source_key = models.CharField(max_length=200)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())
    customer_id = models.CharField(max_length=64, blank=True, default="")
    email = models.CharField(max_length=254, blank=True, default="")
    visitor_id = models.CharField(max_length=64, blank=True, default="")
    contact_id = models.BigIntegerField(null=True, blank=True)
    product_id = models.CharField(max_length=64, blank=True, default="")
    variant_id = models.CharField(max_length=64, blank=True, default="")
    shop_channel = models.CharField(max_length=64, blank=True, default="")
    order_ref = models.CharField(max_length=64, blank=True, default="")
    cart_ref = models.CharField(max_length=64, blank=True, default="")
    quantity = models.IntegerField(null=True, blank=True)
    amount = models.DecimalField(max_digits=20, decimal_places=4, null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True, default="")
    subject = models.CharField(max_length=200, blank=True, default="", db_default="")
    data: models.JSONField[Any, Any] = models.JSONField(default=dict)
    error = models.TextField(blank=True, default="")

    class Meta:
        indexes = (models.Index(fields=("id",), condition=Q(error=""), name="crm_inbox_open"),)
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.kind} {self.source_key}"


class Activity(models.Model):
    """A fact with a time, about a contact: the append-only stream that everything else is derived from.

    ``amount`` is an order's total, or for a product the price of one unit that the person saw. ``subject`` is what
    it was about when that is no product: the group that was viewed (``category:12``), the words searched for (in lower
    case), the name of a custom event, the code of a coupon, the segment joined (``segment:5``).
    """

    contact = models.ForeignKey("crm_plugin.Contact", on_delete=models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=32)
    source_key = models.CharField(max_length=200)
    occurred_at = models.DateTimeField()
    product_id = models.CharField(max_length=64, blank=True, default="")
    variant_id = models.CharField(max_length=64, blank=True, default="")
    shop_channel = models.CharField(max_length=64, blank=True, default="")
    order_ref = models.CharField(max_length=64, blank=True, default="")
    cart_ref = models.CharField(max_length=64, blank=True, default="")
    quantity = models.IntegerField(null=True, blank=True)
    amount = models.DecimalField(max_digits=20, decimal_places=4, null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True, default="")
    subject = models.CharField(max_length=200, blank=True, default="", db_default="")
    data: models.JSONField[Any, Any] = models.JSONField(default=dict)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("source_key",), name="crm_activity_once"),)
        indexes = (
            models.Index(fields=("contact", "kind", "occurred_at"), name="crm_activity_of_contact"),
            # What an audience asks: who did it with this product, with this subject, in this time. The answers
            # are in the index; the table of millions of rows is not read.
            models.Index(
                fields=("product_id", "kind", "occurred_at"),
                include=("contact", "order_ref", "shop_channel"),
                condition=~Q(product_id=""),
                name="crm_activity_of_product",
            ),
            models.Index(
                fields=("subject", "kind", "occurred_at"),
                include=("contact", "shop_channel"),
                condition=~Q(subject=""),
                name="crm_activity_of_subject",
            ),
            models.Index(
                fields=("kind", "occurred_at"), include=("contact", "shop_channel"), name="crm_activity_in_time"
            ),
            models.Index(fields=("order_ref",), condition=~Q(order_ref=""), name="crm_activity_order"),
            models.Index(fields=("order_ref",), condition=Q(kind="cancelled"), name="crm_activity_cancelled"),
        )
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.kind} {self.source_key}"


class Interest(models.Model):
    """What a contact feels for a product in one channel, as far as the shop can see.

    Attributes:
        variant_id: the variant of the last interest event; empty for the product as a whole.
        liked_at, carted_at: set while the product is on the list, in the cart; NULL again when taken off.
        like_changed_at: the newest like or unlike, so that facts drained out of order end in the same state.
        baseline_price: the lowest effective price the person saw at the last interest event.
        alerted_at, alerted_price: the last price-drop alert that went out, for the cool-down.
    """

    contact = models.ForeignKey("crm_plugin.Contact", on_delete=models.CASCADE, related_name="+", db_index=False)
    product_id = models.CharField(max_length=64)
    shop_channel = models.CharField(max_length=64)
    variant_id = models.CharField(max_length=64, blank=True, default="")
    liked_at = models.DateTimeField(null=True, blank=True)
    like_changed_at = models.DateTimeField(null=True, blank=True)
    views_count = models.PositiveIntegerField(default=0)
    last_viewed_at = models.DateTimeField(null=True, blank=True)
    carted_at = models.DateTimeField(null=True, blank=True)
    cart_ref = models.CharField(max_length=64, blank=True, default="")
    checkout_at = models.DateTimeField(null=True, blank=True)
    bought_at = models.DateTimeField(null=True, blank=True)
    bought_count = models.PositiveIntegerField(default=0)
    last_interest_at = models.DateTimeField(null=True, blank=True)
    baseline_price = models.DecimalField(max_digits=20, decimal_places=4, null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True, default="")
    alerted_at = models.DateTimeField(null=True, blank=True)
    alerted_price = models.DecimalField(max_digits=20, decimal_places=4, null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("contact", "product_id", "shop_channel"), name="crm_interest_unique"),
        )
        indexes = (
            models.Index(fields=("product_id", "shop_channel", "contact"), name="crm_interest_in_product"),
            models.Index(fields=("cart_ref",), condition=~Q(cart_ref=""), name="crm_interest_cart"),
            # What is liked most in a channel is counted in the index.
            models.Index(
                fields=("shop_channel", "product_id"),
                include=("liked_at",),
                condition=Q(like_changed_at__isnull=False),
                name="crm_interest_liked",
            ),
        )
        default_permissions = ()

    def __str__(self) -> str:
        return f"contact {self.contact_id} in product {self.product_id}"


class Inflow(models.Model):
    """Where a contact came from, the first time and the last, and the browser family of the last visit.

    From the visits that the storefront tells: ``utm_*`` of the landing address, else what the referrer says
    (``direct`` when there is neither).
    """

    contact = models.OneToOneField("crm_plugin.Contact", on_delete=models.CASCADE, primary_key=True, related_name="+")
    first_at = models.DateTimeField()
    first_source = models.CharField(max_length=100, blank=True, default="")
    first_medium = models.CharField(max_length=100, blank=True, default="")
    first_campaign = models.CharField(max_length=100, blank=True, default="")
    first_keyword = models.CharField(max_length=100, blank=True, default="")
    first_referrer = models.CharField(max_length=100, blank=True, default="")
    last_at = models.DateTimeField()
    last_source = models.CharField(max_length=100, blank=True, default="")
    last_medium = models.CharField(max_length=100, blank=True, default="")
    last_campaign = models.CharField(max_length=100, blank=True, default="")
    last_keyword = models.CharField(max_length=100, blank=True, default="")
    last_referrer = models.CharField(max_length=100, blank=True, default="")
    browser = models.CharField(max_length=40, blank=True, default="")

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"contact {self.contact_id} from {self.last_source}"


class Watermark(models.Model):
    """How far reconcile or backfill has read one stream of the shop."""

    purpose = models.CharField(max_length=16)
    stream = models.CharField(max_length=32)
    at = models.DateTimeField()
    key = models.CharField(max_length=64, blank=True, default="")
    is_done = models.BooleanField(default=False)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("purpose", "stream"), name="crm_watermark_unique"),)
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.purpose} {self.stream}"
