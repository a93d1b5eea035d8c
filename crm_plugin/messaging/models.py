"""Tables of the messaging room."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Now

from crm_plugin.contacts import ChannelKind


class MessageClass(models.TextChoices):
    """What the law sees in a message: an advertisement, or news about the person's own business."""

    MARKETING = "marketing"
    TRANSACTIONAL = "transactional"


class Template(models.Model):
    """Compiled content of one Send step and channel: immutable, shared by every message that is made from it.

    ``source`` is what the merchant wrote by language (``contents``); ``compiled`` the Liquid that is rendered for each
    person, by language and part, MJML already turned into HTML.
    """

    digest = models.CharField(max_length=64, unique=True)
    channel = models.CharField(
        max_length=16, choices=ChannelKind.choices, default=ChannelKind.EMAIL, db_default=ChannelKind.EMAIL
    )
    source: models.JSONField[Any, Any] = models.JSONField()
    compiled: models.JSONField[Any, Any] = models.JSONField()
    created_at = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.digest[:8]


class Partial(models.Model):
    """A piece of content that several templates share; put into a template when that is saved, never later."""

    name = models.SlugField(max_length=40, unique=True)
    source: models.JSONField[Any, Any] = models.JSONField(help_text="Liquid by language code; '' for all.")
    updated_at = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class MessageForm(models.TextChoices):
    """What a message is on its channel, where that makes a difference in length, price and law."""

    SMS = "sms", "SMS"
    LMS = "lms", "LMS"
    ALIMTALK = "alimtalk", "Alimtalk"
    BRAND_MESSAGE = "brand_message", "Brand Message"


class MessageState(models.TextChoices):
    """The life of a message: queued -> sending -> sent | unknown | failed, or queued -> skipped.

    What was sent may still fail, once the provider says so (a bounce). What failed is queued again only by the
    merchant's choice.
    """

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    UNKNOWN = "unknown"
    FAILED = "failed"
    SKIPPED = "skipped"


class Message(models.Model):
    """The outbox row of one message for one contact on one channel: unique per (enrollment, step, channel).

    A message that no campaign asked for (a notice that the law wants) has an ``occasion`` instead, unique by channel.

    Attributes:
        occasion: what a notice is about, such as ``consent:17``; empty for a campaign's message.
        data: what a notice says, beyond what is known of the contact.
        form: what it was sent as, where the channel has several forms; else empty.
        delivered_at: when the provider said that it arrived; None where providers do not say.
        opened_at, clicked_at: when a person first did; what machines do is in ``machine_opened_at``.
        cost: what the provider asks for it, in ``cost_currency``; None: not known.
        due_at: not before this; a hold moves it on.
        lease_until: while in the future, one worker has it.
        lease_token: changes with every claim; a worker that lost its lease can no longer write.
        reason: why it was skipped, held or failed; a closed word of ``outcomes.Reason``.
        recipient: the address it was handed out to; blanked by erasure.
    """

    public_id = models.UUIDField(default=uuid.uuid4, editable=False)
    contact = models.ForeignKey("crm_plugin.Contact", on_delete=models.CASCADE, related_name="+", db_index=False)
    enrollment = models.ForeignKey(
        "crm_plugin.Enrollment", on_delete=models.CASCADE, related_name="+", db_index=False, null=True, blank=True
    )
    campaign = models.ForeignKey(
        "crm_plugin.Campaign", on_delete=models.CASCADE, related_name="+", db_index=False, null=True, blank=True
    )
    template = models.ForeignKey(Template, on_delete=models.PROTECT, related_name="+", db_index=False)
    step_id = models.CharField(max_length=40, blank=True, default="")
    occasion = models.CharField(max_length=80, blank=True, default="", db_default="")
    data: models.JSONField[Any, Any] = models.JSONField(default=dict, db_default=Value({}, models.JSONField()))
    channel = models.CharField(max_length=16, choices=ChannelKind.choices)
    form = models.CharField(max_length=16, choices=MessageForm.choices, blank=True, default="", db_default="")
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
    delivered_at = models.DateTimeField(null=True, blank=True)
    opened_at = models.DateTimeField(null=True, blank=True)
    machine_opened_at = models.DateTimeField(null=True, blank=True)
    clicked_at = models.DateTimeField(null=True, blank=True)
    complained_at = models.DateTimeField(null=True, blank=True)
    cost = models.DecimalField(max_digits=12, decimal_places=5, null=True, blank=True)
    cost_currency = models.CharField(max_length=3, blank=True, default="", db_default="")

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("enrollment", "step_id", "channel"), name="crm_message_once"),
            models.UniqueConstraint(fields=("public_id",), name="crm_message_public_id"),
            models.UniqueConstraint(
                fields=("occasion", "channel"), condition=~Q(occasion=""), name="crm_message_occasion_once"
            ),
            models.CheckConstraint(
                condition=Q(occasion="", enrollment__isnull=False, campaign__isnull=False)
                | (~Q(occasion="") & Q(enrollment__isnull=True, campaign__isnull=True)),
                name="crm_message_of_a_run_or_an_occasion",
            ),
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
            models.Index(fields=("provider_id",), condition=~Q(provider_id=""), name="crm_message_provider_id"),
        )
        default_permissions = ()

    def __str__(self) -> str:
        return f"message {self.public_id}"


