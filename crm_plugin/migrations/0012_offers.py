"""Coupons, wishlists, who waits for stock, reviews, and the history of attributes."""

import django.db.models.deletion
import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("crm_plugin", "0011_messaging_indexes"),
    ]

    operations = [
        migrations.CreateModel(
            name="AttributeChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=40)),
                ("before", models.DecimalField(blank=True, decimal_places=4, max_digits=20, null=True)),
                ("after", models.DecimalField(blank=True, decimal_places=4, max_digits=20, null=True)),
                ("source", models.CharField(max_length=16)),
                ("changed_at", models.DateTimeField()),
                ("is_told", models.BooleanField(default=False)),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Coupon",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("occasion", models.CharField(blank=True, default="", max_length=80)),
                ("code", models.CharField(max_length=64)),
                ("name", models.CharField(blank=True, default="", max_length=80)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("free", "Free"),
                            ("issued", "Issued"),
                            ("used", "Used"),
                            ("expired", "Expired"),
                            ("void", "Void"),
                        ],
                        max_length=8,
                    ),
                ),
                ("created_at", models.DateTimeField()),
                ("issued_at", models.DateTimeField(blank=True, null=True)),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("expires_on", models.DateField(blank=True, null=True)),
                ("used_at", models.DateTimeField(blank=True, null=True)),
                ("order_ref", models.CharField(blank=True, default="", max_length=64)),
                ("is_kept_by_shop", models.BooleanField(default=False)),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="CouponSeries",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("bucket", models.CharField(max_length=64)),
                ("shop_ref", models.CharField(max_length=64)),
                ("ends_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="CouponTemplate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=80)),
                (
                    "source",
                    models.CharField(choices=[("shop", "Shop"), ("pool", "Pool")], default="shop", max_length=4),
                ),
                ("terms", models.JSONField(default=dict)),
                ("expires_in_days", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("prefix", models.CharField(blank=True, default="", max_length=10)),
                ("warn_below", models.PositiveIntegerField(default=0)),
                ("is_archived", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="OwnWishlist",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("customer_id", models.CharField(max_length=64)),
                ("name", models.CharField(blank=True, default="", max_length=80)),
                ("is_default", models.BooleanField(default=False)),
                ("is_public", models.BooleanField(default=False)),
                ("key", models.CharField(max_length=32, unique=True)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Rating",
            fields=[
                ("product_id", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("stars_1", models.PositiveIntegerField(default=0)),
                ("stars_2", models.PositiveIntegerField(default=0)),
                ("stars_3", models.PositiveIntegerField(default=0)),
                ("stars_4", models.PositiveIntegerField(default=0)),
                ("stars_5", models.PositiveIntegerField(default=0)),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Review",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("product_id", models.CharField(max_length=64)),
                ("variant_id", models.CharField(blank=True, default="", max_length=64)),
                ("shop_channel", models.CharField(blank=True, default="", max_length=64)),
                ("order_ref", models.CharField(blank=True, default="", max_length=64)),
                ("rating", models.PositiveSmallIntegerField()),
                ("title", models.CharField(blank=True, default="", max_length=255)),
                ("body", models.TextField(blank=True, default="")),
                ("author", models.CharField(blank=True, default="", max_length=255)),
                ("language", models.CharField(blank=True, default="", max_length=12)),
                (
                    "state",
                    models.CharField(
                        choices=[("pending", "Pending"), ("published", "Published"), ("rejected", "Rejected")],
                        max_length=9,
                    ),
                ),
                ("is_verified", models.BooleanField(default=False)),
                ("native_ref", models.CharField(blank=True, default="", max_length=64)),
                ("source", models.CharField(max_length=8)),
                ("written_at", models.DateTimeField()),
                ("published_at", models.DateTimeField(blank=True, null=True)),
                ("moderated_at", models.DateTimeField(blank=True, null=True)),
                ("moderated_by", models.CharField(blank=True, default="", max_length=120)),
                (
                    "remark",
                    models.CharField(
                        blank=True, default="", help_text="Why staff rejected it; for staff.", max_length=500
                    ),
                ),
                ("answer", models.TextField(blank=True, default="")),
                ("answered_at", models.DateTimeField(blank=True, null=True)),
                ("answered_by", models.CharField(blank=True, default="", max_length=120)),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="ReviewPicture",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveSmallIntegerField()),
                ("file", models.CharField(max_length=200)),
                ("width", models.PositiveIntegerField()),
                ("height", models.PositiveIntegerField()),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="ReviewRequest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("product_id", models.CharField(max_length=64)),
                ("enrollment_id", models.BigIntegerField(blank=True, null=True)),
                ("asked_at", models.DateTimeField()),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="StockEpoch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("product_id", models.CharField(max_length=64)),
                ("variant_id", models.CharField(max_length=64)),
                ("shop_channel", models.CharField(max_length=64)),
                ("opened_at", models.DateTimeField()),
                ("next_wave_at", models.DateTimeField(blank=True, null=True)),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                ("waves_count", models.PositiveIntegerField(default=0)),
                ("told_count", models.PositiveIntegerField(default=0)),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="StockRequest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("product_id", models.CharField(max_length=64)),
                ("variant_id", models.CharField(max_length=64)),
                ("shop_channel", models.CharField(max_length=64)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("unconfirmed", "Unconfirmed"),
                            ("waiting", "Waiting"),
                            ("told", "Told"),
                            ("cancelled", "Cancelled"),
                        ],
                        max_length=12,
                    ),
                ),
                ("created_at", models.DateTimeField()),
                ("queued_at", models.DateTimeField(blank=True, null=True)),
                ("told_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.RemoveConstraint(
            model_name="ownlike",
            name="crm_like_unique",
        ),
        migrations.AddField(
            model_name="attribute",
            name="keeps_history",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="merchant",
            name="is_review_moderated",
            field=models.BooleanField(
                db_default=True, default=True, help_text="A review is published only after somebody has looked at it."
            ),
        ),
        migrations.AddField(
            model_name="merchant",
            name="stock_wave_minutes",
            field=models.PositiveSmallIntegerField(
                db_default=60, default=60, help_text="How long those who wait for stock are ahead of those behind them."
            ),
        ),
        migrations.AddField(
            model_name="ownlike",
            name="visitor_id",
            field=models.CharField(blank=True, db_default="", default="", max_length=64),
        ),
        migrations.AlterField(
            model_name="ownlike",
            name="customer_id",
            field=models.CharField(blank=True, default="", max_length=64),
        ),
        migrations.AddField(
            model_name="attributechange",
            name="contact",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="crm_plugin.contact"
            ),
        ),
        migrations.AddField(
            model_name="coupon",
            name="contact",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="crm_plugin.contact",
            ),
        ),
        migrations.AddField(
            model_name="coupon",
            name="used_by",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="crm_plugin.contact",
            ),
        ),
        migrations.AddField(
            model_name="coupon",
            name="series",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="crm_plugin.couponseries",
            ),
        ),
        migrations.AddIndex(
            model_name="coupontemplate",
            index=models.Index(fields=["created_at", "id"], name="crm_coupon_tmpl_created"),
        ),
        migrations.AddField(
            model_name="couponseries",
            name="template",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="crm_plugin.coupontemplate",
            ),
        ),
        migrations.AddField(
            model_name="coupon",
            name="template",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="crm_plugin.coupontemplate",
            ),
        ),
        migrations.AddIndex(
            model_name="ownwishlist",
            index=models.Index(fields=["customer_id", "created_at"], name="crm_wishlist_customer"),
        ),
        migrations.AddConstraint(
            model_name="ownwishlist",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_default", True)), fields=("customer_id",), name="crm_wishlist_one_default"
            ),
        ),
        migrations.AddField(
            model_name="ownlike",
            name="wishlist",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="likes",
                to="crm_plugin.ownwishlist",
            ),
        ),
        migrations.AddConstraint(
            model_name="ownlike",
            constraint=models.UniqueConstraint(
                condition=models.Q(("wishlist__isnull", True), models.Q(("customer_id", ""), _negated=True)),
                fields=("customer_id", "product_id", "variant_id", "shop_channel"),
                name="crm_like_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="ownlike",
            constraint=models.UniqueConstraint(
                condition=models.Q(("wishlist__isnull", False)),
                fields=("wishlist", "product_id", "variant_id", "shop_channel"),
                name="crm_like_once_in_list",
            ),
        ),
        migrations.AddConstraint(
            model_name="ownlike",
            constraint=models.UniqueConstraint(
                condition=models.Q(("visitor_id", ""), _negated=True),
                fields=("visitor_id", "product_id", "variant_id", "shop_channel"),
                name="crm_like_once_by_visitor",
            ),
        ),
        migrations.AddConstraint(
            model_name="ownlike",
            constraint=models.CheckConstraint(
                condition=models.Q(("visitor_id", ""), ("customer_id", ""), _connector="XOR"),
                name="crm_like_of_customer_or_visitor",
            ),
        ),
        migrations.AddField(
            model_name="review",
            name="contact",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="crm_plugin.contact",
            ),
        ),
        migrations.AddField(
            model_name="reviewpicture",
            name="review",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="pictures", to="crm_plugin.review"
            ),
        ),
        migrations.AddField(
            model_name="reviewrequest",
            name="contact",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="crm_plugin.contact"
            ),
        ),
        migrations.AddIndex(
            model_name="stockepoch",
            index=models.Index(
                condition=models.Q(("next_wave_at__isnull", False)), fields=["next_wave_at"], name="crm_stock_epoch_due"
            ),
        ),
        migrations.AddConstraint(
            model_name="stockepoch",
            constraint=models.UniqueConstraint(
                condition=models.Q(("closed_at__isnull", True)),
                fields=("variant_id", "shop_channel"),
                name="crm_stock_epoch_open",
            ),
        ),
        migrations.AddConstraint(
            model_name="stockepoch",
            constraint=models.CheckConstraint(
                condition=models.Q(("closed_at__isnull", False), ("next_wave_at__isnull", False), _connector="XOR"),
                name="crm_stock_epoch_goes_on",
            ),
        ),
        migrations.AddField(
            model_name="stockrequest",
            name="contact",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="crm_plugin.contact"
            ),
        ),
        migrations.AddField(
            model_name="stockrequest",
            name="wave",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="crm_plugin.wave",
            ),
        ),
        migrations.AddIndex(
            model_name="attributechange",
            index=models.Index(fields=["contact", "name", "changed_at"], name="crm_attribute_change_of"),
        ),
        migrations.AddIndex(
            model_name="attributechange",
            index=models.Index(condition=models.Q(("is_told", False)), fields=["id"], name="crm_attribute_change_open"),
        ),
        migrations.AddConstraint(
            model_name="couponseries",
            constraint=models.UniqueConstraint(fields=("template", "bucket"), name="crm_coupon_series_once"),
        ),
        migrations.AddIndex(
            model_name="coupon",
            index=models.Index(fields=["contact", "state"], name="crm_coupon_contact"),
        ),
        migrations.AddIndex(
            model_name="coupon",
            index=models.Index(fields=["template", "state", "id"], name="crm_coupon_template"),
        ),
        migrations.AddIndex(
            model_name="coupon",
            index=models.Index(
                condition=models.Q(("state", "issued")), fields=["expires_on", "contact"], name="crm_coupon_expiry"
            ),
        ),
        migrations.AddIndex(
            model_name="coupon",
            index=models.Index(
                condition=models.Q(("series__isnull", False)), fields=["series"], name="crm_coupon_series"
            ),
        ),
        migrations.AddIndex(
            model_name="coupon",
            index=models.Index(
                condition=models.Q(("order_ref", ""), _negated=True), fields=["order_ref"], name="crm_coupon_order"
            ),
        ),
        migrations.AddIndex(
            model_name="coupon",
            index=models.Index(
                condition=models.Q(("used_by__isnull", False)), fields=["used_by"], name="crm_coupon_used_by"
            ),
        ),
        migrations.AddIndex(
            model_name="coupon",
            index=models.Index(
                condition=models.Q(("expires_at__isnull", False), ("state", "issued")),
                fields=["expires_at"],
                name="crm_coupon_to_expire",
            ),
        ),
        migrations.AddIndex(
            model_name="coupon",
            index=models.Index(
                condition=models.Q(("is_kept_by_shop", True), ("state", "expired")),
                fields=["expires_at"],
                name="crm_coupon_to_drop",
            ),
        ),
        migrations.AddConstraint(
            model_name="coupon",
            constraint=models.UniqueConstraint(
                django.db.models.functions.text.Upper("code"), name="crm_coupon_code_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="coupon",
            constraint=models.UniqueConstraint(
                condition=models.Q(("occasion", ""), _negated=True),
                fields=("contact", "occasion"),
                name="crm_coupon_occasion_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="coupon",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "used"), _negated=True), ("used_at__isnull", False), _connector="OR"
                ),
                name="crm_coupon_used_some_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="coupon",
            constraint=models.CheckConstraint(
                condition=models.Q(("state", "free"), ("issued_at__isnull", False), _connector="OR"),
                name="crm_coupon_issued_some_time",
            ),
        ),
        migrations.AddIndex(
            model_name="review",
            index=models.Index(
                condition=models.Q(("state", "published")),
                fields=["product_id", "-published_at", "-id"],
                name="crm_review_of_product",
            ),
        ),
        migrations.AddIndex(
            model_name="review",
            index=models.Index(
                condition=models.Q(("state", "published")),
                fields=["product_id", "-rating", "-published_at", "-id"],
                name="crm_review_by_stars",
            ),
        ),
        migrations.AddIndex(
            model_name="review",
            index=models.Index(
                condition=models.Q(("state", "published"), _negated=True),
                fields=["state", "written_at", "id"],
                name="crm_review_queue",
            ),
        ),
        migrations.AddIndex(
            model_name="review",
            index=models.Index(fields=["written_at", "id"], name="crm_review_written"),
        ),
        migrations.AddIndex(
            model_name="review",
            index=models.Index(fields=["contact", "product_id"], name="crm_review_contact"),
        ),
        migrations.AddConstraint(
            model_name="review",
            constraint=models.CheckConstraint(
                condition=models.Q(("rating__gte", 1), ("rating__lte", 5)), name="crm_review_stars"
            ),
        ),
        migrations.AddConstraint(
            model_name="review",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "published"), _negated=True), ("published_at__isnull", False), _connector="OR"
                ),
                name="crm_review_published_some_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="review",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    models.Q(("contact__isnull", False), ("native_ref", "")),
                    models.Q(("contact__isnull", False), ("source", "link")),
                    _connector="OR",
                ),
                fields=("contact", "product_id", "order_ref"),
                name="crm_review_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="review",
            constraint=models.UniqueConstraint(
                condition=models.Q(("native_ref", ""), _negated=True),
                fields=("native_ref",),
                name="crm_review_native_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="reviewpicture",
            constraint=models.UniqueConstraint(fields=("review", "position"), name="crm_picture_unique"),
        ),
        migrations.AddConstraint(
            model_name="reviewrequest",
            constraint=models.UniqueConstraint(fields=("contact", "product_id"), name="crm_review_request_once"),
        ),
        migrations.AddIndex(
            model_name="stockrequest",
            index=models.Index(
                condition=models.Q(("state", "waiting")),
                fields=["variant_id", "shop_channel", "queued_at", "id"],
                name="crm_stock_request_line",
            ),
        ),
        migrations.AddIndex(
            model_name="stockrequest",
            index=models.Index(
                condition=models.Q(("wave__isnull", False)), fields=["wave", "contact"], name="crm_stock_request_wave"
            ),
        ),
        migrations.AddIndex(
            model_name="stockrequest",
            index=models.Index(fields=["contact", "created_at"], name="crm_stock_request_contact"),
        ),
        migrations.AddIndex(
            model_name="stockrequest",
            index=models.Index(
                condition=models.Q(("state", "unconfirmed")), fields=["created_at"], name="crm_stock_request_open"
            ),
        ),
        migrations.AddConstraint(
            model_name="stockrequest",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ("unconfirmed", "waiting"))),
                fields=("contact", "variant_id", "shop_channel"),
                name="crm_stock_request_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="stockrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "waiting"), _negated=True), ("queued_at__isnull", False), _connector="OR"
                ),
                name="crm_stock_request_has_its_place",
            ),
        ),
    ]
