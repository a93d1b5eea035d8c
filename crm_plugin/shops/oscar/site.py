"""Who and where the shop is: its address, its one channel, and what its operator decided."""

from __future__ import annotations

from typing import Final

from django.conf import settings as django_settings
from django.contrib.sites.models import Site
from django.core.exceptions import ImproperlyConfigured
from django.urls import NoReverseMatch, reverse

from crm_plugin.conf import settings
from crm_plugin.shop import Operator, ShopChannel, ShopIdentity

#: Oscar sells through one channel; this is what the engine calls it.
CHANNEL: Final = "default"


def url() -> str:
    """Return the shop's address, ending in a slash: Django's current site under ``OSCAR_URL_SCHEMA``."""
    return f"{django_settings.OSCAR_URL_SCHEMA}://{Site.objects.get_current().domain}/"


def identity() -> ShopIdentity:
    """Return who the shop is, from Oscar's and Django's settings."""
    return ShopIdentity(
        name=str(django_settings.OSCAR_SHOP_NAME),
        url=url(),
        time_zone=django_settings.TIME_ZONE,
        language=django_settings.LANGUAGE_CODE,
        email=django_settings.OSCAR_FROM_EMAIL,
    )


def channels() -> list[ShopChannel]:
    """Return the one channel."""
    return [ShopChannel(CHANNEL, str(django_settings.OSCAR_SHOP_NAME), django_settings.OSCAR_DEFAULT_CURRENCY)]


def operator() -> Operator:
    """Return what the operator decided in Django's settings."""
    conf = settings()
    return Operator(conf.enabled, conf.public_url or _public_url(), conf.dashboard_origins)


def _public_url() -> str:
    path = mounted_at()
    return url().removesuffix("/") + path


def mounted_at() -> str:
    """Return the path below which the shop has mounted the CRM.

    Raises:
        ImproperlyConfigured: when it has not.
    """
    try:
        return reverse("crm-graphql").removesuffix("graphql/")
    except NoReverseMatch as error:
        raise ImproperlyConfigured(
            "The CRM's addresses are not mounted. Add path('crm/', include('crm_plugin.shops.oscar.urls')) to "
            "ROOT_URLCONF, or set CRM_PUBLIC_URL."
        ) from error
