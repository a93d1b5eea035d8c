"""What a merchant decides: one settings row, edited through GraphQL, the same in every shop.

Start reading in ``models.py``; what a change may hold is in ``changing.py``.
"""

from crm_plugin.merchant.changing import NEEDED, MerchantChange, update
from crm_plugin.merchant.manners import Cap, QuietAction
from crm_plugin.merchant.models import DEFAULT_CAPS, Merchant, load, zone
from crm_plugin.merchant.signing import rotate_webhook_secret, webhook_secrets

__all__ = [
    "DEFAULT_CAPS",
    "NEEDED",
    "Cap",
    "Merchant",
    "MerchantChange",
    "QuietAction",
    "load",
    "rotate_webhook_secret",
    "update",
    "webhook_secrets",
    "zone",
]
