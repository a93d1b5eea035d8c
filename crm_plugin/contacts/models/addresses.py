"""Addresses: devices, blocks, and what is recognised by a digest alone."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from crm_plugin.channel_kind import ChannelKind
from crm_plugin.contacts.models.people import Contact


class Endpoint(models.Model):
    """A device that push messages go to: a browser's subscription (RFC 8030) or an app's token.

    ``keys`` holds what the payload is encrypted with (RFC 8291: ``p256dh``, ``auth``); empty for an app.
    """

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="endpoints")
    channel = models.CharField(max_length=16, choices=ChannelKind.choices)
    address = models.TextField()
    address_digest = models.CharField(max_length=64)
    keys: models.JSONField[Any, Any] = models.JSONField(default=dict)
    language = models.CharField(max_length=12, blank=True, default="")
    created_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("channel", "address_digest"), name="crm_endpoint_unique"),)
        indexes = (models.Index(fields=("contact", "channel", "seen_at"), name="crm_endpoint_of_contact"),)
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.channel} of contact {self.contact_id}"


class SuppressionReason(models.TextChoices):
    """Why an address is blocked."""

    HARD_BOUNCE = "hard_bounce"
    COMPLAINT = "complaint"
    REFUSED = "refused"
    SOFT_BOUNCES = "soft_bounces"
    STOP = "stop"
    MANUAL = "manual"


class Suppression(models.Model):
    """A hard block of one address on one channel, whatever the consent says.

    The address is kept as a keyed digest, so that the block outlives the erasure of the person.
    """

    channel = models.CharField(max_length=16, choices=ChannelKind.choices)
    address_digest = models.CharField(max_length=64)
    reason = models.CharField(max_length=16, choices=SuppressionReason.choices)
    detail = models.CharField(max_length=300, blank=True, default="")
    created_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("channel", "address_digest"), name="crm_suppression_unique"),)
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.channel} {self.reason}"


class Erasure(models.Model):
    """A tombstone: facts from before ``erased_at`` about this identity are dropped, not recorded again."""

    identity_digest = models.CharField(max_length=64, primary_key=True)
    erased_at = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=("erased_at",), name="crm_erasure_latest"),)
        default_permissions: ClassVar[tuple[str, ...]] = ()

    def __str__(self) -> str:
        return self.identity_digest[:8]


class Blocked(models.Model):
    """A contact whose address on a channel is suppressed: what a statement asks that counts a million people.

    Kept beside ``Suppression``, which knows digests only and is what the gate asks. Brought up to date for every
    contact that is touched.
    """

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="+", db_index=False)
    channel = models.CharField(max_length=16, choices=ChannelKind.choices)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("contact", "channel"), name="crm_blocked_unique"),)
        default_permissions = ()

    def __str__(self) -> str:
        return f"contact {self.contact_id} on {self.channel}"


class KeyFingerprint(models.Model):
    """A key under which digests were kept, told by its fingerprint: suppressions are lost on who changes it."""

    fingerprint = models.CharField(max_length=64, primary_key=True)
    created_at = models.DateTimeField()

    class Meta:
        default_permissions: ClassVar[tuple[str, ...]] = ()

    def __str__(self) -> str:
        return self.fingerprint[:8]
