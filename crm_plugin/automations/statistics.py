"""How many people came through campaigns, for lists of them: a few counting queries for any number of campaigns."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from crm_plugin.automations.models import CampaignVersion, Enrollment, EnrollmentState, SplitTest
from crm_plugin.automations.running import versions
from crm_plugin.automations.steps import SplitStep
from crm_plugin.ids import array

#: Two halves, each by an index of its own: those that ended, and those under way.
_BY_END = """
WITH ids AS (SELECT %s::bigint[] AS ids)
SELECT e.campaign_id, e.version_id, e.state, e.reason, count(*) FROM crm_plugin_enrollment e
WHERE e.campaign_id = ANY((SELECT ids FROM ids)::bigint[]) AND e.state <> 'active' GROUP BY 1, 2, 3, 4
UNION ALL
SELECT e.campaign_id, e.version_id, e.state, '', count(*) FROM crm_plugin_enrollment e
WHERE e.campaign_id = ANY((SELECT ids FROM ids)::bigint[]) AND e.state = 'active' GROUP BY 1, 2, 3
ORDER BY 1, 2, 3, 4
"""
_BY_STEP = """
SELECT e.campaign_id, e.version_id, e.step, count(*), count(*) FILTER (WHERE e.due_at IS NULL)
FROM crm_plugin_enrollment e WHERE e.campaign_id = ANY(%s::bigint[]) AND e.state = 'active'
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
_BY_ARM = """
SELECT e.campaign_id, arm.key, arm.value, count(*), count(*) FILTER (WHERE e.state = 'converted')
FROM crm_plugin_enrollment e CROSS JOIN LATERAL jsonb_each_text(e.arms) arm
WHERE e.campaign_id = ANY(%s::bigint[]) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""


@dataclass(frozen=True, slots=True)
class Ends:
    """Of so many who entered, so many are under way, and so many ended in each way. The parts make the whole."""

    entered: int = 0
    active: int = 0
    completed: int = 0
    exited: int = 0
    converted: int = 0


@dataclass(frozen=True, slots=True)
class VersionStatistics:
    """The runs of one version; one that was moved counts where it is now."""

    version: int
    published_at: datetime
    ends: Ends


@dataclass(frozen=True, slots=True)
class Standing:
    """How many people stand at a step of a version: it is the next thing that is done for them.

    ``parked``: of those, how many wait for the outcome of their message.
    """

    campaign_id: int
    version: int
    step_id: str
    path: str
    people: int
    parked: int


@dataclass(frozen=True, slots=True)
class ArmStatistics:
    """How many of those who came to a split went one of its ways, and how many of these converted."""

    step_id: str
    arm: str
    entered: int
    converted: int


@dataclass(frozen=True, slots=True)
class Test:
    """The test of a split: the arm that won, when, and on what evidence; an empty arm: not decided yet."""

    __test__ = False  # nothing for pytest

    step_id: str
    version: int
    started_at: datetime
    arm: str
    decided_at: datetime | None
    evidence: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CampaignStatistics:
    """What became of the people of one campaign.

    Attributes:
        exits: how many exited, by reason.
        steps: where those stand who are under way.
        arms: the arms of a split add up to those who passed it.
    """

    ends: Ends = Ends()
    exits: tuple[tuple[str, int], ...] = ()
    versions: tuple[VersionStatistics, ...] = ()
    steps: tuple[Standing, ...] = ()
    arms: tuple[ArmStatistics, ...] = ()
    tests: tuple[Test, ...] = ()


def statistics(campaign_ids: Iterable[int]) -> dict[int, CampaignStatistics]:
    """Return the statistics of campaigns by id, in the same few queries whatever their number."""
    ids = list(campaign_ids)
    published = CampaignVersion.objects.filter(campaign_id__in=ids).order_by("campaign_id", "number")
    numbers = {row.pk: row for row in published.only("campaign_id", "number", "published_at")}
    by_end = _rows(_BY_END, ids)
    steps, arms, tests = _grouped(standing(ids)), _arms(_splitting(numbers)), _tests(numbers)
    return {
        pk: CampaignStatistics(
            ends=_ends(row for row in by_end if row[0] == pk),
            exits=_exits(row for row in by_end if row[0] == pk),
            versions=tuple(
                VersionStatistics(one.number, one.published_at, _ends(row for row in by_end if row[1] == one.pk))
                for one in numbers.values()
                if one.campaign_id == pk
            ),
            steps=tuple(steps[pk]),
            arms=tuple(arms[pk]),
            tests=tuple(tests[pk]),
        )
        for pk in ids
    }


def standing(campaign_ids: Iterable[int]) -> list[Standing]:
    """Return where the people stand who are under way, by campaign, version and the order of steps."""
    rows = _rows(_BY_STEP, list(campaign_ids))
    version_ids = {row[1] for row in rows}
    known = versions(version_ids)
    numbers = dict(CampaignVersion.objects.filter(pk__in=version_ids).values_list("pk", "number"))
    found = []
    for campaign_id, version_id, place, people, parked in rows:
        ops = known[version_id].definition.program.ops
        step_id, path = (ops[place].step.id, ops[place].path) if place < len(ops) else ("", "")
        found.append(Standing(campaign_id, numbers[version_id], step_id, path, people, parked))
    return found


def enrollments() -> QuerySet[Enrollment]:
    """Return the runs of people, for lists."""
    return Enrollment.objects.select_related("version")


def step_ids(version_ids: Iterable[int]) -> dict[int, tuple[str, ...]]:
    """Return the ids of the steps of versions, in the order of their places."""
    found = versions(version_ids)
    return {pk: tuple(op.step.id for op in version.definition.program.ops) for pk, version in found.items()}


def _rows(statement: str, ids: Collection[int]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [array(ids)])
        return list(cursor.fetchall())


def _ends(rows: Iterable[Sequence[Any]]) -> Ends:
    counts: Counter[str] = Counter()
    for *_keys, state, _reason, people in rows:
        counts[state] += people
    by_state = {state.value: counts[state.value] for state in EnrollmentState}
    return Ends(entered=counts.total(), **by_state)


def _exits(rows: Iterable[Sequence[Any]]) -> tuple[tuple[str, int], ...]:
    counts: Counter[str] = Counter()
    for *_keys, state, reason, people in rows:
        if state == EnrollmentState.EXITED:
            counts[reason] += people
    return tuple(sorted(counts.items()))


def _grouped(found: Iterable[Standing]) -> Mapping[int, list[Standing]]:
    groups: dict[int, list[Standing]] = defaultdict(list)
    for one in found:
        groups[one.campaign_id].append(one)
    return groups


def _splitting(numbers: Mapping[int, CampaignVersion]) -> set[int]:
    """Return the campaigns that ever had a split: of the others, nobody needs to be looked at."""
    return {
        numbers[pk].campaign_id
        for pk, version in versions(numbers).items()
        if any(isinstance(op.step, SplitStep) for op in version.definition.program.ops)
    }


def _arms(ids: Collection[int]) -> Mapping[int, list[ArmStatistics]]:
    groups: dict[int, list[ArmStatistics]] = defaultdict(list)
    for campaign_id, step_id, arm, entered, converted in _rows(_BY_ARM, ids) if ids else ():
        groups[campaign_id].append(ArmStatistics(step_id, arm, entered, converted))
    return groups


def _tests(numbers: Mapping[int, CampaignVersion]) -> Mapping[int, list[Test]]:
    groups: dict[int, list[Test]] = defaultdict(list)
    for row in SplitTest.objects.filter(version_id__in=numbers).order_by("version_id", "step_id"):
        version = numbers[row.version_id]
        groups[version.campaign_id].append(
            Test(row.step_id, version.number, row.started_at, row.arm, row.decided_at, row.evidence)
        )
    return groups
