"""By what the rows that are over are found: one index for each table, and of links when they were last used.

Concurrently, since the tables may be large already. A link that is there counts as used now.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models.functions import Coalesce, Now


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("crm_plugin", "0015_blocks_filled")]

    operations = [
        migrations.AddField(model_name="link", name="used_at", field=models.DateTimeField(db_default=Now())),
        migrations.AddField(model_name="shortlink", name="created_at", field=models.DateTimeField(db_default=Now())),
        AddIndexConcurrently(model_name="link", index=models.Index(fields=["used_at"], name="crm_link_used")),
        AddIndexConcurrently(
            model_name="shortlink", index=models.Index(fields=["created_at"], name="crm_short_link_created")
        ),
        AddIndexConcurrently(
            model_name="shortlink", index=models.Index(fields=["link"], name="crm_short_link_of_link")
        ),
        AddIndexConcurrently(
            model_name="webhookcall",
            index=models.Index(
                condition=models.Q(("finished_at__isnull", False)), fields=["finished_at"], name="crm_call_over"
            ),
        ),
        AddIndexConcurrently(model_name="wave", index=models.Index(fields=["occurred_at"], name="crm_wave_in_time")),
        AddIndexConcurrently(
            model_name="fanout",
            index=models.Index(condition=models.Q(("is_done", True)), fields=["created_at"], name="crm_fan_out_done"),
        ),
        AddIndexConcurrently(
            model_name="scheduleslot",
            index=models.Index(
                condition=models.Q(("state", "open"), _negated=True), fields=["slot_at"], name="crm_slot_over"
            ),
        ),
        AddIndexConcurrently(
            model_name="stockrequest",
            index=models.Index(
                Coalesce("told_at", "created_at"),
                condition=models.Q(("state__in", ("told", "cancelled"))),
                name="crm_stock_request_over",
            ),
        ),
        AddIndexConcurrently(
            model_name="stockepoch",
            index=models.Index(
                condition=models.Q(("closed_at__isnull", False)), fields=["closed_at"], name="crm_stock_epoch_over"
            ),
        ),
        AddIndexConcurrently(
            model_name="reviewrequest", index=models.Index(fields=["asked_at"], name="crm_review_request_asked")
        ),
    ]
