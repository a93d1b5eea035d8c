"""Coupons: one code for one person, what became of it, and the templates that say what it is worth.

``issue`` gives codes to people, for an occasion each: campaigns call it, and staff. ``hear`` follows the orders that
use them. Codes are made in the shop (``series``) or taken out of a pool (``pools``); what an order takes off is for the
shop to say. This room sends nothing and starts no campaign: that somebody was given a code, it records as a fact. Start
in ``issuing.py`` and ``redeeming.py``.
"""

from crm_plugin.coupons.assigning import MAX_PAIRS, assign
from crm_plugin.coupons.changing import archive_template, create_template, update_template
from crm_plugin.coupons.checking import still_good, withdraw
from crm_plugin.coupons.copying import copy_of
from crm_plugin.coupons.issuing import issue
from crm_plugin.coupons.models import Coupon, CouponSource, CouponState, CouponTemplate
from crm_plugin.coupons.occasions import STAFF, Issued, Refusal, Request
from crm_plugin.coupons.ownership import absorb, forget
from crm_plugin.coupons.pools import MAX_CODES, Upload, low, read_codes, upload
from crm_plugin.coupons.redeeming import hear
from crm_plugin.coupons.selectors import (
    Counts,
    Held,
    Wanted,
    counts,
    coupons,
    expiring,
    held_by,
    lag,
    newest,
    templates,
)
from crm_plugin.coupons.series import MAX_ITEMS
from crm_plugin.coupons.tidying import tidy

__all__ = [
    "MAX_CODES",
    "MAX_ITEMS",
    "MAX_PAIRS",
    "STAFF",
    "Counts",
    "Coupon",
    "CouponSource",
    "CouponState",
    "CouponTemplate",
    "Held",
    "Issued",
    "Refusal",
    "Request",
    "Upload",
    "Wanted",
    "absorb",
    "archive_template",
    "assign",
    "copy_of",
    "counts",
    "coupons",
    "create_template",
    "expiring",
    "forget",
    "hear",
    "held_by",
    "issue",
    "lag",
    "low",
    "newest",
    "read_codes",
    "still_good",
    "templates",
    "tidy",
    "update_template",
    "upload",
    "withdraw",
]
