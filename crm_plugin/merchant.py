"""What a merchant decides: one settings row, edited through GraphQL, the same in every shop."""

from __future__ import annotations

import base64
import secrets
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo, available_timezones

from babel import Locale, UnknownLocaleError
from django.core.exceptions import ValidationError as DjangoValidationError
from django.core.validators import validate_email
from django.db import models, transaction
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from crm_plugin import shop
from crm_plugin.errors import InvalidInput


class Merchant(models.Model):
    """The merchant's settings; the one row has id 1.

    A campaign cannot be published before the sender and the postal address are filled in (CAN-SPAM 15 USC
    7704(a)(5); features part 5).
    """

    sender_name = models.CharField(max_length=120, blank=True, default="")
    sender_email = models.EmailField(blank=True, default="")
    reply_to = models.EmailField(blank=True, default="")
    postal_address = models.CharField(max_length=300, blank=True, default="")
    default_language = models.CharField(max_length=12, default="en")
    languages = models.JSONField(default=list, help_text="Language codes that templates are written in.")
    time_zone = models.CharField(max_length=64, blank=True, default="", db_default="", help_text="Empty: the shop's.")
    consent_text = models.TextField(blank=True, default="", help_text="Why the reader gets this mail.")
    email_cap_count = models.PositiveSmallIntegerField(default=1, help_text="Marketing e-mails per person …")
    email_cap_hours = models.PositiveSmallIntegerField(default=16, help_text="… in this many hours; 0: no cap.")
    delivered_after_days = models.PositiveSmallIntegerField(
        default=3, db_default=3, help_text="An order counts as delivered so long after it was sent; 0: only when told."
    )
    webhook_secret = models.CharField(max_length=100, blank=True, default="", db_default="", editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = (models.CheckConstraint(condition=models.Q(pk=1), name="crm_merchant_one_row"),)
        permissions = (("view_crm", "View CRM."), ("manage_crm", "Manage CRM."))
        default_permissions = ()

    def __str__(self) -> str:
        return self.sender_name or "merchant settings"


def load() -> Merchant:
    """Return the merchant's settings; defaults when nothing was saved yet (nothing is written)."""
    return Merchant.objects.filter(pk=1).first() or Merchant(pk=1)


def zone() -> ZoneInfo:
    """Return the zone that "ten o'clock" and "yesterday" are meant in: the merchant's choice, else the shop's.

    A shop's own setting is often its server's (Saleor's is UTC unless somebody changed it for all of Django).
    """
    return ZoneInfo(load().time_zone or shop.current().identity().time_zone)


def webhook_secrets() -> tuple[str, ...]:
    """Return the secrets that webhooks are signed with, the newest first; the first one is made when it is asked for.

    Each is ``whsec_`` and the base64 of 24 random bytes (Standard Webhooks, "Signature scheme").
    """
    return tuple(load().webhook_secret.split()) or _new_webhook_secret(is_first=True)


def rotate_webhook_secret() -> str:
    """Make a new secret and return it; the one before it signs along until the next rotation.

    So no call is refused while the receivers change over.
    """
    return _new_webhook_secret(is_first=False)[0]


@transaction.atomic
def _new_webhook_secret(*, is_first: bool) -> tuple[str, ...]:
    Merchant.objects.bulk_create([Merchant(pk=1)], ignore_conflicts=True)
    row = Merchant.objects.select_for_update().get(pk=1)
    kept = tuple(row.webhook_secret.split())
    if not is_first or not kept:  # another process may have been faster with the first one
        kept = (f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}", *kept[:1])
        row.webhook_secret = " ".join(kept)
        row.save(update_fields=("webhook_secret", "updated_at"))
    return kept


def _address(value: str) -> str:
    if value:
        try:
            validate_email(value)
        except DjangoValidationError:
            raise ValueError("is not an e-mail address") from None
    return value


def _one_line(value: str) -> str:
    # It becomes a mail header, where a line break would begin another one.
    if not value.isprintable():
        raise ValueError("is one line of printable characters")
    return value


def _language(value: str) -> str:
    code = value.replace("_", "-").lower()
    try:
        Locale.parse(code, sep="-")
    except (UnknownLocaleError, ValueError):
        raise ValueError("is not a language code such as en or pt-br") from None
    return code


def _zone(value: str) -> str:
    if value and value not in available_timezones():
        raise ValueError("is not a time zone such as Asia/Seoul")
    return value


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


_Email = Annotated[str, StringConstraints(strip_whitespace=True, max_length=254), AfterValidator(_address)]
_Language = Annotated[str, StringConstraints(strip_whitespace=True, max_length=12), AfterValidator(_language)]


class MerchantChange(BaseModel):
    """The settings as they would be after a change: every rule about them."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, from_attributes=True)

    sender_name: Annotated[str, StringConstraints(strip_whitespace=True, max_length=120), AfterValidator(_one_line)] = (
        ""
    )
    sender_email: _Email = ""
    reply_to: _Email = ""
    postal_address: Annotated[str, StringConstraints(strip_whitespace=True, max_length=300)] = ""
    default_language: _Language = "en"
    languages: Annotated[tuple[_Language, ...], Field(max_length=35, strict=False), AfterValidator(_distinct)] = ()
    time_zone: Annotated[str, StringConstraints(strip_whitespace=True, max_length=64), AfterValidator(_zone)] = ""
    consent_text: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2_000)] = ""
    email_cap_count: int = Field(1, ge=1, le=100)
    email_cap_hours: int = Field(16, ge=0, le=24 * 31)
    delivered_after_days: int = Field(3, ge=0, le=60)

    @model_validator(mode="after")
    def _default_is_written_in(self) -> Self:
        if self.languages and self.default_language not in self.languages:
            raise ValueError("default_language is one of languages")
        return self


#: What no campaign can be published without, so that no running one may lose it.
NEEDED = ("sender_email", "sender_name", "postal_address")


def update(**changes: Any) -> Merchant:
    """Change the settings and return them; what is left out stays. What campaigns need cannot be emptied again.

    Raises:
        InvalidInput: naming the field; nothing is written.
    """
    with transaction.atomic():
        Merchant.objects.bulk_create([Merchant(pk=1)], ignore_conflicts=True)
        row = Merchant.objects.select_for_update().get(pk=1)
        before = {name: getattr(row, name) for name in MerchantChange.model_fields}
        try:
            wanted = MerchantChange.model_validate(before | changes)
        except ValidationError as error:
            first = error.errors()[0]
            field = str(first["loc"][0]) if first["loc"] else "default_language"
            raise InvalidInput(f"{field} {first['msg'].removeprefix('Value error, ')}", field=field) from error
        for name in NEEDED:
            if before[name] and not getattr(wanted, name):
                raise InvalidInput(f"{name} can be changed, not emptied.", field=name, code="REQUIRED")
        for name, value in wanted.model_dump(mode="json").items():
            setattr(row, name, value)
        row.save()
        return row
