"""Whose answer may have changed between two moments only because time passed.

A window that moved lost one stretch of time and gained another; only contacts with an activity (or a date) in one of
them can have changed. The answer names some in vain, and leaves out nobody.
"""

from __future__ import annotations

from datetime import datetime

from crm_plugin.audience.compiler import Query
from crm_plugin.audience.conditions import Ask, Known
from crm_plugin.audience.expanding import leaves
from crm_plugin.audience.rule import AudienceRule


def edges(rule: AudienceRule, *, since: datetime, until: datetime) -> Query | None:
    """Return the question who may have joined or left between the two moments; None when nobody can have.

    Raises:
        InvalidInput: when what the rule names is gone.
    """
    known = Known()
    ask = Ask(known, now=until)
    stretches = [sql for leaf in leaves(rule.expanded(known)) for sql in leaf.edges(ask, since)]
    return Query(" UNION ".join(f"({sql})" for sql in stretches), ask.params) if stretches else None
