"""The story: a product is liked, its price drops, the right mail goes out; then ready-made campaigns take over.

Everything is done over HTTP as people do it, in the storefront, the dashboard and the mail; nothing reaches behind.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from demo import automations, questions, rewards
from demo.accounts import BOUNCE_EMAIL, BOUNCE_PHONE, CART_EMAIL, REVIEW_EMAIL, WIN_BACK_EMAIL
from demo.browser import Browser, Page, PageError
from demo.goods import STORY_PRODUCT
from demo.services.gateway import Gateway, TextMessage
from demo.services.mailsink import Letter, MailSink
from demo.services.processes import Processes

#: A price drop reaches the reader within seconds; a slow machine gets more.
MAIL_SECONDS = 90.0
SHOWN_SECONDS = 45.0
#: What a person takes at least to look at a mail.
READING_SECONDS = 4.0
#: A segment follows within a minute, also one that was saved a moment ago.
MEMBER_SECONDS = 60.0
NEW_PRICE = "36.00"

MESSAGES = """
query($first: Int!) { crmMessages(first: $first) { edges { node {
  state subject recipient openedAt clickedAt campaign { name } contact { email }
} } } }
"""
CONTACT = "query($email: String) { crmContacts(first: 1, email: $email) { edges { node { ordersCount email } } } }"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table: who did what, what came of it, and how many seconds it took."""

    who: str
    what: str
    result: str
    seconds: float


