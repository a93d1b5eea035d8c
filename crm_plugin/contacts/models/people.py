"""Who a contact is: the person, what they spent, the browsers they came with."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Lower


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
