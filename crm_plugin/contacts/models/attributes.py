"""Attributes that the merchant declared, and how their values changed."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from crm_plugin.contacts.models.people import Contact


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
