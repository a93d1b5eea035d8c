"""Recipes: ready-made campaigns, and the schema of what a campaign can say."""

from __future__ import annotations

from typing import Any

import graphene

from crm_plugin import automations
from crm_plugin.automations import Definition
from crm_plugin.graphql.access import Caller, admits
from crm_plugin.graphql.pagination import Page, list_field, page_of_list
from crm_plugin.graphql.rules import language_of
from crm_plugin.graphql.scalars import JSON
from crm_plugin.shop import Actor


class CrmRecipe(graphene.ObjectType):
    """A ready-made campaign: crmCampaignCreate takes its name."""

    name = graphene.String(required=True, description="By which crmCampaignCreate names it.")
    title = graphene.String(required=True, description="For a list, in the language asked for.")
    description = graphene.String(required=True, description="What the campaign does, in the language asked for.")
    group = graphene.String(required=True, description="Where a list shows it, such as `cart` or `win_back`.")
    trigger = graphene.String(required=True, description="The kind of its trigger, such as `price_drop`.")
    channels = graphene.List(
        graphene.NonNull(graphene.String),
        required=True,
        description="Those that its messages go out on, such as `email`.",
    )
    languages = graphene.List(
        graphene.NonNull(graphene.String), required=True, description="The languages that all its messages are in."
    )
    attributes = graphene.List(
        graphene.NonNull(graphene.String), required=True, description="Attributes that are declared with it."
    )


class CrmRecipeConnection(Page, node=CrmRecipe):
    """A page of recipes, by group."""


@admits(Caller.VIEWER)
def _recipes(_actor: Actor, _info: Any, *, language: str | None = None, **page: Any) -> Any:
    words = language_of(language).partition("-")[0]
    found = [_recipe(name, words) for name in automations.recipe_names()]
    found.sort(key=lambda one: (automations.RECIPE_GROUPS.index(one.group), one.name))
    return page_of_list(CrmRecipeConnection, found, name=lambda one: str(one.name), **page)


def _recipe(name: str, language: str) -> CrmRecipe:
    about, definition = automations.about_recipe(name), Definition.parse(automations.recipe(name))
    sends = [step for _op, step in definition.sends()]
    languages = [set(step.template) for step in sends]
    return CrmRecipe(
        name=name,
        title=about.titles.get(language, about.titles["en"]),
        description=about.descriptions.get(language, about.descriptions["en"]),
        group=about.group,
        trigger=definition.trigger.type,
        channels=sorted({step.channel.value for step in sends}),
        languages=sorted(set.intersection(*languages)) if languages else [],
        attributes=[need.name for need in about.needs],
    )


@admits(Caller.VIEWER)
def _schema(_actor: Actor, _info: Any) -> dict[str, Any]:
    return Definition.model_json_schema()


class RecipeQueries(graphene.ObjectType):
    """Root fields that read what campaigns can be made of."""

    crm_recipes = list_field(
        CrmRecipeConnection,
        description="Ready-made campaigns, by group. Requires view_crm.",
        resolver=_recipes,
        language=graphene.String(description="Of titles and descriptions, `en` or `ko`; the merchant's when left out."),
    )
    crm_campaign_definition_schema = graphene.Field(
        JSON,
        required=True,
        description="JSON Schema of a campaign's definition, for editors. Requires view_crm.",
        resolver=_schema,
    )
