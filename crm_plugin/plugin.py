"""Saleor's door: the plugin ``crm``. Every hook is one guarded line into the adapter.

Which hooks exist depends on Saleor's release; those that it does not have are never called. Saleor runs hooks after
commit, inside its request or task, and an exception in one would break what the shopper was doing: ``hook`` keeps it
in.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound
from django.urls import Resolver404, resolve
from saleor.plugins.base_plugin import BasePlugin, ConfigurationTypeField
from saleor.plugins.error_codes import PluginErrorCode

from crm_plugin.shops.saleor import configuration, facts, gift_cards, nowhere, vouchers
from crm_plugin.shops.saleor.access import hook


class CRMPlugin(BasePlugin):
    """Marketing automation inside Saleor: switched on and configured by the operator, run through GraphQL."""

    PLUGIN_ID = configuration.PLUGIN_ID
    PLUGIN_NAME = "CRM"
    PLUGIN_DESCRIPTION = "Marketing automation: the right message to the right customer, and never twice."
    CONFIGURATION_PER_CHANNEL = False
    DEFAULT_ACTIVE = False
    DEFAULT_CONFIGURATION = [
        {"name": configuration.PUBLIC_URL, "value": ""},
        {"name": configuration.PRODUCT_URL, "value": ""},
        {"name": configuration.CART_URL, "value": ""},
        {"name": configuration.ORIGINS, "value": ""},
    ]
    CONFIG_STRUCTURE = {
        configuration.PUBLIC_URL: {
            "type": ConfigurationTypeField.STRING,
            "label": "Public base url",
            "help_text": "Address under which shoppers reach this Saleor, for links in messages: "
            "https://api.shop.example. Empty: Saleor's own PUBLIC_URL or site domain.",
        },
        configuration.PRODUCT_URL: {
            "type": ConfigurationTypeField.STRING,
            "label": "Product page in the storefront",
            "help_text": "https://shop.example/{channel}/products/{slug}; {product_id} and {variant_id} work as well.",
        },
        configuration.CART_URL: {
            "type": ConfigurationTypeField.STRING,
            "label": "Cart page in the storefront",
            "help_text": "https://shop.example/{channel}/cart?checkout={checkout_id} (or {cart}, its token). "
            "Empty: messages link to no cart.",
        },
        configuration.ORIGINS: {
            "type": ConfigurationTypeField.MULTILINE,
            "label": "Dashboard origins",
            "help_text": "Origins that may show the CRM's hosted pages in a frame, one on each line: "
            "https://dashboard.shop.example",
        },
    }

    account_confirmed = hook(facts.account_confirmed)
    account_deleted = hook(facts.customer_deleted)
    account_email_changed = hook(facts.customer_changed)
    customer_created = hook(facts.customer_created)
    customer_deleted = hook(facts.customer_deleted)
    customer_updated = hook(facts.customer_changed)

    checkout_created = hook(facts.cart_changed)
    checkout_metadata_updated = hook(facts.cart_changed)
    checkout_updated = hook(facts.cart_changed)

    order_bulk_created = hook(facts.orders_imported)
    order_cancelled = hook(facts.order_cancelled)
    order_confirmed = hook(facts.order_placed)
    order_created = hook(facts.order_placed)
    order_expired = hook(facts.order_expired)
    order_fully_paid = hook(facts.order_paid)
    order_fully_refunded = hook(facts.order_refunded)
    order_metadata_updated = hook(facts.order_metadata_changed)

    fulfillment_approved = hook(facts.fulfilled)
    fulfillment_created = hook(facts.fulfilled)
    fulfillment_metadata_updated = hook(facts.fulfillment_metadata_changed)

    collection_deleted = hook(nowhere.collection_deleted)

    gift_card_created = hook(gift_cards.card_changed)
    gift_card_deleted = hook(gift_cards.card_changed)
    gift_card_status_changed = hook(gift_cards.card_changed)
    gift_card_updated = hook(gift_cards.card_changed)

    product_deleted = hook(facts.product_changed)
    product_updated = hook(facts.product_changed)
    product_variant_back_in_stock = hook(facts.stock_changed)
    product_variant_deleted = hook(facts.variant_changed)
    product_variant_discounted_price_updated = hook(facts.price_changed)
    product_variant_out_of_stock = hook(facts.stock_changed)
    product_variant_updated = hook(facts.variant_changed)
    promotion_created = hook(facts.promotion_changed)
    promotion_ended = hook(facts.promotion_changed)
    promotion_started = hook(facts.promotion_changed)
    promotion_updated = hook(facts.promotion_changed)

    voucher_created = hook(vouchers.voucher_changed)
    voucher_updated = hook(vouchers.voucher_changed)

    def webhook(self, request: HttpRequest, path: str | None, *args: Any, **kwargs: Any) -> HttpResponse:
        """Serve the public endpoints; Saleor calls this for an inactive plugin as well.

        ``path`` is not used: it begins after the first ``crm`` in the address, which may be in the prefix that a
        proxy gave all of Saleor.
        """
        if not self.active:
            return HttpResponseNotFound()
        _before, _id, ours = request.path_info.partition(f"/{self.PLUGIN_ID}/")
        try:
            view, view_args, view_kwargs = resolve(f"/{ours}", urlconf="crm_plugin.http.urls")
        except Resolver404:
            return HttpResponseNotFound()
        response: HttpResponse = view(request, *view_args, **view_kwargs)
        return response

    @classmethod
    def validate_plugin_configuration(cls, plugin_configuration: Any, **_kwargs: Any) -> None:
        """Refuse addresses that would make broken links.

        Raises:
            ValidationError: with what is wrong with each field.
        """
        problems = configuration.problems(configuration.values_of(plugin_configuration.configuration))
        if problems:
            invalid = PluginErrorCode.INVALID.value
            raise ValidationError({name: ValidationError(text, code=invalid) for name, text in problems.items()})

    @classmethod
    def save_plugin_configuration(cls, plugin_configuration: Any, cleaned_data: Any) -> Any:
        """Save, and let this process notice at once."""
        saved = super().save_plugin_configuration(plugin_configuration, cleaned_data)
        configuration.forget()
        return saved
