"""The link of a double opt-in: GET shows the question and changes nothing, POST grants the consent.

Mail scanners follow links, so the link alone must grant nothing; whoever presses the button can read the mailbox, or
the telephone, that the consent is for. The link holds for a week, and for as long as the person has not withdrawn.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from crm_plugin import contacts, messaging
from crm_plugin.contacts import ChannelKind, Confirmation
from crm_plugin.http import clients, pages
from crm_plugin.http.doors import not_found, public


@public("GET", "HEAD", "POST")
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """Show the question, or do it. Doing it twice is fine."""
    event_id = messaging.read_confirmation(token)
    if event_id is None:
        return not_found()
    standing, channel, language = contacts.look_at_confirmation(event_id)
    if request.method == "POST":
        evidence = {"confirmed_by": "link", "browser": clients.agent(request).family}
        standing = contacts.confirm_consent(event_id, evidence=evidence)
    return _page(request, standing, channel or ChannelKind.EMAIL.value, language)


def _page(request: HttpRequest, standing: Confirmation, channel: str, language: str) -> HttpResponse:
    words = pages.words_for(request, language)
    ours = words.confirming
    told = {
        Confirmation.OPEN: ours.ask,
        Confirmation.DONE: ours.done,
        Confirmation.EXPIRED: ours.expired,
        Confirmation.GONE: ours.gone,
    }
    filled = {"matter": words.matters[channel], "date": pages.today(words)}
    return pages.tell(told[standing], words, filled, is_open=standing is Confirmation.OPEN)
