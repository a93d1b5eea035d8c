"""Exports: a file of people, products or all about one person, for once and a few minutes; and the log of them."""

from __future__ import annotations

from typing import Any, Self

import graphene

from crm_plugin import audience, contacts, ids
from crm_plugin.audience import Export, ProductQuestion
from crm_plugin.errors import InvalidInput
from crm_plugin.graphql.access import Caller, admits
from crm_plugin.graphql.arguments import name_of
from crm_plugin.graphql.enums import CrmEnum
from crm_plugin.graphql.mutation import CrmMutation, result
from crm_plugin.graphql.pagination import Page, list_field, page_of_rows
from crm_plugin.graphql.persons import CrmPersonInput, identity_of
from crm_plugin.graphql.rows import Row
from crm_plugin.graphql.rules import audience_arguments, rule_of
from crm_plugin.graphql.scalars import JSON, DateTime
from crm_plugin.shop import Actor


class CrmExport(Row):
    """A line of the log: personal data left the CRM, or was about to."""

    what = JSON(required=True, description="What was asked for.")
    actor = graphene.String(required=True, description="Who asked: `user:7`, `app:5`.")
    rows_count = graphene.Int(description="Rows in the file; null: it was not fetched to its end.")
    created_at = DateTime(required=True, description="When it was asked for.")
    fetched_at = DateTime(description="When the file was fetched; null: never.")


class CrmExportConnection(Page, node=CrmExport):
    """A page of the log, newest first."""


@admits(Caller.VIEWER)
def _exports(_actor: Actor, _info: Any, **page: Any) -> Any:
    return page_of_rows(CrmExportConnection, audience.exports(), **page)


class ExportQueries(graphene.ObjectType):
    """Root fields that read the log of exports."""

    crm_exports = list_field(
        CrmExportConnection, description="Who exported what, newest first. Requires view_crm.", resolver=_exports
    )


class CrmProductQuestion(CrmEnum):
    """Lists of products: what buyers of a product bought too; what people wanted and did not buy."""

    class Meta:
        enum = ProductQuestion
        words = {
            ProductQuestion.ALSO_BOUGHT: "What buyers of `product` bought too.",
            ProductQuestion.CARTED_NOT_BOUGHT: "What people put into the cart and never bought.",
            ProductQuestion.VIEWED_NOT_BOUGHT: "What people look at again and again and never bought.",
        }


class CrmExportCreate(CrmMutation, caller=Caller.MANAGER):
    """Prepare a file: people or products as CSV, or all that is kept about one person as JSON (GDPR, article 15).

    Logged, fetched once, within five minutes. Requires manage_crm.
    """

    export = result(CrmExport)
    url = graphene.String(description="Where the file is; whoever has it may fetch it.")
    expires_at = DateTime(description="From then on it is not.")

    class Arguments:
        definition = audience_arguments()["definition"]
        segment = audience_arguments()["segment"]
        products = CrmProductQuestion(description="A list of products, instead of people.")
        product = graphene.ID(description="Whose buyers, for ALSO_BOUGHT.")
        person = CrmPersonInput(description="One person, with everything that is kept about them.")

    @classmethod
    def perform(cls, actor: Actor, **of: Any) -> Self:
        """Write the line of the log and sign the link."""
        export = _started(name_of(actor), **of)
        url, expires_at = audience.export_link(export)
        return cls(export=export, url=url, expires_at=expires_at)


def _started(
    actor: str,
    *,
    products: str | None = None,
    product: str | None = None,
    person: dict[str, str] | None = None,
    **people: Any,
) -> Export:
    if person is not None:
        if people or products or product:
            raise InvalidInput("Export either one person, or people, or products.", field="person")
        return audience.start_person_export(_known(person), actor)
    if products is None:
        return audience.start_export(rule_of(**people), actor)
    if people:
        raise InvalidInput("Export either people or products.", field="products")
    key = ids.from_global("Product", product, field="product") if product else ""
    return audience.start_product_export(ProductQuestion(products), actor, product_id=key)


def _known(person: dict[str, str]) -> list[int]:
    found = contacts.ids_of_identity(**identity_of(person))
    if not found:
        raise InvalidInput("Nothing is kept about such a person.", field="person", code="NOT_FOUND")
    return found


class ExportMutations(graphene.ObjectType):
    """Root fields that export."""

    crm_export_create = CrmExportCreate.Field()
