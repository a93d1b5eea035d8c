"""A storefront says whose browser it is, and the history goes to the person."""

from __future__ import annotations

import pytest

from crm_plugin import contacts, pipeline
from crm_plugin.activity import record
from crm_plugin.activity.models import Activity, Inbox
from crm_plugin.shop import Fact, FactKind
from tests.fake_shop import FakeShop
from tests.graphql.conftest import APP, CUSTOMER, NOON, Ask

pytestmark = pytest.mark.django_db

VISITOR = "0123456789abcdef-_XY"
IDENTIFY = "mutation($id: String!) { crmVisitorIdentify(visitorId: $id) { isIdentified errors { field code } } }"


def test_what_a_browser_did_unnamed_becomes_the_customers_history(ask: Ask, shop: FakeShop) -> None:
    shop.add_customer(customer_id=CUSTOMER.customer_id, email=CUSTOMER.email)
    viewed = Fact(kind=FactKind.VIEWED, source_key="v1", occurred_at=NOON, visitor_id=VISITOR, product_id="1")
    record(viewed)
    pipeline.pump()

    answer = ask(IDENTIFY, caller=CUSTOMER, id=VISITOR).data["crmVisitorIdentify"]
    pipeline.pump()

    ann = contacts.find(customer_id=CUSTOMER.customer_id)
    assert answer == {"isIdentified": True, "errors": []}
    assert ann is not None
    assert [row.contact_id for row in Activity.objects.filter(kind="viewed")] == [ann.pk]


@pytest.mark.parametrize("wrong", ["", "short", "x" * 65, "with space in it 12345", "0123456789abcde\n", "ü" * 20])
def test_what_is_no_visitor_id_is_refused_and_records_nothing(ask: Ask, shop: FakeShop, wrong: str) -> None:
    answer = ask(IDENTIFY, caller=CUSTOMER, id=wrong).data["crmVisitorIdentify"]

    assert answer["isIdentified"] is None
    assert [(error["field"], error["code"]) for error in answer["errors"]] == [("visitorId", "INVALID")]
    assert not Inbox.objects.exists()


def test_an_app_is_nobody_who_browses(ask: Ask, shop: FakeShop) -> None:
    assert ask(IDENTIFY, caller=APP, id=VISITOR).codes == ["PermissionDenied"]
    assert not Inbox.objects.exists()
