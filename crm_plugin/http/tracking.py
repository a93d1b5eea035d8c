"""Clicks and openings: one fact each, then on to the link or the pixel."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from crm_plugin import activity, clock, messaging
from crm_plugin.guard import guarded
from crm_plugin.http.doors import is_first, not_found, public
from crm_plugin.shop import Fact, FactKind

#: A transparent GIF of one pixel.
PIXEL = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01"
    b"\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
#: The same link clicked, or the same mail opened, again within this time is the same fact.
CLICK_SECONDS = 60
OPEN_SECONDS = 3_600


@public("GET", "HEAD")
def click(request: HttpRequest, token: str) -> HttpResponse:
    """Redirect to the stored link; a HEAD request (a scanner's look) counts nothing."""
    found = messaging.read_click(token)
    if found is None:
        return not_found()
    public_id, url = found
    if request.method == "GET" and is_first("click", token, seconds=CLICK_SECONDS):
        _record(public_id, FactKind.MESSAGE_CLICKED, _key("click", token, CLICK_SECONDS), url=url)
    return HttpResponseRedirect(url)


@public("GET", "HEAD")
def opened(request: HttpRequest, token: str) -> HttpResponse:
    """Return the pixel."""
    public_id = messaging.read_open(token)
    if public_id is None:
        return not_found()
    if request.method == "GET" and is_first("open", token, seconds=OPEN_SECONDS):
        _record(public_id, FactKind.MESSAGE_OPENED, _key("open", token, OPEN_SECONDS))
    return HttpResponse(PIXEL, content_type="image/gif")


def _key(purpose: str, token: str, seconds: int) -> str:
    """Return a source key under which repetitions within ``seconds`` are one activity."""
    value = token.partition(":")[0]
    return f"{purpose}:{value}:{int(clock.now().timestamp()) // seconds}"


@guarded("http.tracking")
def _record(public_id: UUID, kind: FactKind, source_key: str, *, url: str = "") -> None:
    whose = messaging.addressee(public_id)
    if whose is None or whose.is_erased:
        return
    data = {"message": str(public_id)} | ({"url": url} if url else {})
    activity.record(Fact(kind=kind, source_key=source_key, contact_id=whose.contact_id, data=data))
