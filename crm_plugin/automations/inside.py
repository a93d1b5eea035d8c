"""Who of some people is in an audience of a definition, now or at a moment: the one way in which workers ask.

A definition outlives what it names: when a segment or an attribute is gone, nobody is inside, the log says so, and
every other campaign goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from crm_plugin.audience import AudienceRule, matching
from crm_plugin.errors import InvalidInput

logger = logging.getLogger(__name__)


def inside(audience: Mapping[str, Any], contact_ids: Iterable[int], *, now: datetime | None = None) -> set[int]:
    """Return those of the contacts who are in the audience, in one statement."""
    try:
        return matching(AudienceRule.parse(dict(audience)), contact_ids, now=now)
    except InvalidInput as error:
        logger.warning("crm: an audience names what is gone; nobody is in it: %s", error)
        return set()
