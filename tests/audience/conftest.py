"""Fixtures of the audience room: contacts with a history, written as rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from crm_plugin.audience import AudienceRule, compile, matching
from crm_plugin.models import Contact
from tests.audience.reference import Someone
from tests.audience.rows import write_people
from tests.fake_shop import FakeShop

Make = Callable[..., Someone]
Who = Callable[..., set[int]]


@pytest.fixture
def make(fake_shop: FakeShop, db: None) -> Make:
    """Write a contact (a guest with an address, unless told otherwise) and all that is known of it."""

    def write(**values: Any) -> Someone:
        if "email" not in values and "customer_id" not in values:
            values["email"] = f"guest{Contact.objects.count()}@example.com"
        someone = Someone(**values)
        write_people([someone])
        return someone

    return write


@pytest.fixture
def who(fake_shop: FakeShop, db: None) -> Who:
    """Ask who is in, as a set and one by one; both must say the same."""

    def ask(include: Any, *exclude: Any, **when: Any) -> set[int]:

        rule = AudienceRule.parse({"include": include, "exclude": list(exclude)})
        query = compile(rule, **when)
        with connection.cursor() as cursor:
            cursor.execute(query.sql, query.params)
            found = [pk for (pk,) in cursor.fetchall()]
        assert len(set(found)) == len(found)
        everybody = list(Contact.objects.values_list("pk", flat=True))
        assert matching(rule, everybody, **when) == set(found)
        return set(found)

    return ask
