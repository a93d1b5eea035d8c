"""Waiting for something to happen, without missing it.

While a run waits, it stands at its wait_for step with ``waits_for`` set, due when the time is over. Two look for what
it waits for: the drain, when it has written the activity (``wake``), and the run's own worker, when it parks and when
the time is over (``heard``). The worker holds the contact's row meanwhile, as the drain does while it writes: so it
either sees the activity, or the drain sees the run waiting. A run that another worker has in hand is passed over by the
drain; that worker, or the end of the time, finds the activity in the history.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection

from crm_plugin import activity, clock, contacts
from crm_plugin.activity import Happening
from crm_plugin.automations.matching import suits_what
from crm_plugin.automations.models import CampaignState, CampaignVersion, Enrollment
from crm_plugin.automations.running import versions
from crm_plugin.automations.steps import WaitForStep
from crm_plugin.automations.working import Work
from crm_plugin.ids import array
from crm_plugin.shop import FactKind

#: Runs of the others are let go of when they are due.
_GOING_ON: Final = (CampaignState.RUNNING, CampaignState.PAUSED)
#: What a version waits for, by its id and when it was published; a version never changes.
_known_kinds: dict[tuple[int, datetime], frozenset[FactKind]] = {}

#: Of one person's activities of the kind, the newest so many are looked at.
_KEPT: Final = 200

#: By the contacts first: few of them have a run that waits.
_WAITING = """
SELECT e.* FROM crm_plugin_enrollment e
WHERE e.state = 'active' AND e.waits_for = ANY(%s)
    AND e.contact_id = ANY(ARRAY(SELECT a.contact_id FROM crm_plugin_activity a WHERE a.id = ANY(%s::bigint[])))
