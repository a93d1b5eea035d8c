"""Who can sign in to the demo shop. Plain words, no Django: the story and the seed share them."""

from __future__ import annotations

#: Everybody in the demo has this one, and the demo prints it.
PASSWORD = "slow-home-2026"  # noqa: S105 - a demo keeps no secret
SHOPPER_EMAIL = "hana.lee@example.com"
STAFF_EMAIL = "staff@example.com"
