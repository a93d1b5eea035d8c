"""The form of a review: opened by its link alone, kept once, and nothing is left of what was refused."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image
from pytest_django import Settings

from crm_plugin import clock, contacts, persons, pipeline, reviews
from crm_plugin.models import Review, ReviewPicture
from crm_plugin.shop import Order
from tests.fake_shop import FakeShop

pytestmark = [pytest.mark.django_db, pytest.mark.feature(15)]

NOON = datetime(2027, 3, 2, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _media(settings: Settings, tmp_path: Path) -> Iterator[None]:
    settings.MEDIA_ROOT = str(tmp_path / "media")
    cache.clear()
    with clock.travel(to=NOON):
        yield


@pytest.fixture
def order(fake_shop: FakeShop) -> Order:
    """An order of a mug, of which the CRM knows."""
    customer = fake_shop.add_customer(email="ann@example.com", first_name="Ann")
    mug = fake_shop.add_product(name="Mug <b>", price=20)
    made = fake_shop.place_order(mug.ref, customer_id=customer.customer_id, email="ann@example.com")
    pipeline.reconcile()
    pipeline.pump()
    return made


@pytest.fixture
def url(order: Order) -> str:
    """The address in Ann's request."""
    ann = contacts.find(customer_id=order.customer_id)
    assert ann is not None
    (line,) = order.lines
    token = reviews.link(
        ann.pk,
        line.product_id,
        order_ref=order.order_ref,
        variant_id=line.variant_id,
        shop_channel=order.shop_channel,
        language="en",
    )
    return f"/crm/review/{token}/"


def picture(kind: str = "JPEG", *, side: int = 60) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (side, side), "teal").save(made, kind)
    return made.getvalue()


def upload(content: bytes, name: str = "mug.jpg") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, content_type="image/jpeg")


def written(**more: Any) -> dict[str, Any]:
    return {"rating": "4", "title": "Good mug", "body": "Holds tea.", "author": "Ann", **more}


def files(settings: Settings) -> list[Path]:
    return [path for path in Path(settings.MEDIA_ROOT).glob("**/*") if path.is_file()]


@pytest.mark.parametrize("method", ["get", "head"])
def test_looking_at_the_form_keeps_nothing(client: Client, url: str, method: str) -> None:
    answer = getattr(client, method)(url)

    assert answer.status_code == 200
    assert not Review.objects.exists()
    assert "Set-Cookie" not in answer.headers


def test_the_form_names_the_product_and_the_person_and_loads_nothing_but_pictures(client: Client, url: str) -> None:
    answer = client.get(url)
    page = answer.content.decode()

    assert "How do you like Mug &lt;b&gt;?" in page
    assert 'value="Ann"' in page
    assert page.count('type="radio"') == 5
    assert "<script" not in page
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_what_was_written_is_kept_as_text_of_a_buyer_with_its_pictures(client: Client, url: str) -> None:
    evil = "<script>alert(1)</script> & more"

    answer = client.post(url, written(body=evil, pictures=[upload(picture()), upload(picture("PNG"))]))

    kept = Review.objects.get()
    assert "Thank you for your review" in answer.content.decode()
    assert (kept.rating, kept.title, kept.body, kept.author) == (4, "Good mug", evil, "Ann")
    assert (kept.source, kept.state, kept.is_verified, kept.language) == ("link", "pending", True, "en")
    assert ReviewPicture.objects.filter(review=kept).count() == 2


def test_the_same_link_again_says_that_it_was_reviewed(client: Client, url: str) -> None:
    client.post(url, written())

    again, later = client.post(url, written(rating="1")), client.get(url)

    assert Review.objects.get().rating == 4
    for answer in (again, later):
        assert "You have reviewed this already" in answer.content.decode()
        assert "<form" not in answer.content.decode()


