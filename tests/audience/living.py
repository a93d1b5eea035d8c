"""Segments whose members are looked at: rules, people who do something, and what was told of who joined and left."""

from __future__ import annotations

from typing import Any

from django.db import connection

from crm_plugin import activity, audience, clock, contacts, pipeline
from crm_plugin.audience import AudienceRule, Segment, matching
from crm_plugin.contacts import Person
from crm_plugin.models import Activity, Contact, Inbox, Member
from crm_plugin.shop import Fact, FactKind

EVERYBODY = {"type": "everybody"}
MANY_LOOKS = 40


def did(kind: str, **more: Any) -> dict[str, Any]:
    """A condition on the stream."""
    return {"type": "did", "activity": kind, **more}


def within(amount: int, unit: str = "hours") -> dict[str, Any]:
    """A window that ends now."""
    return {"type": "within", "amount": amount, "unit": unit}


def live(name: str, include: Any, *exclude: Any) -> Segment:
    """A live segment that is built."""
    segment = audience.create_segment(name, {"include": include, "exclude": list(exclude)})
    quiet()
    return audience.segments().get(pk=segment.pk)


def quiet() -> None:
    """Let the workers do all that is to do at this moment."""
    for _ in range(MANY_LOOKS):
        if not pipeline.upkeep_audience() + pipeline.pump():
            return
    raise AssertionError("the workers are never done")


def guest(email: str) -> int:
    """A contact."""
    return contacts.get_or_create(Person("", email)).pk


def does(email: str, kind: str, *, key: str = "", **more: Any) -> None:
    """Somebody does something, now; nobody has drained it."""
    fact = Fact(kind=FactKind(kind), source_key=f"{kind}:{email}:{key}:{clock.now()}", email=email, **more)
    activity.record(fact)


def emails(segment: Segment) -> list[str | None]:
    """Who is in, by address."""
    rows = Member.objects.filter(segment=segment).order_by("contact__email")
    return list(rows.values_list("contact__email", flat=True))


def told(segment: Segment) -> list[tuple[str, str | None]]:
    """What the stream says of who joined and left, in order; what waits in the inbox is told too."""
    name = f"segment:{segment.pk}"
    rows = Activity.objects.filter(subject=name).order_by("pk").values_list("kind", "contact__email")
    waiting = Inbox.objects.filter(subject=name).order_by("pk").values_list("kind", "contact_id")
    by_pk = dict(Contact.objects.values_list("pk", "email"))
    return [*rows, *((kind, by_pk.get(pk)) for kind, pk in waiting)]


def should_be(segment: Segment) -> set[int]:
    """Who should be in now, asked of everybody."""
    fresh = audience.segments().get(pk=segment.pk)
    assert fresh.version is not None
    rule = AudienceRule.parse(fresh.version.definition)
    return matching(rule, list(Contact.objects.values_list("pk", flat=True)))


def is_in(segment: Segment) -> set[int]:
    """Who is in now."""
    return set(Member.objects.filter(segment=segment).values_list("contact_id", flat=True))


def limits() -> tuple[str, str]:
    """How long a statement of this connection may take, and wait."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout'), current_setting('lock_timeout')")
        return tuple(cursor.fetchone())
