"""Exports: a CSV file of people or products, for once and for a few minutes, and the log of them."""

from __future__ import annotations

from typing import Any, Self

import graphene
from graphene.relay import Connection, Node

from crm_plugin import audience, ids
from crm_plugin.audience import Export, ProductQuestion
from crm_plugin.errors import InvalidInput
from crm_plugin.graphql.access import Caller, admits
from crm_plugin.graphql.arguments import name_of
from crm_plugin.graphql.mutation import CrmMutation
from crm_plugin.graphql.pagination import list_field, page_of_rows
from crm_plugin.graphql.rules import audience_arguments, rule_of
from crm_plugin.graphql.scalars import JSON, DateTime
from crm_plugin.shop import Actor


class CrmExport(graphene.ObjectType):
    """A line of the log: personal data left the CRM, or was about to."""

    what = JSON(required=True, description="What was asked for.")
    actor = graphene.String(required=True, description="Who asked: `user:7`, `app:5`.")
    rows_count = graphene.Int(description="Rows in the file; null: it was not fetched to its end.")
    created_at = DateTime(required=True)
    fetched_at = DateTime(description="When the file was fetched; null: never.")

    class Meta:
        interfaces = (Node,)


class CrmExportConnection(Connection):
    """A page of the log, newest first."""

    class Meta:
        node = CrmExport


@admits(Caller.VIEWER)
def _exports(_actor: Actor, _info: Any, **page: Any) -> Any:
    return page_of_rows(CrmExportConnection, audience.exports(), **page)


class ExportQueries(graphene.ObjectType):
    """Root fields that read the log of exports."""

    crm_exports = list_field(
        CrmExportConnection, description="Who exported what, newest first. Requires view_crm.", resolver=_exports
    )


class CrmProductQuestion(graphene.Enum):
    """Lists of products: what buyers of a product bought too; what people wanted and did not buy."""

    class Meta:
        enum = ProductQuestion


class CrmExportCreate(CrmMutation):
    """Prepare a CSV file of people or products: logged, fetched once, within five minutes. Requires manage_crm."""

    export = graphene.Field(CrmExport)
    url = graphene.String(description="Where the file is; whoever has it may fetch it.")
    expires_at = DateTime(description="From then on it is not.")

    class Arguments:
        definition = audience_arguments()["definition"]
        segment = audience_arguments()["segment"]
        products = CrmProductQuestion(description="A list of products, instead of people.")
        product = graphene.ID(description="Whose buyers, for ALSO_BOUGHT.")

    class Meta:
        caller = Caller.MANAGER

    @classmethod
    def perform(cls, actor: Actor, **of: Any) -> Self:
        """Write the line of the log and sign the link."""
        export = _started(name_of(actor), **of)
        url, expires_at = audience.export_link(export)
        return cls(export=export, url=url, expires_at=expires_at)


def _started(actor: str, *, products: str | None = None, product: str | None = None, **people: Any) -> Export:
    if products is None:
        return audience.start_export(rule_of(**people), actor)
    if people:
        raise InvalidInput("Export either people or products.", field="products")
    key = ids.from_global("Product", product, field="product") if product else ""
    return audience.start_product_export(ProductQuestion(products), actor, product_id=key)


class ExportMutations(graphene.ObjectType):
    """Root fields that export."""

    crm_export_create = CrmExportCreate.Field()
