"""``manage.py crm`` under Saleor's settings, with the writer connection refused wherever it was not asked for."""

from __future__ import annotations

import json
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connections
from saleor.core.db.connection import restrict_writer

from crm_plugin.models import Contact, Inbox
from tests.saleor.world import SaleorWorld

pytestmark = [pytest.mark.saleor, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def _order(world: SaleorWorld) -> None:
    mug = world.make_product(prices=[Decimal(20)], stocks=[50], name="Blue Mug")[0]
    world.place_order([(mug, 1)], email="gus@example.com")


def _crm(*arguments: str) -> str:
    out = StringIO()
    with connections["default"].execute_wrapper(restrict_writer):
        call_command("crm", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_a_first_load_a_run_and_a_look_keep_saleors_rule() -> None:
    filled = _crm("backfill")
    again = _crm("backfill")
    _crm("run", "--once")
    told = _crm("reconcile")
    state = json.loads(_crm("status"))
    erased = _crm("erase", "--email", "gus@example.com")

    assert "0 facts read" not in filled
    assert "0 facts read" in again
    assert "facts told" in told
    assert (state["enabled"], state["failed_hooks"]) == (True, {})
    assert "1 contacts erased" in erased


def test_a_first_load_that_starts_again_reads_everything_once_more_and_changes_nothing() -> None:
    first = _crm("backfill")

    again = _crm("backfill", "--restart")

    assert first == again
    assert Contact.objects.get().orders_count == 1
    assert not Inbox.objects.exists()
