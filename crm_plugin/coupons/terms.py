"""What a coupon is worth, as a merchant writes it down, as it is kept, and as the shop understands it."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Final, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_serializer,
    model_validator,
)

from crm_plugin import shop
from crm_plugin.errors import InvalidInput
from crm_plugin.shop import CouponKind, CouponTerms

MAX_PRODUCTS: Final = 500
MAX_GROUPS: Final = 100
MAX_CHANNELS: Final = 100


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


_Key = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
_Amount = Annotated[Decimal, Field(gt=0, max_digits=14, decimal_places=3, allow_inf_nan=False)]
_Amounts = Annotated[dict[_Key, _Amount], Field(max_length=MAX_CHANNELS)]


class TermsInput(BaseModel):
    """The terms of a coupon: every rule about them that holds in every shop.

    Attributes:
        amounts: of a fixed one. Where it is good is then said by its amounts: each channel has one, in its currency.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: CouponKind
    percent: Annotated[Decimal, Field(gt=0, le=100, decimal_places=2, allow_inf_nan=False)] | None = None
    amounts: _Amounts = {}
    min_spend: _Amounts = {}
    product_ids: Annotated[tuple[_Key, ...], Field(max_length=MAX_PRODUCTS), AfterValidator(_distinct)] = ()
    group_keys: Annotated[tuple[_Key, ...], Field(max_length=MAX_GROUPS), AfterValidator(_distinct)] = ()
    shop_channels: Annotated[tuple[_Key, ...], Field(max_length=MAX_CHANNELS), AfterValidator(_distinct)] = ()

    @model_validator(mode="after")
    def _worth_fits_the_kind(self) -> Self:
        if (self.percent is not None) != (self.kind is CouponKind.PERCENT):
            raise ValueError("percent is for a coupon of that kind, and needed there")
        if bool(self.amounts) != (self.kind is CouponKind.FIXED):
            raise ValueError("amounts are for a fixed coupon, and needed there")
        return self

    @model_validator(mode="after")
    def _channels_agree(self) -> Self:
        if self.amounts and self.shop_channels and set(self.amounts) != set(self.shop_channels):
            raise ValueError("amounts has one amount for each of the channels")
        if beyond := set(self.min_spend) - set(self.channels_named or self.min_spend):
            raise ValueError(f"min_spend names {min(beyond)!r}, where the coupon is not good")
        return self

    @field_serializer("percent", "amounts", "min_spend", when_used="json")
    def _plainly(self, value: Any) -> Any:
        """Keep a number without what only its writing has: 10.00 and 10 are the same series."""
        if isinstance(value, dict):
            return {key: _plain(value[key]) for key in sorted(value)}
        return None if value is None else _plain(value)

    @property
    def channels_named(self) -> tuple[str, ...]:
        """Where it is good; empty: in every active channel."""
        return self.shop_channels or tuple(sorted(self.amounts))

    @property
    def terms(self) -> CouponTerms:
        """As the shop understands them."""
        return CouponTerms(
            kind=self.kind,
            percent=self.percent,
            amounts=self.amounts,
            min_spend=self.min_spend,
            product_ids=self.product_ids,
            group_keys=self.group_keys,
            shop_channels=self.channels_named,
        )


def checked(raw: Any) -> TermsInput:
    """Return the terms that a merchant wrote, if they can be offered here.

    Raises:
        InvalidInput: with the wrong field, under ``terms``.
    """
    try:
        found = TermsInput.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        message = first["msg"].removeprefix("Value error, ")
        word = message.partition(" ")[0]
        path = [*map(str, first["loc"])] or [word] * (word in TermsInput.model_fields)
        text = f"{path[-1]}: {message}" if first["loc"] else message
        raise InvalidInput(text, field=".".join(["terms", *path])) from error
    try:
        shop.current().check_coupon_terms(found.terms)
    except InvalidInput as error:
        field = f"terms.{error.field}" if error.field else "terms"
        raise InvalidInput(error.message, field=field, code=error.code) from error
    return found


def kept(terms: dict[str, Any]) -> TermsInput:
    """Return the terms of a template, as they were kept."""
    return TermsInput.model_validate(terms)


def as_kept(terms: TermsInput) -> dict[str, Any]:
    """Return the terms as a template keeps them."""
    return terms.model_dump(mode="json", exclude_defaults=True, exclude_none=True)


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"
