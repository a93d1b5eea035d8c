"""The Django app: chooses the shop adapter and lets it hang its doors."""

from __future__ import annotations

from django.apps import AppConfig, apps
from django.utils.module_loading import import_string

from crm_plugin import nudge, shop
from crm_plugin.conf import settings

#: An adapter is chosen by the app that only its shop installs.
ADAPTERS = {
    "saleor.core": "crm_plugin.shops.saleor.SaleorShop",
    "oscar": "crm_plugin.shops.oscar.OscarShop",
}


class CRMConfig(AppConfig):
    """``crm_plugin`` as a Django app."""

    name = "crm_plugin"
    verbose_name = "CRM"
    default_auto_field = "django.db.models.BigAutoField"

    def import_models(self) -> None:
        """Import the models; in Saleor, make the CRM's permissions known before it builds its enum of them."""
        super().import_models()
        if apps.is_installed("saleor.core"):
            import_string("crm_plugin.shops.saleor.register_permissions")()

    def ready(self) -> None:
        """Install the adapter of the shop that this process belongs to.

        An adapter has a ``connect()`` that hangs its receivers and doors (signals, GraphQL, beat entries).
        """
        from crm_plugin import beat, checks  # noqa: F401, PLC0415 - registers the system checks

        path = settings().shop or next((path for app, path in ADAPTERS.items() if apps.is_installed(app)), "")
        if path:
            adapter = import_string(path)()
            shop.install(adapter)
            adapter.connect()
        nudge.connect()
        beat.install()
