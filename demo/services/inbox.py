"""What the demo's people received, in the browser: letters, each in a sandboxed frame, and text messages.

``/api/messages`` has the letters as JSON.
"""

from __future__ import annotations

import json
from functools import partial
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

from demo.services.gateway import Gateway
from demo.services.local import LocalServer
from demo.services.mailsink import Letter, MailSink

STYLE = """
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans KR",sans-serif;margin:0 auto;max-width:64rem;
padding:2rem 1rem 3rem;color:#1f2933;background:#f4f5f3;overflow-wrap:anywhere}
h1{font-size:1.6rem;line-height:1.25;margin:0 0 1rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}
a{color:#2f5d4a}table{border-collapse:collapse;width:100%;background:#fff;border-radius:10px;overflow:hidden}
td,th{padding:.65rem .9rem;border-bottom:1px solid #e6e8e4;text-align:left}
th{font-size:.8rem;color:#52606d}td:first-child{white-space:nowrap;color:#52606d}tr:last-child td{border:0}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#fff;padding:1rem;border-radius:10px;margin:0}
iframe{display:block;width:100%;height:52rem;max-height:90vh;border:1px solid #dcdfda;border-radius:10px;
background:#fff}
@media(max-width:40rem){tr{display:block;padding:.6rem 0;border-bottom:1px solid #e6e8e4}tr:has(th){display:none}
td{display:block;border:0;padding:.1rem .9rem}}
"""
#: A letter's links may open a tab; its scripts and forms stay off, also when the frame is opened alone.
FRAME = "allow-popups allow-popups-to-escape-sandbox"


class Inbox(LocalServer):
    """The web pages of a mail sink and a gateway."""

    def __init__(self, sink: MailSink, gateway: Gateway | None = None, *, port: int = 0) -> None:
        super().__init__(partial(_Pages, sink, gateway), name="inbox", port=port)


class _Pages(BaseHTTPRequestHandler):
    """What http.server calls, one instance a request."""

    def __init__(self, sink: MailSink, gateway: Gateway | None, *args: object) -> None:
        self._sink, self._gateway = sink, gateway
        super().__init__(*args)  # type: ignore[arg-type]  # the three that http.server hands over

    def do_GET(self) -> None:
        path = urlsplit(self.path)
        match path.path.strip("/").split("/"):
            case [""]:
                self._html(_list_page(self._sink, self._gateway))
            case ["api", "messages"]:
                self._json(parse_qs(path.query))
            case ["messages", number, *rest] if letter := self._letter(number):
                self._show(letter, "/".join(rest))
            case _:
                self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the terminal for the demo."""

    def _letter(self, number: str) -> Letter | None:
        return next((letter for letter in self._sink.letters if str(letter.number) == number), None)

    def _show(self, letter: Letter, view: str) -> None:
        match view:
            case "":
                self._html(_letter_page(letter))
            case "html":
                self._html('<base target="_blank">' + letter.html, sandbox=f"sandbox {FRAME}")
            case "raw":
                self._send(letter.raw, content_type="text/plain; charset=utf-8")
            case _:
                self.send_error(HTTPStatus.NOT_FOUND)

    def _json(self, query: dict[str, list[str]]) -> None:
        recipient = query.get("to", [""])[0]
        letters = self._sink.letters_to(recipient) if recipient else self._sink.letters
        self._send(json.dumps([_as_json(letter) for letter in letters]).encode(), content_type="application/json")

    def _html(self, body: str, *, sandbox: str = "") -> None:
        self._send(body.encode(), content_type="text/html; charset=utf-8", policy=sandbox)

    def _send(self, body: bytes, *, content_type: str, policy: str = "") -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        if policy:
            self.send_header("Content-Security-Policy", policy)
        self.end_headers()
        self.wfile.write(body)


def _as_json(letter: Letter) -> dict[str, object]:
    return {
        "id": letter.number,
        "received_at": letter.received_at.isoformat(),
        "sender": letter.sender,
        "recipients": letter.recipients,
        "subject": letter.subject,
        "headers": {name: str(value) for name, value in letter.message.items()},
        "text": letter.text,
        "html": letter.html,
    }


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><link rel="icon" href="data:,">'
        f"<style>{STYLE}</style><h1>{escape(title)}</h1>{body}</html>"
    )


def _list_page(sink: MailSink, gateway: Gateway | None) -> str:
    rows = "".join(
        f"<tr><td>{letter.received_at:%H:%M:%S}</td><td>{escape(', '.join(letter.recipients))}</td>"
        f'<td><a href="/messages/{letter.number}/">{escape(letter.subject) or "(no subject)"}</a></td></tr>'
        for letter in reversed(sink.letters)
    )
    head = "<tr><th>Received (UTC)</th><th>To</th><th>Subject</th></tr>"
    letters = f"<table>{head}{rows}</table>" if rows else "<p>No letter yet.</p>"
    return _page("Inbox of the demo", letters + _text_messages(gateway))


def _text_messages(gateway: Gateway | None) -> str:
    rows = "".join(
        f"<tr><td>{one.received_at:%H:%M:%S}</td><td>{escape(one.recipient)}</td><td>{escape(one.text)}</td></tr>"
        for one in reversed(gateway.messages if gateway else ())
    )
    head = "<tr><th>Received (UTC)</th><th>To</th><th>Text</th></tr>"
    return f"<h2>Text messages</h2><table>{head}{rows}</table>" if rows else ""


def _letter_page(letter: Letter) -> str:
    number = letter.number
    frame = (
        f'<iframe sandbox="{FRAME}" src="/messages/{number}/html" title="The letter"></iframe>' if letter.html else ""
    )
    return _page(
        letter.subject or "(no subject)",
        f'<p><a href="/">All letters</a> · <a href="/messages/{number}/raw">Source</a></p>'
        f"<p>From {escape(str(letter.message['from']))} to {escape(', '.join(letter.recipients))}</p>"
        f"{frame}<h2>Plain text</h2><pre>{escape(letter.text)}</pre>",
    )
