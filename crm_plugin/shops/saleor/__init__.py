"""The adapter for Saleor: its plugin hooks become facts, its rows the answers of the port.

It asks Saleor what it can do (capability probes), never which version it is. It must never write to Saleor's tables,
and nothing that it is told may fail Saleor. Start reading in ``adapter`` (the port) and ``facts`` (the hooks).
"""

from crm_plugin.shops.saleor.permissions import register_permissions

from crm_plugin.shops.saleor.adapter import SaleorShop  # isort: skip - its imports need Saleor's models

__all__ = ["SaleorShop", "register_permissions"]
