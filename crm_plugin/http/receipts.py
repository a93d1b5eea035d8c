"""Where providers tell what became of messages: verified, kept, and left to a worker.

Answers: 200 taken (a repetition too), 400 makes no sense, 403 not the provider, 404 no such provider or not set up.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.http.request import RawPostDataException

from crm_plugin import messaging, nudge
from crm_plugin.http.doors import not_found, public

#: Providers put many receipts into one call: Mandrill a thousand.
RECEIPTS_BYTES = 2 * 1024 * 1024


@public("POST", "HEAD", max_bytes=RECEIPTS_BYTES)
def receipts(request: HttpRequest, provider: str) -> HttpResponse:
    """Keep what a provider tells. HEAD changes nothing: some (Mandrill) ask so whether there is anybody."""
    if request.method == "HEAD":
        return HttpResponse()
    try:
        told = messaging.read_receipts(provider, request)
    except messaging.UnknownProvider:
        return not_found()
    except messaging.Forged:
        return _refusal("Not signed by the provider.", status=403)
    except (messaging.Unreadable, UnreadablePostError, RawPostDataException):
        return _refusal("Not a receipt.", status=400)
    if told:
        messaging.keep(told)
        nudge.after_commit("crm.deliver")
    # Empty: Twilio would send a text to the person as an answer.
    return HttpResponse(status=200, content_type="text/plain; charset=utf-8")


def _refusal(words: str, *, status: int) -> HttpResponse:
    return HttpResponse(f"{words}\n", status=status, content_type="text/plain; charset=utf-8")
