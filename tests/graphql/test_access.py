"""Who may call what: every root field, found by walking the schema, not by listing it here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from graphql.type.definition import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
)

from crm_plugin.contacts.models import ConsentEvent
from crm_plugin.graphql.access import Caller, Door
from crm_plugin.ids import to_global
from crm_plugin.shop import Actor
from tests.fake_shop import FakeShop
from tests.graphql.conftest import APP, CUSTOMER, MANAGER, NOBODY, STAFF, VIEWER, Ask

pytestmark = pytest.mark.django_db

OPEN_TO = {
    Caller.ANYONE: {"nobody", "customer", "staff", "viewer", "manager", "app"},
    Caller.CUSTOMER: {"customer", "staff", "viewer", "manager"},
    Caller.SELF_OR_MANAGER: {"customer", "staff", "viewer", "manager", "app"},
    Caller.VIEWER: {"viewer", "manager", "app"},
    Caller.MANAGER: {"manager", "app"},
}
CALLERS = {
    "nobody": NOBODY,
    "customer": CUSTOMER,
    "staff": STAFF,
    "viewer": VIEWER,
    "manager": MANAGER,
    "app": APP,
}


def _schema() -> Any:
    from crm_plugin.graphql import build_schema  # noqa: PLC0415 - its scalars are those of the shop

    return build_schema()


def _root_fields() -> Iterator[tuple[str, str, Any]]:
    schema = _schema()
    for operation, root in (("query", schema.get_query_type()), ("mutation", schema.get_mutation_type())):
        for name, field in root.fields.items():
            yield operation, name, field


def _inner(kind: Any) -> Any:
    while isinstance(kind, (GraphQLNonNull, GraphQLList)):
        kind = kind.of_type
    return kind


def _literal(kind: Any) -> str:
    """Write some value of an input type."""
    inner = _inner(kind)
    if isinstance(inner, GraphQLInputObjectType):
        needed = [(name, part.type) for name, part in inner.fields.items() if isinstance(part.type, GraphQLNonNull)]
        return "{" + ", ".join(f"{name}: {_literal(part)}" for name, part in needed) + "}"
    if isinstance(inner, GraphQLEnumType):
        return inner.values[0].name
    return {"Boolean": "true", "Decimal": "1", "Int": "1", "JSON": "{}"}.get(inner.name, '"x"')


def _call_of(operation: str, name: str, field: Any) -> str:
    arguments = [f"{key}: {_literal(a.type)}" for key, a in field.args.items() if isinstance(a.type, GraphQLNonNull)]
    if "first" in field.args:
        arguments.append("first: 1")
    given = f"({', '.join(arguments)})" if arguments else ""
    selection = "" if isinstance(_inner(field.type), GraphQLScalarType) else " { __typename }"
    return f"{operation} {{ {name}{given}{selection} }}"


@pytest.fixture
def calls(shop: FakeShop) -> list[tuple[str, Caller]]:
    """A valid call of every root field, and who may make it."""
    return [(_call_of(*parts), parts[2].resolver.caller) for parts in _root_fields()]


def test_every_root_field_says_who_may_call_it(shop: FakeShop) -> None:
    undeclared = [name for _operation, name, field in _root_fields() if not isinstance(field.resolver, Door)]

    assert undeclared == []


def test_every_root_field_carries_the_prefix(shop: FakeShop) -> None:
    assert [name for _operation, name, _field in _root_fields() if not name.startswith("crm")] == []


@pytest.mark.parametrize("who", CALLERS)
def test_each_caller_passes_exactly_the_doors_that_are_open_to_them(
    who: str, ask: Ask, calls: list[tuple[str, Caller]]
) -> None:
    refused = {call for call, _caller in calls if "PermissionDenied" in ask(call, caller=CALLERS[who]).codes}

    assert refused == {call for call, caller in calls if who not in OPEN_TO[caller]}


def test_nobody_passes_any_door_but_those_for_anyone(ask: Ask, calls: list[tuple[str, Caller]]) -> None:
    answers = [ask(call) for call, caller in calls if caller is not Caller.ANYONE]

    assert [answer.codes for answer in answers] == [["PermissionDenied"]] * len(answers)
    assert {message for answer in answers for message in answer.messages} == {"Sign in first."}


def test_nobody_passes_any_door_while_the_crm_is_off(ask: Ask, shop: FakeShop, calls: list[tuple[str, Caller]]) -> None:
    shop.is_enabled = False

    answers = [ask(call, caller=caller) for call, _caller in calls for caller in (NOBODY, CUSTOMER, MANAGER)]

    assert {code for answer in answers for code in answer.codes} == {"NotActive"}
    assert all(answer.errors for answer in answers)


def test_what_customers_reach_is_not_connected_with_what_is_for_staff(shop: FakeShop) -> None:
    doors = [field for _operation, _name, field in _root_fields()]
    of_staff = {
        *("CrmAttribute", "CrmAudiencePreview", "CrmCampaign", "CrmContact", "CrmEnrollment", "CrmExport", "CrmInflow"),
        *("CrmCoupon", "CrmCouponTemplate"),
        *("CrmListImport", "CrmMessage", "CrmModeratedReview", "CrmScore", "CrmSegment", "CrmSettings", "CrmSpend"),
    }

    reached: set[str] = set()
    for field in doors:
        if field.resolver.caller in (Caller.ANYONE, Caller.CUSTOMER, Caller.SELF_OR_MANAGER):
            reached |= _reachable(field.type)

    assert "CrmMe" in reached
    assert reached & of_staff == set()


def _reachable(kind: Any) -> set[str]:
    found: set[str] = set()
    ahead = [_inner(kind)]
    while ahead:
        here = ahead.pop()
        if here.name not in found:
            found.add(here.name)
            fields = here.fields.values() if isinstance(here, GraphQLObjectType) else ()
            ahead += [_inner(field.type) for field in fields]
    return found


@pytest.mark.parametrize("caller", [CUSTOMER, STAFF, VIEWER])
def test_consent_of_another_person_needs_the_permission(ask: Ask, caller: Actor, make_contact: Any) -> None:
    other = make_contact("bob@example.com", customer_id="8")

    answer = ask(
        "mutation($id: ID) { crmConsentUpdate(input: {contactId: $id, channel: EMAIL, isGranted: true}) "
        "{ errors { code } } }",
        caller=caller,
        id=to_global("CrmContact", other.pk),
    )

    assert answer.codes == ["PermissionDenied"]
    assert not ConsentEvent.objects.exists()
