"""Oscar's signals become facts. Each receiver writes at most one row and can never fail the shop.

They run inside the shop's own transaction: what is rolled back there was never told here. A browser has the cookie of
our script only with its owner's consent: without it, what an anonymous visitor looks at leaves no row.

Oscar sends its own signals with an instance as the sender, so those are never connected to a class.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any, Final
from uuid import uuid4

from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in
from django.db.models import Model, QuerySet
from django.db.models.signals import m2m_changed, post_delete, post_save
from oscar.core.loading import get_class, get_model

from crm_plugin import activity, contacts, guard
from crm_plugin.conf import settings
from crm_plugin.shop import Fact, FactKind
from crm_plugin.shops.oscar import facts, site, vouchers, wishlists
from crm_plugin.shops.oscar.catalogue import ids_of, price_shown

Receiver = Callable[..., None]

#: A search query longer than this is nothing a person typed.
QUERY_LENGTH: Final = 200
#: What of a user the engine keeps a copy of.
_COPIED_FIELDS: Final = frozenset({"email", "first_name", "last_name"})


def door(name: str, *, asks_database: bool = True) -> Callable[[Callable[..., Fact | None]], Receiver]:
    """Return a decorator that records the fact that a receiver returns, behind the guard ``oscar.<name>``.

    ``asks_database`` is False where the signal brings everything along: pages that shoppers open all day.
    """

    def decorate(tell: Callable[..., Fact | None]) -> Receiver:
        @guard.guarded(f"oscar.{name}", asks_database=asks_database)
        def tell_and_record(**signal: Any) -> None:
            fact = tell(**signal)
            if fact is not None:
                activity.record(fact)

        @wraps(tell)
        def receive(**signal: Any) -> None:
            # Rows loaded from a fixture were not just made by anybody.
            if settings().enabled and not signal.get("raw", False):
                tell_and_record(**signal)

        return receive

    return decorate


def visitor_of(request: Any) -> str:
    """Return the id of the browser that makes a request; empty when it has none or the signal brings no request."""
    return contacts.clean_visitor_id(getattr(request, "COOKIES", {}).get(contacts.VISITOR_KEY))


@door("user_registered")
def registered(*, user: Any, request: Any = None, **_signal: Any) -> Fact:
    """An account was opened in the storefront."""
    return replace(facts.signed_up(user), visitor_id=visitor_of(request))


@door("user_logged_in", asks_database=False)
def logged_in(*, user: Any, request: Any = None, **_signal: Any) -> Fact:
    """Somebody signed in, whatever the page (Django's signal; Oscar's own knows only one of them)."""
    return Fact(
        kind=FactKind.LOGGED_IN,
        source_key=f"customer:{user.pk}:login:{uuid4().hex}",
        customer_id=str(user.pk),
        email=user.email,
        visitor_id=visitor_of(request),
    )


@door("user_saved")
def user_saved(*, instance: Any, created: bool, update_fields: Any, **_signal: Any) -> Fact | None:
    """A name or an address may have changed; Django's own note of the last login is none of that."""
    if created or (update_fields is not None and not _COPIED_FIELDS & set(update_fields)):
        return None
    return Fact(
        kind=FactKind.CUSTOMER_CHANGED,
        source_key=f"customer:{instance.pk}:changed:{uuid4().hex}",
        customer_id=str(instance.pk),
        email=instance.email,
    )


@door("user_deleted")
def user_deleted(*, instance: Any, **_signal: Any) -> Fact:
    """An account was deleted, by the customer or by staff."""
    return Fact(
        kind=FactKind.CUSTOMER_DELETED,
        source_key=f"customer:{instance.pk}:deleted",
        customer_id=str(instance.pk),
        email=instance.email,
    )


@door("product_viewed")
def viewed(*, product: Any, user: Any, request: Any = None, **_signal: Any) -> Fact | None:
    """A product's page was opened."""
    customer_id, visitor_id = _customer_id(user), visitor_of(request)
    if not (customer_id or visitor_id):
        return None
    product_id, variant_id = ids_of(product)
    return Fact(
        kind=FactKind.VIEWED,
        source_key=f"view:{customer_id or visitor_id}:{product.pk}:{uuid4().hex}",
        customer_id=customer_id,
        visitor_id=visitor_id,
        product_id=product_id,
        variant_id=variant_id,
        shop_channel=site.CHANNEL,
    )


@door("user_search", asks_database=False)
def searched(*, user: Any, query: str, sender: Any = None, **_signal: Any) -> Fact | None:
    """Somebody searched the catalogue. The sender is the view, and has the request that the signal does not bring."""
    customer_id, visitor_id = _customer_id(user), visitor_of(getattr(sender, "request", None))
    if not (customer_id or visitor_id) or not query.strip():
        return None
    return Fact(
        kind=FactKind.SEARCHED,
        source_key=f"search:{customer_id or visitor_id}:{uuid4().hex}",
        customer_id=customer_id,
        visitor_id=visitor_id,
        shop_channel=site.CHANNEL,
        subject=query.strip().lower()[:QUERY_LENGTH],
    )


@door("basket_line_saved", asks_database=False)
def basket_line_saved(*, instance: Any, **_signal: Any) -> Fact:
    """Something was put in a basket, or its quantity changed, or two baskets became one."""
    return facts.cart_changed(instance)


@door("basket_line_deleted")
def basket_line_deleted(*, instance: Any, origin: Any = None, **_signal: Any) -> Fact | None:
    """Something was taken out of a basket."""
    return None if _is_user(origin) else facts.cart_changed(instance, is_gone=True)


