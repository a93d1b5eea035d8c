"""The link in a reminder that brings the shopper back to the basket, on whatever device the mail is read.

The link is a signed token that names one basket until a day. It opens no account: an account's basket is shown to its
owner only, after signing in. To look at the link changes nothing; only a browser that has a basket of its own takes the
other one in, as Oscar does when somebody signs in.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode, urljoin

from django.conf import settings as django_settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import NoReverseMatch, reverse
from oscar.core.loading import get_class, get_model

from crm_plugin import clock
from crm_plugin.http.doors import not_found, public
from crm_plugin.ids import sign, unsign
from crm_plugin.shops.oscar import site
from crm_plugin.shops.oscar.keys import primary_key

Basket = get_model("basket", "Basket")
BasketMiddleware: Any = get_class("basket.middleware", "BasketMiddleware")

#: How long a link brings back its basket; afterwards it leads to the basket that the browser has.
DAYS: Final = 30
_PURPOSE: Final = "oscar.recovery"


def url_of(basket: Any) -> str:
    """Return the link. Where the CRM's addresses are not mounted here, an owner's leads to their basket page."""
    last_day = clock.now().date() + timedelta(days=DAYS)
    try:
        path = reverse("crm-cart", args=[sign(_PURPOSE, f"{basket.pk}.{last_day:%Y%m%d}")])
    except NoReverseMatch:
        path = _basket_page() if basket.owner_id else ""
    return urljoin(site.url(), path) if path else ""


@public("GET", "HEAD")
def recover(request: HttpRequest, token: str) -> HttpResponse:
    """Give the browser the basket of the link, if it may have it, and show the basket page."""
    value = unsign(_PURPOSE, token)
    if value is None:
        return not_found()
    key, _, last_day = value.rpartition(".")
    if clock.now().date().strftime("%Y%m%d") > last_day:
        return HttpResponseRedirect(_basket_page())
    basket = Basket.open.filter(pk=primary_key(Basket, key)).first()
    user = request.user
    if basket is None:
        return HttpResponseRedirect(_basket_page())
    if basket.owner_id is not None:
        return HttpResponseRedirect(_basket_page() if user.is_authenticated else _login_page())
    return _give(request, basket) if request.method == "GET" else HttpResponseRedirect(_basket_page())


def _give(request: HttpRequest, basket: Any) -> HttpResponse:
    """Put a guest's basket into the browser's cookie, or into the basket that the browser has."""
    middleware = BasketMiddleware(lambda _request: HttpResponse())
    cookie_key = middleware.get_cookie_key(request)
    own = middleware.get_cookie_basket(cookie_key, request, Basket.open)
    response = HttpResponseRedirect(_basket_page())
    if own is not None and own.pk != basket.pk and own.lines.exists():
        _take_in(own.pk, basket.pk)
    else:
        # Signed in, the next page moves it into the account's basket: Oscar does so with every basket in a cookie.
        request.cookies_to_delete = [key for key in _doomed(request) if key != cookie_key]  # type: ignore[attr-defined]
        response.set_cookie(
            cookie_key,
            middleware.get_basket_hash(basket.pk),
            max_age=django_settings.OSCAR_BASKET_COOKIE_LIFETIME,
            secure=django_settings.OSCAR_BASKET_COOKIE_SECURE,
            httponly=True,
        )
    return response


def _take_in(own_key: int, other_key: int) -> None:
    """Move the lines of the other basket into the browser's own; twice, at the same time, is once."""
    with transaction.atomic():
        locked = Basket.open.select_for_update().filter(pk__in=(own_key, other_key), owner=None).order_by("pk")
        baskets = {basket.pk: basket for basket in locked}
        if own_key in baskets and other_key in baskets:
            baskets[own_key].merge(baskets[other_key], add_quantities=False)


def _doomed(request: HttpRequest) -> list[str]:
    found: list[str] = getattr(request, "cookies_to_delete", [])
    return found


def _basket_page() -> str:
    return reverse("basket:summary")


def _login_page() -> str:
    return f"{reverse('customer:login')}?{urlencode({'next': _basket_page()})}"
