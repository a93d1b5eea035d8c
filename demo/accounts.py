"""Who can sign in to the demo shop. Plain words, no Django: the story and the seed share them."""

from __future__ import annotations

#: Everybody in the demo has this one, and the demo prints it.
PASSWORD = "slow-home-2026"  # noqa: S105 - a demo keeps no secret
SHOPPER_EMAIL = "hana.lee@example.com"
STAFF_EMAIL = "staff@example.com"
#: Customers to whom something happened that the ready-made campaigns are about.
CART_EMAIL = "minji.park@example.com"
REVIEW_EMAIL = "lukas.weber@example.com"
WIN_BACK_EMAIL = "sora.kim@example.com"
#: Her mailbox is gone; she agreed to text messages too.
BOUNCE_EMAIL = "clara.novak@gone.example"
BOUNCE_PHONE = "+4915123456789"
