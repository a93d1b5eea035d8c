"""Messaging on every channel: telephone numbers, devices, topics, receipts, inbox, and the merchant's manners.

The two columns of the e-mail cap become an entry of ``caps``. They stay in the database, with defaults, until no worker
of the release before this one can be running; a later release drops them.
"""

from decimal import Decimal

import django.db.models.deletion
import django.db.models.functions.comparison
from django.db import migrations, models

import crm_plugin.merchant.manners
import crm_plugin.merchant.models

KEEP_CAPS = """
UPDATE crm_plugin_merchant SET caps = (
    CASE WHEN email_cap_hours > 0 THEN jsonb_build_array(
        jsonb_build_object('channel', 'email', 'count', email_cap_count, 'hours', email_cap_hours)) ELSE '[]' END
    || '[{"channel": "sms", "count": 1, "hours": 24}, {"channel": "kakao", "count": 1, "days": 1},
         {"channel": "web_push", "count": 1, "hours": 24}, {"channel": "app_push", "count": 1, "hours": 24}]');
"""
LET_CAPS_REST = """
ALTER TABLE crm_plugin_merchant ALTER COLUMN email_cap_count SET DEFAULT 1,
    ALTER COLUMN email_cap_hours SET DEFAULT 16;
"""
_WATCH = """
DROP TRIGGER crm_consent_log_append_only ON crm_plugin_consentevent;
CREATE TRIGGER crm_consent_log_append_only BEFORE UPDATE ON crm_plugin_consentevent FOR EACH ROW
    WHEN (({old}) IS DISTINCT FROM ({new})) EXECUTE FUNCTION crm_refuse_change();
"""


def _watch(*columns):
    rows = {name: ", ".join(f"{name.upper()}.{column}" for column in columns) for name in ("old", "new")}
    return _WATCH.format(**rows)


_BEFORE = ("id", "channel", "is_granted", "source", "text_version", "evidence", "occurred_at")
WATCH_LESS = _watch(*_BEFORE)
WATCH_MORE = _watch(*_BEFORE, "purpose", "basis")


