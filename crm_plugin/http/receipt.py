"""The link by which somebody confirms the receipt of an order: GET shows the question, POST takes the answer.

Mail scanners follow links, so the link alone confirms nothing.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from crm_plugin import activity
from crm_plugin.activity import Receipt
from crm_plugin.http import pages
from crm_plugin.http.branding import brand
from crm_plugin.http.doors import not_found, public
from crm_plugin.http.receipt_wording import CATALOGUES


@public("GET", "HEAD", "POST")
def receipt(request: HttpRequest, token: str) -> HttpResponse:
    """Show the question, or take the answer. Doing it twice is fine."""
    found = activity.read_receipt(token)
    if found is None:
        return not_found()
    is_confirmed = found.is_confirmed
    if request.method == "POST" and found.order is not None and not is_confirmed:
        activity.confirm_receipt(found.order)
        is_confirmed = True
    return _page(request, found, is_confirmed=is_confirmed)


def _page(request: HttpRequest, found: Receipt, *, is_confirmed: bool) -> HttpResponse:
    words = pages.words_for(request, found.order.language if found.order else "")
    ours = CATALOGUES[words.language]
    title, text = ours.title, ours.question
    if found.order is None:
        title, text = ours.gone_title, ours.gone
    elif is_confirmed:
        title, text = ours.done_title, ours.done
    filled = {"sender": brand().sender, "number": found.order.number if found.order else ""}
    values = {
        "title": title,
        "text": text.format(**filled),
        "is_open": found.order is not None and not is_confirmed,
        "confirming": ours,
    }
    return pages.render("confirm.html", words, values)
