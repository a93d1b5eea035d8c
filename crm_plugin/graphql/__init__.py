"""The CRM's part of the GraphQL API, the same module in every shop.

``queries()`` and ``mutations()`` return the root fields as classes that a shop mixes into its own ``Query`` and
``Mutation`` (Saleor), or that ``build_schema()`` makes a schema of its own of (Oscar). Who may call a field stands on
the field (``access.py``); what it costs is in ``limits.py``. This room decides nothing: it reads arguments, calls a
room, and shapes the answer.

Start in ``campaigns.py``, the largest domain; ``mutation.py`` and ``pagination.py`` are the frames of the two kinds of
field. The modules of types are imported inside the functions below, not here, because their scalars are the shop's
(``scalars.py``) and the shop is chosen when Django starts.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphene import ObjectType, Schema


@cache
def queries() -> type[ObjectType]:
    """Return the class that holds the root query fields."""
    from crm_plugin.graphql import (  # noqa: PLC0415 - see the docstring above
        accounts,
        attribute_history,
        attributes,
        audiences,
        campaigns,
        contacts,
        coupon_templates,
        coupons,
        deliverability,
        demand,
        enrollments,
        exports,
        foresight,
        imports,
        insights,
        interests,
        lifecycle,
        likes,
        me,
        merchant,
        messages,
        recipes,
        review_moderation,
        reviews,
        segments,
        sender_check,
        stock,
        templates,
        topics,
        wishlists,
    )

    parts = (
        accounts.AccountQueries,
        attribute_history.AttributeHistoryQueries,
        attributes.AttributeQueries,
        audiences.AudienceQueries,
        campaigns.CampaignQueries,
        contacts.ContactQueries,
        coupon_templates.CouponTemplateQueries,
        coupons.CouponQueries,
        deliverability.DeliverabilityQueries,
        demand.DemandQueries,
        enrollments.EnrollmentQueries,
        exports.ExportQueries,
        foresight.ForesightQueries,
        imports.ImportQueries,
        insights.InsightQueries,
        interests.InterestQueries,
        lifecycle.LifecycleQueries,
        likes.LikeQueries,
        me.MeQueries,
        merchant.SettingsQueries,
        messages.MessageQueries,
        recipes.RecipeQueries,
        review_moderation.ModerationQueries,
        reviews.ReviewQueries,
        segments.SegmentQueries,
        templates.TemplateQueries,
        sender_check.SenderCheckQueries,
        stock.StockQueries,
        topics.TopicQueries,
        wishlists.WishlistQueries,
    )
    return type("CRMQueries", parts, {})


@cache
def mutations() -> type[ObjectType]:
    """Return the class that holds the root mutation fields."""
    from crm_plugin.graphql import (  # noqa: PLC0415 - see the docstring above
        attributes,
        audiences,
        campaigns,
        coupon_templates,
        coupons,
        deliverability,
        devices,
        exports,
        imports,
        inbox,
        interests,
        lifecycle,
        likes,
        me,
        members,
        merchant,
        messages,
        orders,
        proof,
        review_moderation,
        reviews,
        segments,
        stock,
        templates,
        topics,
        visitors,
        wishlists,
    )

    parts = (
        attributes.AttributeMutations,
        audiences.AudienceMutations,
        campaigns.CampaignMutations,
        coupon_templates.CouponTemplateMutations,
        coupons.CouponMutations,
        deliverability.DeliverabilityMutations,
        devices.DeviceMutations,
        exports.ExportMutations,
        imports.ImportMutations,
        inbox.InboxMutations,
        interests.InterestMutations,
        lifecycle.LifecycleMutations,
        likes.LikeMutations,
        me.MeMutations,
        members.MemberMutations,
        merchant.SettingsMutations,
        messages.MessageMutations,
        orders.OrderMutations,
        proof.ProofMutations,
        review_moderation.ModerationMutations,
        reviews.ReviewMutations,
        segments.SegmentMutations,
        stock.StockMutations,
        templates.TemplateMutations,
        topics.TopicMutations,
        visitors.VisitorMutations,
        wishlists.WishlistMutations,
    )
    return type("CRMMutations", parts, {})


@cache
def build_schema() -> Schema:
    """Return a schema of the CRM's fields alone, for a shop that has no GraphQL of its own."""
    from graphene import Schema  # noqa: PLC0415 - see the docstring above

    return Schema(query=type("Query", (queries(),), {}), mutation=type("Mutation", (mutations(),), {}))


def costs() -> dict[str, dict[str, Any]]:
    """Return what our fields cost, in the form of Saleor's ``COST_MAP``."""
    from crm_plugin.graphql.limits import COSTS  # noqa: PLC0415 - see the docstring above

    return COSTS


__all__ = ["build_schema", "costs", "mutations", "queries"]
