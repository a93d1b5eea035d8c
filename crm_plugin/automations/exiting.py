"""When a run ends early: asked before every step, as soon as something happens, and right before a message goes out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from django.db import connection

from crm_plugin import contacts
from crm_plugin.automations.definition import Definition, ExitCondition
from crm_plugin.automations.inside import inside
from crm_plugin.automations.models import EnrollmentState
from crm_plugin.automations.running import Version, running, versions
from crm_plugin.automations.working import finish
from crm_plugin.ids import array
from crm_plugin.messaging import Reason
from crm_plugin.shop import FactKind

End = tuple[EnrollmentState, str]

#: The message's subject is gone: the steps behind it have nothing to be about.
_SUBJECT_GONE = {
    Reason.EXITED,
    Reason.PRICE_RESTORED,
    Reason.SOLD_OUT,
    Reason.UNAVAILABLE,
    Reason.CAMPAIGN_ENDED,
}
_CONVERTED: End = (EnrollmentState.CONVERTED, Reason.BOUGHT)
EXITED: End = (EnrollmentState.EXITED, Reason.EXITED)

#: OFFSET 0: looked up by index for each run of a batch, whatever the statistics say; else a planner that has them wrong
#: makes it a join and reads all activities.
_DID = """EXISTS (SELECT 1 FROM crm_plugin_activity a WHERE a.contact_id = e.contact_id AND a.kind = ANY(%s)
    AND a.occurred_at > e.entered_at OFFSET 0)"""
_DID_WITH_ALL = """jsonb_array_length(e.items) > 0 AND NOT EXISTS (
    SELECT 1 FROM jsonb_array_elements(e.items) x WHERE NOT EXISTS (
        SELECT 1 FROM crm_plugin_activity a WHERE a.contact_id = e.contact_id AND a.kind = ANY(%s)
            AND a.product_id = x ->> 'product_id' {since}))"""
_ITS_ORDER_WAS = """EXISTS (SELECT 1 FROM crm_plugin_activity a WHERE a.order_ref <> ''
    AND a.order_ref = e.context ->> 'order_ref' AND a.kind = ANY(%s) OFFSET 0)"""

#: What is asked of a run ``e``, the kinds of activity that answer it, and how the run ends. The first that holds wins.
ASKED: Mapping[ExitCondition, tuple[str, tuple[FactKind, ...], End]] = {
    ExitCondition.BOUGHT_ITEM: (
        _DID_WITH_ALL.format(since="AND a.occurred_at > e.entered_at"),
        (FactKind.BOUGHT,),
        _CONVERTED,
    ),
    ExitCondition.ORDERED: (_DID, (FactKind.BOUGHT, FactKind.ORDERED), _CONVERTED),
    ExitCondition.ORDER_UNDONE: (_ITS_ORDER_WAS, (FactKind.CANCELLED, FactKind.REFUNDED), EXITED),
    ExitCondition.RECEIPT_CONFIRMED: (_ITS_ORDER_WAS, (FactKind.RECEIPT_CONFIRMED,), EXITED),
    ExitCondition.REVIEWED_ITEM: (_DID_WITH_ALL.format(since=""), (FactKind.REVIEWED,), EXITED),
    ExitCondition.CHECKOUT_STARTED: (_DID, (FactKind.CHECKOUT_STARTED,), EXITED),
    ExitCondition.VISITED: (_DID, (FactKind.VISITED, FactKind.LOGGED_IN, FactKind.VIEWED), EXITED),
}

_OF_RUNS = """SELECT e.id FROM crm_plugin_enrollment e
WHERE e.id = ANY(%s::bigint[]) AND e.state IN ('active', 'completed') AND """
_PEOPLE_OF_RUNS = "SELECT id, contact_id, entered_at FROM crm_plugin_enrollment WHERE id = ANY(%s::bigint[])"

#: A run that another worker is moving is passed over: it asks for itself before its step.
_CONCERNED = """
SELECT e.id, e.version_id FROM crm_plugin_enrollment e
WHERE e.state = 'active' AND e.contact_id IN (SELECT a.contact_id FROM crm_plugin_activity a WHERE a.id = ANY(%s))
ORDER BY e.id FOR UPDATE SKIP LOCKED
"""


def ended(version: Version, ids: str) -> dict[int, End]:
    """Return how those of the runs end whose exit condition holds now; one question for each condition.

    Args:
        version: theirs.
        ids: the runs, as the text of an array.
    """
    definition, ends = version.definition, dict[int, End]()
    for condition, (asked, kinds, end) in ASKED.items():
        if condition in definition.exit_when:
            for pk in _ids(f"{_OF_RUNS}{asked}", [ids, [kind.value for kind in kinds]]):
                ends.setdefault(pk, end)
    for pk in _gone(definition, ids):
        ends.setdefault(pk, EXITED)
    return ends


def end_after(reason: str) -> EnrollmentState | None:
    """Return how a run ends whose message came to ``reason``; None when it goes on."""
    if reason == Reason.BOUGHT:
        return EnrollmentState.CONVERTED
    return EnrollmentState.EXITED if reason in _SUBJECT_GONE else None


def end_at_once(added: Mapping[FactKind, Sequence[int]]) -> int:
    """End the runs whose exit condition the new activities (ids by kind) have made true; return how many ended.

    Whatever they wait for: a purchase ends a run in the middle of a wait, and while its message is held.
    """
    ids = [pk for kind in _kinds_asked(added) for pk in added[kind]]
    if not ids:
        return 0
    by_version: dict[int, list[int]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_CONCERNED, [ids])
        for pk, version_id in cursor.fetchall():
            by_version[version_id].append(pk)
    return sum(_end(version, array(by_version[pk])) for pk, version in versions(by_version).items())


def _end(version: Version, ids: str) -> int:
    groups: dict[End, list[int]] = defaultdict(list)
    for pk, end in ended(version, ids).items():
        groups[end].append(pk)
    return sum(finish(array(pks), *end) for end, pks in groups.items())


def _kinds_asked(added: Iterable[FactKind]) -> list[FactKind]:
    """Return those of the kinds that can end a run; what everybody does all the time, only where a campaign asks."""
    told = set(added)
    seldom = {kind for condition, (_sql, kinds, _end) in ASKED.items() for kind in kinds if condition not in _OFTEN}
    often = told & {kind for condition in _OFTEN for kind in ASKED[condition][1]} - seldom
    if often:
        used = {condition for one in running() for condition in one.definition.exit_when}
        seldom |= {kind for condition in _OFTEN & used for kind in ASKED[condition][1]}
    return sorted(told & seldom)


_OFTEN = frozenset({ExitCondition.VISITED, ExitCondition.CHECKOUT_STARTED})


def _gone(definition: Definition, ids: str) -> Collection[int]:
    """Return the runs whose contact is in the exit audience, or took consent back."""
    rule, is_asked = definition.exit_audience, ExitCondition.UNSUBSCRIBED in definition.exit_when
    if rule is None and not is_asked:
        return ()
    with connection.cursor() as cursor:
        cursor.execute(_PEOPLE_OF_RUNS, [ids])
        rows = cursor.fetchall()
    people = {contact_id for _pk, contact_id, _at in rows}
    left = inside(rule, people) if rule is not None else set()
    said_no = contacts.withdrawals(people) if is_asked else {}
    return [pk for pk, who, since in rows if who in left or (who in said_no and said_no[who] > since)]


def _ids(statement: str, values: Sequence[Any]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return [pk for (pk,) in cursor.fetchall()]
