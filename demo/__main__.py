"""``make demo``: start everything, play the story, then serve until interrupted.

Needs nothing that runs already. ``SERVE=0`` or ``CI=true`` ends after the story; the exit code says whether every part
of it went through. ``DATABASE_URL`` names an empty database to use instead of the embedded server.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from demo.accounts import BOUNCE_EMAIL, PASSWORD, SHOPPER_EMAIL, STAFF_EMAIL
from demo.browser import PageError
from demo.services import postgres
from demo.services.gateway import Gateway
from demo.services.inbox import Inbox
from demo.services.mailsink import MailSink, Moment
from demo.services.processes import Processes, ProcessFailed, free_port, termination_unwinds
from demo.story import Line, Story

ROOT = Path(__file__).resolve().parent.parent
SHOP_PORT, INBOX_PORT = 8000, 8025
#: Longer than the slowest machine that was seen to need, many times over.
START_SECONDS = 300.0
CHECK_SECONDS = 1.0


class Demo:
    """Everything that runs, and the order in which it comes up."""

    def __init__(self, *, is_serving: bool) -> None:
        self._is_serving = is_serving
        self._started = time.monotonic()

    def run(self) -> None:
        """Play the story, then serve when asked to."""
        with ExitStack() as stack:
            state = Path(tempfile.mkdtemp(prefix="crm-demo-"))
            stack.callback(shutil.rmtree, state, ignore_errors=True)
            sink = stack.enter_context(MailSink())
            sink.answer("550 5.1.1 No such user", recipient=BOUNCE_EMAIL, at=Moment.RECIPIENT)
            gateway = stack.enter_context(Gateway())
            inbox = stack.enter_context(Inbox(sink, gateway, port=_port(INBOX_PORT) if self._is_serving else 0))
            self._say("PostgreSQL")
            database_url = stack.enter_context(postgres.database())
            port = _port(SHOP_PORT) if self._is_serving else free_port()
            environment = _environment(state, database_url=database_url, sink=sink, gateway=gateway)
            processes = stack.enter_context(Processes(state / "logs"))
            shop_url = f"http://127.0.0.1:{port}/"
            stack.enter_context(_logs_shown_on_failure(processes))
            self._bring_up(processes, environment=environment, port=port, state=state)
            accounts = (SHOPPER_EMAIL, STAFF_EMAIL, PASSWORD)
            self._play(Story(shop_url, sink=sink, gateway=gateway, processes=processes, accounts=accounts))
            if self._is_serving:
                _serve(processes, shop_url=shop_url, inbox_url=inbox.url)

    def _bring_up(self, processes: Processes, *, environment: dict[str, str], port: int, state: Path) -> None:
        self._say("tables (Oscar's and ours)")
        _finish(state / "logs", "migrate", ["-m", "demo.manage", "migrate", "--verbosity", "0"], environment)
        self._say("a shop: goods with pictures, customers, a year of orders")
        print(_finish(state / "logs", "seed", ["-m", "demo.seed", "--domain", f"127.0.0.1:{port}"], environment))
        self._say("web, Celery worker, Celery beat")
        celery = [sys.executable, "-m", "celery", "-A", "demo.celery"]
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        listen = [f"--listen=127.0.0.1:{port}", "--threads=8"]
        processes.start("web", [sys.executable, "-m", "waitress", *listen, "demo.wsgi:application"], env=environment)
        processes.start("worker", [*celery, "worker", "--concurrency=2", "--loglevel=INFO", *quiet], env=environment)
        beat = ["beat", "--loglevel=INFO", "--pidfile=", f"--schedule={state / 'beat'}"]
        processes.start("beat", [*celery, *beat], env=environment)
        processes.wait_for_http(f"http://127.0.0.1:{port}/catalogue/", timeout_seconds=START_SECONDS)

    def _play(self, story: Story) -> None:
        self._say("the story")
        print()
        print(_row("who", "does", "seconds", "and then"))
        print(_row("-" * 8, "-" * 24, "-" * 7, "-" * 60))
        for line in story.play():
            print(_row(line.who, line.what, f"{line.seconds:.1f}", _shortened(line)), flush=True)
        print()

    def _say(self, what: str) -> None:
        print(f"[{time.monotonic() - self._started:5.1f} s] {what}", flush=True)


def _row(who: str, what: str, seconds: str, result: str) -> str:
    return f"  {who:<8}  {what:<24}  {seconds:>7}  {result}"


def _shortened(line: Line) -> str:
    return line.result if len(line.result) <= 110 else f"{line.result[:109]}…"


def _port(wanted: int) -> int:
    """Return the port that people expect, or a free one when it is taken."""
    import socket  # noqa: PLC0415 - only here

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return free_port()
    return wanted


def _environment(state: Path, *, database_url: str, sink: MailSink, gateway: Gateway) -> dict[str, str]:
    return {
        "CRM_DEMO_STATE": str(state),
        "CRM_GATEWAY_URL": gateway.url,
        "CRM_SMS_PROVIDERS": "*=gateway",
        # Somebody watches: beat looks more often than a shop with thousands of customers needs.
        "CRM_DELIVER_SECONDS": "0.5",
        "CRM_PUMP_SECONDS": "0.5",
        "DATABASE_URL": database_url,
        "DJANGO_SETTINGS_MODULE": "demo.settings",
        "EMAIL_HOST": sink.host,
        "EMAIL_PORT": str(sink.port),
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
        "PYTHONUNBUFFERED": "1",
        # Whoosh is old; what newer Pythons say about its source helps nobody here.
        "PYTHONWARNINGS": "ignore::SyntaxWarning",
    }


def _finish(logs: Path, name: str, arguments: list[str], environment: dict[str, str]) -> str:
    """Run a command of the shop to its end; return what it printed, indented.

    Raises:
        ProcessFailed: with the end of its output.
    """
    with Processes(logs) as processes:
        child = processes.start(name, [sys.executable, *arguments], env=environment)
        code = child.wait(START_SECONDS)
        if code is None:
            raise ProcessFailed(f"{name} took longer than {START_SECONDS:g} s:\n{child.tail()}")
    if code:
        raise ProcessFailed(f"{name} ended with {code}:\n{child.tail()}")
    return "\n".join(f"            {line}" for line in child.log.read_text(errors="replace").splitlines())


@contextmanager
def _logs_shown_on_failure(processes: Processes) -> Iterator[None]:
    try:
        yield
    except (ProcessFailed, PageError):
        for child in processes.children:
            print(f"\n--- end of {child.log.name} ---\n{child.tail()}", file=sys.stderr)
        raise


def _serve(processes: Processes, *, shop_url: str, inbox_url: str) -> None:
    print(f"  Shop       {shop_url}")
    print(f"  Dashboard  {shop_url}dashboard/")
    print(f"  GraphQL    {shop_url}crm/graphql/  (signed in as staff)")
    print(f"  Inbox      {inbox_url}")
    print(f"  Sign in    {SHOPPER_EMAIL} or {STAFF_EMAIL}, password {PASSWORD}")
    print("\nmake demo: the story went through; serving until Ctrl-C", flush=True)
    while True:
        processes.check()
        time.sleep(CHECK_SECONDS)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    """Leave through the ``finally`` blocks, once: an impatient second Ctrl-C must not cut the clean-up short."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    print("\nmake demo: stopping", flush=True)
    raise KeyboardInterrupt


def main() -> int:
    """Run the demo; return the exit code."""
    is_serving = os.environ.get("SERVE") != "0" and os.environ.get("CI", "").lower() not in {"1", "true"}
    signal.signal(signal.SIGINT, _interrupt)
    demo = Demo(is_serving=is_serving)
    try:
        with termination_unwinds():
            demo.run()
    except (ProcessFailed, PageError) as error:
        print(f"\nmake demo: FAILED. {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("make demo: stopped")
        return 0 if is_serving else 130
    print("make demo: the story went through")
    return 0


if __name__ == "__main__":
    sys.exit(main())
