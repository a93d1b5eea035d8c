"""Putting a question of the activity room to the database."""

from __future__ import annotations

import json
from typing import Any

from django.db import connection

from crm_plugin.activity import Select
from crm_plugin.models import Contact


def answer(select: Select) -> dict[str, list[dict[str, Any]]]:
    """Return {customer id: items} of the people whom a wave concerns."""
    with connection.cursor() as cursor:
        cursor.execute(select.sql, select.params)
        rows = cursor.fetchall()
    names = dict(Contact.objects.values_list("pk", "customer_id"))
    return {names[pk]: json.loads(items) for pk, items in rows}
