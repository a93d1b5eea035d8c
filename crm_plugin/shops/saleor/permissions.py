"""The CRM's permissions among Saleor's own: in permission groups, for apps, in ``PermissionEnum``.

Saleor builds that enum once, from ``PERMISSIONS_ENUMS``, when its GraphQL modules are first imported; a permission
that is not in it is not granted to anybody but superusers. So the CRM adds its own while models are being loaded,
which is before. The rows themselves come from ``Merchant.Meta.permissions``, through Saleor's ``post_migrate``.
"""

from __future__ import annotations

import sys

from django.core.exceptions import ImproperlyConfigured
from saleor.permission import enums


class CRMPermissions(enums.BasePermissionEnum):
    """``shop.Permission`` in Saleor's words."""

    VIEW_CRM = "crm_plugin.view_crm"
    MANAGE_CRM = "crm_plugin.manage_crm"


def register_permissions() -> None:
    """Add the CRM's permissions to Saleor's; twice is once.

    Raises:
        ImproperlyConfigured: when Saleor has built its enum already.
    """
    if CRMPermissions in enums.PERMISSIONS_ENUMS:
        return
    if "saleor.graphql.core.enums" in sys.modules:
        raise ImproperlyConfigured(
            "Saleor's GraphQL enums were imported before crm_plugin's models, so its permissions would be missing. "
            "List crm_plugin before the app that imports saleor.graphql while models are being loaded."
        )
    enums.PERMISSIONS_ENUMS.append(CRMPermissions)
