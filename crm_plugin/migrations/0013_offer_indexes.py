"""Indexes on tables that may be large already: concurrently, so that the shop goes on writing.

The one of ends of coupons goes: coupons have a table of their own now.
"""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("crm_plugin", "0012_offers")]

    operations = [
        RemoveIndexConcurrently(model_name="activity", name="crm_activity_coupon_expiry"),
        AddIndexConcurrently(
            model_name="ownlike",
            index=models.Index(fields=["product_id", "shop_channel", "customer_id"], name="crm_like_product"),
        ),
        AddIndexConcurrently(
            model_name="ownlike",
            index=models.Index(
                condition=models.Q(("customer_id", ""), _negated=True),
                fields=["customer_id", "created_at"],
                name="crm_like_customer",
            ),
        ),
        AddIndexConcurrently(
            model_name="interest",
            index=models.Index(
                condition=models.Q(("like_changed_at__isnull", False)),
                fields=["shop_channel", "product_id"],
                include=("liked_at",),
                name="crm_interest_liked",
            ),
        ),
    ]
