"""The way out: GET shows a page and changes nothing, POST withdraws the consent (RFC 8058, one click).

No login, no cookie and no second question, in effect at once (features part 5, "KR free refusal"); the page that comes
back is the notice of the result with sender, matter and date. What is withdrawn is the channel of the message; the
page has a second button for all of them.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError

from crm_plugin import contacts, messaging
from crm_plugin.http import pages
from crm_plugin.http.branding import brand
from crm_plugin.http.doors import not_found, public
from crm_plugin.http.wording import Wording

SOURCE = "unsubscribe_link"


@public("GET", "HEAD", "POST")
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Show the question, or do it. Doing it twice, or for somebody who is gone, is fine."""
    public_id = messaging.read_unsubscribe(token)
    if public_id is None:
        return not_found()
    whose = messaging.addressee(public_id)
    is_done = request.method == "POST"
    # Only the page asks for everything: what a mail program posts is about the mail (RFC 8058, section 3.1).
    is_everything = is_done and request.GET.get("via") == "page" and _names_everything(request)
    if is_done and whose is not None and not whose.is_erased:
        via = "page" if request.GET.get("via") == "page" else "one_click"
        _withdraw(whose, evidence={"message": str(public_id), "via": via}, is_everything=is_everything)
    words = pages.words_for(request, whose.language if whose else "")
    return _page(words, whose, is_done=is_done, is_everything=is_everything)


def _names_everything(request: HttpRequest) -> bool:
    try:
        return "everything" in request.POST
    except (MultiPartParserError, SuspiciousOperation, UnreadablePostError):  # no reason not to let somebody go
        return False


def _withdraw(whose: messaging.Addressee, *, evidence: dict[str, Any], is_everything: bool) -> None:
    if is_everything:
        said = contacts.Said(source=SOURCE, evidence=evidence)
        contacts.choose(whose.contact_id, contacts.NOTHING_AT_ALL, said=said)
        return
    contacts.set_consent(whose.contact_id, channel=whose.channel, is_granted=False, source=SOURCE, evidence=evidence)


def _page(words: Wording, whose: messaging.Addressee | None, *, is_done: bool, is_everything: bool) -> HttpResponse:
    channel = whose.channel if whose else contacts.ChannelKind.EMAIL.value
    filled = {
        "sender": brand().sender,
        "date": pages.today(words),
        "matter": words.all_matters if is_everything else words.matters[channel],
    }
    values = {
        "question": words.unsubscribing.ask.text.format(**filled),
        "done": words.unsubscribing.done.text.format(**filled),
        "is_done": is_done,
        "preferences_path": messaging.preferences_path(whose) if whose and not whose.is_erased else "",
    }
    return pages.render("unsubscribe.html", words, values)
