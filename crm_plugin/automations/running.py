"""Campaigns and versions as the workers need them: read from the database in one query, parsed once in a process.

A version never changes, so what was read of it is kept; which campaigns run is asked anew in every pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from crm_plugin import clock
from crm_plugin.automations.definition import Definition
from crm_plugin.automations.models import Campaign, CampaignState, CampaignVersion

#: How many versions a process keeps in mind.
KEPT = 2_000


@dataclass(frozen=True, slots=True)
class Version:
    """A published definition and its templates by the id of the Send step."""

    version_id: int
    definition: Definition
    templates: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Running:
    """A campaign that people can enter now.

    ``since``: what happened before it starts nothing; when it last began to run, or the beginning of its period.
    """

    campaign_id: int
    version: Version
    since: datetime

    @property
    def definition(self) -> Definition:
        """What it does."""
        return self.version.definition


_kept: dict[tuple[int, datetime], Version] = {}


def running() -> list[Running]:
    """Return the campaigns that people can enter now, by id."""
    now = clock.now()
    rows = (
        Campaign.objects.filter(state=CampaignState.RUNNING)
        .filter(Q(starts_at__isnull=True) | Q(starts_at__lte=now), Q(ends_at__isnull=True) | Q(ends_at__gt=now))
        .order_by("id")
        .values_list("id", "version_id", "version__published_at", "running_since", "starts_at")
    )
    found = list(rows)
    known = _versions({version_id: published_at for _pk, version_id, published_at, *_ in found})
    return [
        Running(pk, known[version_id], max(at for at in (since, starts_at) if at is not None))
        for pk, version_id, _published_at, since, starts_at in found
    ]


def versions(version_ids: Iterable[int]) -> Mapping[int, Version]:
    """Return versions by id."""
    rows = CampaignVersion.objects.filter(pk__in=set(version_ids)).values_list("pk", "published_at")
    return _versions(dict(rows))


def _versions(stamps: Mapping[int, datetime]) -> dict[int, Version]:
    missing = [pk for pk, published_at in stamps.items() if (pk, published_at) not in _kept]
    if len(_kept) + len(missing) > KEPT:
        _kept.clear()
        missing = list(stamps)
    for row in CampaignVersion.objects.filter(pk__in=missing) if missing else ():
        _kept[row.pk, row.published_at] = Version(row.pk, Definition.parse(row.definition), row.templates)
    return {pk: _kept[pk, published_at] for pk, published_at in stamps.items()}
