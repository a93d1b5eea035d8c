"""Which campaign names something: what a campaign needs is not put away while it may run."""

from __future__ import annotations

from typing import Final, Literal

from django.db import connection

#: Anywhere in a definition: in the trigger, in steps inside steps, in an audience.
_PATH: Final = "$.**.{key} ? (@ == $pk)"
_NAMING: Final = """
SELECT c.name FROM crm_plugin_campaign c LEFT JOIN crm_plugin_campaignversion v ON v.id = c.version_id
WHERE c.state <> 'archived' AND (
    jsonb_path_exists(c.draft, %(path)s::jsonpath, jsonb_build_object('pk', %(pk)s::bigint))
    OR jsonb_path_exists(v.definition, %(path)s::jsonpath, jsonb_build_object('pk', %(pk)s::bigint)))
ORDER BY c.name, c.id LIMIT 1
"""


def campaign_naming(key: Literal["segment", "coupon"], pk: int) -> str | None:
    """Return the name of a campaign whose draft, or what runs of it, names the row; None when none does."""
    with connection.cursor() as cursor:
        cursor.execute(_NAMING, {"path": _PATH.format(key=key), "pk": pk})
        row = cursor.fetchone()
    return None if row is None else str(row[0])
