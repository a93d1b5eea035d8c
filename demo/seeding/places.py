"""Where the shop is and where it sends to."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.contrib.sites.models import Site
from django.utils import timezone
from oscar.core.loading import get_model

Country = get_model("address", "Country")

COUNTRIES = (
    ("KR", "KOR", "410", "South Korea"),
    ("DE", "DEU", "276", "Germany"),
    ("US", "USA", "840", "United States"),
)


def make_places(domain: str) -> datetime:
    """Set the shop's address and the countries it sends to; return the moment that the shop's year ends."""
    Site.objects.update_or_create(
        pk=settings.SITE_ID, defaults={"domain": domain, "name": str(settings.OSCAR_SHOP_NAME)}
    )
    Site.objects.clear_cache()
    Country.objects.bulk_create(
        Country(
            iso_3166_1_a2=two,
            iso_3166_1_a3=three,
            iso_3166_1_numeric=number,
            printable_name=name,
            name=name,
            display_order=len(COUNTRIES) - place,
            is_shipping_country=True,
        )
        for place, (two, three, number, name) in enumerate(COUNTRIES)
    )
    return timezone.now()
