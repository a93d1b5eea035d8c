"""Indexes for what audiences ask of the stream, and for visitors to forget; built while the shop goes on writing."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = (("crm_plugin", "0003_audience"),)

    operations = (
        AddIndexConcurrently(
            model_name="activity",
            index=models.Index(
                condition=models.Q(("product_id", ""), _negated=True),
                fields=["product_id", "kind", "occurred_at"],
                include=("contact", "order_ref", "shop_channel"),
                name="crm_activity_of_product",
            ),
        ),
        AddIndexConcurrently(
            model_name="activity",
            index=models.Index(
                condition=models.Q(("subject", ""), _negated=True),
                fields=["subject", "kind", "occurred_at"],
                include=("contact", "shop_channel"),
                name="crm_activity_of_subject",
            ),
        ),
        AddIndexConcurrently(
            model_name="activity",
            index=models.Index(
                fields=["kind", "occurred_at"], include=("contact", "shop_channel"), name="crm_activity_in_time"
            ),
        ),
        AddIndexConcurrently(
            model_name="activity",
            index=models.Index(
                fields=["order_ref"], condition=models.Q(("kind", "cancelled")), name="crm_activity_cancelled"
            ),
        ),
        AddIndexConcurrently(
            model_name="contact",
            index=models.Index(
                fields=["last_seen_at"],
                condition=models.Q(("customer_id__isnull", True), ("email__isnull", True), ("erased_at__isnull", True)),
                name="crm_contact_nameless",
            ),
        ),
    )
