"""Imports that are over go; one that is not done stays, however old."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from crm_plugin import audience
from crm_plugin.models import ListImport, Segment

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
BEFORE = NOW - 400 * DAY


def test_imports_that_ended_go_and_open_ones_stay() -> None:
    segment = Segment.objects.create(name="List", kind="static", state="ready", created_at=NOW, updated_at=NOW)
    for created_at, finished_at in (
        (BEFORE - 2 * DAY, BEFORE - DAY),
        (BEFORE - 2 * DAY, BEFORE + DAY),
        (BEFORE - 2 * DAY, None),
    ):
        ListImport.objects.create(
            segment=segment, content=b"", is_dry_run=False, created_at=created_at, finished_at=finished_at
        )

    with transaction.atomic():
        gone = audience.forget_past(BEFORE, 10)

    assert gone == 1
    assert set(ListImport.objects.values_list("finished_at", flat=True)) == {BEFORE + DAY, None}
