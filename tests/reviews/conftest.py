"""Fixtures of the reviews: a shop with a product that somebody bought, a place for files, what was kept."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from PIL import Image

from crm_plugin import contacts, merchant, pipeline, reviews
from crm_plugin.contacts import Contact, Person
from crm_plugin.models import Rating, Review
from crm_plugin.reviews import Source, Submission
from crm_plugin.shop import ProductRef
from tests.fake_shop import FakeShop

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

RECOUNT = """
SELECT product_id, count(*) FILTER (WHERE rating = 1), count(*) FILTER (WHERE rating = 2),
    count(*) FILTER (WHERE rating = 3), count(*) FILTER (WHERE rating = 4), count(*) FILTER (WHERE rating = 5)
FROM crm_plugin_review WHERE state = 'published' GROUP BY product_id
"""
Submit = Callable[..., Review]


@pytest.fixture(autouse=True)
def media(settings: SettingsWrapper, tmp_path: Path) -> Path:
    """Where Django's default storage keeps the files of this test."""
    settings.MEDIA_ROOT = str(tmp_path / "media")
    return tmp_path / "media"


@pytest.fixture
def ann(db: None, fake_shop: FakeShop) -> Contact:
    """A customer."""
    fake_shop.add_customer(customer_id="7", email="ann@example.com")
    return contacts.get_or_create(Person("7", "ann@example.com"))


@pytest.fixture
def mug(fake_shop: FakeShop) -> ProductRef:
    """A product of the default channel."""
    return fake_shop.add_product(name="Mug", price=20).ref


@pytest.fixture
def submit(ann: Contact, mug: ProductRef) -> Submit:
    """Write a review; by default Ann's of the mug, good, by the link of a request."""

    def write(**values: Any) -> Review:
        given = {
            "contact_id": ann.pk,
            "product_id": mug.product_id,
            "rating": 5,
            "source": Source.LINK,
            "order_ref": "81",
            **values,
        }
        return reviews.submit(Submission(**given))

    return write


@pytest.fixture
def unmoderated(db: None) -> None:
    """Reviews are published at once."""
    merchant.update(is_review_moderated=False)


def drain() -> None:
    """Let everything that was recorded take effect."""
    pipeline.pump()


def picture(
    *, size: tuple[int, int] = (40, 30), form: str = "JPEG", color: Any = (200, 30, 30), mode: str = "RGB", **more: Any
) -> bytes:
    """Return a picture as somebody might send it."""
    file = BytesIO()
    Image.new(mode, size, color).save(file, form, **more)
    return file.getvalue()


def files_in(folder: Path) -> list[Path]:
    """Return the files below a folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def ratings_kept() -> dict[str, tuple[int, ...]]:
    """Return the projection, without products that have no review left."""
    rows = Rating.objects.values_list("product_id", "stars_1", "stars_2", "stars_3", "stars_4", "stars_5")
    return {product_id: tuple(stars) for product_id, *stars in rows if any(stars)}


def ratings_recounted() -> dict[str, tuple[int, ...]]:
    """Return what the projection should be: the documented query."""
    with connection.cursor() as cursor:
        cursor.execute(RECOUNT)
        return {product_id: tuple(stars) for product_id, *stars in cursor.fetchall()}
