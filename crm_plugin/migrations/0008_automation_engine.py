"""What the automation engine keeps: lanes, contexts and arms of runs, timers, tests of splits, waves, webhook calls."""

import uuid

import django.db.models.deletion
import django.db.models.fields.json
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("crm_plugin", "0007_merchant_time_zone"),
    ]

    operations = [
        migrations.RenameModel("PriceWave", "Wave"),
        migrations.AddField(
            model_name="wave",
            name="kind",
            field=models.CharField(
                choices=[
                    ("price_drop", "Price Drop"),
                    ("back_in_stock", "Back In Stock"),
                    ("new_voucher", "New Voucher"),
                ],
                db_default="price_drop",
                default="price_drop",
                max_length=16,
            ),
        ),
        migrations.CreateModel(
            name="Restock",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("product_id", models.CharField(max_length=64)),
                ("variant_id", models.CharField(max_length=64)),
                ("shop_channel", models.CharField(max_length=64)),
                ("available", models.IntegerField(blank=True, null=True)),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="SplitTest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("step_id", models.CharField(max_length=40)),
                ("started_at", models.DateTimeField()),
                ("arm", models.CharField(blank=True, default="", max_length=40)),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
                ("evidence", models.JSONField(default=dict)),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Timer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("subject_key", models.CharField(blank=True, default="", max_length=120)),
                ("rung", models.PositiveIntegerField(default=0)),
                ("starts_at", models.DateTimeField()),
                ("due_at", models.DateTimeField()),
                ("activity_id", models.BigIntegerField(blank=True, null=True)),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="VoucherProduct",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("voucher_ref", models.CharField(max_length=64)),
                ("code", models.CharField(blank=True, default="", max_length=200)),
                ("product_id", models.CharField(blank=True, default="", max_length=64)),
                ("shop_channel", models.CharField(blank=True, default="", max_length=64)),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="WebhookCall",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("step_id", models.CharField(max_length=40)),
                ("url", models.CharField(max_length=500)),
                ("payload", models.JSONField()),
                (
                    "state",
                    models.CharField(
                        choices=[("queued", "Queued"), ("sending", "Sending"), ("sent", "Sent"), ("failed", "Failed")],
                        default="queued",
                        max_length=8,
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("due_at", models.DateTimeField()),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                ("lease_token", models.UUIDField(blank=True, null=True)),
                ("response_status", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("detail", models.CharField(blank=True, default="", max_length=500)),
                ("created_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.RemoveIndex(
            model_name="enrollment",
            name="crm_enrollment_active",
        ),
        migrations.AddField(
            model_name="enrollment",
            name="arms",
            field=models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict),
        ),
        migrations.AddField(
            model_name="enrollment",
            name="context",
            field=models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict),
        ),
        migrations.AddField(
            model_name="enrollment",
            name="lane",
            field=models.CharField(blank=True, db_default="", default="", max_length=160),
        ),
        migrations.AddField(
            model_name="enrollment",
            name="waits_for",
            field=models.CharField(blank=True, db_default="", default="", max_length=32),
        ),
        migrations.AddField(
            model_name="enrollment",
            name="waits_since",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="attribute",
            name="is_shown_to_customer",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="merchant",
            name="delivered_after_days",
            field=models.PositiveSmallIntegerField(
                db_default=3,
                default=3,
                help_text="An order counts as delivered so long after it was sent; 0: only when told.",
            ),
        ),
        migrations.AddField(
            model_name="merchant",
            name="webhook_secret",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=100),
        ),
        migrations.AddField(
            model_name="scheduleslot",
            name="after_contact",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddIndex(
            model_name="enrollment",
            index=models.Index(
                condition=models.Q(("state", "active")), fields=["contact"], name="crm_enrollment_active"
            ),
        ),
        migrations.AddIndex(
            model_name="enrollment",
            index=models.Index(fields=["campaign", "entered_at", "id"], name="crm_enrollment_entered"),
        ),
        # Runs under way from before lanes were known: each in a lane of its own.
        migrations.AddIndex(
            model_name="enrollment",
            index=models.Index(
                condition=models.Q(("state", "active"), _negated=True),
                fields=["campaign", "version", "state", "reason"],
                name="crm_enrollment_ends",
            ),
        ),
        migrations.RunSQL(
            "UPDATE crm_plugin_enrollment SET lane = 'run:' || id WHERE state = 'active'", migrations.RunSQL.noop
        ),
        migrations.AddConstraint(
            model_name="enrollment",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "active")),
                fields=("campaign", "contact", "lane"),
                name="crm_enrollment_lane",
            ),
        ),
        migrations.AddField(
            model_name="splittest",
            name="version",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="crm_plugin.campaignversion",
            ),
        ),
        migrations.AddField(
            model_name="timer",
            name="campaign",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="crm_plugin.campaign"
            ),
        ),
        migrations.AddField(
            model_name="timer",
            name="contact",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="crm_plugin.contact"
            ),
        ),
        migrations.AddField(
            model_name="voucherproduct",
            name="wave",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="voucher_products",
                to="crm_plugin.wave",
            ),
        ),
        migrations.AddField(
            model_name="restock",
            name="wave",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="restocks",
                to="crm_plugin.wave",
            ),
        ),
        migrations.AddField(
            model_name="webhookcall",
            name="campaign",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="crm_plugin.campaign"
            ),
        ),
        migrations.AddField(
            model_name="webhookcall",
            name="contact",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="crm_plugin.contact"
            ),
        ),
        migrations.AddField(
            model_name="webhookcall",
            name="enrollment",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="crm_plugin.enrollment",
            ),
        ),
        migrations.AddConstraint(
            model_name="splittest",
            constraint=models.UniqueConstraint(fields=("version", "step_id"), name="crm_split_test_unique"),
        ),
        migrations.AddConstraint(
            model_name="splittest",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("arm", ""), ("decided_at__isnull", True)),
                    models.Q(models.Q(("arm", ""), _negated=True), ("decided_at__isnull", False)),
                    _connector="OR",
                ),
                name="crm_split_test_decided",
            ),
        ),
        migrations.AddIndex(
            model_name="timer",
            index=models.Index(fields=["due_at", "id"], name="crm_timer_due"),
        ),
        migrations.AddIndex(
            model_name="timer",
            index=models.Index(fields=["contact"], name="crm_timer_contact"),
        ),
        migrations.AddConstraint(
            model_name="timer",
            constraint=models.UniqueConstraint(
                fields=("campaign", "contact", "subject_key", "rung"), name="crm_timer_unique"
            ),
        ),
        migrations.AddIndex(
            model_name="voucherproduct",
            index=models.Index(fields=["voucher_ref"], name="crm_voucher_product_ref"),
        ),
        migrations.AddConstraint(
            model_name="voucherproduct",
            constraint=models.UniqueConstraint(
                fields=("wave", "voucher_ref", "product_id", "shop_channel"), name="crm_voucher_product_unique"
            ),
        ),
        migrations.AddConstraint(
            model_name="restock",
            constraint=models.UniqueConstraint(
                fields=("wave", "variant_id", "shop_channel"), name="crm_restock_unique"
            ),
        ),
        migrations.AddIndex(
            model_name="webhookcall",
            index=models.Index(
                condition=models.Q(("state__in", ("queued", "sending"))), fields=["due_at", "id"], name="crm_call_due"
            ),
        ),
        migrations.AddConstraint(
            model_name="webhookcall",
            constraint=models.UniqueConstraint(fields=("enrollment", "step_id"), name="crm_call_once"),
        ),
    ]
