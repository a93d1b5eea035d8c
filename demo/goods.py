"""What the demo shop sells: categories, products, prices. Plain data, no Django."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Range:
    """A category: its name, the two colours of its pictures, the shape they show, and its goods with their prices."""

    name: str
    colors: tuple[str, str]
    shape: str
    goods: tuple[tuple[str, str], ...]
    sizes: tuple[tuple[str, str], ...] = ()

    def prices(self) -> list[tuple[str, Decimal]]:
        """Return name and price of each product."""
        return [(name, Decimal(price)) for name, price in self.goods]


RANGES = (
    Range(
        "Tea & Table",
        ("#e7efe6", "#7fa08a"),
        "bowl",
        (
            ("Celadon tea bowl", "48.00"),
            ("Ash-glaze teapot", "92.00"),
            ("Buncheong plate", "36.50"),
            ("White porcelain cup", "24.00"),
            ("Moon jar, small", "180.00"),
            ("Bamboo tea scoop", "12.00"),
            ("Oak serving board", "44.00"),
            ("Brass rice spoon", "16.50"),
            ("Linen table runner", "39.00"),
            ("Iron kettle", "129.00"),
            ("Sencha tin", "18.00"),
            ("Stoneware mug", "22.00"),
        ),
    ),
    Range(
        "Light",
        ("#fdf3d9", "#d9a441"),
        "lamp",
        (
            ("Hanji paper lantern", "58.00"),
            ("Walnut desk lamp", "145.00"),
            ("Beeswax pillar candle", "14.00"),
            ("Glass oil lamp", "64.00"),
            ("Ceramic pendant", "118.00"),
            ("Reading lamp, brass", "159.00"),
            ("Tea light bowl", "19.00"),
            ("Rattan floor lamp", "210.00"),
            ("Soy candle, cedar", "26.00"),
            ("Candle snuffer", "17.50"),
            ("Night light, stone", "38.00"),
        ),
    ),
    Range(
        "Textiles",
        ("#f3e3df", "#b5695a"),
        "fold",
        (
            ("Ramie summer blanket", "110.00"),
            ("Wool throw", "135.00"),
            ("Linen sheet set", "168.00"),
            ("Patchwork bojagi", "76.00"),
            ("Cotton waffle towel", "24.50"),
            ("Quilted nubi cushion", "54.00"),
            ("Mohair scarf", "82.00"),
            ("Linen apron", "46.00"),
            ("Felt slippers", "42.00"),
            ("Wool rug, oat", "240.00"),
            ("Silk eye mask", "32.00"),
        ),
        sizes=(("Wool throw", "S M L"), ("Linen sheet set", "Single Double King")),
    ),
    Range(
        "Paper & Desk",
        ("#e4e9f2", "#5b76a6"),
        "sheet",
        (
            ("Hanji notebook", "21.00"),
            ("Brass pen rest", "28.00"),
            ("Cherry wood pencil", "4.50"),
            ("Letter set, mulberry", "17.00"),
            ("Desk tray, walnut", "62.00"),
            ("Ink stone", "74.00"),
            ("Weekly planner", "26.00"),
            ("Linen bookmark", "7.00"),
            ("Archive box", "33.00"),
            ("Brush pen", "13.50"),
            ("Wall calendar", "23.00"),
        ),
    ),
    Range(
        "Plants & Garden",
        ("#e6f0d8", "#6c8f3f"),
        "leaf",
        (
            ("Terracotta planter", "29.00"),
            ("Copper watering can", "88.00"),
            ("Moss terrarium", "67.00"),
            ("Pruning shears", "41.00"),
            ("Cedar seed box", "34.00"),
            ("Hanging planter", "37.00"),
            ("Garden trowel", "25.00"),
            ("Kokedama fern", "45.00"),
            ("Propagation glass", "18.50"),
            ("Jute twine", "6.50"),
            ("Stone bird bath", "195.00"),
        ),
    ),
    Range(
        "Bath & Calm",
        ("#e0eef0", "#4f8f97"),
        "drop",
        (
            ("Hinoki bath stool", "98.00"),
            ("Camellia hand cream", "19.50"),
            ("Charcoal soap", "9.50"),
            ("Loofah brush", "15.00"),
            ("Bath salt, pine", "22.50"),
            ("Incense, sandalwood", "16.00"),
            ("Incense holder", "31.00"),
            ("Cotton bath robe", "89.00"),
            ("Jade face roller", "35.00"),
            ("Singing bowl", "72.00"),
            ("Wooden comb", "20.00"),
        ),
    ),
)

#: The product that the story is about.
STORY_PRODUCT = "Celadon tea bowl"

DESCRIPTION = (
    "<p>{name} — made in small batches by people who sign their work. Each piece differs a little from the next, "
    "as hand-made things do.</p><p>Packed without plastic, sent within two days.</p>"
)