@door("start_checkout")
def checkout_started(*, request: Any, email: str = "", **_signal: Any) -> Fact | None:
    """A customer, or a guest who left an address, began to check out."""
    customer_id, visitor_id = _customer_id(request.user), visitor_of(request)
    if not (customer_id or email or visitor_id):
        return None
    return Fact(
        kind=FactKind.CHECKOUT_STARTED,
        source_key=f"checkout:{request.basket.pk}:{uuid4().hex}",
        customer_id=customer_id,
        email=email or getattr(request.user, "email", ""),
        visitor_id=visitor_id,
        shop_channel=site.CHANNEL,
        cart_ref=str(request.basket.pk),
    )


@door("order_placed")
def order_placed(*, order: Any, **_signal: Any) -> Fact:
    """An order was placed, by a customer or a guest."""
    return facts.ordered(order)


@door("order_status_changed")
def order_status_changed(*, order: Any, new_status: str, **_signal: Any) -> Fact | None:
    """Staff or a process moved an order on."""
    return facts.moved_on(order, status=new_status)


@door("shipping_event")
def shipping_event_saved(*, instance: Any, created: bool, **_signal: Any) -> Fact | None:
    """Something was shipped."""
    return facts.shipped(instance) if created else None


@door("wishlist_line_saved")
def wishlist_line_saved(*, instance: Any, created: bool, **_signal: Any) -> Fact | None:
    """A product was liked. The price goes with it: it may fall before the inbox is read."""
    if not created or instance.product is None:
        return None
    return facts.liked(instance, price=price_shown(instance.product, user=instance.wishlist.owner))


@door("wishlist_line_deleted")
def wishlist_line_deleted(*, instance: Any, origin: Any = None, **_signal: Any) -> Fact | None:
    """A product was taken off a wishlist, and is on none of that customer's any more."""
    if instance.product is None or _is_user(origin) or wishlists.is_kept(instance):
        return None
    return facts.unliked(instance)


@door("stock_record_saved")
def stock_record_saved(*, instance: Any, **_signal: Any) -> Fact:
    """A price or a stock may have changed: look again."""
    product_id, variant_id = ids_of(instance.product)
    return Fact(
        kind=FactKind.CATALOGUE_CHANGED,
        source_key=f"look:{uuid4().hex}",
        product_id=product_id,
        variant_id=variant_id,
        shop_channel=site.CHANNEL,
    )


@door("review_added")
def review_added(*, review: Any, **_signal: Any) -> Fact:
    """A product was reviewed."""
    return facts.reviewed(review)


@door("review_saved", asks_database=False)
def review_saved(*, instance: Any, created: bool, **_signal: Any) -> Fact | None:
    """A review was edited or moderated, or somebody voted on it."""
    return None if created else facts.review_changed(instance)


@door("review_deleted", asks_database=False)
def review_deleted(*, instance: Any, **_signal: Any) -> Fact:
    """A review was deleted, also together with its product or its author."""
    return facts.review_changed(instance)


@door("voucher_applied")
def voucher_applied(*, instance: Any, created: bool, **_signal: Any) -> Fact | None:
    """A voucher was used in an order."""
    return facts.coupon_used(instance) if created else None


@door("voucher_offers_added")
def voucher_offers_added(*, instance: Any, action: str, reverse: bool, **_signal: Any) -> Fact | None:
    """A voucher was given its offers: before that it is worth nothing."""
    return vouchers.news(instance) if action == "post_add" and not reverse else None


def connect() -> None:
    """Hang every receiver on its signal; doing it twice is doing it once."""
    user = get_user_model()
    for signal, receiver, sender in (
        (get_class("customer.signals", "user_registered"), registered, None),
        (user_logged_in, logged_in, None),
        (post_save, user_saved, user),
        (post_delete, user_deleted, user),
        (get_class("catalogue.signals", "product_viewed"), viewed, None),
        (get_class("search.signals", "user_search"), searched, None),
        (post_save, basket_line_saved, get_model("basket", "Line")),
        (post_delete, basket_line_deleted, get_model("basket", "Line")),
        (get_class("checkout.signals", "start_checkout"), checkout_started, None),
        (get_class("order.signals", "order_placed"), order_placed, None),
        (get_class("order.signals", "order_status_changed"), order_status_changed, None),
        (post_save, shipping_event_saved, get_model("order", "ShippingEvent")),
        (post_save, wishlist_line_saved, get_model("wishlists", "Line")),
        (post_delete, wishlist_line_deleted, get_model("wishlists", "Line")),
        (post_save, stock_record_saved, get_model("partner", "StockRecord")),
        (get_class("catalogue.reviews.signals", "review_added"), review_added, None),
        (post_save, review_saved, get_model("reviews", "ProductReview")),
        (post_delete, review_deleted, get_model("reviews", "ProductReview")),
        (post_save, voucher_applied, get_model("voucher", "VoucherApplication")),
        (m2m_changed, voucher_offers_added, get_model("voucher", "Voucher").offers.through),
    ):
        signal.connect(receiver, sender=sender, dispatch_uid=f"crm.oscar.{receiver.__name__}")


def _customer_id(user: Any) -> str:
    return str(user.pk) if user.is_authenticated else ""


def _is_user(origin: Any) -> bool:
    """Whether rows go because their owner goes: that is told once, by the user, not as acts of that person."""
    model = origin.model if isinstance(origin, QuerySet) else type(origin) if isinstance(origin, Model) else None
    return model is not None and issubclass(model, get_user_model())
