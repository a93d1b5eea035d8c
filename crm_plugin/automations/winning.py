"""The winner of a split: when the arms have been compared for long enough, and how sure that is.

The statistics and where they come from: ``docs/decisions/split-winner.md``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import NormalDist
from typing import Any, Final, NamedTuple

from django.db.models import Count, Q
from django.db.models.fields.json import KeyTextTransform

from crm_plugin import messaging
from crm_plugin.automations.definition import Definition
from crm_plugin.automations.models import Enrollment, EnrollmentState, SplitTest
from crm_plugin.automations.program import walk
from crm_plugin.automations.running import Version
from crm_plugin.automations.steps import Arm, SendStep, SplitStep, Winner
from crm_plugin.errors import InvalidInput

#: An undecided test is not counted again before this, however many people come to the split meanwhile.
COUNT_AGAIN: Final = timedelta(minutes=5)


class Tally(NamedTuple):
    """How many people of an arm were counted, and how many of them did what is counted."""

    people: int = 0
    hits: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """The best arm, how probable it is that it beats every single other one, and whether that is enough."""

    arm: str
    probability: float
    is_enough: bool


def opened(version: Version, step: SplitStep, *, now: datetime) -> SplitTest:
    """Return the test of the split; it begins when its first person comes."""
    mine = SplitTest.objects.filter(version_id=version.version_id, step_id=step.id)
    if (found := mine.first()) is not None:
        return found
    begun = SplitTest(version_id=version.version_id, step_id=step.id, started_at=now)
    SplitTest.objects.bulk_create([begun], ignore_conflicts=True)
    return mine.get()


def decide(test: SplitTest, step: SplitStep, version: Version, campaign_id: int, *, now: datetime) -> str | None:
    """Return the name of the arm that won; None while that is open. Once decided, it stays.

    Workers that decide at the same time write one decision: the first one's.
    """
    if test.arm:
        return test.arm
    if step.winner is None:
        return None
    waited = (now - test.started_at).total_seconds()
    is_last_call = waited >= step.winner.deadline_seconds
    if waited < step.winner.after_seconds or (_is_fresh(test, now) and not is_last_call):
        return None
    tallies = _tallies(test, step, version, campaign_id)
    verdict = judge(tallies, step.winner)
    evidence, still_open = _evidence(step.winner, tallies, verdict, now), SplitTest.objects.filter(pk=test.pk, arm="")
    if not verdict.is_enough and not is_last_call:
        still_open.update(evidence=evidence)
        return None
    still_open.update(arm=verdict.arm, decided_at=now, evidence=evidence)
    test.refresh_from_db()
    return test.arm


def judge(tallies: Mapping[str, Tally], winner: Winner) -> Verdict:
    """Return which arm is best so far, the first of equals; when nobody was counted, the first arm.

    An arm's rate is taken as normal with the mean and the variance of the Beta distribution that its numbers leave of
    a uniform one; the difference of two such is normal too.
    """
    rates = {name: _rate(tally) for name, tally in tallies.items()}
    best = max(rates, key=lambda name: rates[name].mean)  # max() returns the first of equals
    others = [(rates[best] - rate).cdf(0.0) for name, rate in rates.items() if name != best]
    probability = 1.0 - max(others, default=0.0)
    counted = all(tally.people >= winner.min_per_arm for tally in tallies.values())
    return Verdict(best, probability, is_enough=counted and probability >= winner.min_probability)


def check_winner(definition: Definition) -> None:
    """Refuse a split whose winner could never be found: an arm sends nothing that could be opened or clicked.

    Raises:
        InvalidInput: with the path of the arm.
    """
    for path, step in walk(definition.steps):
        if not isinstance(step, SplitStep) or step.winner is None or step.winner.metric == "conversions":
            continue
        for index, arm in enumerate(step.arms):
            if _first_send(arm) is None:
                message = f"An arm without a message has no {step.winner.metric}; count conversions instead."
                raise InvalidInput(message, field=f"definition.{path}.arms.{index}.steps", code="NOTHING_TO_COUNT")


def _rate(tally: Tally) -> NormalDist:
    hits, misses = tally.hits + 1, max(tally.people - tally.hits, 0) + 1
    total = hits + misses
    return NormalDist(hits / total, math.sqrt(hits * misses / (total**2 * (total + 1))))


def _is_fresh(test: SplitTest, now: datetime) -> bool:
    counted_at = test.evidence.get("counted_at")
    return counted_at is not None and now - datetime.fromisoformat(counted_at) < COUNT_AGAIN


def _tallies(test: SplitTest, step: SplitStep, version: Version, campaign_id: int) -> dict[str, Tally]:
    metric = step.winner.metric if step.winner else "conversions"
    if metric == "conversions":
        return _conversions(version, campaign_id, step)
    sends = {arm.name: send.id for arm in step.arms if (send := _first_send(arm)) is not None}
    found = messaging.responses(
        campaign_id, {step_id: version.templates[step_id] for step_id in sends.values()}, since=test.started_at
    )
    counted = {name: found[step_id] for name, step_id in sends.items()}
    return {name: Tally(one.sent, one.clicked if metric == "clicks" else one.opened) for name, one in counted.items()}


def _conversions(version: Version, campaign_id: int, step: SplitStep) -> dict[str, Tally]:
    """Count everybody who went an arm, whatever they were sent: so nothing but chance tells the arms' people apart."""
    rows: Sequence[tuple[str | None, int, int]] = list(
        Enrollment.objects.filter(campaign_id=campaign_id, version_id=version.version_id, arms__has_key=step.id)
        .annotate(arm=KeyTextTransform(step.id, "arms"))
        .values_list("arm")
        .annotate(people=Count("pk"), hits=Count("pk", filter=Q(state=EnrollmentState.CONVERTED)))
    )
    found = {arm: Tally(people, hits) for arm, people, hits in rows}
    return {arm.name: found.get(arm.name, Tally()) for arm in step.arms}


def _first_send(arm: Arm) -> SendStep | None:
    return next((step for _path, step in walk(arm.steps) if isinstance(step, SendStep)), None)


def _evidence(winner: Winner, tallies: Mapping[str, Tally], verdict: Verdict, now: datetime) -> dict[str, Any]:
    return {
        "metric": winner.metric,
        "arms": {name: {"people": tally.people, "hits": tally.hits} for name, tally in tallies.items()},
        "best": verdict.arm,
        "probability": round(verdict.probability, 4),
        "is_enough": verdict.is_enough,
        "counted_at": now.isoformat(),
    }
