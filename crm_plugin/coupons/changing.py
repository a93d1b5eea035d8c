"""What a merchant gives away: making, changing and putting away a template."""

from __future__ import annotations

from typing import Annotated, Any, Final

from django.db import transaction
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from crm_plugin import clock
from crm_plugin.coupons import terms as coupon_terms
from crm_plugin.coupons.models import CouponSource, CouponTemplate
from crm_plugin.errors import InvalidInput, NotFound

#: Longer than anybody plans; a date of the calendar at any rate.
MAX_DAYS: Final = 3_650


def _one_line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("is one line of printable characters")
    return value


class TemplateChange(BaseModel):
    """A template as it would be after a change, but for its terms."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, from_attributes=True)

    name: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80), AfterValidator(_one_line)
    ]
    expires_in_days: int | None = Field(None, ge=0, le=MAX_DAYS)
    prefix: Annotated[
        str, StringConstraints(strip_whitespace=True, to_upper=True, max_length=10, pattern=r"^[A-Za-z0-9_-]*$")
    ] = ""
    warn_below: int = Field(0, ge=0, le=1_000_000)


@transaction.atomic
def create_template(
    name: str, *, source: CouponSource = CouponSource.SHOP, terms: Any = None, **more: Any
) -> CouponTemplate:
    """Make a template.

    Args:
        name: what the merchant calls the offer; people see it.
        source: where its codes come from; for good.
        terms: what a code is worth, as ``TermsInput``; none for a pool.
        **more: ``expires_in_days``, ``prefix``, ``warn_below``.

    Raises:
        InvalidInput: with the wrong field; nothing is saved.
    """
    now = clock.now()
    row = CouponTemplate(source=CouponSource(source), created_at=now, updated_at=now)
    _fill(row, {"name": name, **more}, terms=terms)
    row.save()
    return row


@transaction.atomic
def update_template(pk: int, *, terms: Any = None, **changes: Any) -> CouponTemplate:
    """Change what is given; the codes that are out stay as they are.

    Raises:
        InvalidInput, NotFound
    """
    row = _locked(pk)
    if row.is_archived:
        raise InvalidInput("This coupon is archived.", field="id", code="IS_ARCHIVED")
    before = {name: getattr(row, name) for name in TemplateChange.model_fields}
    _fill(row, before | changes, terms=row.terms if terms is None else terms)
    row.updated_at = clock.now()
    row.save()
    return row


@transaction.atomic
def archive_template(pk: int) -> CouponTemplate:
    """Put a template away: nobody gets one any more. Whether a campaign gives it out is the caller's to ask.

    Raises:
        NotFound
    """
    row = _locked(pk)
    row.is_archived, row.updated_at = True, clock.now()
    row.save(update_fields=("is_archived", "updated_at"))
    return row


def _locked(pk: int) -> CouponTemplate:
    row = CouponTemplate.objects.select_for_update(no_key=True).filter(pk=pk).first()
    if row is None:
        raise NotFound("There is no such coupon.")
    return row


def _fill(row: CouponTemplate, values: dict[str, Any], *, terms: Any) -> None:
    try:
        wanted = TemplateChange.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0])
        raise InvalidInput(f"{field} {first['msg'].removeprefix('Value error, ')}", field=field) from error
    is_pool = row.source == CouponSource.POOL
    if is_pool and terms:
        raise InvalidInput("What codes of a pool are worth is for their own system to say.", field="terms")
    if is_pool and wanted.prefix:
        raise InvalidInput("The codes of a pool are what they are.", field="prefix")
    if not is_pool and wanted.warn_below:
        raise InvalidInput("Only a pool runs low; the shop makes codes as they are needed.", field="warn_below")
    if not is_pool and not terms:
        raise InvalidInput("Say what the coupon is worth.", field="terms", code="REQUIRED")
    for name, value in wanted.model_dump().items():
        setattr(row, name, value)
    row.terms = {} if is_pool else coupon_terms.as_kept(coupon_terms.checked(terms))
