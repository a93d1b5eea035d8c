"""Where the codes come from that an IssueCoupon step gives to people: an interface, until somebody fills it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from crm_plugin.automations.definition import Definition
from crm_plugin.automations.program import walk
from crm_plugin.automations.steps import IssueCouponStep
from crm_plugin.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class IssuedCoupon:
    """A code of one person's own.

    Attributes:
        expires_on: the last day on which it is good, in the shop's zone; None: it does not expire.
        name: what the merchant calls the offer.
    """

    code: str
    expires_on: date | None
    name: str

    def to_json(self) -> dict[str, Any]:
        """Return it as ``Enrollment.context`` keeps it."""
        return {
            "code": self.code,
            "expires_on": self.expires_on.isoformat() if self.expires_on else None,
            "name": self.name,
        }


class CouponIssuer(Protocol):
    """Issues codes."""

    def issue(
        self, voucher: str, people: Mapping[int, int], *, expires_in_days: int | None
    ) -> Mapping[int, IssuedCoupon | None]:
        """Give every run a code; the same run asked for again gets the same one.

        Called in the transaction that moves the runs: what is stored in the same database comes with them or not at
        all.

        Args:
            voucher: the shop's id of the voucher.
            people: the contact of each run, by the run's id.
            expires_in_days: from today; None: as the voucher says.

        Returns:
            By the run's id; None, or nothing, where no code can be had.
        """


_installed: CouponIssuer | None = None


def install_issuer(issuer: CouponIssuer | None) -> CouponIssuer | None:
    """Make ``issuer`` the one that campaigns ask; return the one before it."""
    global _installed
    before, _installed = _installed, issuer
    return before


def issuer() -> CouponIssuer | None:
    """Return the issuer of this process."""
    return _installed


def is_available() -> bool:
    """Whether codes can be issued."""
    return _installed is not None


def check_coupons(definition: Definition) -> None:
    """Refuse to run a campaign that issues coupons while nobody can.

    Raises:
        InvalidInput: with the path of the step.
    """
    if is_available():
        return
    for path, step in walk(definition.steps):
        if isinstance(step, IssueCouponStep):
            message = "Coupons cannot be issued here yet; take this step out."
            raise InvalidInput(message, field=f"definition.{path}", code="COUPONS_UNAVAILABLE")
