"""What the operator decides, as Saleor keeps it: the plugin's switch and its configuration."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urljoin, urlsplit

from django.conf import settings as django_settings
from saleor.core.utils import get_public_url
from saleor.plugins.models import PluginConfiguration

from crm_plugin.conf import settings
from crm_plugin.shop import Operator

PLUGIN_ID: Final = "crm"
#: ``/plugins/global/<id>/`` and not the older ``/plugins/<id>/``: Saleor means to remove that one.
ENDPOINTS: Final = f"plugins/global/{PLUGIN_ID}/"
#: How long a process may not notice that the plugin was switched; every loop asks, so asking must be cheap.
CACHE_SECONDS: Final = 2.0

PUBLIC_URL: Final = "public_url"
PRODUCT_URL: Final = "storefront_product_url"
CART_URL: Final = "storefront_cart_url"
ORIGINS: Final = "dashboard_origins"

#: Where Saleor's own storefront has its product pages; used below the public address until the operator says better.
USUAL_PRODUCT_PATH: Final = "/{channel}/products/{slug}"
PRODUCT_WORDS: Final = frozenset({"channel", "slug", "product_id", "variant_id"})
CART_WORDS: Final = frozenset({"channel", "cart", "checkout_id"})
_REPLICA: Final = "DATABASE_CONNECTION_REPLICA_NAME"
_WORD = re.compile(r"{([^{}]*)}")
_PORT = r"(?::\d{1,5})?"
_ORIGIN = re.compile(rf"https?://(?:[\w.-]+|\[[0-9A-Fa-f:.]+\]){_PORT}", re.ASCII)
#: Written into the headers and the HTML of mails, so nothing that would end either. A word may be in the host.
_ADDRESS = re.compile(rf"https?://(?:[\w.{{}}-]+|\[[0-9A-Fa-f:.]+\]){_PORT}(?:[/?#][^\s\"<>\\]*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Configuration:
    """The plugin's configuration, read. Empty strings are what the operator left open."""

    is_active: bool = False
    public_url: str = ""
    product_url: str = ""
    cart_url: str = ""
    dashboard_origins: tuple[str, ...] = ()


_cached: tuple[float, Configuration] | None = None


def load() -> Configuration:
    """Return the configuration, at most ``CACHE_SECONDS`` old."""
    global _cached  # noqa: PLW0603 - one small value per process, replaced as a whole
    now = time.monotonic()
    if _cached is None or now >= _cached[0]:
        _cached = (now + CACHE_SECONDS, _read())
    return _cached[1]


def forget() -> None:
    """Read the configuration anew the next time."""
    global _cached  # noqa: PLW0603 - as above
    _cached = None


def operator() -> Operator:
    """Return what the operator decided; the plugin's configuration goes before the settings of ``conf``."""
    conf, found = settings(), load()
    own = conf.public_url and not found.public_url
    prefix = conf.public_url if own else f"{public_url().rstrip('/')}/{ENDPOINTS}"
    return Operator(
        is_enabled=conf.enabled and found.is_active,
        public_url=f"{prefix.rstrip('/')}/",
        dashboard_origins=found.dashboard_origins or conf.dashboard_origins,
    )


def public_url() -> str:
    """Return the address under which this Saleor is reached."""
    return load().public_url or str(get_public_url())


def absolute(location: str) -> str:
    """Return a path of this Saleor as an absolute address; what is absolute (media in a bucket) stays as it is."""
    return urljoin(f"{public_url().rstrip('/')}/", location)


def product_url(*, channel: str, slug: str, product_id: str, variant_id: str) -> str:
    """Return the address of a product in the storefront."""
    template = load().product_url or f"{public_url().rstrip('/')}{USUAL_PRODUCT_PATH}"
    return _fill(template, {"channel": channel, "slug": slug, "product_id": product_id, "variant_id": variant_id})


def cart_url(*, channel: str, cart_ref: str) -> str:
    """Return the address at which the storefront opens a cart; empty when the operator gave none.

    ``{cart}`` is the checkout's token, ``{checkout_id}`` its id in Saleor's GraphQL, as most storefronts want it.
    """
    key = base64.b64encode(f"Checkout:{cart_ref}".encode()).decode()
    return _fill(load().cart_url, {"channel": channel, "cart": cart_ref, "checkout_id": key})


def storefront_url() -> str:
    """Return the root of the storefront; of Saleor where each channel has a storefront of its own."""
    parts = urlsplit(load().product_url)
    if not parts.netloc or _WORD.search(parts.netloc):
        parts = urlsplit(public_url())
    return f"{parts.scheme}://{parts.netloc}/"


def problems(values: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong with a configuration, by field."""
    checks = {
        PUBLIC_URL: _url_problem(values.get(PUBLIC_URL, ""), words=frozenset()),
        PRODUCT_URL: _url_problem(values.get(PRODUCT_URL, ""), words=PRODUCT_WORDS),
        CART_URL: _url_problem(values.get(CART_URL, ""), words=CART_WORDS),
        ORIGINS: next(filter(None, map(_origin_problem, split(values.get(ORIGINS, "")))), ""),
    }
    if values.get(PRODUCT_URL) and not {"slug", "product_id"} & set(_WORD.findall(values[PRODUCT_URL])):
        checks[PRODUCT_URL] = checks[PRODUCT_URL] or "Every product would have one address: use {slug} or {product_id}."
    return {field: problem for field, problem in checks.items() if problem}


def split(value: str) -> tuple[str, ...]:
    """Return the entries of a list that is written with commas or one on each line."""
    return tuple(part for part in re.split(r"[,\s]+", value) if part)


def values_of(configuration: Iterable[Mapping[str, Any]] | None) -> dict[str, str]:
    """Return Saleor's list of ``{name, value}`` as a mapping, without surrounding space."""
    return {str(item.get("name")): str(item.get("value") or "").strip() for item in configuration or ()}


def _read() -> Configuration:
    replica = getattr(django_settings, _REPLICA)
    row = PluginConfiguration.objects.using(replica).filter(identifier=PLUGIN_ID, channel=None).first()
    if row is None:
        return Configuration()
    values = values_of(row.configuration)
    return Configuration(
        is_active=row.active,
        public_url=values.get(PUBLIC_URL, ""),
        product_url=values.get(PRODUCT_URL, ""),
        cart_url=values.get(CART_URL, ""),
        dashboard_origins=split(values.get(ORIGINS, "")),
    )


def _fill(template: str, words: Mapping[str, str]) -> str:
    """Replace the words only; ``str.format`` would let a template reach into objects."""
    return _WORD.sub(lambda found: quote(words.get(found[1], ""), safe=""), template)


def _url_problem(value: str, *, words: frozenset[str]) -> str:
    if not value:
        return ""
    unknown = sorted(set(_WORD.findall(value)) - words)
    if unknown:
        known = ", ".join(f"{{{word}}}" for word in sorted(words)) or "none"
        return f"Unknown: {', '.join(f'{{{word}}}' for word in unknown)}. Known: {known}."
    return "" if _ADDRESS.fullmatch(value) else "An absolute address is needed, for example https://shop.example/."


def _origin_problem(value: str) -> str:
    return "" if _ORIGIN.fullmatch(value) else f"{value} is not an origin; one looks like https://dashboard.example."
