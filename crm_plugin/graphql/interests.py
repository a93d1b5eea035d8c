"""What people are interested in: the shop's groups to choose from, those of most interest now, and who is alike."""

from __future__ import annotations

from typing import Any, Self

import graphene

from crm_plugin import audience, shop
from crm_plugin.errors import InvalidInput
from crm_plugin.graphql.access import Caller, admits
from crm_plugin.graphql.enums import CrmEnum
from crm_plugin.graphql.mutation import CrmMutation, result
from crm_plugin.graphql.rules import audience_arguments, language_of, rule_of
from crm_plugin.graphql.segments import CrmSegment
from crm_plugin.shop import Actor, Group, GroupKind

#: Rows of an answer when nothing else is said, and the most of them.
ROWS, MOST_ROWS = 10, 100
_LONGEST_TEXT = 100


class CrmGroupKind(CrmEnum):
    """The ways in which the shop sorts its products."""

    class Meta:
        enum = GroupKind
        words = {
            GroupKind.CATEGORY: "A place in the shop's tree of categories.",
            GroupKind.COLLECTION: "A set that the merchant put together.",
        }


class CrmGroup(graphene.ObjectType):
    """A category or a collection of the shop."""

    key = graphene.String(required=True, description="By which conditions name it, such as category:12.")
    kind = CrmGroupKind(required=True, description="Category or collection.")
    name = graphene.String(required=True, description="In the language asked for.")
    path = graphene.String(required=True, description="Its name with those above it.")


class CrmTopInterest(graphene.ObjectType):
    """A group that people look at much now."""

    group = graphene.Field(CrmGroup, required=True, description="A category or a collection.")
    score = graphene.Int(required=True, description="Views count 1, likes and carts 2, checkouts 3.")


@admits(Caller.VIEWER)
def _top_interests(
    _actor: Actor, _info: Any, *, limit: int | None = None, language: str | None = None
) -> list[CrmTopInterest]:
    found = audience.top_interests(_limited(limit))
    known = shop.current().groups([key for key, _score in found], language=language_of(language))
    return [CrmTopInterest(group=_shown(known[key]), score=score) for key, score in found if key in known]


@admits(Caller.VIEWER)
def _group_search(
    _actor: Actor, _info: Any, *, text: str, limit: int | None = None, language: str | None = None
) -> list[CrmGroup]:
    wanted = text.strip()
    if len(wanted) > _LONGEST_TEXT or "\0" in wanted:
        raise InvalidInput(f"At most {_LONGEST_TEXT} characters.", field="text")
    found = shop.current().search_groups(wanted, language=language_of(language), limit=_limited(limit))
    return [_shown(group) for group in found]


def _shown(group: Group) -> CrmGroup:
    return CrmGroup(key=group.key, kind=group.kind.value, name=group.name, path=group.path or group.name)


def _limited(limit: int | None) -> int:
    wanted = ROWS if limit is None else limit
    if not 1 <= wanted <= MOST_ROWS:
        raise InvalidInput(f"`limit` is between 1 and {MOST_ROWS}.", field="limit")
    return wanted


_LIMIT = graphene.Int(default_value=ROWS, description=f"At most so many, up to {MOST_ROWS}.")
_LANGUAGE = graphene.String(description="Of the names; the merchant's own when left out.")


class InterestQueries(graphene.ObjectType):
    """Root fields about what can be of interest."""

    crm_top_interests = graphene.List(
        graphene.NonNull(CrmTopInterest),
        description="Groups of most interest in the last 30 days, counted anew every five minutes. Requires view_crm.",
        resolver=_top_interests,
        limit=_LIMIT,
        language=_LANGUAGE,
    )
    crm_group_search = graphene.List(
        graphene.NonNull(CrmGroup),
        description="Categories and collections whose name matches, for a picker. Requires view_crm.",
        resolver=_group_search,
        text=graphene.String(required=True, description="Part of the name, at most 100 characters; empty: any name."),
        limit=_LIMIT,
        language=_LANGUAGE,
    )


class CrmLookAlikeInput(graphene.InputObjectType):
    """Whom to look for; give either a definition or a segment."""

    name = graphene.String(required=True, description="Of the static list that it becomes.")
    definition = audience_arguments()["definition"]
    segment = audience_arguments()["segment"]
    limit = graphene.Int(required=True, description="People at most, nearest first; up to 50000.")
    exclude_min_orders = graphene.Int(description="Leave out who ordered so often: like our best, but buys little.")


class CrmLookAlikeCreate(CrmMutation, caller=Caller.MANAGER):
    """Make a static list of people with the interests of an audience, who are not in it. Requires manage_crm.

    The list is BUILDING and empty until a worker has made it.
    """

    segment = result(CrmSegment)

    class Arguments:
        input = CrmLookAlikeInput(required=True, description="Whom to look for, and how many.")

    @classmethod
    def perform(cls, _actor: Actor, *, input: dict[str, Any]) -> Self:
        """Ask for the list; comparing everybody is a worker's."""
        seed = rule_of(definition=input.get("definition"), segment=input.get("segment"))
        made = audience.create_look_alike(
            input["name"], seed=seed, limit=int(input["limit"]), exclude_min_orders=input.get("exclude_min_orders")
        )
        return cls(segment=made)


class InterestMutations(graphene.ObjectType):
    """Root fields that make lists of people with like interests."""

    crm_look_alike_create = CrmLookAlikeCreate.Field()
