"""Doing a step: one function for each kind, ``(Work) -> None``, which moves every run that it was given.

A function is called in the transaction that claimed the runs, with their exit conditions checked. It may be called for
the same run again (its worker died before the commit), never at the same time by two workers. A new kind of step is
one class in ``steps``, one function here and one line in ``DOERS``.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from crm_plugin.automations.acting.branching import branch
from crm_plugin.automations.acting.effects import put_on_list, set_attribute, tag
from crm_plugin.automations.acting.ending import exit_
from crm_plugin.automations.acting.issuing import issue_coupon
from crm_plugin.automations.acting.sending import send
from crm_plugin.automations.acting.splitting import split
from crm_plugin.automations.acting.waiting import wait, wait_for, wait_until
from crm_plugin.automations.acting.webhooks import call
from crm_plugin.automations.steps import (
    BranchStep,
    ExitStep,
    IssueCouponStep,
    ListStep,
    SendStep,
    SetAttributeStep,
    SplitStep,
    Step,
    TagStep,
    WaitForStep,
    WaitStep,
    WaitUntilStep,
    WebhookStep,
)
from crm_plugin.automations.working import Work

DOERS: Final = MappingProxyType[type[Step], Callable[[Work], None]](
    {
        WaitStep: wait,
        WaitUntilStep: wait_until,
        WaitForStep: wait_for,
        SendStep: send,
        BranchStep: branch,
        SplitStep: split,
        IssueCouponStep: issue_coupon,
        SetAttributeStep: set_attribute,
        TagStep: tag,
        ListStep: put_on_list,
        WebhookStep: call,
        ExitStep: exit_,
    }
)


def do(work: Work) -> None:
    """Do the step that the runs stand at."""
    DOERS[type(work.op.step)](work)


__all__ = ["DOERS", "do"]
