"""Who the shop is, and where it sells."""

from __future__ import annotations

from django.conf import settings as django_settings
from django.contrib.sites.models import Site
from saleor.account.models import Address
from saleor.channel.models import Channel
from saleor.site.models import SiteSettings

from crm_plugin.shop import ShopChannel, ShopIdentity
from crm_plugin.shops.saleor import configuration


def identity() -> ShopIdentity:
    """Return who the shop is: Saleor's site and its company address.

    Read anew: the site that Django keeps in memory is as old as the process, and a worker lives long.
    """
    site = Site.objects.get_current()
    row = SiteSettings.objects.filter(site_id=site.pk).select_related("site", "company_address").first()
    address = row.company_address if row else None
    return ShopIdentity(
        name=row.site.name if row else site.name,
        url=configuration.storefront_url(),
        time_zone=django_settings.TIME_ZONE,
        language=django_settings.LANGUAGE_CODE,
        email=(row.default_mail_sender_address or "") if row else "",
        postal_address=_one_line(address) if address else "",
    )


def channels() -> list[ShopChannel]:
    """Return the sales channels; Saleor's default one, or else the first active one, comes first."""
    default = getattr(django_settings, "DEFAULT_CHANNEL_SLUG", "")
    rows = Channel.objects.order_by("pk").values_list("slug", "name", "currency_code", "is_active")
    found = [ShopChannel(*row) for row in rows]
    return sorted(found, key=lambda channel: (channel.slug != default, not channel.is_active))


def _one_line(address: Address) -> str:
    city = " ".join(filter(None, (address.postal_code, address.city)))
    parts = (
        address.company_name,
        address.street_address_1,
        address.street_address_2,
        city,
        address.country_area,
        address.country.code,
    )
    return ", ".join(part for part in parts if part)
