"""A drain without the rooms above: claim, resolve, project."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest
from django.db import transaction

from crm_plugin import activity, contacts
from crm_plugin.shop import FactKind

Drain = Callable[[], Mapping[FactKind, Sequence[int]]]


@pytest.fixture
def drain(fake_shop: object, db: None) -> Drain:
    """Project everything in the inbox; returns the new activities' ids by kind."""

    def run() -> Mapping[FactKind, Sequence[int]]:
        with transaction.atomic():
            batch = activity.claim(1_000)
            if batch is None:
                return {}
            people = activity.people_in(batch)
            resolution = contacts.resolve(people, seen_before=batch.oldest_at)
            activity.drop_erased(batch, resolution.erased_at)
            return activity.project(batch, people)

    return run