class InboxNote(models.Model):
    """What the in-shop inbox of a contact shows: the content of a message that was sent there.

    ``url`` is the address that the note leads to, already one that counts the click; empty: nowhere.
    """

    message = models.OneToOneField(Message, on_delete=models.CASCADE, related_name="+")
    contact = models.ForeignKey("crm_plugin.Contact", on_delete=models.CASCADE, related_name="+", db_index=False)
    title = models.CharField(max_length=200)
    text = models.TextField()
    url = models.TextField(blank=True, default="")
    image_url = models.TextField(blank=True, default="")
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = (models.Index(fields=("contact", "created_at", "id"), name="crm_inboxnote_of_contact"),)
        default_permissions = ()

    def __str__(self) -> str:
        return f"note {self.pk}"


class ReceiptKind(models.TextChoices):
    """What a provider tells of a message after it took it, or of an address."""

    DELIVERED = "delivered"
    #: It will never arrive, and the address is to blame.
    HARD_BOUNCE = "hard_bounce"
    #: It did not arrive, for a reason that may pass (mailbox full).
    SOFT_BOUNCE = "soft_bounce"
    #: It did not arrive, for another reason (a filter, a template that is not approved).
    UNDELIVERED = "undelivered"
    COMPLAINT = "complaint"
    #: The person took the way out that the provider offers (STOP, its own unsubscribe link).
    UNSUBSCRIBED = "unsubscribed"
    #: The person took the STOP back (START).
    RESUBSCRIBED = "resubscribed"


class DeliveryReceipt(models.Model):
    """What a provider told, waiting to be put to its message. A queue: it may come before the send has returned.

    Attributes:
        key: unique for what was told, so that a provider may tell it twice.
        provider_id: the provider's id of the message, as ``Message.provider_id`` has it; empty when only an address
            is known.
        look_at: when to look for its message again; one whose message never turns up is dropped.
    """

    channel = models.CharField(max_length=16, choices=ChannelKind.choices)
    kind = models.CharField(max_length=16, choices=ReceiptKind.choices)
    key = models.CharField(max_length=64, unique=True)
    provider_id = models.CharField(max_length=200, blank=True, default="")
    address = models.CharField(max_length=254, blank=True, default="")
    detail = models.CharField(max_length=500, blank=True, default="")
    cost = models.DecimalField(max_digits=12, decimal_places=5, null=True, blank=True)
    cost_currency = models.CharField(max_length=3, blank=True, default="")
    occurred_at = models.DateTimeField()
    created_at = models.DateTimeField()
    look_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = (
            models.Index(fields=("look_at", "id"), condition=Q(settled_at__isnull=True), name="crm_receipt_due"),
            models.Index(fields=("settled_at",), condition=Q(settled_at__isnull=False), name="crm_receipt_settled"),
        )
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.kind} {self.provider_id}"


class SendingCount(models.Model):
    """How many messages went to a receiving domain, or through a provider, in one stretch of time.

    ``key`` names what is throttled, ``begins_at`` the stretch.
    """

    key = models.CharField(max_length=120)
    begins_at = models.DateTimeField()
    count = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("key", "begins_at"), name="crm_sendingcount_unique"),)
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.key} {self.begins_at:%Y-%m-%d %H:%M}"


class Link(models.Model):
    """A url that messages link to. A click redirects only to a stored url.

    ``used_at``: when a message with it was last written, to the day; one that no young message has is deleted.
    """

    digest = models.CharField(max_length=32, primary_key=True)
    url = models.TextField()
    used_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = (models.Index(fields=("used_at",), name="crm_link_used"),)
        default_permissions = ()

    def __str__(self) -> str:
        return self.url[:80]


class ShortLink(models.Model):
    """A short address of one message's link, for messages that have little room."""

    code = models.CharField(max_length=12, primary_key=True)
    message_public_id = models.UUIDField()
    link = models.ForeignKey(Link, on_delete=models.CASCADE, related_name="+", db_index=False)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = (
            models.Index(fields=("created_at",), name="crm_short_link_created"),
            models.Index(fields=("link",), name="crm_short_link_of_link"),
        )
        default_permissions = ()

    def __str__(self) -> str:
        return self.code


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
            models.Index(fields=("finished_at",), condition=Q(finished_at__isnull=False), name="crm_call_over"),
        )
        default_permissions = ()

    def __str__(self) -> str:
        return f"call {self.public_id}"
