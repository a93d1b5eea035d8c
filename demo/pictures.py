"""Product pictures, drawn: a soft gradient and a simple shape, in tints of their own. A name has one picture."""

from __future__ import annotations

import colorsys
import io
from collections.abc import Callable
from random import Random

from PIL import Image, ImageColor, ImageDraw, ImageFilter

SIZE = 640
#: Smaller than drawn, which smooths the edges.
SAVED_SIZE = 480
#: How far round the colour circle a picture may be from its category's colours.
TURN = 0.045
Draw = ImageDraw.ImageDraw
Color = tuple[int, int, int]


def picture(name: str, *, colors: tuple[str, str], shape: str) -> bytes:
    """Return the picture of a product as a JPEG file."""
    chance = Random(name)
    turn = chance.uniform(-TURN, TURN)
    light, deep = (_turned(ImageColor.getrgb(color)[:3], by=turn) for color in colors)
    image = _gradient(light, _shift(deep, by=chance.randint(-12, 12)))
    image = _with_shadow(image, shape, chance=chance, color=deep)
    file = io.BytesIO()
    image.resize((SAVED_SIZE, SAVED_SIZE), Image.Resampling.LANCZOS).save(file, "JPEG", quality=90)
    return file.getvalue()


def _shift(color: tuple[int, ...], *, by: int) -> Color:
    red, green, blue = (max(0, min(255, part + by)) for part in color[:3])
    return red, green, blue


def _turned(color: tuple[int, ...], *, by: float) -> Color:
    hue, lightness, saturation = colorsys.rgb_to_hls(*(part / 255 for part in color[:3]))
    red, green, blue = (round(255 * part) for part in colorsys.hls_to_rgb((hue + by) % 1, lightness, saturation))
    return red, green, blue


def _gradient(light: Color, deep: Color) -> Image.Image:
    mask = Image.linear_gradient("L").resize((SIZE, SIZE)).point([value // 2 for value in range(256)])
    return Image.composite(Image.new("RGB", (SIZE, SIZE), deep), Image.new("RGB", (SIZE, SIZE), light), mask)


def _with_shadow(image: Image.Image, shape: str, *, chance: Random, color: Color) -> Image.Image:
    middle, radius = SIZE // 2, chance.randint(140, 175)
    shadow = Image.new("L", (SIZE, SIZE), 0)
    ImageDraw.Draw(shadow).ellipse(
        (middle - radius, middle + radius - 60, middle + radius, middle + radius - 15), fill=120
    )
    image.paste(_shift(color, by=-80), mask=shadow.filter(ImageFilter.GaussianBlur(14)))
    _SHAPES[shape](ImageDraw.Draw(image), middle, radius, color)
    return image


def _bowl(draw: Draw, middle: int, radius: int, color: Color) -> None:
    top = middle - 30
    draw.pieslice((middle - radius, top - radius, middle + radius, top + radius), 0, 180, fill=_shift(color, by=20))
    draw.ellipse((middle - radius, top - 26, middle + radius, top + 26), fill=_shift(color, by=-35))
    draw.rectangle((middle - radius // 3, top + radius - 12, middle + radius // 3, top + radius + 16), fill=color)


def _lamp(draw: Draw, middle: int, radius: int, color: Color) -> None:
    draw.polygon(
        [
            (middle - radius // 2, middle - radius),
            (middle + radius // 2, middle - radius),
            (middle + radius, middle + 20),
            (middle - radius, middle + 20),
        ],
        fill=_shift(color, by=60),
    )
    draw.rectangle((middle - 8, middle + 20, middle + 8, middle + radius - 30), fill=_shift(color, by=-60))
    draw.ellipse((middle - 70, middle + radius - 50, middle + 70, middle + radius - 20), fill=_shift(color, by=-60))


def _fold(draw: Draw, middle: int, radius: int, color: Color) -> None:
    for step in range(4):
        top = middle - radius + step * radius // 2
        box = (middle - radius, top, middle + radius, top + radius // 2 - 10)
        draw.rounded_rectangle(box, 26, fill=_shift(color, by=40 - 22 * step))


def _sheet(draw: Draw, middle: int, radius: int, color: Color) -> None:
    for step in range(3):
        left, top = middle - radius + 26 * step, middle - radius + 22 * step
        draw.rounded_rectangle(
            (left, top, left + 2 * radius - 60, top + 2 * radius - 60), 8, fill=_shift(color, by=110 - 30 * step)
        )


def _leaf(draw: Draw, middle: int, radius: int, color: Color) -> None:
    for turn in (-1, 0, 1):
        x = middle + turn * radius * 2 // 3
        top = middle - radius + abs(turn) * 50
        draw.ellipse((x - 52, top, x + 52, middle + 70), fill=_shift(color, by=20 - 25 * abs(turn)))
        draw.line((x, top + 20, middle, middle + 90), fill=_shift(color, by=-50), width=5)
    draw.polygon(
        [
            (middle - 95, middle + 70),
            (middle + 95, middle + 70),
            (middle + 66, middle + 165),
            (middle - 66, middle + 165),
        ],
        fill=_shift(color, by=-70),
    )


def _drop(draw: Draw, middle: int, radius: int, color: Color) -> None:
    draw.polygon(
        [
            (middle, middle - radius - 10),
            (middle - radius * 2 // 3, middle + 26),
            (middle + radius * 2 // 3, middle + 26),
        ],
        fill=_shift(color, by=30),
    )
    draw.ellipse(
        (middle - radius * 3 // 4, middle - 56, middle + radius * 3 // 4, middle + radius - 20),
        fill=_shift(color, by=30),
    )
    draw.ellipse((middle - 60, middle - 5, middle - 12, middle + 58), fill=_shift(color, by=85))


_SHAPES: dict[str, Callable[[Draw, int, int, Color], None]] = {
    "bowl": _bowl,
    "drop": _drop,
    "fold": _fold,
    "lamp": _lamp,
    "leaf": _leaf,
    "sheet": _sheet,
}