class Story:
    """Plays the parts of the shopper and of staff.

    Args:
        shop_url: address of the storefront.
        sink: where mail arrives.
        gateway: where text messages arrive.
        processes: watched while waiting, so that a dead worker is told at once.
        accounts: e-mail of shopper and staff, and the password of both.
    """

    def __init__(
        self,
        shop_url: str,
        *,
        sink: MailSink,
        gateway: Gateway,
        processes: Processes,
        accounts: tuple[str, str, str],
    ) -> None:
        self._shopper_email, self._staff_email, self._password = accounts
        self._sink = sink
        self._gateway = gateway
        self._processes = processes
        self._shopper, self._staff = Browser(shop_url), Browser(shop_url)
        self._newcomer, self._customer, self._reviewer = Browser(shop_url), Browser(shop_url), Browser(shop_url)
        self._product_url = ""
        self._dropped_at = datetime.now(UTC)
        self._letter: Letter | None = None
        self._segment = ""
        self._campaigns: dict[str, str] = {}
        self._newcomer_email = ""
        self._code = ""

    def play(self) -> Iterator[Line]:
        """Play one part after the other; each line is given as soon as its part is over.

        Raises:
            PageError, ProcessFailed: a part failed; the rest is not played.
        """
        for who, what, part in (
            ("shopper", "signs in", self._sign_in),
            ("shopper", "likes a product", self._like),
            ("staff", "lowers its price", self._lower_price),
            ("CRM", "mails the shopper", self._await_mail),
            ("CRM", "texts whom mail misses", self._await_text),
            ("shopper", "reads the mail, clicks", self._click),
            ("staff", "asks about the product", self._ask),
            ("staff", "saves a segment", self._save_segment),
            ("shopper", "orders at the new price", self._order),
            ("CRM", "puts her into the segment", self._follow),
            ("staff", "sees it in the CRM", self._see),
            ("staff", "starts ready campaigns", self._start_campaigns),
            ("newcomer", "signs up, agrees to mail", self._sign_up),
            ("customer", "leaves a cart behind", self._leave_cart),
            ("CRM", "asks for a review", self._await_review),
            ("reviewer", "writes it", self._write_review),
            ("staff", "publishes it", self._publish_review),
            ("CRM", "thanks with a coupon", self._await_coupon),
            ("reviewer", "orders with the code", self._use_coupon),
            ("staff", "sees the code used", self._see_coupon),
            ("CRM", "writes to a lost customer", self._await_win_back),
            ("CRM", "greets the newcomer", self._await_greeting),
            ("staff", "asks who is next (dry run)", self._dry_run),
        ):
            started = time.monotonic()
            result = part()
            yield Line(who, what, result, time.monotonic() - started)

    def _sign_in(self) -> str:
        _log_in(self._shopper, self._shopper_email, self._password)
        return self._shopper_email

    def _like(self) -> str:
        found = self._shopper.get(f"/search/?q={STORY_PRODUCT.replace(' ', '+')}")
        page = self._shopper.get(_link_like(found, r"/catalogue/[a-z0-9-]+_\d+/$"))
        self._product_url = page.url
        self._shopper.submit(page, page.form("/wishlists/add/"))
        lists = self._shopper.get("/accounts/wishlists/")
        mine = self._shopper.get(_link_like(lists, r"/wishlists/[a-z0-9]{6}/$"))
        if STORY_PRODUCT not in mine.html:
            raise PageError("The liked product is not on the wishlist.")
        return f"{STORY_PRODUCT}, {_price(page)}"

    @property
    def _product_id(self) -> str:
        return self._product_url.rstrip("/").rpartition("_")[2]

    def _lower_price(self) -> str:
        _log_in(self._staff, self._staff_email, self._password)
        page = self._staff.get(f"/dashboard/catalogue/products/{self._product_id}/")
        form = page.form("create_update_product_form")
        old = dict(form.values)["stockrecords-0-price"]
        self._dropped_at = datetime.now(UTC)
        after = self._staff.submit(page, form, stockrecords__0__price=NEW_PRICE, action="save")
        if "/dashboard/catalogue/" not in after.url or "alert-danger" in after.html:
            raise PageError(f"The dashboard did not take the new price. {after.complaints()}")
        return f"{old} to {NEW_PRICE}, in the dashboard"

    def _await_mail(self) -> str:
        self._wait(lambda: bool(self._letters()), what="the mail about the lower price", seconds=MAIL_SECONDS)
        self._letter = self._letters()[0]
        took = (self._letter.received_at - self._dropped_at).total_seconds()
        return f"“{self._letter.subject}”, {took:.1f} s after the price fell"

    def _await_text(self) -> str:
        self._wait(
            lambda: bool(self._texts()), what="the text message in place of a bounced mail", seconds=MAIL_SECONDS
        )
        if self._sink.letters_to(BOUNCE_EMAIL) or len(self._texts()) > 1:
            raise PageError("Somebody was written to twice.")
        return f"{BOUNCE_EMAIL} bounced; {BOUNCE_PHONE}: “{self._texts()[0].text}”"

    def _texts(self) -> list[TextMessage]:
        return [one for one in self._gateway.messages if one.recipient == BOUNCE_PHONE]

    def _letters(self) -> list[Letter]:
        return self._letters_to(self._shopper_email)

    def _click(self) -> str:
        letter = self._letter
        assert letter is not None  # noqa: S101 - the part before failed otherwise
        pixels = re.findall(r'src="([^"]+/open/[^"]+)"', letter.html)
        if not pixels:
            raise PageError("The mail has no picture that tells of its opening.")
        # Who opens and clicks within a moment is taken for a machine.
        time.sleep(READING_SECONDS)
        self._shopper.get(pixels[0])
        link = re.search(re.escape(STORY_PRODUCT) + r".*?(http\S+/click/\S+)", letter.text, re.DOTALL)
        if link is None:
            raise PageError("The mail has no link to the product.")
        page = self._shopper.get(link[1])
        if page.url.split("?")[0] != self._product_url:
            raise PageError(f"The link of the mail leads to {page.url}.")
        return f"lands on {page.url}"

    def _order(self) -> str:
        self._fill_basket(self._shopper)
        return _check_out(self._shopper)

    def _fill_basket(self, person: Browser) -> None:
        page = person.get(self._product_url)
        person.submit(page, page.form("/basket/add/"), quantity="1")

    def _ask(self) -> str:
        return questions.ask(self._staff, product_id=self._product_id)

    def _save_segment(self) -> str:
        self._segment, told = questions.save_buyers(self._staff, product_id=self._product_id)
        return told

    def _follow(self) -> str:
        self._wait(
            lambda: self._shopper_email in questions.members(self._staff, segment=self._segment)[1],
            what="the shopper in the segment",
            seconds=MEMBER_SECONDS,
        )
        count, _people = questions.members(self._staff, segment=self._segment)
        return f"{count} people now, nobody rebuilt it"

    def _see(self) -> str:
        self._wait(
            lambda: self._is_complete(self._message()), what="open and click in crmMessages", seconds=SHOWN_SECONDS
        )
        self._wait(lambda: self._orders_count() == 1, what="the order in crmContacts", seconds=SHOWN_SECONDS)
        message = self._message()
        return f"{message['campaign']['name']}: {message['state'].lower()}, opened, clicked; 1 order"

    def _start_campaigns(self) -> str:
        self._campaigns = automations.start(self._staff)
        return ", ".join(name.replace("_", " ") for name in self._campaigns)

    def _sign_up(self) -> str:
        self._newcomer_email = automations.sign_up(self._newcomer)
        return self._newcomer_email

    def _leave_cart(self) -> str:
        return f"{automations.leave_a_cart(self._customer)}: {STORY_PRODUCT}"

    def _await_review(self) -> str:
        return self._await_letter(REVIEW_EMAIL, what="the review request")

    def _write_review(self) -> str:
        return rewards.write_review(self._reviewer, self._letter_to(REVIEW_EMAIL))

    def _publish_review(self) -> str:
        return rewards.publish_review(self._staff)

    def _await_coupon(self) -> str:
        told = self._await_letter(REVIEW_EMAIL, what="the thanks for the review", count=2)
        self._code = rewards.code_in(self._letter_to(REVIEW_EMAIL))
        return f"{told}: {self._code}"

    def _use_coupon(self) -> str:
        _log_in(self._reviewer, REVIEW_EMAIL, self._password)
        self._fill_basket(self._reviewer)
        rewards.use_code(self._reviewer, self._code)
        return f"{_check_out(self._reviewer)}, with {self._code}"

    def _see_coupon(self) -> str:
        self._wait(
            lambda: rewards.coupon(self._staff, self._code).get("state") == "USED",
            what="the used code in crmCoupons",
            seconds=SHOWN_SECONDS,
        )
        known = rewards.coupon(self._staff, self._code)
        return f"{self._code} of {known['contact']['email']}: {known['state'].lower()}"

    def _await_win_back(self) -> str:
        return self._await_letter(WIN_BACK_EMAIL, what="the win-back mail")

    def _await_greeting(self) -> str:
        return self._await_letter(self._newcomer_email, what="the greeting")

    def _await_letter(self, email: str, *, what: str, count: int = 1) -> str:
        """Wait until somebody has so many advertisements; the shop's own mails have no unsubscribe header."""
        self._wait(lambda: len(self._letters_to(email)) >= count, what=what, seconds=MAIL_SECONDS)
        return f"“{self._letters_to(email)[count - 1].subject}”"

    def _letter_to(self, email: str) -> Letter:
        """Return the newest advertisement to somebody."""
        return self._letters_to(email)[-1]

    def _letters_to(self, email: str) -> list[Letter]:
        return [one for one in self._sink.letters_to(email) if one.message["List-Unsubscribe"]]

    def _dry_run(self) -> str:
        cart = self._campaigns["cart_reminder"]
        self._wait(
            lambda: bool(automations.foreseen(self._staff, cart, email=CART_EMAIL)),
            what="the cart in the dry run",
            seconds=SHOWN_SECONDS,
        )
        first, *_ = steps = automations.foreseen(self._staff, cart, email=CART_EMAIL)
        if self._sink.letters_to(CART_EMAIL):
            raise PageError("A dry run has sent something.")
        return f"{CART_EMAIL}: {len(steps)} reminders, the first at {first['at'][11:16]} UTC, unless she orders"

    def _message(self) -> dict[str, Any]:
        edges = self._staff.graphql(MESSAGES, {"first": 20})["crmMessages"]["edges"]
        mine = [edge["node"] for edge in edges if edge["node"]["contact"]["email"] == self._shopper_email]
        return mine[0] if mine else {}

    def _orders_count(self) -> int:
        edges = self._staff.graphql(CONTACT, {"email": self._shopper_email})["crmContacts"]["edges"]
        return int(edges[0]["node"]["ordersCount"]) if edges else 0

    @staticmethod
    def _is_complete(message: dict[str, Any]) -> bool:
        return bool(message) and message["state"] == "SENT" and bool(message["openedAt"]) and bool(message["clickedAt"])

    def _wait(self, is_ready: Callable[[], bool], *, what: str, seconds: float) -> None:
        self._processes.wait_until(is_ready, what=what, timeout_seconds=seconds)


