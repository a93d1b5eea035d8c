"""Explain: why a person got, or did not get, a message of a campaign."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import graphene

from crm_plugin import automations, ids
from crm_plugin.automations import Line
from crm_plugin.graphql.access import Caller, admits
from crm_plugin.graphql.answers import answered, errors_field
from crm_plugin.graphql.arguments import row_key
from crm_plugin.graphql.rows import row_id
from crm_plugin.graphql.rules import language_argument, language_of
from crm_plugin.graphql.scalars import DateTime
from crm_plugin.shop import Actor

#: Parameters that are rows of ours, and their types.
_ROWS: Final = {"enrollment": "CrmEnrollment", "message": "CrmMessage"}


class CrmAccountParam(graphene.ObjectType):
    """Something that a line of an account names."""

    name = graphene.String(required=True, description="Such as `message` or `step`.")
    value = graphene.String(required=True, description="As it is stored; rows of ours by their id.")


class CrmAccountLine(graphene.ObjectType):
    """One fact of an account, as a line of an indented list."""

    code = graphene.String(required=True, description="Closed word: what kind of fact it is.")
    sentence = graphene.String(required=True, description="In the language asked for.")
    at = DateTime(description="When it was, or will be.")
    depth = graphene.Int(required=True, description="A line of a greater depth says more about the one above it.")
    params = graphene.List(graphene.NonNull(CrmAccountParam), required=True, description="What the sentence names.")


class CrmAccount(graphene.ObjectType):
    """Why something happened, or did not: facts in order. `lines` is null when it was refused."""

    lines = graphene.List(
        graphene.NonNull(CrmAccountLine), description="In order, indented by `depth`; null when refused."
    )
    errors = errors_field()


def _account(lines: Iterable[Line]) -> CrmAccount:
    return CrmAccount(
        lines=[
            CrmAccountLine(
                code=line.code,
                sentence=line.sentence,
                at=line.at,
                depth=line.depth,
                params=[CrmAccountParam(name=name, value=_value(name, value)) for name, value in line.params.items()],
            )
            for line in lines
        ]
    )


def _value(name: str, value: str) -> str:
    return ids.to_global(_ROWS[name], value) if name in _ROWS else value


@admits(Caller.VIEWER)
def _explain(_actor: Actor, _info: Any, *, campaign: str, contact: str, language: str | None = None) -> CrmAccount:
    def body() -> CrmAccount:
        campaign_id = row_key("CrmCampaign", campaign, field="campaign")
        contact_id = row_key("CrmContact", contact, field="contact")
        return _account(automations.explain_message(contact_id, campaign_id, language=language_of(language)))

    return answered(CrmAccount, body)


@admits(Caller.VIEWER)
def _explain_one(_actor: Actor, _info: Any, *, id: str, language: str | None = None) -> CrmAccount:
    def body() -> CrmAccount:
        message_id = row_key("CrmMessage", id, field="id")
        return _account(automations.explain_one(message_id, language=language_of(language)))

    return answered(CrmAccount, body)


class AccountQueries(graphene.ObjectType):
    """Root fields that say why."""

    crm_campaign_explain = graphene.Field(
        CrmAccount,
        description="Why a person got, or did not get, a campaign's messages. Requires view_crm.",
        resolver=_explain,
        campaign=row_id("CrmCampaign"),
        contact=row_id("CrmContact"),
        language=language_argument(),
    )
    crm_message_explain = graphene.Field(
        CrmAccount,
        description="What became of one message, and of the run that it belongs to. Requires view_crm.",
        resolver=_explain_one,
        id=row_id("CrmMessage"),
        language=language_argument(),
    )
