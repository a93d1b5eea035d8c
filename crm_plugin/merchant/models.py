"""What a merchant decides: one settings row, edited through GraphQL, the same in every shop."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db import models
from django.db.models import Value

from crm_plugin import shop
from crm_plugin.merchant.manners import Cap, Caps, DomainLimits, Prices, QuietAction

#: Klaviyo's smart sending (features part 2a): one e-mail in 16 hours, one text message or push in 24; Brand Messages
#: at most one a day, as resellers of Kakao allow (part 5).
DEFAULT_CAPS: Final = (
    {"channel": "email", "count": 1, "hours": 16},
    {"channel": "sms", "count": 1, "hours": 24},
    {"channel": "kakao", "count": 1, "days": 1},
    {"channel": "web_push", "count": 1, "hours": 24},
    {"channel": "app_push", "count": 1, "hours": 24},
)


def _default_caps() -> list[dict[str, Any]]:
    return [dict(cap) for cap in DEFAULT_CAPS]


class Merchant(models.Model):
    """The merchant's settings; the one row has id 1. What each field may hold is in ``changing.MerchantChange``.

    A campaign cannot be published before the sender and the postal address are filled in (CAN-SPAM 15 USC
    7704(a)(5); features part 5).
    """

    sender_name = models.CharField(max_length=120, blank=True, default="")
    sender_email = models.EmailField(blank=True, default="")
    reply_to = models.EmailField(blank=True, default="")
    sms_sender = models.CharField(max_length=40, blank=True, default="", db_default="")
    sms_refusal_number = models.CharField(max_length=20, blank=True, default="", db_default="")
    kakao_sender_key = models.CharField(max_length=100, blank=True, default="", db_default="")
    postal_address = models.CharField(max_length=300, blank=True, default="")
    country = models.CharField(max_length=2, blank=True, default="", db_default="")
    default_language = models.CharField(max_length=12, default="en")
    languages = models.JSONField(default=list, help_text="Language codes that templates are written in.")
    time_zone = models.CharField(max_length=64, blank=True, default="", db_default="", help_text="Empty: the shop's.")
    consent_text = models.TextField(blank=True, default="", help_text="Why the reader gets this mail.")
    logo_url = models.CharField(max_length=500, blank=True, default="", db_default="")
    brand_color = models.CharField(max_length=7, blank=True, default="", db_default="")
    brand_footer = models.CharField(max_length=1000, blank=True, default="", db_default="")
    caps: models.JSONField[Any, Any] = models.JSONField(default=_default_caps)
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_to = models.TimeField(null=True, blank=True)
    quiet_action = models.CharField(max_length=4, default=QuietAction.HOLD, db_default=QuietAction.HOLD.value)
    is_double_opt_in = models.BooleanField(default=False, db_default=False)
    is_soft_opt_in = models.BooleanField(default=False, db_default=False)
    prices: models.JSONField[Any, Any] = models.JSONField(default=dict, db_default=Value({}, models.JSONField()))
    price_currency = models.CharField(max_length=3, blank=True, default="", db_default="")
    soft_bounces_block = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="Block after so many soft bounces in a row; 0: never (as listmonk does)."
    )
    pause_bounce_percent = models.DecimalField(
        max_digits=5, decimal_places=2, default=Decimal("5.00"), db_default=Decimal("5.00")
    )
    pause_complaint_percent = models.DecimalField(
        max_digits=5, decimal_places=2, default=Decimal("0.30"), db_default=Decimal("0.30")
    )
    domain_limits: models.JSONField[Any, Any] = models.JSONField(
        default=dict, db_default=Value({}, models.JSONField()), help_text="E-mails an hour by receiving domain."
    )
    warm_up_from = models.DateField(null=True, blank=True)
    warm_up_first = models.PositiveIntegerField(default=500, db_default=500, help_text="E-mails on the first day.")
    delivered_after_days = models.PositiveSmallIntegerField(
        default=3, db_default=3, help_text="An order counts as delivered so long after it was sent; 0: only when told."
    )
    is_review_moderated = models.BooleanField(
        default=True, db_default=True, help_text="A review is published only after somebody has looked at it."
    )
    stock_wave_minutes = models.PositiveSmallIntegerField(
        default=60, db_default=60, help_text="How long those who wait for stock are ahead of those behind them."
    )
    webhook_secret = models.CharField(max_length=100, blank=True, default="", db_default="", editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = (models.CheckConstraint(condition=models.Q(pk=1), name="crm_merchant_one_row"),)
        permissions = (("view_crm", "View CRM."), ("manage_crm", "Manage CRM."))
        default_permissions = ()

    def __str__(self) -> str:
        return self.sender_name or "merchant settings"

    @property
    def cap_rules(self) -> tuple[Cap, ...]:
        """The frequency caps, read."""
        return Caps.validate_python(self.caps)

    @property
    def price_list(self) -> dict[str, Decimal]:
        """What a message costs, by form or else by channel, in ``price_currency``."""
        return Prices.validate_python(self.prices)

    @property
    def domain_limit(self) -> dict[str, int]:
        """How many e-mails an hour a receiving domain may get."""
        return DomainLimits.validate_python(self.domain_limits)


def load() -> Merchant:
    """Return the merchant's settings; defaults when nothing was saved yet (nothing is written)."""
    return Merchant.objects.filter(pk=1).first() or Merchant(pk=1)


def zone() -> ZoneInfo:
    """Return the zone that "ten o'clock" and "yesterday" are meant in: the merchant's choice, else the shop's.

    A shop's own setting is often its server's (Saleor's is UTC unless somebody changed it for all of Django).
    """
    return ZoneInfo(load().time_zone or shop.current().identity().time_zone)
