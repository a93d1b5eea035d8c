"""Tables of the audience room."""

from __future__ import annotations

from typing import Any

from django.db import models


class SegmentKind(models.TextChoices):
    """A live segment is a rule, a static one a list made by hand or by import."""

    LIVE = "live"
    STATIC = "static"


class SegmentState(models.TextChoices):
    """``building``: the members of the present version are not all there yet; those of the one before still are."""

    BUILDING = "building"
    READY = "ready"
    ARCHIVED = "archived"


class Segment(models.Model):
    """A named audience. Membership of a live one is computed and follows; that of a static one is what was put in.

    Attributes:
        version: the rule in force; NULL for a static list.
        members_count: kept by the passes that change the members.
        state: ``building`` also while a list of look-alikes is being made.
        built_at: when all members of the present version were last computed from nothing; NULL until they were.
        updated_at: the last change of the segment, or failure to compute it.
        swept_at: up to which moment the passing of time was followed.
        error: why the last build failed, for people; empty when it did not.
    """

    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=8, choices=SegmentKind.choices)
    state = models.CharField(max_length=8, choices=SegmentState.choices)
    version = models.ForeignKey(
        "crm_plugin.SegmentVersion", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    members_count = models.PositiveIntegerField(default=0)
    built_at = models.DateTimeField(null=True, blank=True)
    swept_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True, default="")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("name",), condition=~models.Q(state=SegmentState.ARCHIVED), name="crm_segment_name"
            ),
            models.CheckConstraint(
                condition=models.Q(kind=SegmentKind.LIVE) | models.Q(version__isnull=True),
                name="crm_segment_static_has_no_rule",
            ),
        )
        indexes = (models.Index(fields=("created_at", "id"), name="crm_segment_created"),)
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class SegmentVersion(models.Model):
    """A saved rule; of a list of look-alikes, what was asked for. Immutable (a database trigger refuses changes)."""

    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    definition: models.JSONField[Any, Any] = models.JSONField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("segment", "number"), name="crm_segment_version_unique"),)
        default_permissions = ()

    def __str__(self) -> str:
        return f"version {self.number} of segment {self.segment_id}"


class Member(models.Model):
    """A contact is in a segment."""

    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="+", db_index=False)
    contact = models.ForeignKey("crm_plugin.Contact", on_delete=models.CASCADE, related_name="+")
    joined_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("segment", "contact"), name="crm_member_unique"),)
        default_permissions = ()

    def __str__(self) -> str:
        return f"contact {self.contact_id} in segment {self.segment_id}"


class ImportState(models.TextChoices):
    """Where an import stands. ``failed``: the file as a whole could not be read; ``errors`` says why."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class ListImport(models.Model):
    """A CSV file on its way into a static list, done in batches of lines.

    Attributes:
        content: the file; emptied when the import is over.
        is_dry_run: look at everything, write nothing.
        errors: the first lines that were refused: ``[{"line": 3, "message": "..."}]``.
    """

    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="imports")
    content = models.BinaryField()
    is_dry_run = models.BooleanField()
    state = models.CharField(max_length=8, choices=ImportState.choices, default=ImportState.WAITING)
    lines_count = models.PositiveIntegerField(default=0)
    done_count = models.PositiveIntegerField(default=0)
    added_count = models.PositiveIntegerField(default=0)
    refused_count = models.PositiveIntegerField(default=0)
    errors: models.JSONField[Any, Any] = models.JSONField(default=list)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = (
            models.Index(fields=("id",), condition=models.Q(finished_at__isnull=True), name="crm_import_open"),
            models.Index(fields=("created_at", "id"), name="crm_import_created"),
        )
        default_permissions = ()

    def __str__(self) -> str:
        return f"import {self.pk} into segment {self.segment_id}"


class Export(models.Model):
    """The log of exports: personal data left the CRM. Append-only but for the count, which is known at the end.

    Attributes:
        what: what was asked for, as JSON that can be asked again.
        actor: who asked, in words (``user 7``, ``app abc``).
        rows_count: NULL until the file was fetched to its end.
    """

    what: models.JSONField[Any, Any] = models.JSONField()
    actor = models.CharField(max_length=100)
    rows_count = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField()
    fetched_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = (models.Index(fields=("created_at", "id"), name="crm_export_created"),)
        default_permissions = ()

    def __str__(self) -> str:
        return f"export {self.pk} for {self.actor}"


class Stage(models.TextChoices):
    """Where a contact stands in its life with the shop; the rules are in ``scoring``."""

    VISITOR = "visitor"
    LEAD = "lead"
    NEW = "new"
    ACTIVE = "active"
    AT_RISK = "at_risk"
    LAPSED = "lapsed"


class Score(models.Model):
    """How a contact stands among all: RFM in fifths (5 is best; NULL without an order), its label, its stage."""

    contact = models.OneToOneField("crm_plugin.Contact", on_delete=models.CASCADE, primary_key=True, related_name="+")
    recency = models.PositiveSmallIntegerField(null=True, blank=True)
    frequency = models.PositiveSmallIntegerField(null=True, blank=True)
    monetary = models.PositiveSmallIntegerField(null=True, blank=True)
    label = models.CharField(max_length=24, blank=True, default="")
    stage = models.CharField(max_length=8, choices=Stage.choices)
    computed_at = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"contact {self.contact_id}: {self.label or self.stage}"
