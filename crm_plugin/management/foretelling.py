"""A dry run as text for a terminal, and as JSON for a program."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from zoneinfo import ZoneInfo

from django.core.serializers.json import DjangoJSONEncoder

from crm_plugin.automations import DryRun, Foreseen

_ROW = "{at:<16} {outcome:<10} {step:<20} {who:<34} {more}"


def as_json(found: DryRun) -> str:
    """Return everything, people by the ids of their contacts."""
    return json.dumps(asdict(found), cls=DjangoJSONEncoder, indent=2, ensure_ascii=False)


def as_table(found: DryRun, *, names: Mapping[int, str], zone: ZoneInfo) -> Iterator[str]:
    """Walk over the lines of the table, the totals and the remarks; times as the clocks of ``zone`` show them."""
    if found.foreseen:
        yield _ROW.format(at="when", outcome="outcome", step="step", who="who", more="why").rstrip()
    for one in found.foreseen:
        yield _row(one, names.get(one.contact_id, ""), zone)
    if found.count > len(found.foreseen):
        yield f"… and {found.count - len(found.foreseen)} more"
    yield f"{found.count} foreseen of {found.people} runs, {_moment(found.starts_at, zone)} to " + _moment(
        found.ends_at, zone
    )
    for total in found.totals:
        why = f" ({total.reason})" if total.reason else ""
        yield f"{total.day} {total.step_id:<20} {total.outcome}{why}: {total.count}"
    for remark in found.remarks:
        yield f"note: {remark.sentence}"


def _row(one: Foreseen, name: str, zone: ZoneInfo) -> str:
    until = f"until {_moment(one.until, zone)}" if one.until is not None else ""
    more = " ".join(word for word in (until, one.reason, one.about) if word)
    who = f"{one.contact_id} {name}".strip()
    line = _ROW.format(at=_moment(one.at, zone), outcome=one.outcome.value, step=one.step_id, who=who, more=more)
    return line.rstrip()


def _moment(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}"
