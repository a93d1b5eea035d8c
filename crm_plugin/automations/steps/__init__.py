"""What a campaign does, step by step: one class each, by the word in ``type``.

Some steps hold steps; ``program`` lays them out in a row. Each kind of step has a file that does it (``stepping`` knows
which); here is only what a merchant can say.
"""

from __future__ import annotations

from crm_plugin.automations.steps.model import (
    AnyStep,
    Arm,
    Attempt,
    BranchStep,
    ExitStep,
    Fallback,
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
    Winner,
)

__all__ = [
    "AnyStep",
    "Arm",
    "Attempt",
    "BranchStep",
    "ExitStep",
    "Fallback",
    "IssueCouponStep",
    "ListStep",
    "SendStep",
    "SetAttributeStep",
    "SplitStep",
    "Step",
    "TagStep",
    "WaitForStep",
    "WaitStep",
    "WaitUntilStep",
    "WebhookStep",
    "Winner",
]
