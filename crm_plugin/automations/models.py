"""Tables of the automations room."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import F, Q, Value


class CampaignState(models.TextChoices):
    """A campaign that was created does not run: publishing starts it."""

    DRAFT = "draft"
    RUNNING = "running"
    PAUSED = "paused"
    ENDED = "ended"
    ARCHIVED = "archived"


class Campaign(models.Model):
    """What a merchant creates, runs and measures.

    ``draft`` is the definition being edited; publishing freezes it into a ``CampaignVersion``.
    ``running_since`` is when it last began to run after having been published the first time: facts from before it
    start nothing. ``pause_reason`` says why it is paused when nobody did it by hand (``bounce_rate``,
    ``complaint_rate``).
    """

    name = models.CharField(max_length=120)
    state = models.CharField(max_length=16, choices=CampaignState.choices, default=CampaignState.DRAFT)
    draft: models.JSONField[Any, Any] = models.JSONField()
    version = models.ForeignKey(
        "crm_plugin.CampaignVersion", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    running_since = models.DateTimeField(null=True, blank=True)
    pause_reason = models.CharField(max_length=40, blank=True, default="", db_default="")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=~Q(state=CampaignState.RUNNING) | Q(version__isnull=False), name="crm_campaign_runs_a_version"
            ),
            models.CheckConstraint(
                condition=Q(starts_at__isnull=True) | Q(ends_at__isnull=True) | Q(starts_at__lt=F("ends_at")),
                name="crm_campaign_period",
            ),
        )
        indexes = (models.Index(fields=("created_at", "id"), name="crm_campaign_created"),)
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class CampaignVersion(models.Model):
    """A published definition. Immutable (a database trigger refuses changes): people in flight stay on theirs.

    ``templates`` maps the id of each Send step to the id of its compiled ``Template``.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    definition: models.JSONField[Any, Any] = models.JSONField()
    templates: models.JSONField[Any, Any] = models.JSONField(default=dict)
    published_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("campaign", "number"), name="crm_version_unique"),)
        default_permissions = ()

    def __str__(self) -> str:
        return f"version {self.number} of campaign {self.campaign_id}"


class EnrollmentState(models.TextChoices):
    """Every enrollment ends in exactly one of completed, exited, converted."""

    ACTIVE = "active"
    COMPLETED = "completed"
    EXITED = "exited"
    CONVERTED = "converted"


class Enrollment(models.Model):
    """One contact's run of one version.

    Attributes:
        subject_key: what the run is about (``product:81``, ``order:7``, ``digest``); empty when about the person.
        epoch: tells one run about the same subject from the next; a price-drop digest takes the wave's number.
        step: index of the step to do next.
        due_at: when to do it; NULL while a message of the current step is on its way.
        entered_at: when what started the run happened (an activity, a wave); purchases since then end it.
        is_collecting: a digest that still takes in further products; ends with the first step.
        items: the products of the run: product_id, variant_id, shop_channel, currency, baseline, limit (highest price
            at which the alert still holds true), request (of who asked to be told of stock).
        lane: of runs with the same lane, one may be under way for a contact.
        context: what else the run knows: ``activity`` (id), ``kind``, ``subject``, ``order_ref``, ``cart_ref``,
            ``data`` of what started it; ``coupons``; ``rung`` of a ladder.
        arms: the arm that the contact went, by the id of the split.
        waits_for, waits_since: the kind of activity that the run waits for, and since when it counts.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="+", db_index=False)
    version = models.ForeignKey(CampaignVersion, on_delete=models.PROTECT, related_name="+", db_index=False)
    contact = models.ForeignKey("crm_plugin.Contact", on_delete=models.CASCADE, related_name="+", db_index=False)
    subject_key = models.CharField(max_length=120, blank=True, default="")
    epoch = models.BigIntegerField(default=0)
    state = models.CharField(max_length=16, choices=EnrollmentState.choices, default=EnrollmentState.ACTIVE)
    reason = models.CharField(max_length=40, blank=True, default="")
    step = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(null=True, blank=True)
    is_collecting = models.BooleanField(default=False)
    items: models.JSONField[Any, Any] = models.JSONField(default=list)
    lane = models.CharField(max_length=160, blank=True, default="", db_default="")
    context: models.JSONField[Any, Any] = models.JSONField(default=dict, db_default=Value({}, models.JSONField()))
    arms: models.JSONField[Any, Any] = models.JSONField(default=dict, db_default=Value({}, models.JSONField()))
    waits_for = models.CharField(max_length=32, blank=True, default="", db_default="")
    waits_since = models.DateTimeField(null=True, blank=True)
    entered_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("campaign", "contact", "subject_key", "epoch"), name="crm_enrollment_once"),
            models.UniqueConstraint(
                fields=("campaign", "contact"), condition=Q(is_collecting=True), name="crm_enrollment_one_digest"
            ),
            models.CheckConstraint(
                condition=Q(state=EnrollmentState.ACTIVE, finished_at__isnull=True)
                | (~Q(state=EnrollmentState.ACTIVE) & Q(finished_at__isnull=False, due_at__isnull=True)),
                name="crm_enrollment_ends_once",
            ),
            models.UniqueConstraint(
                fields=("campaign", "contact", "lane"), condition=Q(state="active"), name="crm_enrollment_lane"
            ),
        )
        indexes = (
            models.Index(fields=("campaign", "due_at"), condition=Q(due_at__isnull=False), name="crm_enrollment_due"),
            models.Index(fields=("contact",), name="crm_enrollment_contact"),
            models.Index(fields=("contact",), condition=Q(state="active"), name="crm_enrollment_active"),
            models.Index(fields=("campaign", "entered_at", "id"), name="crm_enrollment_entered"),
            # Only of those that ended: who is under way changes with every step, and is counted where they stand.
            models.Index(
                fields=("campaign", "version", "state", "reason"),
                condition=~Q(state="active"),
                name="crm_enrollment_ends",
            ),
        )
        default_permissions = ()

    def __str__(self) -> str:
        return f"enrollment {self.pk}"


class FanOut(models.Model):
    """A wave of price drops on its way to the people of one campaign, in resumable chunks by contact id."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="+", db_index=False)
    wave = models.BigIntegerField()
    after_contact = models.BigIntegerField(default=0)
    enrolled_count = models.PositiveIntegerField(default=0)
    is_done = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("campaign", "wave"), name="crm_fan_out_unique"),)
        indexes = (
            models.Index(fields=("wave", "id"), condition=Q(is_done=False), name="crm_fan_out_open"),
            models.Index(fields=("created_at",), condition=Q(is_done=True), name="crm_fan_out_done"),
        )
        default_permissions = ()

    def __str__(self) -> str:
        return f"wave {self.wave} for campaign {self.campaign_id}"


