"""What this room does when two contacts turn out to be one, and when a contact asks to be forgotten."""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection

from crm_plugin.contacts import Merge
from crm_plugin.reviews import moderation
from crm_plugin.reviews.models import Review, ReviewRequest, ReviewState
from crm_plugin.reviews.submitting import Source

_MOVE_REQUESTS = """
INSERT INTO crm_plugin_reviewrequest AS t (contact_id, product_id, enrollment_id, asked_at)
SELECT %(target)s, product_id, enrollment_id, asked_at FROM crm_plugin_reviewrequest WHERE contact_id = %(source)s
ON CONFLICT (contact_id, product_id) DO UPDATE SET enrollment_id = excluded.enrollment_id, asked_at = excluded.asked_at
WHERE excluded.asked_at > t.asked_at
"""


def absorb(merge: Merge) -> None:
    """Give the source's reviews and requests to the target. Must run in a transaction.

    Of what both reviewed in the same order, which is one person's twice, the target's stays. What was written in the
    shop's own form stays in any case: whether it is one too many is the shop's to say.
    """
    mine = list(Review.objects.filter(contact_id=merge.source_id).order_by("pk").select_for_update(of=("self",)))
    theirs = set(
        Review.objects.filter(contact_id=merge.target_id).values_list("product_id", "order_ref") if mine else ()
    )
    ours = [row for row in mine if not row.native_ref or row.source == Source.LINK.value]
    if twice := [row for row in ours if (row.product_id, row.order_ref) in theirs]:
        moderation.remove(twice)
    Review.objects.filter(contact_id=merge.source_id).update(contact_id=merge.target_id)
    with connection.cursor() as cursor:
        cursor.execute(_MOVE_REQUESTS, {"source": merge.source_id, "target": merge.target_id})
    ReviewRequest.objects.filter(contact_id=merge.source_id).delete()


def forget(contact_ids: Collection[int]) -> None:
    """Take what people wrote and showed away; of what was published the stars stay, as nobody's.

    A shop's own copies are the shop's to delete. Must run before the contacts lose their names.
    """
    rows = list(Review.objects.filter(contact_id__in=contact_ids).order_by("pk").select_for_update(of=("self",)))
    unpublished = [row for row in rows if row.state != ReviewState.PUBLISHED and not row.native_ref]
    if unpublished:
        moderation.remove(unpublished)
    moderation.empty([row.pk for row in rows if row not in unpublished])
    ReviewRequest.objects.filter(contact_id__in=contact_ids).delete()
