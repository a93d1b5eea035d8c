"""The index by which coupons that end on a day are found; built while the shop goes on writing."""

import django.db.models.fields.json
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = (("crm_plugin", "0008_automation_engine"),)

    operations = (
        AddIndexConcurrently(
            model_name="activity",
            index=models.Index(
                django.db.models.fields.json.KeyTextTransform("expires_on", "data"),
                condition=models.Q(("kind", "coupon_issued")),
                name="crm_activity_coupon_expiry",
            ),
        ),
    )
