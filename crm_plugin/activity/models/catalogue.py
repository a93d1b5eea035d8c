"""What the shop does with its goods: groups, prices, stock, vouchers, and the waves that go out from them."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q


class GroupedProduct(models.Model):
    """A product whose groups were read from the shop, and when; only products that activities name have a row."""

    product_id = models.CharField(max_length=64, primary_key=True)
    read_at = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=("read_at",), name="crm_grouped_read"),)
        default_permissions = ()

    def __str__(self) -> str:
        return f"product {self.product_id}"


class ProductGroup(models.Model):
    """A product is in a group: a category (or one above it), a collection. ``group_key`` is ``category:12``."""

    product_id = models.CharField(max_length=64)
    group_key = models.CharField(max_length=80)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("product_id", "group_key"), name="crm_group_unique"),)
        indexes = (models.Index(fields=("group_key", "product_id"), name="crm_group_products"),)
        default_permissions = ()

    def __str__(self) -> str:
        return f"product {self.product_id} in {self.group_key}"


class PriceWatch(models.Model):
    """Our own snapshot of one variant's price in one channel; only variants that somebody cares for have one.

    Saleor keeps no price history and its price event cannot be trusted, Oscar's bulk updates fire nothing: so the
    price is read again on a schedule and compared with this row.

    Attributes:
        previous_price: the price before ``changed_at``, for facts that waited in the inbox.
        lowest_price: the lowest price ever read; a new low lifts the cool-down.
        due_at: when to look next; a hook that says "changed" moves it to the present.
    """

    product_id = models.CharField(max_length=64)
    variant_id = models.CharField(max_length=64)
    shop_channel = models.CharField(max_length=64)
    currency = models.CharField(max_length=3)
    price = models.DecimalField(max_digits=20, decimal_places=4)
    regular_price = models.DecimalField(max_digits=20, decimal_places=4)
    previous_price = models.DecimalField(max_digits=20, decimal_places=4, null=True, blank=True)
    lowest_price = models.DecimalField(max_digits=20, decimal_places=4)
    is_purchasable = models.BooleanField()
    available = models.IntegerField(null=True, blank=True)
    changed_at = models.DateTimeField(null=True, blank=True)
    checked_at = models.DateTimeField()
    due_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("variant_id", "shop_channel"), name="crm_watch_unique"),)
        indexes = (
            models.Index(fields=("due_at",), name="crm_watch_due"),
            models.Index(fields=("product_id", "shop_channel"), name="crm_watch_product"),
        )
        default_permissions = ()

    def __str__(self) -> str:
        return f"variant {self.variant_id} in {self.shop_channel}"


class WaveKind(models.TextChoices):
    """What happened to the products of a wave."""

    PRICE_DROP = "price_drop"
    BACK_IN_STOCK = "back_in_stock"
    NEW_VOUCHER = "new_voucher"


class Wave(models.Model):
    """Something that happened to several products at once and concerns everybody who is interested in them."""

    kind = models.CharField(
        max_length=16, choices=WaveKind.choices, default=WaveKind.PRICE_DROP, db_default=WaveKind.PRICE_DROP
    )
    occurred_at = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=("occurred_at",), name="crm_wave_in_time"),)
        default_permissions = ()

    def __str__(self) -> str:
        return f"wave {self.pk}"


class PriceDrop(models.Model):
    """One variant became cheaper in one channel.

    ``is_new_low``: cheaper than every price read before, which lifts the cool-down.
    """

    wave = models.ForeignKey(Wave, on_delete=models.CASCADE, related_name="drops", db_index=False)
    product_id = models.CharField(max_length=64)
    variant_id = models.CharField(max_length=64)
    shop_channel = models.CharField(max_length=64)
    currency = models.CharField(max_length=3)
    old_price = models.DecimalField(max_digits=20, decimal_places=4)
    new_price = models.DecimalField(max_digits=20, decimal_places=4)
    is_new_low = models.BooleanField()

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(new_price__lt=F("old_price")), name="crm_drop_is_a_drop"),
            models.UniqueConstraint(fields=("wave", "variant_id", "shop_channel"), name="crm_drop_unique"),
        )
        default_permissions = ()

    def __str__(self) -> str:
        return f"variant {self.variant_id}: {self.old_price} to {self.new_price} {self.currency}"


class Restock(models.Model):
    """One variant can be bought again in one channel, after a time in which it could not."""

    wave = models.ForeignKey(Wave, on_delete=models.CASCADE, related_name="restocks", db_index=False)
    product_id = models.CharField(max_length=64)
    variant_id = models.CharField(max_length=64)
    shop_channel = models.CharField(max_length=64)
    available = models.IntegerField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("wave", "variant_id", "shop_channel"), name="crm_restock_unique"),
        )
        default_permissions = ()

    def __str__(self) -> str:
        return f"variant {self.variant_id} in {self.shop_channel}"


class VoucherProduct(models.Model):
    """A new voucher is valid for a product; ``product_id`` is empty for one that is valid for everything.

    ``code`` is the code to type in; empty when every person needs one of their own.
    """

    wave = models.ForeignKey(Wave, on_delete=models.CASCADE, related_name="voucher_products", db_index=False)
    voucher_ref = models.CharField(max_length=64)
    code = models.CharField(max_length=200, blank=True, default="")
    product_id = models.CharField(max_length=64, blank=True, default="")
    shop_channel = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("wave", "voucher_ref", "product_id", "shop_channel"), name="crm_voucher_product_unique"
            ),
        )
        indexes = (models.Index(fields=("voucher_ref",), name="crm_voucher_product_ref"),)
        default_permissions = ()

    def __str__(self) -> str:
        return f"voucher {self.voucher_ref} for {self.product_id or 'everything'}"
