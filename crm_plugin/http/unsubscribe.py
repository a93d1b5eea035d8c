"""The way out: GET shows a page and changes nothing, POST withdraws the consent (RFC 8058, one click).

No login, no cookie and no second question, in effect at once (features part 5, "KR free refusal"); the page that comes
back is the notice of the result with sender, matter and date.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from uuid import UUID

from babel.dates import format_date
from django.http import HttpRequest, HttpResponse
from django.template import Context, Engine, Template

from crm_plugin import clock, contacts, merchant, messaging, shop
from crm_plugin.http.doors import not_found, public
from crm_plugin.http.wording import wording

SECURITY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"


@public("GET", "HEAD", "POST")
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Show the question, or do it. Doing it twice, or for somebody who is gone, is fine."""
    public_id = messaging.read_unsubscribe(token)
    if public_id is None:
        return not_found()
    whose = messaging.addressee(public_id)
    is_done = request.method == "POST"
    if is_done and whose is not None and not whose.is_erased:
        _withdraw(whose, public_id, via="page" if request.GET.get("via") == "page" else "one_click")
    return _page(whose.language if whose else "", is_done=is_done)


def _withdraw(whose: messaging.Addressee, public_id: UUID, *, via: str) -> None:
    contacts.set_consent(
        whose.contact_id,
        channel=whose.channel,
        is_granted=False,
        source="unsubscribe_link",
        evidence={"message": str(public_id), "via": via},
    )


def _page(language: str, *, is_done: bool) -> HttpResponse:
    identity, us = shop.current().identity(), merchant.load()
    words = wording(language, us.default_language, identity.language)
    today = clock.now().astimezone(merchant.zone()).date()
    filled = {"sender": us.sender_name or identity.name, "date": format_date(today, "long", locale=words.language)}
    values = {
        "words": words,
        "question": words.question.format(**filled),
        "done": words.done.format(**filled),
        "sender": filled["sender"],
        "address": us.postal_address,
        "is_done": is_done,
    }
    return HttpResponse(_template().render(Context(values)), headers={"Content-Security-Policy": SECURITY})


@cache
def _template() -> Template:
    # An engine of its own: the page does not depend on the template settings of the shop.
    return Engine(dirs=[str(Path(__file__).parent / "templates")]).get_template("unsubscribe.html")
