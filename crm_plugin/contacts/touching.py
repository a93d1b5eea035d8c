"""Who has to be looked at again: a queue of the contacts about whom something changed that a segment may ask for."""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection

from crm_plugin.contacts import blocks

#: What a statement that changes contacts (``changed``, with their ids) does besides, so that it takes no second one.
TOUCH_CHANGED = "INSERT INTO crm_plugin_touched (contact_id) SELECT id FROM changed"

_TOUCH = "INSERT INTO crm_plugin_touched (contact_id) SELECT DISTINCT id FROM unnest(%s::bigint[]) AS id"

#: Each column by its own index.
_TOUCH_ADDRESS = """
INSERT INTO crm_plugin_touched (contact_id)
SELECT id FROM crm_plugin_contact WHERE email = %s
UNION SELECT id FROM crm_plugin_contact WHERE phone = %s AND phone <> ''
"""

_CLAIM = """
DELETE FROM crm_plugin_touched WHERE id = ANY(ARRAY(
    SELECT id FROM crm_plugin_touched ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED))
RETURNING contact_id
"""

_LOCK = f"""
SELECT {blocks.IS_ANY}, id, COALESCE(email, ''), phone FROM crm_plugin_contact
WHERE id = ANY(%s::bigint[]) ORDER BY id FOR NO KEY UPDATE
"""  # noqa: S608 - a constant is put in


def touch(contact_ids: Collection[int]) -> None:
    """Say that something about the contacts changed: their segments are to be looked at again."""
    if contact_ids:
        with connection.cursor() as cursor:
            cursor.execute(_TOUCH, [list(contact_ids)])


def touch_address(address: str) -> None:
    """Say that something about whoever has the (normalised) address or telephone number changed."""
    with connection.cursor() as cursor:
        cursor.execute(_TOUCH_ADDRESS, [address, address])


def claim_touched(limit: int) -> list[int]:
    """Take contacts off the queue, each once, and lock them, by ascending id. Must run in a transaction.

    From here on their blocks are those of their addresses, so that what is asked about them next is asked of the truth.
    Contacts that are gone meanwhile (merged, forgotten) are passed over. What another worker has claimed is left to it:
    if that one fails, its rows are in the queue again.

    Args:
        limit: how many rows of the queue to take at most; a contact may have several.

    Returns:
        The ids; empty only when nothing is left that another worker does not have.
    """
    with connection.cursor() as cursor:
        while True:  # ends: every turn takes rows off the queue, and an empty one returns
            cursor.execute(_CLAIM, [limit])
            claimed = {contact_id for (contact_id,) in cursor.fetchall()}
            if not claimed:
                return []
            cursor.execute(_LOCK, [list(claimed)])
            if found := cursor.fetchall():
                people = [blocks.Addresses(*addresses) for _is_any, *addresses in found]
                if found[0][0]:
                    blocks.refresh(people)
                return [one.contact_id for one in people]
