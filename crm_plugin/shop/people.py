"""Customers, and who is calling."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Customer:
    """A person with an account. ``phone`` is as the shop has it, with the country's code or without."""

    customer_id: str
    email: str
    first_name: str = ""
    last_name: str = ""
    language: str = ""
    country: str = ""
    joined_at: datetime | None = None
    is_active: bool = True
    phone: str = ""


class Permission(StrEnum):
    """What staff and apps may be allowed to do."""

    VIEW = "view_crm"
    MANAGE = "manage_crm"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who is calling. All empty for an anonymous caller."""

    customer_id: str = ""
    email: str = ""
    is_staff: bool = False
    app_id: str = ""
    permissions: frozenset[Permission] = frozenset()

    @property
    def is_known(self) -> bool:
        """Whether somebody has signed in (a customer, staff or an app)."""
        return bool(self.customer_id or self.app_id)
