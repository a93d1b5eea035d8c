"""A person's browser, as far as the story needs one: cookies, links, and forms with what is already filled in."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from typing import Any

TIMEOUT_SECONDS = 30


class PageError(RuntimeError):
    """The shop answered with something that a person could not go on from."""


@dataclass(slots=True)
class Form:
    """A form of a page with the values that it would send unchanged."""

    action: str
    identity: str = ""
    values: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Page:
    """What is shown after all redirects."""

    url: str
    html: str

    @property
    def forms(self) -> Sequence[Form]:
        """The forms of the page."""
        return _read(self).forms

    @property
    def links(self) -> Sequence[tuple[str, str]]:
        """Absolute address and text (or title) of every link."""
        return _read(self).links

    def form(self, part: str) -> Form:
        """Return the first form whose id or address contains ``part``.

        Raises:
            PageError: there is none.
        """
        for form in self.forms:
            if part in (form.identity, form.action) or part in form.action:
                return form
        raise PageError(f"{self.url} has no form {part!r}. {self.complaints()}")

    def link(self, text: str) -> str:
        """Return the address of the first link with this text.

        Raises:
            PageError: there is none.
        """
        for address, shown in self.links:
            if shown == text:
                return address
        raise PageError(f"{self.url} has no link {text!r}.")

    def complaints(self) -> str:
        """Return what the page's error messages say."""
        parts = self.html.split('class="error-block"')[1:] + self.html.split("alert-danger")[1:]
        told = [" ".join(_text(part.partition(">")[2][:300]).split()) for part in parts]
        return f"The page says: {'; '.join(told)}" if told else ""


#: Who calls himself by no browser's name is a program to the CRM, and his clicks are nobody's.
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"


class Browser:
    """One person's session."""

    def __init__(self, home: str) -> None:
        self._home = home
        self._cookies = CookieJar()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._cookies))
        opener.addheaders = [("User-Agent", AGENT)]
        self._open = opener.open

    def get(self, address: str) -> Page:
        """Open a page; ``address`` may be relative to the shop."""
        return self._visit(urllib.request.Request(urllib.parse.urljoin(self._home, address)))  # noqa: S310 - http

    def submit(self, page: Page, form: Form, **changes: str) -> Page:
        """Send a form of a page with some values changed or added; ``__`` in a name stands for ``-``."""
        wanted = {name.replace("__", "-"): value for name, value in changes.items()}
        kept = [(name, value) for name, value in form.values if name not in wanted]
        body = urllib.parse.urlencode([*kept, *wanted.items()]).encode()
        request = urllib.request.Request(  # noqa: S310 - http
            urllib.parse.urljoin(page.url, form.action or page.url), data=body, headers={"Referer": page.url}
        )
        return self._visit(request)

    def graphql(self, query: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask the CRM's GraphQL; return ``data``.

        Raises:
            PageError: it answered with errors.
        """
        token = next((cookie.value for cookie in self._cookies if cookie.name == "csrftoken"), "")
        request = urllib.request.Request(  # noqa: S310 - http
            urllib.parse.urljoin(self._home, "/crm/graphql/"),
            data=json.dumps({"query": query, "variables": variables or {}}).encode(),
            headers={"Content-Type": "application/json", "X-CSRFToken": token or ""},
        )
        answer = json.loads(self._visit(request).html)
        if answer.get("errors"):
            raise PageError(f"GraphQL refused: {answer['errors']}")
        return dict(answer["data"])

    def _visit(self, request: urllib.request.Request) -> Page:
        try:
            with self._open(request, timeout=TIMEOUT_SECONDS) as answer:
                return Page(answer.url, answer.read().decode(errors="replace"))
        except urllib.error.HTTPError as error:
            body = error.read().decode(errors="replace")
            raise PageError(f"{request.full_url} answered {error.code}: {_text(body)[:300]}") from error
        except OSError as error:
            raise PageError(f"{request.full_url} did not answer: {error}") from error


class _Reader(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self.forms: list[Form] = []
        self.links: list[tuple[str, str]] = []
        self._form: Form | None = None
        self._select = self._area = ""
        self._options: list[tuple[str, bool]] = []
        self._link: tuple[str, list[str]] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        match tag:
            case "a" if "href" in has:
                self._link = (urllib.parse.urljoin(self._url, has["href"]), [])
            case "form":
                self._form = Form(has.get("action", ""), has.get("id", ""))
            case "input" if self._form and has.get("name") and self._counts(has):
                self._form.values.append((has["name"], has.get("value", "on" if has.get("type") == "checkbox" else "")))
            case "select":
                self._select, self._options = has.get("name", ""), []
            case "option":
                self._options.append((has.get("value", ""), "selected" in has))
            case "textarea":
                self._area = has.get("name", "")
                if self._form and self._area:
                    self._form.values.append((self._area, ""))
            case _:
                pass

    def handle_endtag(self, tag: str) -> None:
        match tag:
            case "a" if self._link:
                self.links.append((self._link[0], " ".join("".join(self._link[1]).split())))
                self._link = None
            case "form" if self._form:
                self.forms.append(self._form)
                self._form = None
            case "select" if self._form and self._select:
                chosen = [value for value, is_chosen in self._options if is_chosen] or [
                    value for value, _is_chosen in self._options[:1]
                ]
                self._form.values += [(self._select, value) for value in chosen]
            case "textarea":
                self._area = ""
            case _:
                pass

    def handle_data(self, data: str) -> None:
        if self._link:
            self._link[1].append(data)
        if self._form and self._area:
            name, value = self._form.values[-1]
            self._form.values[-1] = (name, value + data)

    @staticmethod
    def _counts(has: Mapping[str, str]) -> bool:
        kind = has.get("type", "text")
        return "checked" in has if kind in {"checkbox", "radio"} else kind not in {"file", "submit", "button", "image"}


def _read(page: Page) -> _Reader:
    reader = _Reader(page.url)
    reader.feed(page.html)
    return reader


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def _text(html: str) -> str:
    reader = _Words()
    reader.feed(html)
    return " ".join(" ".join(reader.words).split())
