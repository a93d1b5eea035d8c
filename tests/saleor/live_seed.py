"""Rows for the live test, written before any process serves them: ``python -m tests.saleor.live_seed``."""

from __future__ import annotations

import json
import os
import sys
from decimal import Decimal


def main() -> None:
    """Make the ground, a product and an administrator; print their ids."""
    import django  # noqa: PLC0415 - before anything that has models

    django.setup()
    from saleor.account.models import User  # noqa: PLC0415
    from saleor.core.db.connection import allow_writer  # noqa: PLC0415
    from saleor.site.models import SiteSettings  # noqa: PLC0415

    from crm_plugin import shop  # noqa: PLC0415
    from tests.saleor.ground import lay  # noqa: PLC0415

    with allow_writer():
        world = lay(shop.current())
        mug = world.make_product(prices=[Decimal(80)], stocks=[5], name="Blue Mug")[0]
        SiteSettings.objects.update(enable_account_confirmation_by_email=False)
        admin = User(email="admin@example.com", is_staff=True, is_superuser=True, is_active=True, is_confirmed=True)
        admin.set_password(os.environ["CRM_TEST_PASSWORD"])
        admin.save()
    ids = {"product": mug.product_id, "variant": mug.variant_id, "channel": world.channel.pk, "slug": mug.shop_channel}
    sys.stdout.write(f"{json.dumps(ids)}\n")


if __name__ == "__main__":
    main()
