"""Settings: what a merchant decides."""

from __future__ import annotations

from typing import Any, Self

import graphene

from crm_plugin import merchant
from crm_plugin.graphql.access import Caller, admits
from crm_plugin.graphql.mutation import CrmMutation
from crm_plugin.graphql.scalars import DateTime
from crm_plugin.merchant import Merchant
from crm_plugin.shop import Actor


class CrmSettings(graphene.ObjectType):
    """What the merchant decides, the same in every sales channel."""

    sender_name = graphene.String(required=True)
    sender_email = graphene.String(required=True, description="From address; needed before a campaign can run.")
    reply_to = graphene.String(required=True)
    postal_address = graphene.String(required=True, description="Stands in every mail; needed before a campaign runs.")
    default_language = graphene.String(required=True)
    languages = graphene.List(graphene.NonNull(graphene.String), required=True)
    time_zone = graphene.String(required=True, description="Such as Asia/Seoul; empty: the shop's.")
    consent_text = graphene.String(required=True, description="Why the reader gets this mail.")
    email_cap_count = graphene.Int(required=True, description="At most so many marketing e-mails a person …")
    email_cap_hours = graphene.Int(required=True, description="… in so many hours; 0: no cap.")
    delivered_after_days = graphene.Int(
        required=True, description="An order counts as delivered so long after it was sent; 0: only when the shop says."
    )
    updated_at = DateTime(description="Null: never changed.")


@admits(Caller.VIEWER)
def _settings(_actor: Actor, _info: Any) -> Merchant:
    return merchant.load()


@admits(Caller.MANAGER)
def _webhook_secret(_actor: Actor, _info: Any) -> str:
    return merchant.webhook_secrets()[0]


class SettingsQueries(graphene.ObjectType):
    """Root fields that read the settings."""

    crm_settings = graphene.Field(
        CrmSettings, description="What the merchant decides. Requires view_crm.", resolver=_settings
    )
    crm_webhook_secret = graphene.String(
        required=True,
        description="By which a receiver knows that a webhook is ours (Standard Webhooks). Requires manage_crm.",
        resolver=_webhook_secret,
    )


class CrmSettingsInput(graphene.InputObjectType):
    """What to change; what is left out stays."""

    sender_name = graphene.String()
    sender_email = graphene.String()
    reply_to = graphene.String()
    postal_address = graphene.String()
    default_language = graphene.String(description="Language code; one of `languages`.")
    languages = graphene.List(graphene.NonNull(graphene.String), description="Language codes templates are written in.")
    time_zone = graphene.String(description="Such as Asia/Seoul; empty: the shop's own.")
    consent_text = graphene.String()
    email_cap_count = graphene.Int()
    email_cap_hours = graphene.Int()
    delivered_after_days = graphene.Int(description="0 to 60.")


class CrmSettingsUpdate(CrmMutation):
    """Change the settings. Requires manage_crm."""

    settings = graphene.Field(CrmSettings)

    class Arguments:
        input = CrmSettingsInput(required=True)

    class Meta:
        caller = Caller.MANAGER

    @classmethod
    def perform(cls, _actor: Actor, *, input: dict[str, Any]) -> Self:
        """Change what was given."""
        return cls(settings=merchant.update(**input))


class CrmWebhookSecretRotate(CrmMutation):
    """Sign webhooks with a new secret, and with the one before it as well. Requires manage_crm."""

    secret = graphene.String(description="The new one.")

    class Meta:
        caller = Caller.MANAGER

    @classmethod
    def perform(cls, _actor: Actor) -> Self:
        """Make a new secret."""
        return cls(secret=merchant.rotate_webhook_secret())


class SettingsMutations(graphene.ObjectType):
    """Root fields that change the settings."""

    crm_settings_update = CrmSettingsUpdate.Field()
    crm_webhook_secret_rotate = CrmWebhookSecretRotate.Field()
