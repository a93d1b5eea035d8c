"""Devices of a customer: the shop's app, or a browser of a storefront that uses the API, register for push messages."""

from __future__ import annotations

from typing import Any, Self

import graphene

from crm_plugin import contacts, messaging
from crm_plugin.contacts import PUSH_CHANNELS, ChannelKind, Person
from crm_plugin.errors import InvalidInput
from crm_plugin.graphql.access import Caller
from crm_plugin.graphql.contacts import CrmChannel
from crm_plugin.graphql.mutation import CrmMutation
from crm_plugin.shop import Actor

_LONGEST_LANGUAGE = 12
_SOURCES = {ChannelKind.WEB_PUSH: "browser", ChannelKind.APP_PUSH: "app"}


class CrmDeviceInput(graphene.InputObjectType):
    """A device of the caller."""

    channel = CrmChannel(required=True, description="APP_PUSH or WEB_PUSH.")
    address = graphene.String(required=True, description="The app's registration token, or the browser's endpoint.")
    p256dh = graphene.String(description="WEB_PUSH: the browser's key `p256dh`.")
    auth = graphene.String(description="WEB_PUSH: the browser's key `auth`.")
    language = graphene.String(description="What the device is set to.")
    is_granted = graphene.Boolean(
        description="Whether the person agreed to advertisements by push; left out: nothing was said about it."
    )
    text_version = graphene.String(description="Version of the text that was agreed to; kept in the log.")


class CrmDeviceRegister(CrmMutation, caller=Caller.CUSTOMER):
    """Register a device of the caller for push messages; again, when its token changed. Requires an account."""

    is_registered = graphene.Boolean(description="True when it was kept; null when refused.")

    class Arguments:
        input = CrmDeviceInput(required=True, description="The device, and what the person said.")

    @classmethod
    def perform(cls, actor: Actor, *, input: dict[str, Any]) -> Self:
        """Keep it, and what the person said."""
        channel = _channel(input["channel"])
        address, keys = _read(channel, input)
        contact = contacts.get_or_create(Person(actor.customer_id, contacts.normalize_email(actor.email)))
        contacts.add_endpoint(
            contact.pk,
            channel=channel,
            address=address,
            keys=keys,
            language=(input.get("language") or "")[:_LONGEST_LANGUAGE],
        )
        if input.get("is_granted") is not None:
            contacts.set_consent(
                contact.pk,
                channel=channel,
                is_granted=input["is_granted"],
                source=_SOURCES[channel],
                text_version=(input.get("text_version") or "")[:64],
                evidence={"said_by": "self"},
            )
        return cls(is_registered=True)


class CrmDeviceForget(CrmMutation, caller=Caller.CUSTOMER):
    """Forget a device of the caller, as when they sign out of the app. Consent stays. Requires an account."""

    is_forgotten = graphene.Boolean(description="Whether it was the caller's; null when refused.")

    class Arguments:
        channel = CrmChannel(required=True, description="APP_PUSH or WEB_PUSH.")
        address = graphene.String(required=True, description="As it was registered.")

    @classmethod
    def perform(cls, actor: Actor, *, channel: str, address: str) -> Self:
        """Forget it; a device of somebody else stays."""
        kind = _channel(channel)
        contact = contacts.find(customer_id=actor.customer_id)
        own = contact is not None and contacts.remove_endpoints([address], channel=kind, contact_id=contact.pk)
        return cls(is_forgotten=bool(own))


def _channel(value: object) -> ChannelKind:
    kind = ChannelKind(str(value))
    if kind not in PUSH_CHANNELS:
        raise InvalidInput("APP_PUSH or WEB_PUSH.", field="channel")
    return kind


def _read(channel: ChannelKind, given: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Return the address and the keys of a device, as far as its channel has any."""
    if channel == ChannelKind.APP_PUSH:
        return messaging.read_token(given["address"]), {}
    keys = {name: given.get(name) or "" for name in ("p256dh", "auth")}
    found = messaging.read_subscription(address=given["address"], keys=keys)
    return found.endpoint, found.keys.model_dump()


class DeviceMutations(graphene.ObjectType):
    """Root fields by which customers register devices."""

    crm_device_forget = CrmDeviceForget.Field()
    crm_device_register = CrmDeviceRegister.Field()
