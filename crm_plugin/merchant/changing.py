"""Changing the settings: every rule about what they may hold."""

from __future__ import annotations

import re
from datetime import date, time
from decimal import Decimal
from typing import Annotated, Any, Self
from zoneinfo import available_timezones

from babel import Locale, UnknownLocaleError
from babel.core import get_global
from babel.numbers import is_currency
from django.core.exceptions import ValidationError as DjangoValidationError
from django.core.validators import URLValidator, validate_email
from django.db import transaction
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from crm_plugin.errors import InvalidInput
from crm_plugin.merchant.manners import Cap, Limits, PriceList, QuietAction
from crm_plugin.merchant.models import Merchant


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


def _country(value: str) -> str:
    code = value.upper()
    if code and code not in get_global("territory_languages"):
        raise ValueError("is not an ISO 3166 country code such as KR")
    return code


def _currency(value: str) -> str:
    code = value.upper()
    if code and not is_currency(code):
        raise ValueError("is not an ISO 4217 currency code such as KRW")
    return code


def _web_address(value: str) -> str:
    if value:
        try:
            URLValidator(schemes=("https", "http"))(value)
        except DjangoValidationError:
            raise ValueError("is not a web address") from None
    return value


def _color(value: str) -> str:
    if value and not re.fullmatch(r"#[0-9a-fA-F]{6}", value):
        raise ValueError("is not a colour such as #1a7f5a")
    return value.lower()


def _phone(value: str) -> str:
    if value and not re.fullmatch(r"\+?[0-9][0-9 -]{2,18}", value):
        raise ValueError("is not a telephone number")
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
    sms_sender: Annotated[str, StringConstraints(strip_whitespace=True, max_length=40), AfterValidator(_one_line)] = ""
    sms_refusal_number: Annotated[
        str, StringConstraints(strip_whitespace=True, max_length=20), AfterValidator(_phone)
    ] = ""
    kakao_sender_key: Annotated[
        str, StringConstraints(strip_whitespace=True, max_length=100), AfterValidator(_one_line)
    ] = ""
    country: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2), AfterValidator(_country)] = ""
    logo_url: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500), AfterValidator(_web_address)] = (
        ""
    )
    brand_color: Annotated[str, StringConstraints(strip_whitespace=True, max_length=7), AfterValidator(_color)] = ""
    brand_footer: Annotated[str, StringConstraints(strip_whitespace=True, max_length=1_000)] = ""
    caps: Annotated[tuple[Cap, ...], Field(max_length=20, strict=False)] = ()
    quiet_from: Annotated[time | None, Field(strict=False)] = None
    quiet_to: Annotated[time | None, Field(strict=False)] = None
    quiet_action: Annotated[QuietAction, Field(strict=False)] = QuietAction.HOLD
    is_double_opt_in: bool = False
    is_soft_opt_in: bool = False
    prices: Annotated[PriceList, Field(strict=False)] = {}
    price_currency: Annotated[
        str, StringConstraints(strip_whitespace=True, max_length=3), AfterValidator(_currency)
    ] = ""
    soft_bounces_block: int = Field(0, ge=0, le=100)
    pause_bounce_percent: Annotated[Decimal, Field(ge=0, le=100, decimal_places=2, strict=False)] = Decimal(5)
    pause_complaint_percent: Annotated[Decimal, Field(ge=0, le=100, decimal_places=2, strict=False)] = Decimal("0.3")
    domain_limits: Annotated[Limits, Field(strict=False)] = {}
    warm_up_from: Annotated[date | None, Field(strict=False)] = None
    warm_up_first: int = Field(500, ge=1, le=10_000_000)
    delivered_after_days: int = Field(3, ge=0, le=60)
    is_review_moderated: bool = True
    stock_wave_minutes: int = Field(60, ge=1, le=10_080)

    @model_validator(mode="after")
    def _default_is_written_in(self) -> Self:
        if self.languages and self.default_language not in self.languages:
            raise ValueError("default_language is one of languages")
        return self

    @model_validator(mode="after")
    def _quiet_hours_have_two_ends(self) -> Self:
        if (self.quiet_from is None) != (self.quiet_to is None) or (
            self.quiet_from and self.quiet_from == self.quiet_to
        ):
            raise ValueError("quiet_from and quiet_to are two different times, or both empty")
        return self

    @model_validator(mode="after")
    def _prices_have_a_currency(self) -> Self:
        if self.prices and not self.price_currency:
            raise ValueError("prices need a price_currency")
        return self


#: What no campaign can be published without, so that no running one may lose it.
NEEDED = ("sender_email", "sender_name", "postal_address")
#: Columns of JSON.
_JSON = {"languages", "caps", "prices", "domain_limits"}


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
            message = first["msg"].removeprefix("Value error, ")
            field = str(first["loc"][0]) if first["loc"] else message.partition(" ")[0]
            raise InvalidInput(message if not first["loc"] else f"{field} {message}", field=field) from error
        for name in NEEDED:
            if before[name] and not getattr(wanted, name):
                raise InvalidInput(f"{name} can be changed, not emptied.", field=name, code="REQUIRED")
        written = wanted.model_dump(exclude=_JSON) | wanted.model_dump(mode="json", include=_JSON, exclude_none=True)
        for name, value in written.items():
            setattr(row, name, value)
        row.save()
        return row
