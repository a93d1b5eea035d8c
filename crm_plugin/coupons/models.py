"""Tables of the coupons room."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper


class CouponSource(models.TextChoices):
    """Where the codes of a template come from."""

    SHOP = "shop"  #: made in the shop, one at a time, when somebody gets one
    POOL = "pool"  #: uploaded by the merchant, of another system


class CouponTemplate(models.Model):
    """What the merchant gives away: what each code is worth, how long it is good, what it looks like.

    Attributes:
        terms: ``CouponTerms`` as JSON (``terms.TermsInput``); empty for a pool, whose codes are worth what their own
            system says.
        expires_in_days: a code is good until the end of the day so many days after its issue, by the shop's clocks;
            NULL: it does not expire.
        prefix: what its codes begin with.
        warn_below: of a pool: the merchant is warned when fewer codes are left.
        is_archived: nobody gets one any more; what was issued stays good.
    """

    name = models.CharField(max_length=80)
    source = models.CharField(max_length=4, choices=CouponSource.choices, default=CouponSource.SHOP)
    terms: models.JSONField[Any, Any] = models.JSONField(default=dict)
    expires_in_days = models.PositiveSmallIntegerField(null=True, blank=True)
    prefix = models.CharField(max_length=10, blank=True, default="")
    warn_below = models.PositiveIntegerField(default=0)
    is_archived = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=("created_at", "id"), name="crm_coupon_tmpl_created"),)
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class CouponSeries(models.Model):
    """What codes of the same terms and the same end have in common in the shop (Saleor: a voucher; Oscar: an offer).

    ``bucket`` is a digest of the terms, the end and the goods: the same bucket is the same series.
    """

    template = models.ForeignKey(CouponTemplate, on_delete=models.CASCADE, related_name="+", db_index=False)
    bucket = models.CharField(max_length=64)
    shop_ref = models.CharField(max_length=64)
    ends_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("template", "bucket"), name="crm_coupon_series_once"),)
        default_permissions = ()

    def __str__(self) -> str:
        return f"series {self.shop_ref}"


class CouponState(models.TextChoices):
    """Where a code stands. ``free``: of a pool, not given to anybody yet."""

    FREE = "free"
    ISSUED = "issued"
    USED = "used"
    EXPIRED = "expired"
    VOID = "void"  #: withdrawn by the merchant, or deleted in the shop


class Coupon(models.Model):
    """One code, of one person.

    Attributes:
        template: NULL for a code of the shop's own that staff said is somebody's.
        contact: whose; NULL while it is free, and once the person was erased.
        occasion: why: ``campaign:5/coupon`` (once ever for a person) or ``run:81/coupon`` (once in a run), ``staff:…``;
            one occasion, one code.
        code: as the shop writes it; no two are the same but for the case of their letters.
        expires_at: the moment from which it is no longer good; ``expires_on`` is the last day on which it is.
        name: what the merchant calls the offer.
        order_ref, used_at: the order that used it.
        used_by: who ordered, when that is somebody else.
        is_kept_by_shop: False once the code was taken out of the shop, and for codes of a pool.
    """

    template = models.ForeignKey(
        CouponTemplate, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    series = models.ForeignKey(
        CouponSeries, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    contact = models.ForeignKey(
        "crm_plugin.Contact", on_delete=models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    occasion = models.CharField(max_length=80, blank=True, default="")
    code = models.CharField(max_length=64)
    name = models.CharField(max_length=80, blank=True, default="")
    state = models.CharField(max_length=8, choices=CouponState.choices)
    created_at = models.DateTimeField()
    issued_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    expires_on = models.DateField(null=True, blank=True)
    used_at = models.DateTimeField(null=True, blank=True)
    order_ref = models.CharField(max_length=64, blank=True, default="")
    used_by = models.ForeignKey(
        "crm_plugin.Contact", on_delete=models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    is_kept_by_shop = models.BooleanField(default=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(Upper("code"), name="crm_coupon_code_once"),
            models.UniqueConstraint(
                fields=("contact", "occasion"), condition=~Q(occasion=""), name="crm_coupon_occasion_once"
            ),
            models.CheckConstraint(
                condition=~Q(state="used") | Q(used_at__isnull=False), name="crm_coupon_used_some_time"
            ),
            models.CheckConstraint(
                condition=Q(state="free") | Q(issued_at__isnull=False), name="crm_coupon_issued_some_time"
            ),
        )
        indexes = (
            models.Index(fields=("contact", "state"), name="crm_coupon_contact"),
            models.Index(fields=("template", "state", "id"), name="crm_coupon_template"),
            models.Index(fields=("expires_on", "contact"), condition=Q(state="issued"), name="crm_coupon_expiry"),
            models.Index(fields=("series",), condition=Q(series__isnull=False), name="crm_coupon_series"),
            models.Index(fields=("order_ref",), condition=~Q(order_ref=""), name="crm_coupon_order"),
            models.Index(fields=("used_by",), condition=Q(used_by__isnull=False), name="crm_coupon_used_by"),
            models.Index(
                fields=("expires_at",),
                condition=Q(state="issued", expires_at__isnull=False),
                name="crm_coupon_to_expire",
            ),
            models.Index(
                fields=("expires_at",), condition=Q(is_kept_by_shop=True, state="expired"), name="crm_coupon_to_drop"
            ),
        )
        default_permissions = ()

    def __str__(self) -> str:
        return f"coupon {self.pk}"
