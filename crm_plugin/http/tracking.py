"""Clicks and openings: one fact each of a person's, then on to the link or the pixel.

What a program did is no fact of anybody's history: it wakes no run, fits no segment and decides no test. The message
only keeps when it was first loaded by one (``machine_opened_at``).
"""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from crm_plugin import activity, clock, messaging, shop
from crm_plugin.guard import guarded
from crm_plugin.http.doors import is_first, not_found, public
from crm_plugin.http.scanners import By, clicker, opener
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
    """Redirect to the stored link."""
    return _lead_on(request, token, messaging.read_click(token))


@public("GET", "HEAD")
def short(request: HttpRequest, code: str) -> HttpResponse:
    """Redirect to the stored link of a short address, as text messages have them."""
    return _lead_on(request, code, messaging.read_short(code))


@public("GET", "HEAD")
def opened(request: HttpRequest, token: str) -> HttpResponse:
    """Return the pixel."""
    public_id = messaging.read_open(token)
    if public_id is None:
        return not_found()
    _open(request, public_id, token)
    return HttpResponse(PIXEL, content_type="image/gif")


def _lead_on(request: HttpRequest, name: str, found: tuple[UUID, str] | None) -> HttpResponse:
    if found is None:
        return not_found()
    public_id, url = found
    # A way out is no click (features row 68); text messages have it behind a short link.
    if not url.startswith(shop.current().operator().public_url):
        _click(request, public_id, name, url)
    return HttpResponseRedirect(url)


@guarded("http.tracking")
def _click(request: HttpRequest, public_id: UUID, name: str, url: str) -> None:
    whose = _addressee(public_id)
    if whose is None:
        return
    by = clicker(request, public_id=public_id, link=name, reached_at=whose.reached_at)
    if is_first(f"click.{by}", name, seconds=CLICK_SECONDS):
        key = _key("click", name, CLICK_SECONDS)
        _note(whose, FactKind.MESSAGE_CLICKED, by, key, data={"url": url})


@guarded("http.tracking")
def _open(request: HttpRequest, public_id: UUID, token: str) -> None:
    whose = _addressee(public_id)
    if whose is None:
        return
    by = opener(request, reached_at=whose.reached_at)
    if is_first(f"open.{by}", token, seconds=OPEN_SECONDS):
        _note(whose, FactKind.MESSAGE_OPENED, by, _key("open", token, OPEN_SECONDS), data={})


def _addressee(public_id: UUID) -> messaging.Addressee | None:
    whose = messaging.addressee(public_id)
    return None if whose is None or whose.is_erased else whose


def _note(whose: messaging.Addressee, kind: FactKind, by: By, source_key: str, *, data: dict[str, str]) -> None:
    if by is not By.PERSON:
        messaging.note_machine(whose.public_id)
        return
    data = {"message": str(whose.public_id)} | data
    activity.record(Fact(kind=kind, source_key=source_key, contact_id=whose.contact_id, data=data))


def _key(purpose: str, token: str, seconds: int) -> str:
    """Return a source key under which repetitions within ``seconds`` are one activity."""
    value = token.partition(":")[0]
    return f"{purpose}:{value}:{int(clock.now().timestamp()) // seconds}"