class Migration(migrations.Migration):
    dependencies = [
        ("crm_plugin", "0009_automation_indexes"),
    ]

    operations = [
        migrations.CreateModel(
            name="ConsentNotice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="DeliveryReceipt",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "channel",
                    models.CharField(
                        choices=[
                            ("email", "E-mail"),
                            ("sms", "Text message"),
                            ("kakao", "KakaoTalk"),
                            ("web_push", "Web push"),
                            ("app_push", "App push"),
                            ("inbox", "Inbox in the shop"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("delivered", "Delivered"),
                            ("hard_bounce", "Hard Bounce"),
                            ("soft_bounce", "Soft Bounce"),
                            ("undelivered", "Undelivered"),
                            ("complaint", "Complaint"),
                            ("unsubscribed", "Unsubscribed"),
                            ("resubscribed", "Resubscribed"),
                        ],
                        max_length=16,
                    ),
                ),
                ("key", models.CharField(max_length=64, unique=True)),
                ("provider_id", models.CharField(blank=True, default="", max_length=200)),
                ("address", models.CharField(blank=True, default="", max_length=254)),
                ("detail", models.CharField(blank=True, default="", max_length=500)),
                ("cost", models.DecimalField(blank=True, decimal_places=5, max_digits=12, null=True)),
                ("cost_currency", models.CharField(blank=True, default="", max_length=3)),
                ("occurred_at", models.DateTimeField()),
                ("created_at", models.DateTimeField()),
                ("look_at", models.DateTimeField()),
                ("settled_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Endpoint",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "channel",
                    models.CharField(
                        choices=[
                            ("email", "E-mail"),
                            ("sms", "Text message"),
                            ("kakao", "KakaoTalk"),
                            ("web_push", "Web push"),
                            ("app_push", "App push"),
                            ("inbox", "Inbox in the shop"),
                        ],
                        max_length=16,
                    ),
                ),
                ("address", models.TextField()),
                ("address_digest", models.CharField(max_length=64)),
                ("keys", models.JSONField(default=dict)),
                ("language", models.CharField(blank=True, default="", max_length=12)),
                ("created_at", models.DateTimeField()),
                ("seen_at", models.DateTimeField()),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="InboxNote",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("title", models.CharField(max_length=200)),
                ("text", models.TextField()),
                ("url", models.TextField(blank=True, default="")),
                ("image_url", models.TextField(blank=True, default="")),
                ("created_at", models.DateTimeField()),
                ("read_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Partial",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.SlugField(max_length=40, unique=True)),
                ("source", models.JSONField(help_text="Liquid by language code; '' for all.")),
                ("updated_at", models.DateTimeField()),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="RefusedTopic",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("refused_at", models.DateTimeField()),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="SendingCount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=120)),
                ("begins_at", models.DateTimeField()),
                ("count", models.PositiveIntegerField(default=0)),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Topic",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("slug", models.SlugField(max_length=40, unique=True)),
                ("names", models.JSONField(default=dict)),
                ("position", models.PositiveSmallIntegerField(default=0)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.AddField(
            model_name="campaign",
            name="pause_reason",
            field=models.CharField(blank=True, db_default="", default="", max_length=40),
        ),
        migrations.AddField(
            model_name="consent",
            name="basis",
            field=models.CharField(
                choices=[("express", "Express"), ("soft_opt_in", "Soft Opt In")],
                db_default="express",
                default="express",
                max_length=16,
            ),
        ),
        migrations.AddField(
            model_name="consent",
            name="expires_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="consent",
            name="is_night_granted",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="consent",
            name="pending_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="consent",
            name="reminded_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="consentevent",
            name="basis",
            field=models.CharField(
                choices=[("express", "Express"), ("soft_opt_in", "Soft Opt In")],
                db_default="express",
                default="express",
                max_length=16,
            ),
        ),
        migrations.AddField(
            model_name="consentevent",
            name="purpose",
            field=models.CharField(db_default="marketing", default="marketing", max_length=48),
        ),
        migrations.AddField(
            model_name="contact",
            name="phone",
            field=models.CharField(blank=True, db_default="", default="", max_length=16),
        ),
        migrations.AddField(
            model_name="merchant",
            name="brand_color",
            field=models.CharField(blank=True, db_default="", default="", max_length=7),
        ),
        migrations.AddField(
            model_name="merchant",
            name="brand_footer",
            field=models.CharField(blank=True, db_default="", default="", max_length=1000),
        ),
        migrations.AddField(
            model_name="merchant",
            name="caps",
            field=models.JSONField(default=crm_plugin.merchant.models._default_caps),
        ),
        migrations.AddField(
            model_name="merchant",
            name="country",
            field=models.CharField(blank=True, db_default="", default="", max_length=2),
        ),
        migrations.AddField(
            model_name="merchant",
            name="domain_limits",
            field=models.JSONField(
                db_default=models.Value({}, models.JSONField()),
                default=dict,
                help_text="E-mails an hour by receiving domain.",
            ),
        ),
        migrations.AddField(
            model_name="merchant",
            name="is_double_opt_in",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="merchant",
            name="is_soft_opt_in",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="merchant",
            name="kakao_sender_key",
            field=models.CharField(blank=True, db_default="", default="", max_length=100),
        ),
        migrations.AddField(
            model_name="merchant",
            name="logo_url",
            field=models.CharField(blank=True, db_default="", default="", max_length=500),
        ),
        migrations.AddField(
            model_name="merchant",
            name="pause_bounce_percent",
            field=models.DecimalField(
                db_default=Decimal("5.00"), decimal_places=2, default=Decimal("5.00"), max_digits=5
            ),
        ),
        migrations.AddField(
            model_name="merchant",
            name="pause_complaint_percent",
            field=models.DecimalField(
                db_default=Decimal("0.30"), decimal_places=2, default=Decimal("0.30"), max_digits=5
            ),
        ),
        migrations.AddField(
            model_name="merchant",
            name="price_currency",
            field=models.CharField(blank=True, db_default="", default="", max_length=3),
        ),
        migrations.AddField(
            model_name="merchant",
            name="prices",
            field=models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict),
        ),
        migrations.AddField(
            model_name="merchant",
            name="quiet_action",
            field=models.CharField(
                db_default="hold", default=crm_plugin.merchant.manners.QuietAction["HOLD"], max_length=4
            ),
        ),
        migrations.AddField(
            model_name="merchant",
            name="quiet_from",
            field=models.TimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="merchant",
            name="quiet_to",
            field=models.TimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="merchant",
            name="sms_refusal_number",
            field=models.CharField(blank=True, db_default="", default="", max_length=20),
        ),
        migrations.AddField(
            model_name="merchant",
            name="sms_sender",
            field=models.CharField(blank=True, db_default="", default="", max_length=40),
        ),
        migrations.AddField(
            model_name="merchant",
            name="soft_bounces_block",
            field=models.PositiveSmallIntegerField(
                db_default=0,
                default=0,
                help_text="Block after so many soft bounces in a row; 0: never (as listmonk does).",
            ),
        ),
        migrations.AddField(
            model_name="merchant",
            name="warm_up_first",
            field=models.PositiveIntegerField(db_default=500, default=500, help_text="E-mails on the first day."),
        ),
        migrations.AddField(
            model_name="merchant",
            name="warm_up_from",
            field=models.DateField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="message",
            name="complained_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="message",
            name="cost",
            field=models.DecimalField(blank=True, decimal_places=5, max_digits=12, null=True),
        ),
        migrations.AddField(
            model_name="message",
            name="cost_currency",
            field=models.CharField(blank=True, db_default="", default="", max_length=3),
        ),
        migrations.AddField(
            model_name="message",
            name="data",
            field=models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict),
        ),
        migrations.AddField(
            model_name="message",
            name="delivered_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="message",
            name="form",
            field=models.CharField(
                blank=True,
                choices=[("sms", "SMS"), ("lms", "LMS"), ("alimtalk", "Alimtalk"), ("brand_message", "Brand Message")],
                db_default="",
                default="",
                max_length=16,
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="machine_opened_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="message",
            name="occasion",
            field=models.CharField(blank=True, db_default="", default="", max_length=80),
        ),
        migrations.AddField(
            model_name="template",
            name="channel",
            field=models.CharField(
                choices=[
                    ("email", "E-mail"),
                    ("sms", "Text message"),
                    ("kakao", "KakaoTalk"),
                    ("web_push", "Web push"),
                    ("app_push", "App push"),
                    ("inbox", "Inbox in the shop"),
                ],
                db_default="email",
                default="email",
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="consent",
            name="channel",
            field=models.CharField(
                choices=[
                    ("email", "E-mail"),
                    ("sms", "Text message"),
                    ("kakao", "KakaoTalk"),
                    ("web_push", "Web push"),
                    ("app_push", "App push"),
                    ("inbox", "Inbox in the shop"),
                ],
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="consentevent",
            name="channel",
            field=models.CharField(
                blank=True,
                choices=[
                    ("email", "E-mail"),
                    ("sms", "Text message"),
                    ("kakao", "KakaoTalk"),
                    ("web_push", "Web push"),
                    ("app_push", "App push"),
                    ("inbox", "Inbox in the shop"),
                ],
                default="",
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="message",
            name="campaign",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="crm_plugin.campaign",
            ),
        ),
        migrations.AlterField(
            model_name="message",
            name="channel",
            field=models.CharField(
                choices=[
                    ("email", "E-mail"),
                    ("sms", "Text message"),
                    ("kakao", "KakaoTalk"),
                    ("web_push", "Web push"),
                    ("app_push", "App push"),
                    ("inbox", "Inbox in the shop"),
                ],
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="message",
            name="enrollment",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="crm_plugin.enrollment",
            ),
        ),
        migrations.AlterField(
            model_name="message",
            name="step_id",
            field=models.CharField(blank=True, default="", max_length=40),
        ),
        migrations.AlterField(
            model_name="suppression",
            name="channel",
            field=models.CharField(
                choices=[
                    ("email", "E-mail"),
                    ("sms", "Text message"),
                    ("kakao", "KakaoTalk"),
                    ("web_push", "Web push"),
                    ("app_push", "App push"),
                    ("inbox", "Inbox in the shop"),
                ],
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="suppression",
            name="reason",
            field=models.CharField(
                choices=[
                    ("hard_bounce", "Hard Bounce"),
                    ("complaint", "Complaint"),
                    ("refused", "Refused"),
                    ("soft_bounces", "Soft Bounces"),
                    ("stop", "Stop"),
                    ("manual", "Manual"),
                ],
                max_length=16,
            ),
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.UniqueConstraint(
                condition=models.Q(("occasion", ""), _negated=True),
                fields=("occasion", "channel"),
                name="crm_message_occasion_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("campaign__isnull", False), ("enrollment__isnull", False), ("occasion", "")),
                    models.Q(
                        models.Q(("occasion", ""), _negated=True),
                        ("campaign__isnull", True),
                        ("enrollment__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="crm_message_of_a_run_or_an_occasion",
            ),
        ),
        migrations.AddField(
            model_name="consentnotice",
            name="event",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="crm_plugin.consentevent"
            ),
        ),
        migrations.AddIndex(
            model_name="deliveryreceipt",
            index=models.Index(
                condition=models.Q(("settled_at__isnull", True)), fields=["look_at", "id"], name="crm_receipt_due"
            ),
        ),
        migrations.AddIndex(
            model_name="deliveryreceipt",
            index=models.Index(
                condition=models.Q(("settled_at__isnull", False)), fields=["settled_at"], name="crm_receipt_settled"
            ),
        ),
        migrations.AddField(
            model_name="endpoint",
            name="contact",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="endpoints", to="crm_plugin.contact"
            ),
        ),
        migrations.AddField(
            model_name="inboxnote",
            name="contact",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="crm_plugin.contact"
            ),
        ),
        migrations.AddField(
            model_name="inboxnote",
            name="message",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="crm_plugin.message"
            ),
        ),
        migrations.AddField(
            model_name="refusedtopic",
            name="contact",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="refused_topics", to="crm_plugin.contact"
            ),
        ),
        migrations.AddConstraint(
            model_name="sendingcount",
            constraint=models.UniqueConstraint(fields=("key", "begins_at"), name="crm_sendingcount_unique"),
        ),
        migrations.AddField(
            model_name="refusedtopic",
            name="topic",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="crm_plugin.topic"
            ),
        ),
        migrations.AddIndex(
            model_name="endpoint",
            index=models.Index(fields=["contact", "channel", "seen_at"], name="crm_endpoint_of_contact"),
        ),
        migrations.AddConstraint(
            model_name="endpoint",
            constraint=models.UniqueConstraint(fields=("channel", "address_digest"), name="crm_endpoint_unique"),
        ),
        migrations.AddIndex(
            model_name="inboxnote",
            index=models.Index(fields=["contact", "created_at", "id"], name="crm_inboxnote_of_contact"),
        ),
        migrations.AddConstraint(
            model_name="refusedtopic",
            constraint=models.UniqueConstraint(fields=("contact", "topic"), name="crm_refused_topic_unique"),
        ),
        migrations.CreateModel(
            name="ShortLink",
            fields=[
                ("code", models.CharField(max_length=12, primary_key=True, serialize=False)),
                ("message_public_id", models.UUIDField()),
                (
                    "link",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="crm_plugin.link",
                    ),
                ),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.RunSQL(KEEP_CAPS, migrations.RunSQL.noop),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(LET_CAPS_REST, migrations.RunSQL.noop)],
            state_operations=[
                migrations.RemoveField("merchant", "email_cap_count"),
                migrations.RemoveField("merchant", "email_cap_hours"),
            ],
        ),
        migrations.RunSQL(WATCH_MORE, WATCH_LESS),
    ]
