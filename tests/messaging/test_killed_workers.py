"""A worker killed at fifty random moments: nobody is mailed twice, and nothing is lost but what is told as unknown."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from queue import Queue

import pytest
from django.db import connection

from crm_plugin import clock, messaging
from crm_plugin.messaging import Draft, TemplateSource
from crm_plugin.models import Campaign, CampaignVersion, Consent, Contact, Enrollment, Message
from demo.services.mailsink import MailSink
from tests.messaging.conftest import CONTENT

KILLS = 50
PEOPLE = 1_000
HANDOUT_BATCH = 5
#: Generous: other tests keep the machine busy meanwhile.
ANSWER_SECONDS = 60


@pytest.fixture
def queued(us) -> None:
    """A message to each of many people."""
    now = clock.now()
    campaign = Campaign.objects.create(name="Test", draft={}, created_at=now, updated_at=now)
    version = CampaignVersion.objects.create(campaign=campaign, number=1, definition={}, published_at=now)
    people = Contact.objects.bulk_create(Contact(email=f"p{n}@example.com", created_at=now) for n in range(PEOPLE))
    Consent.objects.bulk_create(Consent(contact=p, channel="email", is_granted=True, changed_at=now) for p in people)
    runs = Enrollment.objects.bulk_create(
        Enrollment(campaign=campaign, version=version, contact=person, entered_at=now) for person in people
    )
    template = messaging.save_template(TemplateSource.parse({"en": CONTENT}))
    messaging.enqueue(
        [
            Draft(
                contact_id=run.contact_id,
                enrollment_id=run.pk,
                campaign_id=campaign.pk,
                template_id=template,
                step_id="mail",
                channel="email",
                message_class="marketing",
                due_at=now,
                stale_at=now + timedelta(hours=1),
            )
            for run in runs
        ]
    )


class Mortal:
    """A process that forks workers on demand; see ``mortal_worker``."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._answers: Queue[int] = Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def start(self) -> int:
        """Fork a worker; return its process id."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._answers.get(timeout=ANSWER_SECONDS)

    def ended(self) -> int:
        """Wait for the end of the worker; return its exit code."""
        return self._answers.get(timeout=ANSWER_SECONDS)

    def _listen(self) -> None:
        for line in self._process.stdout or ():
            self._answers.put(int(line))


@pytest.fixture
def mortal(mail_sink) -> Iterator[Mortal]:
    """Ready to fork; gone with its worker after the test."""
    db = connection.settings_dict
    host = str(db["HOST"]).replace("/", "%2F")
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "PGPASSWORD": str(db["PASSWORD"]),
        "DATABASE_URL": f"postgresql://{db['USER']}@{host}:{db['PORT']}/{db['NAME']}",
        "CRM_HANDOUT_BATCH": str(HANDOUT_BATCH),
    }
    command = [sys.executable, "-m", "tests.messaging.mortal_worker", str(mail_sink.port)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, text=True, bufsize=1, start_new_session=True, **pipes) as process:
        yield Mortal(process)
        os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.django_db(transaction=True)
def test_fifty_deaths_mail_nobody_twice_and_lose_nothing_untold(queued, mortal, mail_sink):
    chance = random.Random(20_261_122)  # noqa: S311 - moments, not secrets
    deaths, largest_blur = 0, 0

    for _ in range(4 * KILLS):
        if deaths == KILLS:
            break
        worker = mortal.start()
        wait_for_letters(mail_sink, chance.randrange(12))
        time.sleep(chance.uniform(0, 0.008))
        os.kill(worker, signal.SIGKILL)
        deaths += mortal.ended() == -signal.SIGKILL
        before = Message.objects.filter(state="unknown").count()
        let_the_leases_run_out()
        largest_blur = max(largest_blur, Message.objects.filter(state="unknown").count() - before)
    mortal.start()

    assert mortal.ended() == 0
    assert deaths == KILLS
    received = Counter(letter.recipients[0] for letter in mail_sink.letters)
    states = dict(Message.objects.values_list("contact__email", "state"))
    assert set(received.values()) == {1}
    assert set(states.values()) <= {"sent", "unknown"}
    assert {email for email, state in states.items() if state == "sent"} <= set(received)
    assert largest_blur <= HANDOUT_BATCH


def wait_for_letters(sink: MailSink, count: int) -> None:
    """Let the worker send some; how fast the machine is does not matter."""
    wanted, deadline = len(sink.letters) + count, time.monotonic() + 10
    while len(sink.letters) < wanted and time.monotonic() < deadline:
        time.sleep(0.001)


def let_the_leases_run_out() -> None:
    """What housekeeping finds some minutes later."""
    Message.objects.filter(lease_until__isnull=False).update(lease_until=clock.now())
    messaging.sweep(PEOPLE)
