"""The secrets that webhooks are signed with."""

from __future__ import annotations

import base64
import secrets

from django.db import transaction

from crm_plugin.merchant.models import Merchant, load


def webhook_secrets() -> tuple[str, ...]:
    """Return the secrets that webhooks are signed with, the newest first; the first one is made when it is asked for.

    Each is ``whsec_`` and the base64 of 24 random bytes (Standard Webhooks, "Signature scheme").
    """
    return tuple(load().webhook_secret.split()) or _new_webhook_secret(is_first=True)


def rotate_webhook_secret() -> str:
    """Make a new secret and return it; the one before it signs along until the next rotation.

    So no call is refused while the receivers change over.
    """
    return _new_webhook_secret(is_first=False)[0]


@transaction.atomic
def _new_webhook_secret(*, is_first: bool) -> tuple[str, ...]:
    Merchant.objects.bulk_create([Merchant(pk=1)], ignore_conflicts=True)
    row = Merchant.objects.select_for_update().get(pk=1)
    kept = tuple(row.webhook_secret.split())
    if not is_first or not kept:  # another process may have been faster with the first one
        kept = (f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}", *kept[:1])
        row.webhook_secret = " ".join(kept)
        row.save(update_fields=("webhook_secret", "updated_at"))
    return kept
