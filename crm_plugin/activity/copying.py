"""What this room keeps about people, for the copy that they may ask for."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import Q

from crm_plugin import contacts
from crm_plugin.activity.models import Activity, Inbox, Inflow, Interest, OwnLike, OwnWishlist, StockRequest
from crm_plugin.contacts import Part


def copy_of(contact_ids: Collection[int]) -> list[Part]:
    """Return the parts of this room: the stream, what is on its way into it, and what is derived from it."""
    mine = Q(contact_id__in=contact_ids)
    named = list(contacts.rows_of(contact_ids).values_list("customer_id", "email"))
    customer_ids = {customer_id for customer_id, _email in named if customer_id}
    emails = {email for _customer_id, email in named if email}
    browsers = contacts.visitor_ids(contact_ids)
    nameless = Q(customer_id="", visitor_id__in=browsers)
    waiting = mine | Q(customer_id__in=customer_ids) | Q(email__in=emails) | (nameless & Q(email=""))
    return [
        Part(name="activities", rows=Activity.objects.filter(mine)),
        Part(name="activities_on_their_way", rows=Inbox.objects.filter(waiting), without=frozenset({"error"})),
        Part(name="interests", rows=Interest.objects.filter(mine)),
        Part(name="inflow", rows=Inflow.objects.filter(mine)),
        Part(name="wishlists", rows=OwnWishlist.objects.filter(customer_id__in=customer_ids)),
        Part(name="likes", rows=OwnLike.objects.filter(Q(customer_id__in=customer_ids) | nameless)),
        Part(name="stock_requests", rows=StockRequest.objects.filter(mine)),
    ]
