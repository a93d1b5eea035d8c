"""The reward of the story: a customer writes a review by the link in a mail, gets a code for it, and orders with it.

Kept apart from ``story``: what he does in the hosted form and in the basket, and what staff ask for and decide.
"""

from __future__ import annotations

import re
from typing import Any

from demo.browser import Browser, PageError
from demo.services.mailsink import Letter

STARS = "5"
TITLE = "Still my favourite"
BODY = "It has been on our table every day since it arrived."

_QUEUE = """
query { crmReviews(state: PENDING, first: 20) { edges { node { id title rating isVerified } } } }
"""
_PUBLISH = """
mutation($id: ID!) { crmReviewPublish(id: $id) { review { state } errors { message } } }
"""
_COUPON = """
query($code: String!) { crmCoupons(code: $code, first: 1) { edges { node { state name contact { email } } } } }
"""


def write_review(person: Browser, letter: Letter) -> str:
    """Follow the link of the request and send the form; nobody signs in."""
    page = next(
        (
            page
            for link in re.findall(r"http\S+/click/\S+", letter.text)
            if "/review/" in (page := person.get(link)).url
        ),
        None,
    )
    if page is None:
        raise PageError("The mail has no link to the form of a review.")
    answer = person.submit(page, page.forms[0], rating=STARS, title=TITLE, body=BODY)
    if "Thank you for your review" not in answer.html:
        raise PageError(f"The review was not taken. {answer.complaints()}")
    again = person.get(page.url)
    if "You have reviewed this already" not in again.html:
        raise PageError("The same link opens a second form.")
    return f"{STARS} stars, “{TITLE}”, without signing in; the link holds once"


def publish_review(staff: Browser) -> str:
    """Find the review in the queue and publish it."""
    waiting = [edge["node"] for edge in staff.graphql(_QUEUE)["crmReviews"]["edges"]]
    mine = [one for one in waiting if one["title"] == TITLE]
    if len(mine) != 1 or not mine[0]["isVerified"]:
        raise PageError(f"Among the reviews that wait is not the one of a buyer: {waiting}")
    published = staff.graphql(_PUBLISH, {"id": mine[0]["id"]})["crmReviewPublish"]
    if published["errors"]:
        raise PageError(f"The review was not published: {published['errors']}")
    return f"{len(waiting)} waited; a verified purchase; {published['review']['state'].lower()}"


def code_in(letter: Letter) -> str:
    """Return the code that the letter thanks with."""
    found = re.search(r"\bTHX[A-Z0-9]{6,}\b", letter.text)
    if found is None:
        raise PageError("The mail of thanks has no code.")
    return found[0]


def use_code(person: Browser, code: str) -> None:
    """Type the code into the basket."""
    page = person.get("/basket/")
    after = person.submit(page, page.form("/basket/vouchers/add/"), code=code)
    if code not in person.get("/basket/").html:
        raise PageError(f"The basket did not take the code. {after.complaints()}")


def coupon(staff: Browser, code: str) -> dict[str, Any]:
    """Return what the CRM knows of a code."""
    edges = staff.graphql(_COUPON, {"code": code})["crmCoupons"]["edges"]
    return dict(edges[0]["node"]) if edges else {}
