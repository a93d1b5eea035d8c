"""Indexes on tables that are large already: concurrently, so that the shop goes on writing."""

import django.db.models.functions.comparison
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("crm_plugin", "0010_messaging")]

    operations = [
        AddIndexConcurrently(
            model_name="consent",
            index=models.Index(
                condition=models.Q(("expires_at__isnull", False)), fields=["expires_at"], name="crm_consent_expires"
            ),
        ),
        AddIndexConcurrently(
            model_name="consent",
            index=models.Index(
                models.F("channel"),
                django.db.models.functions.comparison.Coalesce("reminded_at", "changed_at"),
                condition=models.Q(("is_granted", True)),
                name="crm_consent_remind",
            ),
        ),
        AddIndexConcurrently(
            model_name="contact",
            index=models.Index(
                condition=models.Q(("phone", ""), _negated=True), fields=["phone"], name="crm_contact_phone"
            ),
        ),
        AddIndexConcurrently(
            model_name="message",
            index=models.Index(
                condition=models.Q(("provider_id", ""), _negated=True),
                fields=["provider_id"],
                name="crm_message_provider_id",
            ),
        ),
    ]
