"""The link by which somebody confirms the receipt of an order: GET shows the question, POST takes the answer.

Mail scanners follow links, so the link alone confirms nothing.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from crm_plugin import activity
from crm_plugin.activity import Receipt
from crm_plugin.http import pages
from crm_plugin.http.doors import not_found, public


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
    ours = words.receiving
    if found.order is None:
        return pages.tell(ours.gone, words, {})
    filled = {"number": found.order.number}
    return pages.tell(ours.done if is_confirmed else ours.ask, words, filled, is_open=not is_confirmed)
