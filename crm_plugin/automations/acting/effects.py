"""The steps that change something about the person: an attribute, tags, a list.

They change it for all runs at once, and may be done again: the same run has the same effect.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from crm_plugin import audience, contacts
from crm_plugin.automations import awaiting
from crm_plugin.automations.acting.waiting import BUSY_PAUSE
from crm_plugin.automations.models import Enrollment
from crm_plugin.automations.steps import ListStep, SetAttributeStep, TagStep
from crm_plugin.automations.working import Work
from crm_plugin.contacts import ChangeSource
from crm_plugin.errors import CRMError

logger = logging.getLogger(__name__)


def set_attribute(work: Work) -> None:
    """Set the attribute of every contact; what is not of its kind is passed over."""
    step = work.op.step
    assert isinstance(step, SetAttributeStep)  # noqa: S101 - DOERS says so
    runs = _unless_busy(work)
    values: dict[int, Mapping[str, Any]] = {}
    for run in runs:
        known = run.context.get("data", {})
        if not step.from_event:
            values[run.contact_id] = {step.name: step.value}
        elif step.from_event in known:
            values[run.contact_id] = {step.name: known[step.from_event]}
    _set(values, step.id)
    _go_on(runs, work)


def tag(work: Work) -> None:
    """Put words to the contacts' tags and take others away."""
    step = work.op.step
    assert isinstance(step, TagStep)  # noqa: S101 - DOERS says so
    runs = _unless_busy(work)
    stored = contacts.rows_of({run.contact_id for run in runs}).values_list("pk", "attributes")
    values: dict[int, Mapping[str, Any]] = {}
    for contact_id, attributes in stored:
        kept = [word for word in attributes.get(step.name, ()) if word not in step.remove]
        values[contact_id] = {step.name: list(dict.fromkeys((*kept, *step.add)))}
    _set(values, step.id)
    _go_on(runs, work)


def put_on_list(work: Work) -> None:
    """Put the contacts on the list, or take them off it."""
    step = work.op.step
    assert isinstance(step, ListStep)  # noqa: S101 - DOERS says so
    change = audience.add_members if step.is_member else audience.remove_members
    try:
        change(step.segment, {run.contact_id for run in work.runs()})
    except CRMError as error:  # the list was archived or deleted since; nobody stops for that
        logger.warning("crm: list %s of step %s cannot be changed: %s", step.segment, step.id, error)
    work.go(work.op.following, due_at=work.now)


def _unless_busy(work: Work) -> list[Enrollment]:
    """Return the runs whose contact was locked now, and put the others off: nobody is waited for (``awaiting``)."""
    runs = work.runs()
    mine = awaiting.lock(runs)
    for run in runs:
        if run.contact_id not in mine:
            work.move(run, work.op.place, due_at=work.now + BUSY_PAUSE)
    return [run for run in runs if run.contact_id in mine]


def _set(values: Mapping[int, Mapping[str, Any]], step_id: str) -> None:
    for contact_id, error in contacts.set_attributes_of(values, source=ChangeSource.CAMPAIGN).items():
        logger.warning("crm: step %s sets nothing for contact %s: %s", step_id, contact_id, error.message)


def _go_on(runs: Sequence[Enrollment], work: Work) -> None:
    for run in runs:
        work.move(run, work.op.following, due_at=work.now)
    work.write()
