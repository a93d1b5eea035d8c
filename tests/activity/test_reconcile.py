"""What no hook told is found, also when much happened at once and when one stream is broken."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crm_plugin import clock, pipeline
from crm_plugin.models import Activity, Watermark
from tests.fake_shop import FakeShop

pytestmark = pytest.mark.django_db


def sign_ups(fake_shop: FakeShop, count: int) -> None:
    for _ in range(count):
        fake_shop.add_customer()


def test_what_lies_behind_the_watermark_is_read_again_whole_however_much_it_is(fake_shop, settings):
    settings.CRM_RECONCILE_BATCH = 2
    sign_ups(fake_shop, 3)
    pipeline.reconcile()
    with clock.travel(by=timedelta(seconds=-30)):
        sign_ups(fake_shop, 7)

    pipeline.reconcile()
    pipeline.pump()

    assert Activity.objects.filter(kind="signed_up").count() == 10


def test_a_quiet_stream_does_not_go_back_ever_further(fake_shop):
    sign_ups(fake_shop, 1)
    pipeline.reconcile()
    before = Watermark.objects.get(stream="customers").at

    for _ in range(3):
        pipeline.reconcile()

    assert Watermark.objects.get(stream="customers").at == before


def test_a_stream_that_cannot_be_read_holds_up_no_other(fake_shop, monkeypatch):
    pipeline.reconcile()
    fake_shop.place_order(fake_shop.add_product().ref, email="guest@example.com")
    real = fake_shop.changed_since

    def read(stream, position, *, limit):
        if stream == "customers":
            raise RuntimeError("the table is gone")
        return real(stream, position, limit=limit)

    monkeypatch.setattr(fake_shop, "changed_since", read)
    pipeline.reconcile()
    pipeline.pump()

    assert Activity.objects.filter(kind="ordered").count() == 1
