"""What people keep, and what they wait for."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce

from crm_plugin.activity.models.catalogue import Wave


class OwnWishlist(models.Model):
    """A named list that the CRM keeps for a shop without a wishlist of its own (Saleor).

    The default list has a row only once it was renamed or made public; its likes name no list.
    """

    customer_id = models.CharField(max_length=64)
    name = models.CharField(max_length=80, blank=True, default="")
    is_default = models.BooleanField(default=False)
    is_public = models.BooleanField(default=False)
    key = models.CharField(max_length=32, unique=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("customer_id",), condition=Q(is_default=True), name="crm_wishlist_one_default"
            ),
        )
        indexes = (models.Index(fields=("customer_id", "created_at"), name="crm_wishlist_customer"),)
        default_permissions = ()

    def __str__(self) -> str:
        return f"list {self.pk} of customer {self.customer_id}"


class OwnLike(models.Model):
    """A like that the CRM keeps: for a shop without a wishlist of its own (Saleor), or of a guest.

    A guest has no ``customer_id`` but a ``visitor_id``; when they sign in, their likes become the customer's.
    ``wishlist`` is NULL on the default list.
    """

    customer_id = models.CharField(max_length=64, blank=True, default="")
    visitor_id = models.CharField(max_length=64, blank=True, default="", db_default="")
    wishlist = models.ForeignKey(OwnWishlist, on_delete=models.CASCADE, null=True, blank=True, related_name="likes")
    product_id = models.CharField(max_length=64)
    variant_id = models.CharField(max_length=64, blank=True, default="")
    shop_channel = models.CharField(max_length=64)
    created_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("customer_id", "product_id", "variant_id", "shop_channel"),
                condition=Q(wishlist__isnull=True) & ~Q(customer_id=""),
                name="crm_like_once",
            ),
            models.UniqueConstraint(
                fields=("wishlist", "product_id", "variant_id", "shop_channel"),
                condition=Q(wishlist__isnull=False),
                name="crm_like_once_in_list",
            ),
            models.UniqueConstraint(
                fields=("visitor_id", "product_id", "variant_id", "shop_channel"),
                condition=~Q(visitor_id=""),
                name="crm_like_once_by_visitor",
            ),
            models.CheckConstraint(
                condition=Q(visitor_id="") ^ Q(customer_id=""), name="crm_like_of_customer_or_visitor"
            ),
        )
        indexes = (
            models.Index(fields=("created_at", "id"), name="crm_like_created"),
            models.Index(fields=("product_id", "shop_channel", "customer_id"), name="crm_like_product"),
            models.Index(fields=("customer_id", "created_at"), condition=~Q(customer_id=""), name="crm_like_customer"),
        )
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.customer_id or 'a visitor'} likes {self.product_id}"


class StockRequestState(models.TextChoices):
    """Where a request to be told of stock stands."""

    UNCONFIRMED = "unconfirmed"  #: somebody typed the address in; its owner has not said yes yet
    WAITING = "waiting"
    TOLD = "told"  #: their turn came; the campaign has them
    CANCELLED = "cancelled"  #: taken back, or the variant is gone for good


class StockRequest(models.Model):
    """Somebody asked to be told when a variant can be bought again in a channel.

    Attributes:
        queued_at: the place in the line, first come first served; when it was confirmed, if it had to be.
        wave: the one in which their turn came.
    """

    contact = models.ForeignKey("crm_plugin.Contact", on_delete=models.CASCADE, related_name="+", db_index=False)
    product_id = models.CharField(max_length=64)
    variant_id = models.CharField(max_length=64)
    shop_channel = models.CharField(max_length=64)
    state = models.CharField(max_length=12, choices=StockRequestState.choices)
    created_at = models.DateTimeField()
    queued_at = models.DateTimeField(null=True, blank=True)
    told_at = models.DateTimeField(null=True, blank=True)
    wave = models.ForeignKey(Wave, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", db_index=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("contact", "variant_id", "shop_channel"),
                condition=Q(state__in=("unconfirmed", "waiting")),
                name="crm_stock_request_once",
            ),
            models.CheckConstraint(
                condition=~Q(state="waiting") | Q(queued_at__isnull=False), name="crm_stock_request_has_its_place"
            ),
        )
        indexes = (
            models.Index(
                fields=("variant_id", "shop_channel", "queued_at", "id"),
                condition=Q(state="waiting"),
                name="crm_stock_request_line",
            ),
            models.Index(fields=("wave", "contact"), condition=Q(wave__isnull=False), name="crm_stock_request_wave"),
            models.Index(fields=("contact", "created_at"), name="crm_stock_request_contact"),
            models.Index(fields=("created_at",), condition=Q(state="unconfirmed"), name="crm_stock_request_open"),
            models.Index(
                Coalesce("told_at", "created_at"),
                condition=Q(state__in=("told", "cancelled")),
                name="crm_stock_request_over",
            ),
        )
        default_permissions = ()

    def __str__(self) -> str:
        return f"contact {self.contact_id} waits for variant {self.variant_id}"


class StockEpoch(models.Model):
    """The time from which a variant that people wait for can be bought again until it cannot, or nobody waits.

    Nobody is told twice in one. While it is open, a wave of people is told at ``next_wave_at``, as many as the stock of
    that moment allows.
    """

    product_id = models.CharField(max_length=64)
    variant_id = models.CharField(max_length=64)
    shop_channel = models.CharField(max_length=64)
    opened_at = models.DateTimeField()
    next_wave_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    waves_count = models.PositiveIntegerField(default=0)
    told_count = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("variant_id", "shop_channel"), condition=Q(closed_at__isnull=True), name="crm_stock_epoch_open"
            ),
            models.CheckConstraint(
                condition=Q(closed_at__isnull=False) ^ Q(next_wave_at__isnull=False), name="crm_stock_epoch_goes_on"
            ),
        )
        indexes = (
            models.Index(fields=("next_wave_at",), condition=Q(next_wave_at__isnull=False), name="crm_stock_epoch_due"),
            models.Index(fields=("closed_at",), condition=Q(closed_at__isnull=False), name="crm_stock_epoch_over"),
        )
        default_permissions = ()

    def __str__(self) -> str:
        return f"variant {self.variant_id} in {self.shop_channel} since {self.opened_at:%Y-%m-%d %H:%M}"
