"""The preference centre: by which channels, at night too or not, and about what a person wants to hear.

The link in the message is all that it takes: no login, no cookie. GET and HEAD change nothing. A POST keeps what the
person changed on the page, and only that: the form says which boxes were ticked when it was shown (``was``), so that
an old tab cannot take back what was said since, and a request without a body changes nothing. A box that was ticked
already stays what it was: only ticking it is consent. In effect at once, and the page that comes back is the notice
of the result with sender, matter and date (Korean network act, article 50(4), (6) and (7); GDPR, articles 7(3) and
21(2)).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import time
from hashlib import sha256

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse

from crm_plugin import contacts, merchant, messaging
from crm_plugin.contacts import Change, ChannelKind, Choices, Said, Standing
from crm_plugin.http import pages
from crm_plugin.http.branding import brand
from crm_plugin.http.doors import not_found, public
from crm_plugin.http.wording import Wording

SOURCE = "preference_centre"
#: All channels and the most topics that there can be, each ticked before and now.
FORM_BYTES = 16_384

#: Saves of one link in an hour that may agree to something: a log that only grows is not to be played with. Nobody is
#: ever kept from refusing.
MOST_SAVES, WINDOW_SECONDS = 30, 3_600

_NIGHT, _TOPIC = "night.", "topic."


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One box of the form; ``key`` names it, ``night`` is the box below it."""

    key: str
    name: str
    is_on: bool
    is_blocked: bool = False
    night: Row | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What the page says after it was sent."""

    title: str
    text: str
    lines: tuple[str, ...] = ()


@public("GET", "HEAD", "POST", max_bytes=FORM_BYTES)
def preferences(request: HttpRequest, token: str) -> HttpResponse:
    """Show where the person stands, or keep what they chose. Sending it twice is fine."""
    public_id = messaging.read_preferences(token)
    if public_id is None:
        return not_found()
    whose = messaging.addressee(public_id)
    words = pages.words_for(request, whose.language if whose else "")
    standing = contacts.standing(whose.contact_id) if whose else None
    if whose is None or standing is None:
        return pages.render("preferences.html", words, {"is_somebody": False})
    page = _Page.of(whose, standing, words)
    result = None
    if request.method == "POST":
        choices = page.choices(request)
        if _agrees(choices) and not _has_room(token):
            return _too_many()
        result = page.keep(choices)
        page = _Page.of(whose, contacts.standing(whose.contact_id) or standing, words)
    return page.render(result)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """The page of one person, as they stand."""

    whose: messaging.Addressee
    words: Wording
    sender: str
    agreement: str
    channels: tuple[Row, ...]
    topics: tuple[Row, ...]

    @classmethod
    def of(cls, whose: messaging.Addressee, standing: Standing, words: Wording) -> _Page:
        us, sender = merchant.load(), brand().sender
        text = words.preferring.agreement.format(sender=sender)
        return cls(
            whose=whose,
            words=words,
            sender=sender,
            agreement=f"{text}\n{us.consent_text}".strip(),
            channels=tuple(_channels(whose, standing, words)),
            topics=tuple(_topics(standing, words, default=us.default_language)),
        )

    def choices(self, request: HttpRequest) -> Choices:
        """Return what was changed on the page."""
        if "everything" in request.POST:
            return contacts.NOTHING_AT_ALL
        on, was = set(request.POST.getlist("on")), set(request.POST.getlist("was"))
        known = {row.key for row in self._rows()}
        return _choices(ticked=(on - was) & known, cleared=(was - on) & known)

    def keep(self, choices: Choices) -> Result:
        """Keep what was changed; return what to say about it."""
        changes, words = self._choose(choices), self.words.preferring
        filled = {"sender": self.sender, "date": pages.today(self.words), "matter": self.words.all_matters}
        if choices is contacts.NOTHING_AT_ALL:  # a second time too: it is so
            leaving = self.words.unsubscribing
            return Result(title=leaving.done.title, text=leaving.done.text.format(**filled))
        if not changes:
            return Result(title=words.unchanged.title, text=words.unchanged.text)
        text = words.saved.text.format(**filled)
        return Result(title=words.saved.title, text=text, lines=tuple(map(self._line, changes)))

    def render(self, result: Result | None) -> HttpResponse:
        """Return the page."""
        values = {
            "is_somebody": True,
            "result": result,
            "intro": self.words.preferring.ask.text.format(sender=self.sender),
            "channels": self.channels,
            "topics": self.topics,
            "agreement": self.agreement,
            "nothing": self.words.preferring.nothing.text.format(sender=self.sender),
        }
        return pages.render("preferences.html", self.words, values)

    def _rows(self) -> Iterator[Row]:
        for row in (*self.channels, *self.topics):
            yield row
            if row.night is not None:
                yield row.night

    def _choose(self, choices: Choices) -> tuple[Change, ...]:
        said = Said(
            source=SOURCE,
            text_version=sha256(self.agreement.encode()).hexdigest()[:16],
            evidence={"message": str(self.whose.public_id)},
            granted_evidence={"text": self.agreement, "language": self.words.language},
        )
        return contacts.choose(self.whose.contact_id, choices, said=said)

    def _line(self, change: Change) -> str:
        words = self.words.preferring
        if change.purpose == "topic":
            name = next(row.name for row in self.topics if row.key == _TOPIC + change.name)
            return (words.topic_accepted if change.is_granted else words.topic_refused).format(name=name)
        by_day, by_night = (
            (words.granted, words.night_granted) if change.is_granted else (words.withdrawn, words.night_withdrawn)
        )
        line = by_night if change.purpose == "night" else by_day
        return line.format(name=self.words.channels[change.name], matter=self.words.matters[change.name])


def _channels(whose: messaging.Addressee, standing: Standing, words: Wording) -> Iterator[Row]:
    """What the person can be reached on, and what they agreed to though there is no address now."""
    ban = messaging.night_ban(whose)
    for channel in ChannelKind:
        is_on = standing.is_granted(channel)
        if not is_on and channel not in standing.reachable:
            continue
        night = None
        if ban is not None and channel in ban.channels:
            name = words.preferring.night.format(begins=_clock(ban.begins), ends=_clock(ban.ends))
            night = Row(key=_NIGHT + channel, name=name, is_on=standing.is_night_granted(channel))
        is_blocked = channel in standing.blocked
        yield Row(key=channel, name=words.channels[channel], is_on=is_on, is_blocked=is_blocked, night=night)


def _topics(standing: Standing, words: Wording, *, default: str) -> Iterator[Row]:
    for topic in contacts.topics():
        name = contacts.topic_name(topic, words.language, default)
        yield Row(key=_TOPIC + topic.slug, name=name, is_on=topic.slug not in standing.refused_topics)


def _choices(*, ticked: set[str], cleared: set[str]) -> Choices:
    return Choices(
        granted=frozenset(ticked & set(ChannelKind.values)),
        withdrawn=frozenset(cleared & set(ChannelKind.values)),
        night_granted=_with(_NIGHT, ticked),
        night_withdrawn=_with(_NIGHT, cleared),
        accepted=_with(_TOPIC, ticked),
        refused=_with(_TOPIC, cleared),
    )


def _agrees(choices: Choices) -> bool:
    return bool(choices.granted or choices.night_granted or choices.accepted)


def _has_room(token: str) -> bool:
    """Count a save of the link; kept in Django's cache, and when that is away, everybody has room."""
    key = f"crm:preferences:{sha256(token.encode()).hexdigest()[:32]}"
    try:
        cache.add(key, 0, timeout=WINDOW_SECONDS)
        return int(cache.incr(key)) <= MOST_SAVES
    except Exception:  # noqa: BLE001 - a cache raises what its transport raises
        return True


def _too_many() -> HttpResponse:
    headers = {"Retry-After": str(WINDOW_SECONDS)}
    text = "Too many changes; try again in an hour.\n"
    return HttpResponse(text, status=429, content_type="text/plain; charset=utf-8", headers=headers)


def _with(prefix: str, keys: set[str]) -> frozenset[str]:
    return frozenset(key.removeprefix(prefix) for key in keys if key.startswith(prefix))


def _clock(at: time) -> str:
    return f"{at:%H:%M}"
