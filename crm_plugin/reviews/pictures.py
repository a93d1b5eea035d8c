"""Pictures of reviews: read with suspicion, written anew, kept in Django's default storage.

What people send is never served. A picture is decoded and encoded again, so the file holds nothing but what can be
seen: no place, no camera, no script behind the last byte.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from io import BytesIO
from typing import Final
from urllib.parse import urljoin

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from PIL import Image, ImageOps, UnidentifiedImageError

from crm_plugin import clock, shop
from crm_plugin.errors import InvalidInput

logger = logging.getLogger(__name__)

MAX_PICTURES: Final = 4
MAX_BYTES: Final = 5 * 1024 * 1024
#: A PNG of some kilobytes can unfold to gigabytes; what cameras make is below this.
MAX_PIXELS: Final = 40_000_000
LONGEST_SIDE: Final = 1_600
FOLDER: Final = "crm/reviews"
_FORMATS: Final = ("JPEG", "PNG", "WEBP")
_QUALITY: Final = 85


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it is kept: a JPEG file."""

    content: bytes
    width: int
    height: int


def read_pictures(files: Sequence[bytes]) -> list[Picture]:
    """Return what was sent as pictures that may be shown.

    Raises:
        InvalidInput: too many (``pictures``), or ``pictures.0`` and so on: too large (TOO_LARGE), or none that can be
            read (INVALID).
    """
    if len(files) > MAX_PICTURES:
        raise InvalidInput(f"At most {MAX_PICTURES} pictures.", field="pictures", code="LIMIT")
    for place, content in enumerate(files):  # before the first one is decoded: that is what costs
        if len(content) > MAX_BYTES:
            raise _too_large(f"At most {MAX_BYTES // 1024 // 1024} MB.", place)
    return [_read(content, place) for place, content in enumerate(files)]


def keep(pictures: Sequence[Picture], names: list[str]) -> None:
    """Write the files; each name is added to ``names`` as soon as its file is there."""
    for picture in pictures:
        name = f"{folder_of(clock.now().date())}/{secrets.token_hex(16)}.jpg"
        names.append(default_storage.save(name, ContentFile(picture.content)))


def folder_of(day: date) -> str:
    """Return where the pictures of a day (UTC) are: by day, so that no folder becomes too long to be looked through."""
    return f"{FOLDER}/{day.isoformat()}"


def drop(names: Collection[str]) -> None:
    """Delete files; one that cannot be deleted now is logged, as nobody can do anything about it here."""
    for name in names:
        try:
            default_storage.delete(name)
        except Exception:
            logger.exception("crm: the picture %s of a review was not deleted", name)


def drop_on_commit(names: Collection[str]) -> None:
    """Delete files when the rows that name them are gone for good."""
    if names:
        transaction.on_commit(partial(drop, tuple(names)))


def url_of(name: str) -> str:
    """Return the absolute address of a kept picture."""
    return urljoin(shop.current().operator().public_url, default_storage.url(name))


def _read(content: bytes, place: int) -> Picture:
    try:
        with Image.open(BytesIO(content), formats=_FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise _too_large(f"At most {MAX_PIXELS // 1_000_000} megapixels.", place)
            return _anew(image)
    except InvalidInput:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large(f"At most {MAX_PIXELS // 1_000_000} megapixels.", place) from None
    except UnidentifiedImageError:
        raise _no_picture(place) from None
    except Exception:  # noqa: BLE001 - a decoder that is given anything at all fails in any way
        raise _no_picture(place) from None


def _anew(image: Image.Image) -> Picture:
    image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))  # a JPEG is decoded at a fraction of its size
    shown = _on_white(image)
    shown.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    shown = ImageOps.exif_transpose(shown)
    plain = Image.frombytes("RGB", shown.size, shown.tobytes())  # pixels only: nothing that came along with them
    file = BytesIO()
    plain.save(file, "JPEG", quality=_QUALITY, optimize=True, progressive=True)
    return Picture(file.getvalue(), plain.width, plain.height)


def _on_white(image: Image.Image) -> Image.Image:
    """Return the picture without transparency; a JPEG has none, and would show it black."""
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")
    layer = image.convert("RGBA")
    ground = Image.new("RGB", layer.size, "white")
    ground.paste(layer, mask=layer)
    if "exif" in image.info:  # for the orientation
        ground.info["exif"] = image.info["exif"]
    return ground


def _too_large(message: str, place: int) -> InvalidInput:
    return InvalidInput(message, field=f"pictures.{place}", code="TOO_LARGE")


def _no_picture(place: int) -> InvalidInput:
    return InvalidInput("This is no JPEG, PNG or WebP picture that can be read.", field=f"pictures.{place}")
