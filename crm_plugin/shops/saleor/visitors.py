"""The browser behind a cart or an order: the storefront writes its id into the cart's metadata."""

from __future__ import annotations

from typing import Any

from crm_plugin import contacts


def visitor_of(metadata: Any) -> str:
    """Return the browser that public metadata names. Saleor copies a cart's to the order."""
    return contacts.clean_visitor_id(metadata.get(contacts.VISITOR_KEY)) if isinstance(metadata, dict) else ""


def of_checkout(checkout: Any) -> str:
    """Return the browser of a cart, if Saleor has its metadata at hand (it is in a table of its own).

    A hook makes no query for it: the drain asks for the cart, with the browser, anyway.
    """
    storage = checkout._state.fields_cache.get("metadata_storage")
    return visitor_of(storage.metadata) if storage is not None else ""
