"""What this room does when two contacts turn out to be one, and when a contact asks to be forgotten."""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection
from django.db.models import Q

from crm_plugin import contacts
from crm_plugin.activity import guests, inflow, waiting
from crm_plugin.activity.models import Activity, Inbox, Inflow, Interest, OwnLike, OwnWishlist
from crm_plugin.contacts import Merge

#: Interests in the same product become one, as if one person's facts had been projected: the newest like or unlike
#: counts, and the newest interest's baseline.
_MERGE_INTERESTS = """
UPDATE crm_plugin_interest t SET
    liked_at = CASE WHEN s.like_changed_at > COALESCE(t.like_changed_at, '-infinity')
        THEN s.liked_at ELSE t.liked_at END,
    like_changed_at = GREATEST(t.like_changed_at, s.like_changed_at),
    views_count = t.views_count + s.views_count, last_viewed_at = GREATEST(t.last_viewed_at, s.last_viewed_at),
    carted_at = GREATEST(t.carted_at, s.carted_at), cart_ref = COALESCE(NULLIF(t.cart_ref, ''), s.cart_ref),
    checkout_at = GREATEST(t.checkout_at, s.checkout_at), bought_at = GREATEST(t.bought_at, s.bought_at),
    bought_count = t.bought_count + s.bought_count,
    variant_id = CASE WHEN s.last_interest_at > COALESCE(t.last_interest_at, '-infinity')
        THEN s.variant_id ELSE t.variant_id END,
    baseline_price = CASE WHEN s.last_interest_at > COALESCE(t.last_interest_at, '-infinity')
        THEN COALESCE(s.baseline_price, t.baseline_price) ELSE t.baseline_price END,
    currency = CASE WHEN s.last_interest_at > COALESCE(t.last_interest_at, '-infinity')
        THEN COALESCE(NULLIF(s.currency, ''), t.currency) ELSE t.currency END,
    last_interest_at = GREATEST(t.last_interest_at, s.last_interest_at),
    alerted_price = CASE WHEN s.alerted_at > COALESCE(t.alerted_at, '-infinity')
        THEN s.alerted_price ELSE t.alerted_price END,
    alerted_at = GREATEST(t.alerted_at, s.alerted_at)
FROM crm_plugin_interest s
WHERE s.contact_id = %(source)s AND t.contact_id = %(target)s AND s.product_id = t.product_id
    AND s.shop_channel = t.shop_channel
"""

_MOVE_INTERESTS = """
UPDATE crm_plugin_interest s SET contact_id = %(target)s WHERE s.contact_id = %(source)s AND NOT EXISTS (
    SELECT 1 FROM crm_plugin_interest t WHERE t.contact_id = %(target)s AND t.product_id = s.product_id
        AND t.shop_channel = s.shop_channel)
"""


def absorb(merge: Merge) -> None:
    """Give the source contact's stream, interests and inflow to the target. Must run in a transaction."""
    params = {"source": merge.source_id, "target": merge.target_id}
    Activity.objects.filter(contact_id=merge.source_id).update(contact_id=merge.target_id)
    Inbox.objects.filter(contact_id=merge.source_id).update(contact_id=merge.target_id)
    with connection.cursor() as cursor:
        cursor.execute(_MERGE_INTERESTS, params)
        cursor.execute(_MOVE_INTERESTS, params)
    Interest.objects.filter(contact_id=merge.source_id).delete()
    inflow.absorb(merge)
    waiting.absorb(merge)


def forget(contact_ids: Collection[int], *, customer_ids: Collection[str]) -> None:
    """Delete everything this room knows about people. Must run before the contacts lose their names.

    Facts on their way in that name them by id or address find no contact any more; those that name the contact itself
    (clicks) go here, and so do the ones that were set aside.
    """
    people = contacts.rows_of(contact_ids).values_list("customer_id", "email")
    customer_ids = {*customer_ids, *(customer_id for customer_id, _email in people if customer_id)}
    emails = {email for _customer_id, email in people if email}
    browsers = contacts.visitor_ids(contact_ids)
    nameless = Q(customer_id="", email="", visitor_id__in=browsers)
    Inbox.objects.filter(contact_id__in=contact_ids).delete()
    Inbox.objects.exclude(error="").filter(Q(customer_id__in=customer_ids) | Q(email__in=emails) | nameless).delete()
    for model in (Activity, Interest, Inflow):
        model._default_manager.filter(contact_id__in=contact_ids).delete()
    OwnLike.objects.filter(customer_id__in=customer_ids).delete()
    OwnWishlist.objects.filter(customer_id__in=customer_ids).delete()
    guests.forget_guests(browsers)
    waiting.forget(contact_ids)
