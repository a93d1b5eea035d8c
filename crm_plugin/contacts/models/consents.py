"""What people agreed to and refused, and what they were told of it."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from crm_plugin.channel_kind import ChannelKind
from crm_plugin.contacts.models.people import Contact


class ConsentBasis(models.TextChoices):
    """What allows an advertisement: the person's own word, or a purchase (which runs out, or not, by jurisdiction)."""

    EXPRESS = "express"
    SOFT_OPT_IN = "soft_opt_in"


class Consent(models.Model):
    """Where a contact stands now on marketing through one channel: the last line of the log.

    Attributes:
        is_granted: False as well while a double opt-in waits for its confirmation.
        is_night_granted: agreed to advertisements at night too (Korean network act, article 50(3)).
        expires_at: a soft opt-in holds until then; None: until it is withdrawn.
        pending_at: when the confirmation was asked for that is still open.
        reminded_at: when the person was last reminded of this consent (article 50(8): every two years).
    """

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="consents")
    channel = models.CharField(max_length=16, choices=ChannelKind.choices)
    is_granted = models.BooleanField()
    is_night_granted = models.BooleanField(default=False, db_default=False)
    basis = models.CharField(
        max_length=16, choices=ConsentBasis.choices, default=ConsentBasis.EXPRESS, db_default=ConsentBasis.EXPRESS
    )
    changed_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    pending_at = models.DateTimeField(null=True, blank=True)
    reminded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("contact", "channel"), name="crm_consent_unique"),)
        indexes = (
            models.Index(fields=("expires_at",), condition=Q(expires_at__isnull=False), name="crm_consent_expires"),
            models.Index(
                F("channel"),
                Coalesce("reminded_at", "changed_at"),
                condition=Q(is_granted=True),
                name="crm_consent_remind",
            ),
        )
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.channel}: {'granted' if self.is_granted else 'withdrawn'}"


class ConsentEvent(models.Model):
    """One line of the consent log. Append-only: a database trigger refuses to change what was written.

    GDPR Art. 7(1) and the Korean network act ask for proof: when, where, and to which text. ``purpose`` is
    ``marketing``, ``night``, ``confirmation`` (it was asked for), or ``topic:`` and the topic's slug, which names no
    channel.
    """

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="consent_events")
    channel = models.CharField(max_length=16, choices=ChannelKind.choices, blank=True, default="")
    purpose = models.CharField(max_length=48, default="marketing", db_default="marketing")
    is_granted = models.BooleanField()
    basis = models.CharField(
        max_length=16, choices=ConsentBasis.choices, default=ConsentBasis.EXPRESS, db_default=ConsentBasis.EXPRESS
    )
    source = models.CharField(max_length=64)
    text_version = models.CharField(max_length=64, blank=True, default="")
    evidence: models.JSONField[Any, Any] = models.JSONField(default=dict)
    occurred_at = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=("contact", "channel", "occurred_at"), name="crm_consent_log"),)
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.channel} {self.occurred_at:%Y-%m-%d}"


class ConsentNotice(models.Model):
    """A line of the consent log whose result the person is still to be told (network act, article 50(7)). A queue."""

    event = models.OneToOneField(ConsentEvent, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"notice of {self.event_id}"


class Topic(models.Model):
    """What advertisements can be about; people may refuse a topic and keep the others.

    ``names`` holds what the preference centre calls it, by language code.
    """

    slug = models.SlugField(max_length=40, unique=True)
    names: models.JSONField[Any, Any] = models.JSONField(default=dict)
    position = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.slug


class RefusedTopic(models.Model):
    """A topic that a contact does not want to hear of."""

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="refused_topics")
    topic = models.ForeignKey(Topic, on_delete=models.CASCADE, related_name="+")
    refused_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("contact", "topic"), name="crm_refused_topic_unique"),)
        default_permissions = ()

    def __str__(self) -> str:
        return f"contact {self.contact_id} refuses topic {self.topic_id}"
