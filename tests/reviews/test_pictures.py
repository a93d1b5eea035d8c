from __future__ import annotations

import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image

from crm_plugin.errors import InvalidInput
from crm_plugin.models import Review, ReviewPicture
from crm_plugin.reviews.pictures import url_of
from tests.reviews.conftest import files_in, picture

pytestmark = pytest.mark.django_db

GPS, ORIENTATION, CAMERA = 0x8825, 0x0112, 0x010F
TURNED = 6  # to be turned by 90 degrees to be upright


def png_that_unfolds_to(width: int, height: int) -> bytes:
    """A picture of one colour: kilobytes, and gigabytes once it is decoded."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packed = zlib.compressobj(9)
    line = b"\x00" + b"\x00" * ((width + 7) // 8)
    body = b"".join(packed.compress(line) for _ in range(height)) + packed.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def refusal(submit, *sent: bytes) -> tuple[str, str]:
    with pytest.raises(InvalidInput) as refused:
        submit(pictures=sent)
    assert not Review.objects.exists()
    return refused.value.field, refused.value.code


def kept_image(media) -> Image.Image:
    (file,) = files_in(media)
    return Image.open(BytesIO(file.read_bytes()))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_picture_becomes_a_jpeg_of_a_name_that_says_nothing(submit, media, form):
    review = submit(pictures=[picture(form=form)])

    row = ReviewPicture.objects.get(review=review)
    assert (row.width, row.height, row.position) == (40, 30, 0)
    assert kept_image(media).format == "JPEG"
    assert files_in(media) == [media / row.file]
    assert url_of(row.file) == f"https://shop.example/media/{row.file}"


def test_pictures_keep_their_order(submit):
    sizes = [(40, 30), (30, 40), (20, 20), (10, 10)]

    review = submit(pictures=[picture(size=size) for size in sizes])

    rows = ReviewPicture.objects.filter(review=review).order_by("position")
    assert [(row.width, row.height) for row in rows] == sizes


def test_a_large_one_is_made_smaller(submit, media):
    submit(pictures=[picture(size=(4_000, 1_000))])

    assert kept_image(media).size == (1_600, 400)


def test_nothing_that_the_camera_wrote_is_kept(submit, media):
    exif = Image.Exif()
    exif[CAMERA] = "A telephone"
    exif[ORIENTATION] = TURNED
    exif[GPS] = {1: "N", 2: (37.0, 33.0, 59.0)}
    sent = picture(size=(40, 30), exif=exif)
    assert b"A telephone" in sent

    submit(pictures=[sent])

    (file,) = files_in(media)
    assert b"A telephone" not in file.read_bytes()
    image = kept_image(media)
    assert dict(image.getexif()) == {}
    assert image.info.keys().isdisjoint({"exif", "xmp", "icc_profile", "comment"})
    assert image.size == (30, 40)  # turned upright before the note about it was dropped


def test_the_orientation_of_a_transparent_one_holds_too(submit, media):
    exif = Image.Exif()
    exif[ORIENTATION] = TURNED

    submit(pictures=[picture(form="PNG", mode="RGBA", color=(0, 0, 0, 0), exif=exif)])

    image = kept_image(media)
    assert image.size == (30, 40)
    assert image.getpixel((5, 5)) == (255, 255, 255)


def test_what_hides_behind_the_last_byte_is_gone(submit, media):
    submit(pictures=[picture() + b"<script>alert(1)</script><?php"])

    (file,) = files_in(media)
    assert b"script" not in file.read_bytes()


@pytest.mark.parametrize(("mode", "color"), [("P", 3), ("L", 128), ("LA", (1, 2)), ("I;16", 9), ("1", 1)])
def test_any_mode_becomes_colours(submit, media, mode, color):
    submit(pictures=[picture(form="PNG", mode=mode, color=color)])

    assert kept_image(media).mode == "RGB"


def test_twenty_megabytes_are_too_many(submit, media):
    assert refusal(submit, picture(), b"\xff" * 20_000_000) == ("pictures.1", "TOO_LARGE")
    assert files_in(media) == []


@pytest.mark.parametrize(("width", "height"), [(8_000, 5_001), (50_000, 50_000)])
def test_a_picture_that_unfolds_to_gigabytes_is_not_unfolded(submit, media, width, height):
    bomb = png_that_unfolds_to(width, height)
    assert len(bomb) < 1_000_000

    assert refusal(submit, bomb) == ("pictures.0", "TOO_LARGE")
    assert files_in(media) == []


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"hello",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"%PDF-1.7",
        b"\x89PNG\r\n\x1a\n" + b"\x00" * 100,
        picture()[:300],
        picture(form="PNG")[:60],
    ],
    ids=["empty", "text", "svg", "pdf", "png head", "cut jpeg", "cut png"],
)
def test_what_is_no_picture_is_refused(submit, media, sent):
    assert refusal(submit, picture(), sent) == ("pictures.1", "INVALID")
    assert files_in(media) == []


def test_other_formats_are_not_even_tried(submit):
    file = BytesIO()
    Image.new("RGB", (4, 4)).save(file, "TIFF")

    assert refusal(submit, file.getvalue()) == ("pictures.0", "INVALID")


def test_five_are_too_many(submit, media):
    assert refusal(submit, *[picture()] * 5) == ("pictures", "LIMIT")
    assert files_in(media) == []