def _log_in(person: Browser, email: str, password: str) -> None:
    page = person.get("/accounts/login/")
    form = page.form("login_form")
    credentials = {"login__username": email, "login__password": password, "login_submit": "Log In"}
    after = person.submit(page, form, **credentials)
    if "/logout/" not in after.html:
        raise PageError(f"{email} could not sign in. {after.complaints()}")


def _check_out(person: Browser) -> str:
    """Take what is in the basket through the checkout; return the order."""
    address = person.get("/checkout/")
    names = {"first_name": "Hana", "last_name": "Lee", "line1": "12 Seochon-ro", "line4": "Seoul"}
    form = address.form("new_shipping_address")
    page = person.submit(address, form, **names, postcode="03035", country="KR")
    page = page if "/preview" in page.url else person.get("/checkout/preview/")
    page = person.submit(page, page.form("place_order_form"))
    if "/checkout/thank-you" not in page.url:
        raise PageError(f"The order was not placed. {page.complaints()}")
    number = re.search(r"<strong>(\d{4,})</strong>|[Oo]rder number[^0-9]{0,80}(\d{4,})", page.html)
    return f"order {next(filter(None, number.groups())) if number else 'placed'}"


def _link_like(page: Page, pattern: str) -> str:
    for link, _text in page.links:
        if re.search(pattern, link):
            return link
    raise PageError(f"{page.url} has no link like {pattern}.")


def _price(page: Page) -> str:
    found = re.search(r'class="price_color">([^<]+)<', page.html)
    return found.group(1).strip() if found else "price not shown"
