"""Settings: what a merchant decides."""

from __future__ import annotations

from typing import Any, Self

import graphene

from crm_plugin import merchant
from crm_plugin.graphql.access import Caller, admits
from crm_plugin.graphql.contacts import CrmChannel
from crm_plugin.graphql.enums import CrmEnum
from crm_plugin.graphql.mutation import CrmMutation, result
from crm_plugin.graphql.scalars import JSON, DateTime
from crm_plugin.merchant import Merchant, QuietAction
from crm_plugin.shop import Actor


class CrmQuietAction(CrmEnum):
    """What becomes of an advertisement that is due in the quiet hours."""

    class Meta:
        enum = QuietAction
        words = {
            QuietAction.HOLD: "Sent when the quiet hours are over.",
            QuietAction.SKIP: "Not sent.",
        }


class CrmCap(graphene.ObjectType):
    """At most so many advertisements for one person, in a rolling stretch of hours or on calendar days."""

    channel = CrmChannel(description="Null: all channels together.")
    count = graphene.Int(required=True, description="So many at most.")
    hours = graphene.Int(description="Length of a rolling stretch; null: it goes by days.")
    days = graphene.Int(description="Calendar days by the person's clocks, today included.")


class CrmCapInput(graphene.InputObjectType):
    """At most so many advertisements for one person; either hours or days."""

    channel = CrmChannel(description="Left out: all channels together.")
    count = graphene.Int(required=True, description="So many at most, 1 to 100.")
    hours = graphene.Int(description="Rolling, 1 to 744; or `days`.")
    days = graphene.Int(description="Calendar days, today included, 1 to 31; or `hours`.")


def _caps(row: Merchant, _info: Any) -> list[dict[str, Any]]:
    return [cap.model_dump() | {"channel": cap.channel or None} for cap in row.cap_rules]


def _clock(name: str) -> Any:
    def resolve(row: Merchant, _info: Any) -> str | None:
        value = getattr(row, name)
        return None if value is None else f"{value:%H:%M}"

    return resolve


def _warm_up_from(row: Merchant, _info: Any) -> str | None:
    return row.warm_up_from.isoformat() if row.warm_up_from else None


