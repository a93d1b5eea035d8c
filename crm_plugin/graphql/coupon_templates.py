"""Coupon templates: what the merchant gives away, and how many codes of it are out, used and left."""

from __future__ import annotations

from typing import Any, Self

import graphene

from crm_plugin import automations, coupons
from crm_plugin.coupons import CouponSource, CouponTemplate
from crm_plugin.errors import InvalidInput
from crm_plugin.graphql.access import Caller, admits
from crm_plugin.graphql.arguments import row_key
from crm_plugin.graphql.coupon_terms import CrmCouponTerms, CrmCouponTermsInput, in_our_words, terms_given, terms_of
from crm_plugin.graphql.enums import CrmEnum
from crm_plugin.graphql.loaders import beside, loaders
from crm_plugin.graphql.mutation import CrmMutation, result
from crm_plugin.graphql.pagination import Page, list_field, page_of_rows
from crm_plugin.graphql.rows import Row, RowChange, row_field, row_id
from crm_plugin.graphql.scalars import DateTime
from crm_plugin.shop import Actor


class CrmCouponSource(CrmEnum):
    """Where the codes of a template come from."""

    class Meta:
        enum = CouponSource
        words = {
            CouponSource.SHOP: "The shop makes each code when somebody gets it.",
            CouponSource.POOL: "Codes of another system, uploaded by the merchant.",
        }


def _counted(name: str) -> Any:
    def count(template: CouponTemplate, info: Any) -> Any:
        return loaders(info).coupon_counts.load(template.pk).then(lambda found: getattr(found, name))

    return count


class CrmCouponTemplate(Row):
    """What the merchant gives away."""

    name = graphene.String(required=True, description="What people read.")
    source = CrmCouponSource(required=True, description="Where its codes come from; never changes.")
    terms = graphene.Field(CrmCouponTerms, resolver=terms_of, description="Null: a pool.")
    expires_in_days = graphene.Int(
        description="A code is good until the end of the day so many days after its issue; null: it does not expire."
    )
    prefix = graphene.String(required=True, description="What its codes begin with.")
    warn_below = graphene.Int(required=True, description="Of a pool: it is low when fewer codes are left.")
    is_archived = graphene.Boolean(required=True, description="Put away: nobody gets one any more.")
    issued_count = graphene.Int(
        required=True, resolver=_counted("given"), description="Given to somebody so far, whatever became of them."
    )
    used_count = graphene.Int(required=True, resolver=_counted("used"), description="Codes that orders used.")
    expired_count = graphene.Int(required=True, resolver=_counted("expired"), description="Codes that ended unused.")
    free_count = graphene.Int(
        resolver=_counted("free"), description="Left in the pool; null: the shop makes them as they are needed."
    )
    is_low = graphene.Boolean(
        required=True, resolver=beside("low_pool"), description="Fewer are left than `warnBelow`."
    )
    created_at = DateTime(required=True, description="When it was made.")
    updated_at = DateTime(required=True, description="When it last changed.")


class CrmCouponTemplateConnection(Page, node=CrmCouponTemplate):
    """A page of coupon templates, newest first."""


@admits(Caller.VIEWER)
def _templates(_actor: Actor, _info: Any, *, is_archived: bool = False, **page: Any) -> Any:
    return page_of_rows(CrmCouponTemplateConnection, coupons.templates().filter(is_archived=bool(is_archived)), **page)


class CouponTemplateQueries(graphene.ObjectType):
    """Root fields that read coupon templates."""

    crm_coupon_templates = list_field(
        CrmCouponTemplateConnection,
        description="What the merchant gives away, newest first. Requires view_crm.",
        resolver=_templates,
        is_archived=graphene.Boolean(description="Those that were put away, instead of those in use."),
    )
    crm_coupon_template = row_field(
        CrmCouponTemplate,
        coupons.templates,
        description="One coupon template; null when there is none with this id. Requires view_crm.",
    )


class CrmCouponTemplateCreateInput(graphene.InputObjectType):
    """A new coupon template."""

    name = graphene.String(required=True, description="At most 80 characters; people see it.")
    source = CrmCouponSource(description="Where the codes come from, for good; SHOP when left out.")
    terms = graphene.InputField(CrmCouponTermsInput, description="Needed, but for a pool.")
    expires_in_days = graphene.Int(description="0 to 3650; left out: its codes do not expire.")
    prefix = graphene.String(description="At most 10 letters, digits, - and _.")
    warn_below = graphene.Int(description="Of a pool.")


class CrmCouponTemplateUpdateInput(graphene.InputObjectType):
    """What to change; what is left out stays. Codes that are out stay as they are."""

    name = graphene.String(description="At most 80 characters; people see it.")
    terms = graphene.InputField(CrmCouponTermsInput, description="All of them, in the place of those before.")
    expires_in_days = graphene.Int(description="Null: its codes do not expire.")
    prefix = graphene.String(description="At most 10 letters, digits, - and _.")
    warn_below = graphene.Int(description="Of a pool: it is low when fewer codes are left.")


def _given(input: dict[str, Any]) -> dict[str, Any]:
    """Return the input as the room takes it: null where a field can be empty, else as if left out."""
    given = {name: value for name, value in input.items() if value is not None or name == "expires_in_days"}
    if "terms" in given:
        given["terms"] = terms_given(given["terms"])
    return given


class CrmCouponTemplateCreate(CrmMutation, caller=Caller.MANAGER):
    """Make a coupon template. The shop is asked whether it can offer that. Requires manage_crm."""

    template = result(CrmCouponTemplate)

    class Arguments:
        input = CrmCouponTemplateCreateInput(required=True, description="What it is called, worth and made of.")

    @classmethod
    def perform(cls, _actor: Actor, *, input: dict[str, Any]) -> Self:
        """Make it."""
        with in_our_words():
            return cls(template=coupons.create_template(**_given(input)))


class CrmCouponTemplateUpdate(CrmMutation, caller=Caller.MANAGER):
    """Change a coupon template, for codes given out from now on. Requires manage_crm."""

    template = result(CrmCouponTemplate)

    class Arguments:
        id = row_id("CrmCouponTemplate")
        input = CrmCouponTemplateUpdateInput(required=True, description="What is to be different.")

    @classmethod
    def perform(cls, _actor: Actor, *, id: str, input: dict[str, Any]) -> Self:
        """Change what was given."""
        pk = row_key("CrmCouponTemplate", id, field="id")
        with in_our_words():
            return cls(template=coupons.update_template(pk, **_given(input)))


def _archived(pk: int) -> CouponTemplate:
    """Archive it, unless a campaign gives it out."""
    if (campaign := automations.campaign_naming("coupon", pk)) is not None:
        message = f"The campaign {campaign!r} gives this coupon out; change that first."
        raise InvalidInput(message, field="id", code="IN_USE")
    return coupons.archive_template(pk)


class CrmCouponTemplateArchive(RowChange, caller=Caller.MANAGER):
    """Put a coupon template away: nobody gets one any more, what is out stays good. Requires manage_crm."""

    kind, answer = "CrmCouponTemplate", "template"
    template = result(CrmCouponTemplate)
    change = staticmethod(_archived)


class CouponTemplateMutations(graphene.ObjectType):
    """Root fields that change coupon templates."""

    crm_coupon_template_create = CrmCouponTemplateCreate.Field()
    crm_coupon_template_update = CrmCouponTemplateUpdate.Field()
    crm_coupon_template_archive = CrmCouponTemplateArchive.Field()
