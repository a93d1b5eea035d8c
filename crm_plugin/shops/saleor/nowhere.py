"""The collection of nothing, so that a voucher for some goods never becomes one for everything.

Saleor takes a voucher for specific products that names none for one for all of them, and deleting the last of its goods
makes such a voucher out of one of ours. No hook is sure to be there then: the plugin may be off or gone. So every
voucher of ours that names goods names this collection as well. Nothing is in it and it is in no channel: shoppers never
meet it, and a voucher that names only it is refused for every cart.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import uuid4

from django.db import transaction
from django.db.models import QuerySet
from saleor.discount import VoucherType
from saleor.discount.models import Voucher
from saleor.product.models import Collection

from crm_plugin.shops.saleor import marks

#: Staff may call it something else.
NAME: Final = "Coupons whose goods are gone (leave empty)"
_LINKS: Final = Voucher.collections.through


def name_it_too(voucher: Voucher) -> None:
    """Have a new voucher of ours, for some goods, name the collection of nothing. Must run in a transaction."""
    collection = Collection.objects.filter(private_metadata__has_key=marks.NOWHERE).order_by("pk").first()
    if collection is None:
        _make()
    else:
        voucher.collections.add(collection)


def collection_deleted(collection: Any) -> None:
    """Somebody deleted a collection; the one of nothing is made anew. Of any other, nothing is asked nor written."""
    if marks.NOWHERE in collection.private_metadata:
        with transaction.atomic():
            _make()


def other_collections(voucher: Any) -> QuerySet[Any]:
    """Return the links of a voucher with collections of goods."""
    return _LINKS.objects.filter(voucher_id=voucher).exclude(collection__private_metadata__has_key=marks.NOWHERE)


def _make() -> None:
    """Make the collection, and have all vouchers of ours name it that are for some goods.

    Two that are made at the same moment do no harm: each voucher names one of them at least.
    """
    collection = Collection.objects.create(
        name=NAME, slug=f"crm-nowhere-{uuid4().hex[:12]}", private_metadata={marks.NOWHERE: ""}
    )
    ours = Voucher.objects.filter(type=VoucherType.SPECIFIC_PRODUCT, private_metadata__has_key=marks.SERIES).order_by(
        "pk"
    )
    links = (_LINKS(voucher_id=pk, collection_id=collection.pk) for pk in ours.values_list("pk", flat=True))
    _LINKS.objects.bulk_create(links, batch_size=1_000, ignore_conflicts=True)