class CrmSettings(graphene.ObjectType):
    """What the merchant decides, the same in every sales channel."""

    sender_name = graphene.String(
        required=True, description="As readers see it in From; needed before a campaign can run."
    )
    sender_email = graphene.String(required=True, description="From address; needed before a campaign can run.")
    reply_to = graphene.String(required=True, description="Where answers go; empty: to the sender.")
    postal_address = graphene.String(required=True, description="Stands in every mail; needed before a campaign runs.")
    default_language = graphene.String(
        required=True, description="Of contents, for readers whose own language a template lacks."
    )
    languages = graphene.List(
        graphene.NonNull(graphene.String), required=True, description="Codes of those that templates are written in."
    )
    time_zone = graphene.String(required=True, description="Such as Asia/Seoul; empty: the shop's.")
    consent_text = graphene.String(required=True, description="Why the reader gets this mail.")
    sms_sender = graphene.String(required=True, description="The number, or name, that text messages come from.")
    sms_refusal_number = graphene.String(
        required=True, description="Free number by which text messages are refused; Korean advertisements end with it."
    )
    kakao_sender_key = graphene.String(required=True, description="The provider's key of the Kakao channel.")
    country = graphene.String(required=True, description="ISO 3166; whose law holds for readers of unknown country.")
    logo_url = graphene.String(required=True, description="Picture at the head of mails; empty: none.")
    brand_color = graphene.String(required=True, description="Such as #1a7f5a; empty: the product's own.")
    brand_footer = graphene.String(required=True, description="Last words of mails; empty: none.")
    caps = graphene.List(
        graphene.NonNull(CrmCap), required=True, resolver=_caps, description="How many advertisements a person gets."
    )
    quiet_from = graphene.String(resolver=_clock("quiet_from"), description="HH:MM; null: no quiet hours.")
    quiet_to = graphene.String(resolver=_clock("quiet_to"), description="HH:MM; may be on the next day.")
    quiet_action = CrmQuietAction(required=True, description="What becomes of advertisements in the quiet hours.")
    is_double_opt_in = graphene.Boolean(required=True, description="New consents are confirmed by a message first.")
    is_soft_opt_in = graphene.Boolean(
        required=True, description="A purchase stands for consent where the law of the buyer's country allows it."
    )
    prices = JSON(required=True, description="What a message costs, by form (sms, lms …) or channel.")
    price_currency = graphene.String(required=True, description="ISO 4217, of `prices`; empty: none is set.")
    soft_bounces_block = graphene.Int(required=True, description="Block after so many soft bounces in a row; 0: never.")
    pause_bounce_percent = graphene.Float(required=True, description="Bounces that pause a campaign; 0: never.")
    pause_complaint_percent = graphene.Float(required=True, description="Complaints that pause a campaign; 0: never.")
    domain_limits = JSON(required=True, description="E-mails an hour, by receiving domain.")
    warm_up_from = graphene.String(resolver=_warm_up_from, description="First day of the warm-up, YYYY-MM-DD.")
    warm_up_first = graphene.Int(required=True, description="E-mails on the first day of the warm-up.")
    delivered_after_days = graphene.Int(
        required=True, description="An order counts as delivered so long after it was sent; 0: only when the shop says."
    )
    is_review_moderated = graphene.Boolean(
        required=True, description="A review is published only after somebody has looked at it."
    )
    stock_wave_minutes = graphene.Int(
        required=True, description="How long those who wait for stock are ahead of those behind them."
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

    sender_name = graphene.String(description="One line of at most 120 characters; not to be emptied again.")
    sender_email = graphene.String(description="From address; not to be emptied again.")
    reply_to = graphene.String(description="E-mail address; empty: answers go to the sender.")
    postal_address = graphene.String(description="At most 300 characters; not to be emptied again.")
    default_language = graphene.String(description="Language code; one of `languages`.")
    languages = graphene.List(graphene.NonNull(graphene.String), description="Language codes templates are written in.")
    time_zone = graphene.String(description="Such as Asia/Seoul; empty: the shop's own.")
    consent_text = graphene.String(description="Why the reader gets this; at most 2,000 characters.")
    sms_sender = graphene.String(description="The number or name that text messages come from, at most 40 characters.")
    sms_refusal_number = graphene.String(
        description="Telephone number at which advertisements are refused; at most 20 characters."
    )
    kakao_sender_key = graphene.String(description="The provider's key of the Kakao channel, at most 100 characters.")
    country = graphene.String(description="ISO 3166, such as KR; empty: none.")
    logo_url = graphene.String(description="Web address of a picture; empty: none.")
    brand_color = graphene.String(description="Such as #1a7f5a; empty: the product's own.")
    brand_footer = graphene.String(description="At most 1,000 characters.")
    caps = graphene.List(graphene.NonNull(CrmCapInput), description="All of them; those left out are gone.")
    quiet_from = graphene.String(description="HH:MM, by the person's clocks; null, as `quietTo`: no quiet hours.")
    quiet_to = graphene.String(description="HH:MM; may be on the next day.")
    quiet_action = CrmQuietAction(description="What becomes of advertisements in the quiet hours.")
    is_double_opt_in = graphene.Boolean(description="Confirm new consents by a message first.")
    is_soft_opt_in = graphene.Boolean(description="Let a purchase stand for consent where the law allows it.")
    prices = JSON(description="All of them: what a message costs, by form (sms, lms …) or channel.")
    price_currency = graphene.String(description="ISO 4217, such as KRW; prices need one.")
    soft_bounces_block = graphene.Int(description="Block after so many in a row, up to 100; 0: never.")
    pause_bounce_percent = graphene.Float(description="Pause a campaign with so many bounces, 0 to 100; 0: never.")
    pause_complaint_percent = graphene.Float(
        description="Pause a campaign with so many complaints, 0 to 100; 0: never."
    )
    domain_limits = JSON(description="All of them: e-mails an hour, by receiving domain.")
    warm_up_from = graphene.String(description="First day, YYYY-MM-DD; null: no warm-up.")
    warm_up_first = graphene.Int(description="E-mails on the first day of the warm-up, at least 1.")
    delivered_after_days = graphene.Int(description="0 to 60.")
    is_review_moderated = graphene.Boolean(description="Publish a review only after somebody has looked at it.")
    stock_wave_minutes = graphene.Int(description="1 to 10,080.")


class CrmSettingsUpdate(CrmMutation, caller=Caller.MANAGER):
    """Change the settings. Requires manage_crm."""

    settings = result(CrmSettings)

    class Arguments:
        input = CrmSettingsInput(required=True, description="What is to be different.")

    @classmethod
    def perform(cls, _actor: Actor, *, input: dict[str, Any]) -> Self:
        """Change what was given."""
        if input.get("caps") is not None:
            input["caps"] = [{name: value for name, value in cap.items() if value is not None} for cap in input["caps"]]
        return cls(settings=merchant.update(**input))


class CrmWebhookSecretRotate(CrmMutation, caller=Caller.MANAGER):
    """Sign webhooks with a new secret, and with the one before it as well. Requires manage_crm."""

    secret = graphene.String(description="The new one.")

    @classmethod
    def perform(cls, _actor: Actor) -> Self:
        """Make a new secret."""
        return cls(secret=merchant.rotate_webhook_secret())


class SettingsMutations(graphene.ObjectType):
    """Root fields that change the settings."""

    crm_settings_update = CrmSettingsUpdate.Field()
    crm_webhook_secret_rotate = CrmWebhookSecretRotate.Field()