ORDER BY e.id FOR UPDATE SKIP LOCKED
"""
_SINCE = """
SELECT n.run_id, a.id FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[]) AS n(run_id, contact_id, since)
CROSS JOIN LATERAL (
    SELECT id FROM crm_plugin_activity WHERE contact_id = n.contact_id AND kind = %s AND occurred_at >= n.since
    ORDER BY occurred_at DESC LIMIT %s
) AS a
"""
_PARK = """
UPDATE crm_plugin_enrollment e SET waits_for = %s, waits_since = n.since, due_at = %s, is_collecting = FALSE
FROM unnest(%s::bigint[], %s::timestamptz[]) AS n(id, since) WHERE e.id = n.id AND e.state = 'active'
"""
_RELEASE = "UPDATE crm_plugin_enrollment SET waits_for = '', waits_since = NULL WHERE id = ANY(%s::bigint[])"


@dataclass(frozen=True, slots=True)
class Wish:
    """What one run waits for, and since when it counts."""

    run: Enrollment
    step: WaitForStep
    since: datetime


def wake(added: Mapping[FactKind, Sequence[int]]) -> int:
    """Send the runs on that waited for one of the new activities (ids by kind); return how many.

    Must run in the transaction that wrote the activities: their contacts are locked.
    """
    kinds = _waited_for() & {kind for kind, ids in added.items() if ids} if added else set()
    ids = [pk for kind in kinds for pk in added[kind]]
    if not ids:
        return 0
    wishes = _wishes(Enrollment.objects.raw(_WAITING, [[kind.value for kind in kinds], ids]))
    told = {wish.step.activity for wish in wishes}
    by_contact: dict[int, list[Happening]] = defaultdict(list)
    for happening in activity.happenings([pk for kind in told for pk in added[kind]]) if told else ():
        by_contact[happening.contact_id].append(happening)
    heard = _fulfilled([(wish, by_contact[wish.run.contact_id]) for wish in wishes])
    return _send_on([wish.run for wish in wishes if wish.run.pk in heard])


def heard(wishes: Sequence[Wish]) -> set[int]:
    """Return the ids of those of the runs, all at one step, whose person has done it: the history is asked.

    Must run while the contacts are locked (``lock``).
    """
    if not wishes:
        return set()
    people = [[wish.run.pk for wish in wishes], [wish.run.contact_id for wish in wishes]]
    with connection.cursor() as cursor:
        values = [*people, [wish.since for wish in wishes], wishes[0].step.activity.value, _KEPT]
        cursor.execute(_SINCE, values)
        rows = cursor.fetchall()
    if not rows:
        return set()
    found = {one.activity_id: one for one in activity.happenings({activity_id for _run, activity_id in rows})}
    by_run: dict[int, list[Happening]] = defaultdict(list)
    for run_id, activity_id in rows:
        if activity_id in found:
            by_run[run_id].append(found[activity_id])
    return _fulfilled([(wish, by_run[wish.run.pk]) for wish in wishes])


def lock(runs: Sequence[Enrollment]) -> set[int]:
    """Lock the contacts of the runs and return their ids, without those that somebody else holds at this moment.

    Nobody is waited for: whoever holds a contact (the drain) may wait for one of the runs.
    """
    rows = contacts.rows_of({run.contact_id for run in runs}).order_by("pk")
    return set(rows.select_for_update(no_key=True, skip_locked=True).values_list("pk", flat=True))


def park(wishes: Sequence[Wish], *, until: datetime) -> None:
    """Let the runs, all at one step, wait until then at the latest."""
    if wishes:
        runs, since = array(wish.run.pk for wish in wishes), [wish.since for wish in wishes]
        with connection.cursor() as cursor:
            cursor.execute(_PARK, [wishes[0].step.activity.value, until, runs, since])


def release(run_ids: Iterable[int]) -> None:
    """Note that the runs wait for nothing any more."""
    with connection.cursor() as cursor:
        cursor.execute(_RELEASE, [array(run_ids)])


def _waited_for() -> frozenset[FactKind]:
    """Return what a run of a campaign that goes on may wait for; each version is looked through once in a process."""
    stamps = dict(
        CampaignVersion.objects.filter(campaign__state__in=_GOING_ON).values_list("pk", "published_at").order_by()
    )
    missing = [pk for pk, published_at in stamps.items() if (pk, published_at) not in _known_kinds]
    for pk, version in versions(missing).items() if missing else ():
        steps = [op.step for op in version.definition.program.ops]
        _known_kinds[pk, stamps[pk]] = frozenset(step.activity for step in steps if isinstance(step, WaitForStep))
    return frozenset().union(*(_known_kinds[key] for key in stamps.items()))


def _wishes(runs: Iterable[Enrollment]) -> list[Wish]:
    """Return what each run waits for."""
    waiting = list(runs)
    known = versions(run.version_id for run in waiting)
    found = []
    for run in waiting:
        step = known[run.version_id].definition.program.ops[run.step].step
        if isinstance(step, WaitForStep) and run.waits_since is not None:
            found.append(Wish(run, step, run.waits_since))
    return found


def _send_on(runs: Sequence[Enrollment]) -> int:
    """Send the runs the way of what they waited for."""
    known = versions(run.version_id for run in runs)
    groups: dict[tuple[int, int, int], list[int]] = defaultdict(list)
    for run in runs:
        groups[run.campaign_id, run.version_id, run.step].append(run.pk)
    for (campaign_id, version_id, place), ids in groups.items():
        version, now = known[version_id], clock.now()
        op = version.definition.program.ops[place]
        release(ids)
        Work(campaign_id, version, op, array(ids), now).go(op.ways[0], due_at=now)
    return len(runs)


def _fulfilled(meetings: Sequence[tuple[Wish, Collection[Happening]]]) -> set[int]:
    """Return the ids of the runs of which one of the happenings is what they wait for."""
    has_groups = any(wish.step.what.groups for wish, _found in meetings)
    products = {pk for _wish, found in meetings for one in found for pk in one.product_ids} if has_groups else set()
    groups = activity.groups_of(products) if products else {}
    return {wish.run.pk for wish, found in meetings if any(_is_it(wish, one, groups) for one in found)}


def _is_it(wish: Wish, happening: Happening, groups: Mapping[str, frozenset[str]]) -> bool:
    if happening.kind is not wish.step.activity or happening.occurred_at < wish.since:
        return False
    if happening.activity_id == wish.run.context.get("activity"):
        return False  # what started the run is not what it waits for
    if not suits_what(wish.step.what, happening) or not _is_with(wish.step, happening, groups):
        return False
    return not wish.step.is_same_subject or _is_about(wish.run, happening)


def _is_with(step: WaitForStep, happening: Happening, groups: Mapping[str, frozenset[str]]) -> bool:
    """Whether the activity is about one of the products, or something in one of the groups, that are asked for."""
    if not step.what.products and not step.what.groups:
        return True
    if not set(step.what.products).isdisjoint(happening.product_ids):
        return True
    wanted = set(step.what.groups)
    if happening.kind is FactKind.GROUP_VIEWED:
        return happening.subject in wanted
    return any(not wanted.isdisjoint(groups.get(pk, ())) for pk in happening.product_ids)


def _is_about(run: Enrollment, happening: Happening) -> bool:
    """Whether the activity is about the order, the cart or a product of the run."""
    if happening.order_ref and happening.order_ref == run.context.get("order_ref"):
        return True
    if happening.cart_ref and happening.cart_ref == run.context.get("cart_ref"):
        return True
    return not {item["product_id"] for item in run.items}.isdisjoint(happening.product_ids)