@pytest.mark.parametrize(
    ("more", "place", "said"),
    [
        ({"rating": ""}, "rating", "Choose one to five stars."),
        ({"rating": "6"}, "rating", "Choose one to five stars."),
        ({"rating": "4.0"}, "rating", "Choose one to five stars."),
        ({"title": "x" * 121}, "title", "At most 120 characters."),
        ({"body": "x" * 5_001}, "body", "At most 5000 characters."),
        ({"author": "x" * 61}, "author", "At most 60 characters."),
        ({"pictures": [upload(b"no picture at all")]}, "pictures", "This is not a picture"),
        ({"pictures": [upload(b"<svg onload='x'/>", "x.svg")]}, "pictures", "This is not a picture"),
        ({"pictures": [upload(picture()) for _ in range(5)]}, "pictures", "At most 4 pictures."),
        ({"pictures": [upload(b"\xff\xd8" + bytes(5 * 1024 * 1024))]}, "pictures", "larger than 5 MB"),
        ({"pictures": [upload(bytes(20 * 1000 * 1000))]}, "pictures", "larger than 5 MB"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_is_left(
    client: Client, url: str, settings: Settings, more: dict[str, Any], place: str, said: str
) -> None:
    for one in more.get("pictures", ()):
        one.seek(0)

    answer = client.post(url, written(**more))
    page = answer.content.decode()

    assert answer.status_code == 422
    assert re.search(rf'<a href="#{place}">[^<]*{re.escape(said)}', page)
    assert f'id="wrong-{place}"' in page
    assert not Review.objects.exists()
    assert files(settings) == []


def test_what_was_typed_is_there_again(client: Client, url: str) -> None:
    page = client.post(url, written(title='"Best" mug', body="</textarea><b>Tea", rating="")).content.decode()

    assert 'value="&quot;Best&quot; mug"' in page
    assert "&lt;/textarea&gt;&lt;b&gt;Tea</textarea>" in page


def test_a_body_larger_than_all_pictures_is_not_read(client: Client, url: str) -> None:
    answer = client.generic("POST", url, b"", "multipart/form-data; boundary=x", CONTENT_LENGTH=str(30 * 1024 * 1024))

    assert answer.status_code == 413


@pytest.mark.parametrize(
    "body", [b"", b"--x\r\nnonsense", b"--y\r\nContent-Disposition: form-data; name=rating\r\n\r\n5\r\n--y--"]
)
def test_a_broken_body_keeps_nothing(client: Client, url: str, body: bytes) -> None:
    answer = client.post(url, body, content_type="multipart/form-data; boundary=x")

    assert answer.status_code in (400, 422)
    assert not Review.objects.exists()


def test_a_forged_link_is_no_page(client: Client, url: str) -> None:
    answers = [client.post(address, written()).status_code for address in (url[:-4] + "aaa/", "/crm/review/x:y/")]

    assert answers == [404, 404]
    assert not Review.objects.exists()


def test_an_expired_link_says_so_and_takes_nothing(client: Client, url: str) -> None:
    with clock.travel(to=NOON + timedelta(days=181)):
        answers = [client.get(url), client.post(url, written())]

    assert all("This link has expired" in answer.content.decode() for answer in answers)
    assert not Review.objects.exists()


def test_a_product_or_a_person_that_is_gone_cannot_be_reviewed(
    client: Client, fake_shop: FakeShop, order: Order, url: str
) -> None:
    fake_shop.delete_product(fake_shop.products[order.lines[0].product_id].ref)
    without_product = client.post(url, written()).content.decode()
    persons.erase(email="ann@example.com")
    without_person = client.post(url, written()).content.decode()

    assert all("There is nothing to review here" in page for page in (without_product, without_person))
    assert not Review.objects.exists()


def test_a_client_that_sends_on_and_on_is_asked_to_wait_and_loses_nothing(client: Client, url: str) -> None:
    answers = [client.post(url, written(rating="", body="Still here")) for _ in range(12)]

    last = answers[-1]
    assert (answers[0].status_code, last.status_code) == (422, 429)
    assert int(last.headers["Retry-After"]) > 0
    assert "Still here" in last.content.decode()
    assert not Review.objects.exists()


def test_the_form_is_in_the_language_of_the_request(client: Client, order: Order) -> None:
    ann = contacts.find(customer_id=order.customer_id)
    assert ann is not None
    line = order.lines[0]
    korean = reviews.link(
        ann.pk, line.product_id, order_ref=order.order_ref, shop_channel=order.shop_channel, language="ko"
    )

    page = client.get(f"/crm/review/{korean}/", headers={"Accept-Language": "en"}).content.decode()

    assert '<html lang="ko">' in page
    assert "후기 쓰기" in page
