"""The seed makes a shop that looks like a shop, and a CRM that knows it; here with fewer of everything."""

from __future__ import annotations

from pathlib import Path

import pytest
from oscar.core.loading import get_model

from crm_plugin import merchant, shop
from crm_plugin.models import Campaign, Consent, Contact, Enrollment, Interest, Message
from crm_plugin.shop import ProductRef
from demo.goods import RANGES, STORY_PRODUCT
from demo.seed import Scale, seed

Product = get_model("catalogue", "Product")
Category = get_model("catalogue", "Category")
Order = get_model("order", "Order")

SMALL = Scale(customers=12, orders=25, products=3)
#: Two people of the story have a past of their own.
ALL_ORDERS = SMALL.orders + 2

#: What the shop's own code is warned of, by its dependencies and by newer Pythons.
pytestmark = [
    pytest.mark.filterwarnings("ignore::treebeard.deprecation.RemovedInTreebeard8Warning"),
    pytest.mark.filterwarnings("ignore::SyntaxWarning"),
]


@pytest.fixture
def said(db: None, settings: object, tmp_path: Path) -> list[str]:
    """A seeded shop, and what the seed said meanwhile."""
    settings.MEDIA_ROOT = tmp_path  # type: ignore[attr-defined]
    lines: list[str] = []
    seed(domain="shop.test:8000", scale=SMALL, say=lines.append)
    return lines


def test_the_whole_catalogue_is_large_enough() -> None:
    assert len(RANGES) >= 5
    assert sum(len(found.goods) for found in RANGES) >= 60
    assert len({name for found in RANGES for name, _price in found.goods}) == sum(len(found.goods) for found in RANGES)


def test_the_seed_fills_the_shop_and_the_crm(said: list[str], tmp_path: Path) -> None:
    assert Category.objects.count() == len(RANGES)
    assert Product.objects.filter(parent=None).count() == 3 * len(RANGES)
    assert len(list(tmp_path.glob("images/**/*.jpg"))) == 3 * len(RANGES)
    assert Order.objects.count() == ALL_ORDERS
    assert Contact.objects.filter(customer_id__isnull=False).count() == 12 + len(["staff"])
    assert 0 < Consent.objects.filter(channel="email", is_granted=True).count() <= 12
    assert Interest.objects.filter(bought_count__gt=0).exists()
    assert Campaign.objects.get().state == "running"
    assert merchant.load().postal_address
    assert said


@pytest.mark.usefixtures("said")
def test_history_starts_no_campaign() -> None:
    assert not Enrollment.objects.exists()
    assert not Message.objects.exists()


@pytest.mark.usefixtures("said")
def test_the_product_of_the_story_has_a_card_with_absolute_addresses() -> None:
    product = Product.objects.get(title=STORY_PRODUCT)
    ref = ProductRef(str(product.pk), "default")

    card = shop.current().product_cards([ref], language="en")[ref]

    assert card.url.startswith("http://shop.test:8000/catalogue/")
    assert card.image_url.startswith("http://shop.test:8000/media/")
    assert card.is_in_stock


@pytest.mark.usefixtures("said")
def test_a_filled_database_is_not_filled_again() -> None:
    with pytest.raises(SystemExit, match="not empty"):
        seed(domain="shop.test:8000", scale=SMALL, say=lambda _line: None)

    assert Order.objects.count() == ALL_ORDERS
