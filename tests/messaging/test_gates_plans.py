"""Caps find a person's messages by the index, however many messages there are."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from crm_plugin import clock
from crm_plugin.merchant import Merchant
from crm_plugin.messaging import CampaignCap
from crm_plugin.messaging.gates import Gatekeeper
from crm_plugin.models import Contact
from tests.test_plans import FEW, _filled, busy_shop, plans_of, reads_whole

__all__ = ["_filled", "busy_shop"]

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("caps", "of_campaigns"),
    [
        ([{"channel": "email", "count": 1, "hours": 16}], {}),
        ([{"channel": "", "count": 3, "days": 7}, {"channel": "email", "count": 1, "hours": 16}], {}),
        ([], {-1: CampaignCap(1, timedelta(days=30))}),
    ],
)
def test_what_people_got_lately_is_found_by_person(
    busy_shop: None, caps: list[dict[str, Any]], of_campaigns: dict[int, CampaignCap]
):
    ids = list(Contact.objects.order_by("pk").values_list("pk", flat=True)[:FEW])

    plan = plans_of(
        lambda: Gatekeeper.on_duty(
            Merchant(caps=caps), contact_ids=ids, channel="email", now=clock.now(), caps=of_campaigns
        ),
        about="crm_plugin_message",
    )

    assert "crm_message_of_contact" in plan
    assert not reads_whole(plan, "crm_plugin_message")
