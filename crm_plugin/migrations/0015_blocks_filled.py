"""Contacts whose address was suppressed before there was a table for them.

A digest does not tell its address, so everybody who has one is gone through, by id, in batches that commit one by one;
begun again after it was killed, it finds the rest. Whoever is found is touched as well: what changed between reading a
batch and writing it is put right by the next pass that follows.
"""

from __future__ import annotations

from typing import Any, Final

from django.db import migrations, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from crm_plugin import ids

BATCH: Final = 5_000
#: Where a contact's address on a channel stands; no other channel has addresses that are blocked.
COLUMNS: Final = {"email": "email", "sms": "phone", "kakao": "phone"}


def fill(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Go through all contacts, if any address is suppressed at all."""
    using = schema_editor.connection.alias
    suppressions = apps.get_model("crm_plugin", "Suppression")._default_manager.using(using)
    people = apps.get_model("crm_plugin", "Contact")._default_manager.using(using).order_by("pk")
    channels = [channel for channel in COLUMNS if suppressions.filter(channel=channel).exists()]
    last = 0
    while channels and (rows := list(people.filter(pk__gt=last).values("pk", "email", "phone")[:BATCH])):
        found = [pair for channel in channels for pair in _blocked(rows, suppressions, channel=channel)]
        if found:
            _write(apps, using, found)
        last = rows[-1]["pk"]


def _blocked(rows: list[dict[str, Any]], suppressions: Any, *, channel: str) -> list[tuple[int, str]]:
    column = COLUMNS[channel]
    digests = {row["pk"]: ids.digest("suppression", row[column]) for row in rows if row[column]}
    known = suppressions.filter(channel=channel, address_digest__in=set(digests.values()))
    blocked = set(known.values_list("address_digest", flat=True))
    return [(pk, channel) for pk, digest in digests.items() if digest in blocked]


def _write(apps: StateApps, using: str, found: list[tuple[int, str]]) -> None:
    contact, blocked, touched = (apps.get_model("crm_plugin", name) for name in ("Contact", "Blocked", "Touched"))
    with transaction.atomic(using=using):
        rows = contact._default_manager.using(using).select_for_update(no_key=True)
        there = set(rows.filter(pk__in={pk for pk, _ in found}).order_by("pk").values_list("pk", flat=True))
        blocked._default_manager.using(using).bulk_create(
            [blocked(contact_id=pk, channel=channel) for pk, channel in found if pk in there], ignore_conflicts=True
        )
        touched._default_manager.using(using).bulk_create([touched(contact_id=pk) for pk in sorted(there)])


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("crm_plugin", "0014_kept_keys_and_blocks")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
