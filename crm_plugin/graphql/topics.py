"""Topics: what advertisements are about, so that people can refuse one and keep the others."""

from __future__ import annotations

from typing import Any, Self

import graphene
from django.db.models import Q

from crm_plugin import automations, contacts, merchant
from crm_plugin.automations import CampaignState, EnrollmentState
from crm_plugin.contacts import Contact, Topic
from crm_plugin.errors import InvalidInput
from crm_plugin.graphql.access import Caller, admits
from crm_plugin.graphql.mutation import CrmMutation, result
from crm_plugin.graphql.pagination import Page, list_field, page_of_list
from crm_plugin.graphql.rows import Row
from crm_plugin.graphql.scalars import DateTime
from crm_plugin.shop import Actor


class CrmTopicName(graphene.ObjectType):
    """What a topic is called in one language."""

    language = graphene.String(required=True, description="Code, such as en or ko.")
    name = graphene.String(required=True, description="What people read.")


def _names(topic: Topic, _info: Any) -> list[CrmTopicName]:
    return [CrmTopicName(language=language, name=name) for language, name in sorted(topic.names.items())]


class CrmTopic(Row):
    """What advertisements can be about. People refuse one and keep the others."""

    slug = graphene.String(required=True, description="By which campaigns name it. Never changes.")
    names = graphene.List(
        graphene.NonNull(CrmTopicName), required=True, resolver=_names, description="What people read, by language."
    )
    position = graphene.Int(required=True, description="Topics are shown by it.")
    created_at = DateTime(required=True, description="When it was first saved.")


class CrmTopicConnection(Page, node=CrmTopic):
    """A page of topics."""


class CrmTopicChoice(graphene.ObjectType):
    """A topic, and whether a person refuses it."""

    slug = graphene.String(required=True, description="By which crmTopicsUpdate names it.")
    name = graphene.String(required=True, description="In the language asked for, else the merchant's.")
    is_refused = graphene.Boolean(required=True, description="Whether the person wants no advertisements about it.")


def topics_of(contact: Contact | None, *, language: str = "") -> list[CrmTopicChoice]:
    """Return all topics, and which of them the contact refuses; named in a language, else in the contact's."""
    refused = contacts.refused_topics_of([contact.pk])[contact.pk] if contact is not None else frozenset()
    languages = (language or (contact.language if contact is not None else ""), merchant.load().default_language)
    return [
        CrmTopicChoice(slug=topic.slug, name=contacts.topic_name(topic, *languages), is_refused=topic.slug in refused)
        for topic in contacts.topics()
    ]


def _slug(topic: Topic) -> str:
    return topic.slug


@admits(Caller.VIEWER)
def _topics(_actor: Actor, _info: Any, **page: Any) -> Any:
    return page_of_list(CrmTopicConnection, list(contacts.topics()), name=_slug, **page)


class TopicQueries(graphene.ObjectType):
    """Root fields that read topics."""

    crm_topics = list_field(
        CrmTopicConnection, description="The topics, by position. Requires view_crm.", resolver=_topics
    )


class CrmTopicNameInput(graphene.InputObjectType):
    """What a topic is called in one language."""

    language = graphene.String(required=True, description="Code, such as en or ko.")
    name = graphene.String(required=True, description="One line, at most 60 characters.")


class CrmTopicSave(CrmMutation, caller=Caller.MANAGER):
    """Make a topic; a second time changes its names and its place. Requires manage_crm."""

    topic = result(CrmTopic)

    class Arguments:
        slug = graphene.String(required=True, description="Lower-case letters, digits, - and _; at most 40.")
        names = graphene.List(
            graphene.NonNull(CrmTopicNameInput), required=True, description="All names, at least one."
        )
        position = graphene.Int(description="Left out: where it is; a new one comes last.")

    @classmethod
    def perform(cls, _actor: Actor, *, slug: str, names: list[dict[str, str]], position: int | None = None) -> Self:
        """Save it."""
        by_language = {one["language"]: one["name"] for one in names}
        if len(by_language) < len(names):
            raise InvalidInput("There is one name a language.", field="names", code="UNIQUE")
        return cls(topic=contacts.save_topic(slug, names=by_language, position=position))


class CrmTopicDelete(CrmMutation, caller=Caller.MANAGER):
    """Delete a topic that no campaign is about. Who refused it is remembered. Requires manage_crm."""

    slug = graphene.String(description="Of the topic that is gone; null when refused.")

    class Arguments:
        slug = graphene.String(required=True, description="Of a CrmTopic.")

    @classmethod
    def perform(cls, _actor: Actor, *, slug: str) -> Self:
        """Delete it, unless people who refused it would get a campaign's messages then."""
        _refuse_used(slug)
        if not contacts.delete_topic(slug):
            raise InvalidInput(f"There is no topic {slug!r}.", field="slug", code="NOT_FOUND")
        return cls(slug=slug)


def _refuse_used(slug: str) -> None:
    """Refuse a topic that a campaign's draft or what runs of it is about, or the run of a person in flight."""
    running = automations.enrollments().filter(state=EnrollmentState.ACTIVE, version__definition__topic=slug)
    mine = Q(draft__topic=slug) | Q(version__definition__topic=slug) | Q(pk__in=running.values("campaign_id"))
    campaign = automations.campaigns().exclude(state=CampaignState.ARCHIVED).filter(mine).first()
    if campaign is not None:
        message = f"The campaign {campaign.name!r} is about this topic; change that first."
        raise InvalidInput(message, field="slug", code="IN_USE")


class TopicMutations(graphene.ObjectType):
    """Root fields that change topics."""

    crm_topic_save = CrmTopicSave.Field()
    crm_topic_delete = CrmTopicDelete.Field()
