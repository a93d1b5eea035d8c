"""Tables of the contacts room."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce, Lower

from crm_plugin.channel_kind import ChannelKind


class Contact(models.Model):
    """A person we may message, with or without an account.

    Known by customer id first, then by lower-cased e-mail. Somebody who has neither yet is a visitor of the storefront
    (``Visitor``): nobody to write to, but with a history that becomes the person's who turns out to be the visitor.
    ``phone`` is a number in E.164; several people may share one, so it tells nobody apart.
    The counters are projections of the activity stream. ``attributes`` holds what the merchant declared
    (``Attribute``), each value in its JSON type.
    An erased contact keeps its row, so that counts stay true, and nothing that names the person.
    """

    customer_id = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001 - NULLs are distinct: guests
    email = models.CharField(max_length=254, null=True, blank=True)  # noqa: DJ001 - NULLs are distinct: unreachable
    first_name = models.CharField(max_length=256, blank=True, default="")
    last_name = models.CharField(max_length=256, blank=True, default="")
    language = models.CharField(max_length=12, blank=True, default="")
    country = models.CharField(max_length=2, blank=True, default="")
    time_zone = models.CharField(max_length=64, blank=True, default="")
    phone = models.CharField(max_length=16, blank=True, default="", db_default="")
    orders_count = models.PositiveIntegerField(default=0)
    first_order_at = models.DateTimeField(null=True, blank=True)
    last_order_at = models.DateTimeField(null=True, blank=True)
    last_seen_at = models.DateTimeField(null=True, blank=True)
    joined_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    erased_at = models.DateTimeField(null=True, blank=True)
    attributes: models.JSONField[Any, Any] = models.JSONField(default=dict, db_default=Value({}, models.JSONField()))

    class Meta:
        constraints = (
            # Partial, so that PostgreSQL does not count these columns among the keys that a foreign key could name:
            # giving a guest an account then takes no lock that inserting an activity of the guest would wait for.
            models.UniqueConstraint(
                fields=("customer_id",), condition=Q(customer_id__isnull=False), name="crm_contact_customer_unique"
            ),
            models.UniqueConstraint(
                fields=("email",), condition=Q(email__isnull=False), name="crm_contact_email_unique"
            ),
            models.CheckConstraint(
                condition=Q(email__isnull=True) | Q(email=Lower(F("email"))), name="crm_contact_email_lower"
            ),
            models.CheckConstraint(condition=~Q(customer_id="") & ~Q(email=""), name="crm_contact_unknown_is_null"),
            models.CheckConstraint(
                condition=Q(erased_at__isnull=True) | (Q(customer_id__isnull=True) & Q(email__isnull=True)),
                name="crm_contact_erased_is_nobody",
            ),
        )
        indexes = (
            models.Index(fields=("created_at", "id"), name="crm_contact_created"),
            models.Index(
                fields=("last_seen_at",),
                condition=Q(customer_id__isnull=True, email__isnull=True, erased_at__isnull=True),
                name="crm_contact_nameless",
            ),
            models.Index(fields=("phone",), condition=~Q(phone=""), name="crm_contact_phone"),
        )
        default_permissions = ()

    def __str__(self) -> str:
        return f"contact {self.pk}"


class ContactSpend(models.Model):
    """What a contact spent in one currency: placed orders that were not cancelled."""

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="spends")
    currency = models.CharField(max_length=3)
    amount = models.DecimalField(max_digits=20, decimal_places=4)
    orders_count = models.PositiveIntegerField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("contact", "currency"), name="crm_spend_unique"),)
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


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


class AttributeKind(models.TextChoices):
    """What an attribute holds, and how its value stands in JSON."""

    TEXT = "text", "Text"
    NUMBER = "number", "Number"
    BOOLEAN = "boolean", "Yes or no"
    DATE = "date", "Date"  #: ``YYYY-MM-DD``
    TAGS = "tags", "Tags"  #: a list of words


class Attribute(models.Model):
    """An attribute that the merchant declared for contacts (a birthday, a points balance). Its kind never changes.

    Attributes:
        is_shown_to_customer: whether the storefront may show customers their own value (a balance, not a remark).
        keeps_history: every change of a value is kept (``AttributeChange``) and told to campaigns; of numbers only.
    """

    name = models.CharField(max_length=40, unique=True)
    label = models.CharField(max_length=80, blank=True, default="")
    kind = models.CharField(max_length=8, choices=AttributeKind.choices)
    is_shown_to_customer = models.BooleanField(default=False, db_default=False)
    keeps_history = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class AttributeChange(models.Model):
    """A value of an attribute that keeps its history changed: a balance of points went up or down.

    ``before`` and ``after`` are NULL where there was, or is, no value. ``source`` says by whom: ``api``, ``import``,
    ``shop``, ``campaign``. ``is_told``: the event stream knows of it.
    """

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(max_length=40)
    before = models.DecimalField(max_digits=20, decimal_places=4, null=True, blank=True)
    after = models.DecimalField(max_digits=20, decimal_places=4, null=True, blank=True)
    source = models.CharField(max_length=16)
    changed_at = models.DateTimeField()
    is_told = models.BooleanField(default=False)

    class Meta:
        indexes = (
            models.Index(fields=("contact", "name", "changed_at"), name="crm_attribute_change_of"),
            models.Index(fields=("id",), condition=Q(is_told=False), name="crm_attribute_change_open"),
        )
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.name} of contact {self.contact_id}: {self.before} to {self.after}"


class Visitor(models.Model):
    """A browser that the storefront knows by an id of its own, and the contact behind it.

    The contact is one without customer id and e-mail until the visitor signs in, signs up, orders or leaves an
    address; ``known_at`` is when that happened.
    """

    visitor_id = models.CharField(max_length=64, primary_key=True)
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="visitors")
    created_at = models.DateTimeField()
    known_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"visitor of contact {self.contact_id}"


class Touched(models.Model):
    """Something about a contact changed: its segments are to be looked at again. A queue; it may name one twice."""

    contact_id = models.BigIntegerField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"contact {self.contact_id}"
