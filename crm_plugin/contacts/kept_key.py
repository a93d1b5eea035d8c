"""The key under which digests are kept, and whether it is still the one in use.

Whoever changes the key makes every suppression and every tombstone unknown, silently: the digests of the same addresses
are others then. So a fingerprint of the key is kept beside the first of them, and compared before mail goes out. Why
like this: ``docs/decisions/kept-key.md``.
"""

from __future__ import annotations

from typing import Final

from django.db import connection, transaction

from crm_plugin import clock, ids
from crm_plugin.contacts.models import Endpoint, Erasure, KeyFingerprint, Suppression

#: What the operator does about a key that is not the kept one.
WHAT_TO_DO: Final = (
    "Set CRM_SECRET_KEY to the SECRET_KEY that was used before, or run `manage.py crm adopt-key`, which accepts that "
    "older suppressions are lost."
)

_KEEP: Final = f"""
INSERT INTO {KeyFingerprint._meta.db_table} (fingerprint, created_at) SELECT %s, %s
WHERE NOT EXISTS (SELECT FROM {KeyFingerprint._meta.db_table}) AND (
    EXISTS (SELECT FROM {Suppression._meta.db_table}) OR EXISTS (SELECT FROM {Erasure._meta.db_table})
    OR EXISTS (SELECT FROM {Endpoint._meta.db_table}))
ON CONFLICT DO NOTHING
"""  # noqa: S608 - the tables' own names


def keep_key() -> None:
    """Keep the fingerprint of the present key when there are digests and none is kept yet."""
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, [_fingerprint(), clock.now()])


def is_key_kept() -> bool:
    """Whether every digest was made with the present key, as far as is known; reads one row."""
    return not KeyFingerprint.objects.exclude(fingerprint=_fingerprint()).exists()


def adopt_key() -> bool:
    """Take the present key for the right one from now on; return whether it was another before.

    What was kept under the other key stays, unrecognised: it is known again when that key is adopted again.
    """
    with transaction.atomic():
        others, _ = KeyFingerprint.objects.exclude(fingerprint=_fingerprint()).delete()
        keep_key()
    return bool(others)


def _fingerprint() -> str:
    return ids.digest("key", "fingerprint")
