"""Coupons that end in so many days and were not used: one digest for all of one person that end on the same day."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta

from django.db import connection

from crm_plugin.automations.entering import Entrant
from crm_plugin.automations.inside import inside as members_of
from crm_plugin.automations.scheduling.base import Cohort, Occasion
from crm_plugin.automations.triggers import CouponExpiryTrigger

#: Materialized, so that PostgreSQL reads the coupons of that day and sorts them, not everybody's activities in order.
#: WITH TIES: all coupons of a person are in the same chunk.
_HELD = """
WITH held AS MATERIALIZED (
    SELECT i.contact_id, i.subject, COALESCE(i.data ->> 'name', '') AS name
    FROM crm_plugin_activity i
    JOIN crm_plugin_contact c ON c.id = i.contact_id AND (c.customer_id IS NOT NULL OR c.email IS NOT NULL)
    WHERE i.kind = 'coupon_issued' AND (i.data ->> 'expires_on') = %s AND i.contact_id > %s AND i.subject <> ''
        AND NOT EXISTS (SELECT 1 FROM crm_plugin_activity u
            WHERE u.contact_id = i.contact_id AND u.kind = 'coupon_used' AND u.subject = i.subject)
)
SELECT contact_id, subject, name FROM held ORDER BY contact_id FETCH FIRST %s ROWS WITH TIES
"""


def concerned(trigger: CouponExpiryTrigger, occasion: Occasion) -> Cohort:
    """Return the next people who hold a coupon of that day."""
    ends_on = (occasion.day + timedelta(days=trigger.days_before)).isoformat()
    with connection.cursor() as cursor:
        cursor.execute(_HELD, [ends_on, occasion.after_contact, occasion.in_hand])
        rows = cursor.fetchall()
    held: dict[int, dict[str, str]] = defaultdict(dict)
    for contact_id, code, name in rows:
        held[contact_id][code] = name
    people = set(held)
    if trigger.audience is not None:
        people = members_of(trigger.audience, people, now=occasion.at)
    entrants = [_entrant(pk, held[pk], ends_on, occasion) for pk in sorted(people)]
    return Cohort(entrants, rows[-1][0] if len(rows) >= occasion.in_hand else None)


def _entrant(contact_id: int, names: dict[str, str], ends_on: str, occasion: Occasion) -> Entrant:
    subject = f"coupons:{ends_on}"
    coupons = [{"code": code, "expires_on": ends_on, "name": name} for code, name in sorted(names.items())]
    return Entrant(
        campaign_id=occasion.campaign_id,
        version_id=occasion.version_id,
        contact_id=contact_id,
        subject_key=subject,
        epoch=0,
        lane=subject,
        due_at=occasion.now,
        entered_at=occasion.at,
        context={"coupons": coupons},
    )