class SlotState(models.TextChoices):
    """What became of a scheduled moment. ``dropped``: nobody looked until it was too late to be news."""

    OPEN = "open"
    DONE = "done"
    DROPPED = "dropped"


class ScheduleSlot(models.Model):
    """One scheduled moment of one campaign: unique, so that a double or late beat cannot run it twice.

    Its people enter in resumable chunks by contact id.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="+", db_index=False)
    slot_at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=SlotState.choices, default=SlotState.OPEN)
    after_contact = models.BigIntegerField(default=0, db_default=0)
    enrolled_count = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("campaign", "slot_at"), name="crm_slot_once"),)
        indexes = (
            models.Index(fields=("slot_at",), condition=Q(state="open"), name="crm_slot_open"),
            models.Index(fields=("slot_at",), condition=~Q(state="open"), name="crm_slot_over"),
        )
        default_permissions = ()

    def __str__(self) -> str:
        return f"campaign {self.campaign_id} at {self.slot_at:%Y-%m-%d %H:%M}"


class Timer(models.Model):
    """Something that will start a run unless what it counts from happens again before: a cart that is left alone.

    Attributes:
        subject_key: what it is about; the same thing happening again moves ``due_at`` on.
        rung: which step of a ladder, in seconds; 0 when there is one.
        activity_id: what it counts from.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="+", db_index=False)
    contact = models.ForeignKey("crm_plugin.Contact", on_delete=models.CASCADE, related_name="+", db_index=False)
    subject_key = models.CharField(max_length=120, blank=True, default="")
    rung = models.PositiveIntegerField(default=0)
    starts_at = models.DateTimeField()
    due_at = models.DateTimeField()
    activity_id = models.BigIntegerField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("campaign", "contact", "subject_key", "rung"), name="crm_timer_unique"),
        )
        indexes = (
            models.Index(fields=("due_at", "id"), name="crm_timer_due"),
            models.Index(fields=("contact",), name="crm_timer_contact"),
        )
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.subject_key} for campaign {self.campaign_id} at {self.due_at:%Y-%m-%d %H:%M}"


class SplitTest(models.Model):
    """The test of one split of one version: when its first person came, and the arm that won.

    ``evidence`` is what the decision rested on: people and hits of every arm, and the probability.
    """

    version = models.ForeignKey(CampaignVersion, on_delete=models.CASCADE, related_name="+", db_index=False)
    step_id = models.CharField(max_length=40)
    started_at = models.DateTimeField()
    arm = models.CharField(max_length=40, blank=True, default="")
    decided_at = models.DateTimeField(null=True, blank=True)
    evidence: models.JSONField[Any, Any] = models.JSONField(default=dict)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("version", "step_id"), name="crm_split_test_unique"),
            models.CheckConstraint(
                condition=Q(arm="", decided_at__isnull=True) | (~Q(arm="") & Q(decided_at__isnull=False)),
                name="crm_split_test_decided",
            ),
        )
        default_permissions = ()

    def __str__(self) -> str:
        return f"split {self.step_id} of version {self.version_id}"
