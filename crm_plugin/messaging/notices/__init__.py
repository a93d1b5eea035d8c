"""Notices: messages that no campaign asks for, but the law, or a person's own doing. They are no advertisements.

A notice has an occasion (``consent:17``), and each occasion one message on each channel, for ever. What a notice says
is in one ``.toml`` file by its name, with a section for each channel and language in the form of ``contents``; it may
name ``event.<key>`` for what ``Notice.data`` holds.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from crm_plugin import clock
from crm_plugin.messaging.models import MessageClass
from crm_plugin.messaging.outbox import Claimed, Draft, enqueue
from crm_plugin.messaging.outcomes import Go, Verdict
from crm_plugin.messaging.templates import TemplateSource, save_template

#: A notice that could not be handed out for so long is given up.
STALE_AFTER = timedelta(days=7)
_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One notice for one person.

    Attributes:
        occasion: what it is about; at most 80 characters.
        name: of the file that holds its words.
        data: what it says; kept with the message until the person is erased.
    """

    occasion: str
    contact_id: int
    channel: str
    name: str
    data: Mapping[str, Any] = field(default_factory=dict)


def enqueue_notices(notices: Sequence[Notice]) -> None:
    """Put notices into the outbox; one whose occasion had its message already is passed over."""
    now = clock.now()
    templates = {
        (name, channel): _template(name, channel) for name, channel in {(one.name, one.channel) for one in notices}
    }
    enqueue(
        [
            Draft(
                contact_id=one.contact_id,
                template_id=templates[one.name, one.channel],
                channel=one.channel,
                message_class=MessageClass.TRANSACTIONAL,
                due_at=now,
                stale_at=now + STALE_AFTER,
                occasion=one.occasion,
                data=one.data,
            )
            for one in notices
        ]
    )


def verdicts_of_notices(claimed: Sequence[Claimed]) -> dict[int, Verdict]:
    """Return the verdict on each notice: it goes, with what it has to say."""
    return {one.message_id: Go(extras={"event": json.loads(one.data)}) for one in claimed}


def _template(name: str, channel: str) -> int:
    source = TemplateSource.parse(_words(name)[channel], channel=channel)
    return save_template(source, message_class=MessageClass.TRANSACTIONAL)


@cache
def _words(name: str) -> dict[str, Any]:
    return tomllib.loads((_FOLDER / f"{name}.toml").read_text("utf-8"))


__all__ = ["Notice", "enqueue_notices", "verdicts_of_notices"]
