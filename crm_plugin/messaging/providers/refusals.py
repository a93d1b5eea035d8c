"""Why a call to the receipts endpoint is turned away."""

from __future__ import annotations

from crm_plugin.errors import CRMError


class UnknownProvider(CRMError):
    """No provider of this name tells us anything, or it is not set up."""


class Forged(CRMError):
    """The call does not come from the provider that it names."""


class Unreadable(CRMError):
    """The call is the provider's, and says nothing that could be understood."""
