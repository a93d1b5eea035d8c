"""The frame of the hosted pages: the merchant's brand, the reader's language, a policy that lets nothing else in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from babel.dates import format_date
from django.http import HttpRequest, HttpResponse
from django.template import Context, Engine, Template
from django.utils.translation.trans_real import parse_accept_lang_header

from crm_plugin import clock, merchant, shop
from crm_plugin.http.branding import brand, origin_of
from crm_plugin.http.wording import Page, Wording, wording

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'"
#: A header is not read further.
_LONGEST_HEADER = 500


def words_for(request: HttpRequest, language: str) -> Wording:
    """Return the words of the message's language, else of one that the browser asks for, else of the shop's."""
    header = request.headers.get("Accept-Language", "")[:_LONGEST_HEADER].lower()
    asked = [code for code, _weight in parse_accept_lang_header(header)]
    return wording(language, *asked, merchant.load().default_language, shop.current().identity().language)


def today(words: Wording) -> str:
    """Return today's date by the merchant's clocks, in words."""
    return format_date(clock.now().astimezone(merchant.zone()).date(), "long", locale=words.language)


def render(name: str, words: Wording, values: Mapping[str, Any], *, images: Collection[str] = ()) -> HttpResponse:
    """Return a page.

    Args:
        name: of its template, which extends ``page.html``.
        words: in the language that the page is in.
        values: what the template names; ``brand`` and ``words`` are there already.
        images: addresses of pictures that the page shows besides the logo.
    """
    ours = brand()
    origins = sorted({ours.logo_origin, *map(origin_of, images)} - {""})
    # The merchant looks at the pages inside the dashboard; nobody else may lay something over a button.
    embedders = shop.current().operator().dashboard_origins or ("'none'",)
    policy = f"{_POLICY}; frame-ancestors {' '.join(embedders)}"
    if origins:
        policy += f"; img-src {' '.join(origins)}"
    page = _template(name).render(Context({**values, "brand": ours, "words": words}))
    return HttpResponse(page, headers={"Content-Security-Policy": policy})


def tell(page: Page, words: Wording, filled: Mapping[str, str], **values: Any) -> HttpResponse:
    """Return a page that says one thing; it has a button when it is a question.

    Args:
        page: what it says.
        words: in the language that the page is in.
        filled: what its text names in braces, besides the sender.
        **values: ``is_open``: it is a question; ``link`` and ``link_url``: what leads on from one that is none.
    """
    text = page.text.format(**{"sender": brand().sender, **filled})
    shown = {"title": page.title, "text": text, "button": page.button, "otherwise": page.otherwise, **values}
    return render("question.html", words, shown)


@cache
def _template(name: str) -> Template:
    # An engine of its own: the pages do not depend on the template settings of the shop.
    return Engine(dirs=[str(Path(__file__).parent / "templates")]).get_template(name)
