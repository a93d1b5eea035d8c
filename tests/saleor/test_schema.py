"""The CRM's fields in Saleor's schema, where every part of Saleor sees them."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from saleor.graphql.core.federation import schema as federation
from saleor.graphql.query_cost_map import COST_MAP

from crm_plugin.shops.saleor import permissions
from crm_plugin.shops.saleor import schema as crm_schema
from tests.saleor import asking

pytestmark = [pytest.mark.saleor, pytest.mark.django_db]


def test_introspection_has_the_fields_beside_saleors_own(crm: Any) -> None:
    answer = asking.ask(asking.anybody(), '{ __type(name: "Query") { fields { name } } }')

    names = {field["name"] for field in answer["fields"]}
    assert {"crmCampaigns", "crmMe", "products", "_service", "_entities"} <= names


def test_the_federated_sdl_has_them(crm: Any) -> None:
    answer = asking.ask(asking.anybody(), "{ _service { sdl } }")

    assert "crmProductLike(" in answer["sdl"]


def test_a_page_costs_as_many_points_as_it_has_rows(crm: Any) -> None:
    answer = asking.post(asking.staff("view_crm"), "{ crmCampaigns(first: 100) { edges { node { id } } } }")

    assert COST_MAP["Query"]["crmCampaigns"] == {"complexity": 1, "multipliers": ["first", "last"]}
    assert answer["extensions"]["cost"]["requestedQueryCost"] == 100


def test_times_are_saleors_scalars(crm: Any) -> None:
    answer = asking.ask(
        asking.anybody(), '{ __type(name: "CrmCampaign") { fields { name type { ofType { name } } } } }'
    )

    kinds = {field["name"]: field["type"]["ofType"] for field in answer["fields"]}
    assert kinds["createdAt"] == {"name": "DateTime"}


def test_extending_twice_is_once() -> None:
    before = federation.build_federated_schema

    crm_schema.extend()

    assert federation.build_federated_schema is before
    assert before.has_crm


def test_a_schema_that_was_built_too_early_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(federation, "build_federated_schema", lambda *_args: None)
    assert "saleor.graphql.api" in sys.modules

    with pytest.raises(ImproperlyConfigured, match=r"list crm_plugin before it"):
        crm_schema.extend()


def test_permissions_that_come_too_late_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(permissions.enums, "PERMISSIONS_ENUMS", [])

    with pytest.raises(ImproperlyConfigured, match=r"List crm_plugin before"):
        permissions.register_permissions()

    assert permissions.enums.PERMISSIONS_ENUMS == []
