"""Tables of the messaging room."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models
from django.db.models import Q

from crm_plugin.contacts import ChannelKind


class MessageClass(models.TextChoices):
    """What the law sees in a message: an advertisement, or news about the person's own business."""

    MARKETING = "marketing"
    TRANSACTIONAL = "transactional"


class Template(models.Model):
    """Compiled content of one Send step: immutable, shared by every message that is made from it.

    ``source`` is what the merchant wrote (by language: subject, mjml, text); ``compiled`` the Liquid that is rendered
    for each person, MJML already turned into HTML.
    """

    digest = models.CharField(max_length=64, unique=True)
    source: models.JSONField[Any, Any] = models.JSONField()
    compiled: models.JSONField[Any, Any] = models.JSONField()
    created_at = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.digest[:8]


class MessageState(models.TextChoices):
    """The life of a message: queued -> sending -> sent | unknown | failed, or queued -> skipped."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    UNKNOWN = "unknown"
    FAILED = "failed"
    SKIPPED = "skipped"


class Message(models.Model):
    """The outbox row of one message for one contact on one channel: unique per (enrollment, step, channel).

    Attributes:
        due_at: not before this; a hold moves it on.
        lease_until: while in the future, one worker has it.
        lease_token: changes with every claim; a worker that lost its lease can no longer write.
        reason: why it was skipped, held or failed; a closed word of ``outcomes.Reason``.
        recipient: the address it was handed out to; blanked by erasure.
    """

    public_id = models.UUIDField(default=uuid.uuid4, editable=False)
    contact = models.ForeignKey("crm_plugin.Contact", on_delete=models.CASCADE, related_name="+", db_index=False)
    enrollment = models.ForeignKey("crm_plugin.Enrollment", on_delete=models.CASCADE, related_name="+", db_index=False)
    campaign = models.ForeignKey("crm_plugin.Campaign", on_delete=models.CASCADE, related_name="+", db_index=False)
    template = models.ForeignKey(Template, on_delete=models.PROTECT, related_name="+", db_index=False)
    step_id = models.CharField(max_length=40)
    channel = models.CharField(max_length=16, choices=ChannelKind.choices)
    message_class = models.CharField(max_length=16, choices=MessageClass.choices)
    state = models.CharField(max_length=16, choices=MessageState.choices, default=MessageState.QUEUED)
    reason = models.CharField(max_length=40, blank=True, default="")
    detail = models.CharField(max_length=500, blank=True, default="")
    due_at = models.DateTimeField()
    stale_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_token = models.UUIDField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    recipient = models.CharField(max_length=254, blank=True, default="")
    language = models.CharField(max_length=12, blank=True, default="")
    subject = models.CharField(max_length=300, blank=True, default="")
    provider_id = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    opened_at = models.DateTimeField(null=True, blank=True)
    clicked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("enrollment", "step_id", "channel"), name="crm_message_once"),
            models.UniqueConstraint(fields=("public_id",), name="crm_message_public_id"),
            models.CheckConstraint(
                condition=~Q(state=MessageState.SENDING) | Q(lease_until__isnull=False), name="crm_message_lease"
            ),
        )
        indexes = (
            models.Index(fields=("due_at", "id"), condition=Q(state=MessageState.QUEUED), name="crm_message_due"),
            models.Index(fields=("lease_until",), condition=Q(state=MessageState.SENDING), name="crm_message_sending"),
            models.Index(fields=("contact", "channel", "finished_at"), name="crm_message_of_contact"),
            models.Index(fields=("campaign", "created_at", "id"), name="crm_message_of_campaign"),
            models.Index(fields=("created_at", "id"), name="crm_message_created"),
        )
        default_permissions = ()

    def __str__(self) -> str:
        return f"message {self.public_id}"


class Link(models.Model):
    """A url that messages link to. A click redirects only to a stored url."""

    digest = models.CharField(max_length=32, primary_key=True)
    url = models.TextField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.url[:80]


class CallState(models.TextChoices):
    """The life of a webhook call: queued -> sending -> sent | failed; a lost one is tried again, by the same id."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"


class WebhookCall(models.Model):
    """One call of another system that a campaign asked for: unique for the run and the step.

    The receiver tells a repeated call by its id (``public_id``), as Standard Webhooks asks.
    """

    public_id = models.UUIDField(default=uuid.uuid4, editable=False, unique=True)
    contact = models.ForeignKey("crm_plugin.Contact", on_delete=models.CASCADE, related_name="+")
    enrollment = models.ForeignKey("crm_plugin.Enrollment", on_delete=models.CASCADE, related_name="+", db_index=False)
    campaign = models.ForeignKey("crm_plugin.Campaign", on_delete=models.CASCADE, related_name="+")
    step_id = models.CharField(max_length=40)
    url = models.CharField(max_length=500)
    payload: models.JSONField[Any, Any] = models.JSONField()
    state = models.CharField(max_length=8, choices=CallState.choices, default=CallState.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_token = models.UUIDField(null=True, blank=True)
    response_status = models.PositiveSmallIntegerField(null=True, blank=True)
    detail = models.CharField(max_length=500, blank=True, default="")
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("enrollment", "step_id"), name="crm_call_once"),)
        indexes = (
            models.Index(fields=("due_at", "id"), condition=Q(state__in=("queued", "sending")), name="crm_call_due"),
        )
        default_permissions = ()

    def __str__(self) -> str:
        return f"call {self.public_id}"
