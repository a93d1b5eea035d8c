"""Coupons that end in so many days and were not used: one digest for all of one person that end on the same day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from crm_plugin import coupons
from crm_plugin.automations.entering import Entrant
from crm_plugin.automations.inside import inside as members_of
from crm_plugin.automations.scheduling.base import Cohort, Occasion
from crm_plugin.automations.triggers import CouponExpiryTrigger
from crm_plugin.coupons import Held


def concerned(trigger: CouponExpiryTrigger, occasion: Occasion) -> Cohort:
    """Return the next people who hold a coupon of that day."""
    ends_on = occasion.day + timedelta(days=trigger.days_before)
    rows = coupons.expiring(ends_on, after_contact=occasion.after_contact, limit=occasion.in_hand)
    held = dict(rows)
    people = set(held)
    if trigger.audience is not None:
        people = members_of(trigger.audience, people, now=occasion.at)
    entrants = [_entrant(pk, held[pk], ends_on, occasion) for pk in sorted(people)]
    return Cohort(entrants, rows[-1][0] if len(rows) >= occasion.in_hand else None)


def _entrant(contact_id: int, held: Sequence[Held], ends_on: date, occasion: Occasion) -> Entrant:
    subject = f"coupons:{ends_on.isoformat()}"
    return Entrant(
        campaign_id=occasion.campaign_id,
        version_id=occasion.version_id,
        contact_id=contact_id,
        subject_key=subject,
        epoch=0,
        lane=subject,
        due_at=occasion.now,
        entered_at=occasion.at,
        context={"coupons": [_kept(one, ends_on) for one in sorted(held, key=lambda one: one.code)]},
    )


def _kept(one: Held, ends_on: date) -> dict[str, Any]:
    """Return a coupon as ``Enrollment.context`` keeps it."""
    return {"id": one.coupon_id, "code": one.code, "expires_on": ends_on.isoformat(), "name": one.name}
