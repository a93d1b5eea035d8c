"""The IssueCoupon step: every run gets a code of its person's own, or the reason why there is none.

Who may have which code once is the coupons room's to keep (``occasion``); here is only what a run does with the answer.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.db import DatabaseError, connection, transaction

from crm_plugin import coupons
from crm_plugin.automations.models import Enrollment, EnrollmentState
from crm_plugin.automations.steps import IssueCouponStep
from crm_plugin.automations.working import Work, by_ids, finish
from crm_plugin.coupons import Issued

logger = logging.getLogger(__name__)

#: Why a run ended that was about a code which could not be had.
NO_COUPON: Final = "no_coupon"
#: A code for the products of a run names so many of them at most.
MAX_PRODUCTS: Final = 20

#: Why there is no code, beside the words of the coupons room.
NO_ITEMS, FAILED = "no_items", "failed"

_REMEMBER = """
UPDATE crm_plugin_enrollment e SET context = (e.context - 'no_coupon') || n.found
FROM jsonb_to_recordset(%s::jsonb) AS n(id bigint, found jsonb) WHERE e.id = n.id AND e.state = 'active'
"""


def issue_coupon(work: Work) -> None:
    """Give every run a code; without one it ends or goes on, as the step says. The run remembers either."""
    step = work.op.step
    assert isinstance(step, IssueCouponStep)  # noqa: S101 - DOERS says so
    runs = work.runs()
    answers = _answers(step, runs, campaign_id=work.campaign_id)
    _remember(step, answers)
    without = [run for run in runs if not isinstance(answers[run.pk], Issued)]
    if without and step.on_failure == "exit":
        finish(by_ids(without), EnrollmentState.EXITED, NO_COUPON)
    work.go(work.op.following, due_at=work.now)


def _answers(step: IssueCouponStep, runs: Sequence[Enrollment], *, campaign_id: int) -> dict[int, Issued | str]:
    """Return for every run its code, or the word for why there is none."""
    requests = {run.pk: _request(step, run, campaign_id) for run in runs}
    asked = {pk: one for pk, one in requests.items() if one.product_ids or not step.for_items}
    found = _issued(step, list(asked.values()))
    return {pk: found.get(one.key, FAILED if pk in asked else NO_ITEMS) for pk, one in requests.items()}


def _request(step: IssueCouponStep, run: Enrollment, campaign_id: int) -> coupons.Request:
    products = tuple(dict.fromkeys(item["product_id"] for item in run.items))[:MAX_PRODUCTS] if step.for_items else ()
    occasion = _occasion(step, run, campaign_id, products)
    return coupons.Request(key=str(run.pk), contact_id=run.contact_id, occasion=occasion, product_ids=products)


def _occasion(step: IssueCouponStep, run: Enrollment, campaign_id: int, products: Sequence[str]) -> str:
    """Return what there is one code for: the run, or the person in the campaign (with the products, if it is theirs).

    A code that is good for some products only is not the one for others, so these are part of the occasion.
    """
    if step.per == "run":
        return f"run:{run.pk}/{step.id}"
    occasion = f"campaign:{campaign_id}/{step.id}"
    if not products:
        return occasion
    return f"{occasion}/{hashlib.blake2b(json.dumps(sorted(products)).encode(), digest_size=6).hexdigest()}"


def _issued(step: IssueCouponStep, requests: Sequence[coupons.Request]) -> dict[str, Issued | str]:
    if not requests:
        return {}
    try:
        with transaction.atomic():
            found = coupons.issue(step.coupon, requests, expires_in_days=step.expires_in_days)
    except DatabaseError:
        raise  # a lost lock: the whole pass is tried again
    except Exception:
        logger.exception("crm: no codes of coupon %s for step %s", step.coupon, step.id)
        return {}
    return {key: one if isinstance(one, Issued) else str(one.reason) for key, one in found.items()}


def _remember(step: IssueCouponStep, answers: Mapping[int, Issued | str]) -> None:
    rows = [{"id": pk, "found": _kept(step, answer)} for pk, answer in answers.items()]
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(_REMEMBER, [json.dumps(rows)])


def _kept(step: IssueCouponStep, answer: Issued | str) -> dict[str, Any]:
    """Return what the run remembers; by the step, what becomes of its messages once the code is gone is found."""
    if isinstance(answer, Issued):
        return {"coupon": {**answer.to_json(), "step": step.id}}
    return {"no_coupon": {"step": step.id, "reason": answer}}
