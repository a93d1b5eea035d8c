"""The broker is away while people shop: the shop is as quick as ever, and nothing that happened is lost."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from oscar.core.loading import get_model

from crm_plugin import contacts
from crm_plugin.contacts import ChannelKind, Person
from crm_plugin.models import Inbox, Message
from crm_plugin.shop import FactKind, ProductRef
from demo.browser import Browser
from demo.services.mailsink import MailSink
from demo.services.processes import free_port
from tests.e2e.running import RunningShop
from tests.shops.oscar.world import PASSWORD, OscarWorld

StockRecord = get_model("partner", "StockRecord")
EMAIL = "ann@example.com"
#: A client that waits for a silent broker does so for at least four seconds (amqp's connect timeout).
QUICK_SECONDS = 2.5
MAIL_SECONDS = 40.0


@contextmanager
def refusing() -> Iterator[str]:
    """A broker that is down: nobody listens."""
    yield f"amqp://guest@127.0.0.1:{free_port()}//"


@contextmanager
def silent() -> Iterator[str]:
    """A broker that hangs: the connection is taken and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"amqp://guest@127.0.0.1:{server.getsockname()[1]}//"


def come_back(shop: RunningShop) -> None:
    """A worker and beat that reach a broker."""
    shop.start_worker()
    shop.start_beat()


def drain_once(shop: RunningShop) -> None:
    """An operator without a worker."""
    assert "stopped" in shop.manage("crm", "run", "--once")


@pytest.mark.parametrize(("outage", "recover"), [(refusing, come_back), (silent, drain_once)])
def test_shopping_goes_on_without_a_broker_and_the_mail_goes_out_later(
    world: OscarWorld,
    ref: ProductRef,
    run_shop: Callable[..., RunningShop],
    mail_sink: MailSink,
    outage: Callable[[], Any],
    recover: Callable[[RunningShop], None],
) -> None:
    customer_id = world.make_customer(email=EMAIL, first_name="Ann")
    contact = contacts.get_or_create(Person(customer_id, EMAIL))
    contacts.set_consent(contact.pk, channel=ChannelKind.EMAIL, is_granted=True, source="test")
    shop = run_shop()

    with outage() as url:
        shop.start_web(CELERY_BROKER_URL=url)
        slowest = shop_around(shop.url, ref)
        fall(ref)
        recorded = set(Inbox.objects.filter(customer_id=customer_id).values_list("kind", flat=True))
        mailed_meanwhile = len(mail_sink.letters)
    recover(shop)
    shop.processes.wait_until(lambda: bool(mail_sink.letters), what="the mail", timeout_seconds=MAIL_SECONDS)

    assert slowest < QUICK_SECONDS
    assert {FactKind.LOGGED_IN, FactKind.VIEWED, FactKind.LIKED, FactKind.CART_CHANGED} <= recorded
    assert mailed_meanwhile == 0
    assert [letter.recipients for letter in mail_sink.letters] == [(EMAIL,)]
    shop.processes.wait_until(lambda: not Inbox.objects.exists(), what="an empty inbox")
    assert Message.objects.count() == 1


def shop_around(url: str, ref: ProductRef) -> float:
    """Sign in, look, like and put in the cart, as a person does; return how long the slowest page took."""
    browser, seconds = Browser(url), []

    def timed(page: Callable[[], Any]) -> Any:
        started = time.monotonic()
        result = page()
        seconds.append(time.monotonic() - started)
        return result

    entrance = timed(lambda: browser.get("/accounts/login/"))
    credentials = {"login__username": EMAIL, "login__password": PASSWORD, "login_submit": "Log In"}
    timed(lambda: browser.submit(entrance, entrance.form("login_form"), **credentials))
    product = timed(lambda: browser.get(f"/catalogue/celadon-bowl_{ref.product_id}/"))
    timed(lambda: browser.submit(product, product.form("/wishlists/add/")))
    timed(lambda: browser.submit(product, product.form("/basket/add/"), quantity="1"))
    return max(seconds)


def fall(ref: ProductRef) -> None:
    """Lower the price, as staff do."""
    record = StockRecord.objects.get(product_id=ref.variant_id)
    record.price = Decimal("36.00")
    record.save()
