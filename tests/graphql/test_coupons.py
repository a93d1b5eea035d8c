"""Coupons by the API: what merchants give away, whose codes are whose, and what customers see of theirs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm_plugin import automations, clock, coupons, ids
from crm_plugin.contacts import Contact
from crm_plugin.models import Coupon, CouponTemplate, Inbox
from tests.fake_shop import FakeShop
from tests.graphql.conftest import CUSTOMER, MANAGER, NOON, VIEWER, Ask

pytestmark = pytest.mark.django_db

CREATE = """mutation($input: CrmCouponTemplateCreateInput!) { crmCouponTemplateCreate(input: $input) {
  template { id name source prefix expiresInDays warnBelow isArchived isLow freeCount
    terms { kind percent amounts { channel amount } minSpend { channel amount } products groups channels } }
  errors { field code message } } }"""
UPDATE = """mutation($id: ID!, $input: CrmCouponTemplateUpdateInput!) {
  crmCouponTemplateUpdate(id: $id, input: $input) {
    template { name expiresInDays terms { kind percent } } errors { field code } } }"""
ARCHIVE = """mutation($id: ID!) { crmCouponTemplateArchive(id: $id) {
  template { isArchived } errors { field code message } } }"""
LIST = """query($archived: Boolean, $after: String) {
  crmCouponTemplates(first: 2, isArchived: $archived, after: $after) { pageInfo { hasNextPage endCursor }
  edges { node { name issuedCount usedCount expiredCount freeCount isLow } } } }"""
LOOK = "query($id: ID!) { crmCouponTemplate(id: $id) { name issuedCount usedCount expiredCount freeCount isLow } }"
CODES = """query($template: ID, $contact: ID, $code: String, $state: CrmCouponState, $isMisused: Boolean,
    $first: Int, $last: Int, $after: String, $before: String) {
  crmCoupons(template: $template, contact: $contact, code: $code, state: $state, isMisused: $isMisused,
    first: $first, last: $last, after: $after, before: $before) {
  pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  edges { node { id code state occasion expiresOn orderRef contact { email } usedBy { email }
    template { name } } } } }"""
UPLOAD = """mutation($template: ID!, $codes: [String!], $text: String) {
  crmCouponCodesUpload(template: $template, codes: $codes, text: $text) {
    template { freeCount isLow } addedCount repeatedCount repeatedCodes takenCount takenCodes
    errors { field code message } } }"""
ISSUE = """mutation($template: ID!, $contact: ID!, $occasion: String) {
  crmCouponIssue(template: $template, contact: $contact, occasion: $occasion) {
    coupon { id code state occasion expiresOn contact { email } } errors { field code message } } }"""
ASSIGN = """mutation($pairs: [CrmCouponOwnerInput!]!) { crmCouponAssign(pairs: $pairs) {
  assignedCount errors { field code message } } }"""
WITHDRAW = "mutation($id: ID!) { crmCouponWithdraw(id: $id) { coupon { state } errors { field code } } }"
MINE = """query($first: Int, $after: String) { crmMe { coupons(first: $first, after: $after) {
  pageInfo { hasNextPage endCursor } edges { node { code name expiresOn } } } } }"""

TEN = {"kind": "PERCENT", "percent": 10}


@pytest.fixture
def welcome(shop: FakeShop) -> CouponTemplate:
    return coupons.create_template("Welcome", terms={"kind": "percent", "percent": 10}, expires_in_days=7)


@pytest.fixture
def cinema(shop: FakeShop) -> CouponTemplate:
    return coupons.create_template("Cinema", source="pool", warn_below=2)


@pytest.fixture
def ann(make_contact: Callable[..., Contact]) -> Contact:
    return make_contact("ann@example.com", customer_id="7")


@pytest.fixture
def bob(make_contact: Callable[..., Contact]) -> Contact:
    return make_contact("bob@example.com", customer_id="8")


@pytest.fixture
def issue(ask: Ask) -> Callable[..., Any]:
    """Issue as the manager; return the payload."""

    def issue(template: CouponTemplate, contact: Contact, **more: Any) -> Any:
        answer = ask(ISSUE, caller=MANAGER, template=_id(template), contact=_id(contact), **more)
        return answer.data["crmCouponIssue"]

    return issue


def _id(row: Any) -> str:
    return ids.to_global(f"Crm{type(row).__name__}", row.pk)


def _nodes(found: dict[str, Any]) -> list[Any]:
    return [edge["node"] for edge in found["edges"]]


def _codes(ask: Ask, **wanted: Any) -> list[str]:
    answer = ask(CODES, caller=VIEWER, **{"first": 100, **wanted})
    return [node["code"] for node in _nodes(answer.data["crmCoupons"])]


def test_a_template_is_made_as_it_was_written(ask: Ask, shop: FakeShop) -> None:
    product = ids.to_global("Product", shop.add_product(price=10).product_id)
    written = {
        "name": "Five off",
        "terms": {
            "kind": "FIXED",
            "amounts": [{"channel": "default", "amount": 5.5}, {"channel": "kr", "amount": 5000}],
            "minSpend": [{"channel": "default", "amount": 20}],
            "products": [product],
        },
        "prefix": "five-",
        "expiresInDays": 7,
    }

    made = ask(CREATE, caller=MANAGER, input=written).data["crmCouponTemplateCreate"]

    assert made["errors"] == []
    terms = made["template"].pop("terms")
    assert (terms["kind"], terms["percent"], terms["products"], terms["groups"]) == ("FIXED", None, [product], [])
    assert {one["channel"]: float(one["amount"]) for one in terms["amounts"]} == {"default": 5.5, "kr": 5000}
    assert [(one["channel"], float(one["amount"])) for one in terms["minSpend"]] == [("default", 20)]
    del made["template"]["id"]
    assert made["template"] == {
        "name": "Five off",
        "source": "SHOP",
        "prefix": "FIVE-",
        "expiresInDays": 7,
        "warnBelow": 0,
        "isArchived": False,
        "isLow": False,
        "freeCount": None,
    }


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"terms": None}, "terms", "REQUIRED"),
        ({"terms": {"kind": "PERCENT"}}, "terms.percent", "INVALID"),
        (
            {"terms": {"kind": "FREE_SHIPPING", "minSpend": [{"channel": "x", "amount": 1}]}},
            "terms.minSpend",
            "NOT_FOUND",
        ),
        ({"terms": {**TEN, "channels": ["nowhere"]}}, "terms.channels", "NOT_FOUND"),
        ({"terms": {**TEN, "products": ["UHJvZHVjdDo0MDQ="]}}, "terms.products", "NOT_FOUND"),
        ({"terms": {**TEN, "products": ["nonsense"]}}, "terms.products.0", "GRAPHQL_ERROR"),
        ({"terms": {**TEN, "groups": ["category:404"]}}, "terms.groups", "NOT_FOUND"),
        (
            {"terms": {"kind": "FIXED", "amounts": [{"channel": "kr", "amount": n} for n in (1, 2)]}},
            "terms.amounts",
            "UNIQUE",
        ),
        ({"name": ""}, "name", "INVALID"),
        ({"warnBelow": 3}, "warnBelow", "INVALID"),
        ({"source": "POOL"}, "terms", "INVALID"),
    ],
)
def test_what_cannot_be_offered_is_refused_with_its_place_and_not_kept(
    ask: Ask, shop: FakeShop, changes: dict[str, Any], field: str, code: str
) -> None:
    answer = ask(CREATE, caller=MANAGER, input={"name": "X", "terms": TEN, **changes})

    made = answer.data["crmCouponTemplateCreate"]
    assert made["template"] is None
    assert [(error["field"], error["code"]) for error in made["errors"]] == [(field, code)]
    assert not CouponTemplate.objects.exists()


def test_a_template_is_changed_and_what_is_left_out_stays(ask: Ask, welcome: CouponTemplate) -> None:
    change = {"name": "Hello", "expiresInDays": None, "prefix": None}

    made = ask(UPDATE, caller=MANAGER, id=_id(welcome), input=change).data["crmCouponTemplateUpdate"]

    terms = made["template"].pop("terms")
    assert (terms["kind"], float(terms["percent"])) == ("PERCENT", 10)
    assert made == {"template": {"name": "Hello", "expiresInDays": None}, "errors": []}


def test_one_that_a_campaign_gives_out_is_not_put_away(
    ask: Ask, shop: FakeShop, welcome: CouponTemplate, cinema: CouponTemplate
) -> None:
    step = {"type": "issue_coupon", "id": "gift", "coupon": welcome.pk}
    campaign = automations.create_campaign(
        name="Hi", definition={"trigger": {"type": "activity", "activity": "signed_up"}, "steps": [step]}
    )

    refused = ask(ARCHIVE, caller=MANAGER, id=_id(welcome)).data["crmCouponTemplateArchive"]
    put_away = ask(ARCHIVE, caller=MANAGER, id=_id(cinema)).data["crmCouponTemplateArchive"]

    assert [(error["field"], error["code"]) for error in refused["errors"]] == [("id", "IN_USE")]
    assert put_away == {"template": {"isArchived": True}, "errors": []}
    automations.delete_campaign(campaign.pk)
    assert ask(ARCHIVE, caller=MANAGER, id=_id(welcome)).data["crmCouponTemplateArchive"]["errors"] == []


def test_templates_are_listed_with_how_many_codes_are_where(
    ask: Ask, issue: Callable[..., Any], welcome: CouponTemplate, cinema: CouponTemplate, ann: Contact, bob: Contact
) -> None:
    coupons.upload(cinema.pk, ["A", "B"])
    for contact in (ann, bob):
        issue(welcome, contact)
    issue(cinema, ann)
    Coupon.objects.filter(template=welcome, contact=ann).update(state="used", used_at=NOON)

    found = ask(LIST, caller=VIEWER).data["crmCouponTemplates"]
    one = ask(LOOK, caller=VIEWER, id=_id(cinema)).data["crmCouponTemplate"]

    counted = {node.pop("name"): tuple(node.values()) for node in _nodes(found)}
    assert counted == {"Welcome": (2, 1, 0, None, False), "Cinema": (1, 0, 0, 1, True)}
    assert one == {
        "name": "Cinema",
        "issuedCount": 1,
        "usedCount": 0,
        "expiredCount": 0,
        "freeCount": 1,
        "isLow": True,
    }
    coupons.archive_template(cinema.pk)
    assert [node["name"] for node in _nodes(ask(LIST, caller=VIEWER).data["crmCouponTemplates"])] == ["Welcome"]
    assert [node["name"] for node in _nodes(ask(LIST, caller=VIEWER, archived=True).data["crmCouponTemplates"])] == [
        "Cinema"
    ]


@pytest.mark.parametrize("count", [1, 2])
def test_a_page_of_templates_costs_the_same_however_long(ask: Ask, shop: FakeShop, count: int) -> None:
    for number in range(count):
        pool = coupons.create_template(f"Pool {number}", source="pool", warn_below=1)
        coupons.upload(pool.pk, [f"{number}-A"])

    with CaptureQueriesContext(connection) as seen:
        ask(LIST, caller=VIEWER)

    assert len(seen) == 4


@pytest.mark.parametrize("how", ["codes", "text"])
def test_an_upload_says_what_became_of_every_code(ask: Ask, cinema: CouponTemplate, how: str) -> None:
    coupons.upload(cinema.pk, ["OLD"])
    codes = ["NEW", "new", "old", "NEWER"]
    given = codes if how == "codes" else "code;value\n" + "".join(f"{code};5\n" for code in codes)

    found = ask(UPLOAD, caller=MANAGER, template=_id(cinema), **{how: given}).data["crmCouponCodesUpload"]

    assert found == {
        "template": {"freeCount": 3, "isLow": False},
        "addedCount": 2,
        "repeatedCount": 1,
        "repeatedCodes": ["new"],
        "takenCount": 1,
        "takenCodes": ["old"],
        "errors": [],
    }


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "codes"),
        ({"codes": ["A"], "text": "B"}, "codes"),
        ({"codes": []}, "codes"),
        ({"codes": ["A", "with space"]}, "codes.1"),
        ({"text": "a,b\nc,d"}, "text"),
        ({"text": ""}, "codes"),
    ],
)
def test_an_upload_that_is_none_puts_nothing_in(
    ask: Ask, cinema: CouponTemplate, given: dict[str, Any], field: str
) -> None:
    found = ask(UPLOAD, caller=MANAGER, template=_id(cinema), **given).data["crmCouponCodesUpload"]

    assert found["addedCount"] is None
    assert [error["field"] for error in found["errors"]] == [field]
    assert not Coupon.objects.exists()


def test_a_hundred_thousand_codes_are_taken_at_once(ask: Ask, cinema: CouponTemplate) -> None:
    text = "\n".join(f"CINEMA-{number:06}" for number in range(100_000))

    found = ask(UPLOAD, caller=MANAGER, template=_id(cinema), text=text).data["crmCouponCodesUpload"]
    more = ask(UPLOAD, caller=MANAGER, template=_id(cinema), text=text + "\nX").data["crmCouponCodesUpload"]

    assert (found["addedCount"], found["errors"]) == (100_000, [])
    assert [error["code"] for error in more["errors"]] == ["LIMIT"]
    assert Coupon.objects.count() == 100_000


def test_staff_give_somebody_a_code(issue: Callable[..., Any], welcome: CouponTemplate, ann: Contact) -> None:
    first = issue(welcome, ann, occasion="late parcel")
    again = issue(welcome, ann, occasion="late parcel")
    without = [issue(welcome, ann)["coupon"]["code"] for _ in range(2)]

    assert first == again
    assert (
        first["coupon"].items()
        >= {
            "state": "ISSUED",
            "occasion": "staff:late parcel",
            "expiresOn": "2026-03-09",
            "contact": {"email": "ann@example.com"},
        }.items()
    )
    assert len({first["coupon"]["code"], *without}) == 3
    assert set(Inbox.objects.filter(kind="coupon_issued").values_list("data__by", flat=True)) == {"staff"}


def test_why_somebody_gets_none_is_said(
    ask: Ask,
    issue: Callable[..., Any],
    shop: FakeShop,
    welcome: CouponTemplate,
    cinema: CouponTemplate,
    ann: Contact,
) -> None:
    def refused(*of: Any, **more: Any) -> tuple[str, str]:
        ((error),) = issue(*of, **more)["errors"]
        return error["field"], error["code"]

    issue(welcome, ann, occasion="used")
    Coupon.objects.update(state="used", used_at=NOON)
    stranger = Contact(pk=ann.pk + 1_000)

    assert refused(cinema, ann) == ("template", "POOL_EMPTY")
    assert refused(welcome, ann, occasion="used") == ("contact", "UNIQUE")
    assert refused(welcome, stranger) == ("contact", "NOT_FOUND")
    assert refused(welcome, ann, occasion="x" * 71) == ("occasion", "INVALID")
    shop.series_rows.clear()
    coupons.archive_template(welcome.pk)
    assert refused(welcome, ann) == ("template", "IS_ARCHIVED")
    assert Coupon.objects.count() == 1


def test_codes_are_found_by_whatever_is_known(
    ask: Ask, issue: Callable[..., Any], welcome: CouponTemplate, cinema: CouponTemplate, ann: Contact, bob: Contact
) -> None:
    coupons.upload(cinema.pk, ["FREE-1", "FREE-2"])
    of_ann, of_bob = issue(welcome, ann)["coupon"]["code"], issue(welcome, bob)["coupon"]["code"]
    Coupon.objects.filter(code=of_ann).update(state="used", used_at=NOON, order_ref="o1", used_by=bob)

    assert _codes(ask) == [of_bob, of_ann, "FREE-2", "FREE-1"]
    assert _codes(ask, template=_id(welcome)) == [of_bob, of_ann]
    assert _codes(ask, template=_id(cinema), state="FREE") == ["FREE-2", "FREE-1"]
    assert _codes(ask, contact=_id(ann)) == _codes(ask, state="USED") == _codes(ask, isMisused=True) == [of_ann]
    assert _codes(ask, code=f" {of_bob.lower()} ") == [of_bob]
    assert _codes(ask, template=_id(welcome), isMisused=False) == [of_bob]
    (node,) = _nodes(ask(CODES, caller=VIEWER, first=1, code=of_ann).data["crmCoupons"])
    assert node["contact"] == {"email": "ann@example.com"}
    assert node["usedBy"] == {"email": "bob@example.com"}
    assert (node["orderRef"], node["template"]) == ("o1", {"name": "Welcome"})


@pytest.mark.parametrize("by_template", [True, False])
def test_codes_are_paged_forth_and_back(ask: Ask, cinema: CouponTemplate, *, by_template: bool) -> None:
    coupons.upload(cinema.pk, [f"C{number}" for number in range(5)])
    Coupon.objects.filter(code__in=("C1", "C3")).update(state="issued", issued_at=NOON)
    of = {"template": _id(cinema)} if by_template else {}

    first = ask(CODES, caller=VIEWER, first=2, **of).data["crmCoupons"]
    second = ask(CODES, caller=VIEWER, first=9, after=first["pageInfo"]["endCursor"], **of).data["crmCoupons"]
    back = ask(CODES, caller=VIEWER, last=1, before=second["pageInfo"]["endCursor"], **of).data["crmCoupons"]

    assert [node["code"] for node in _nodes(first)] == ["C4", "C3"]
    assert [node["code"] for node in _nodes(second)] == ["C2", "C1", "C0"]
    assert [node["code"] for node in _nodes(back)] == ["C1"]
    assert (first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasNextPage"]) == (True, False)


@pytest.mark.parametrize("count", [1, 6])
def test_a_page_of_codes_costs_the_same_however_long(
    ask: Ask, issue: Callable[..., Any], welcome: CouponTemplate, make_contact: Callable[..., Contact], count: int
) -> None:
    for number in range(count):
        issue(welcome, make_contact(f"p{number}@example.com"))

    with CaptureQueriesContext(connection) as seen:
        assert len(_codes(ask, template=_id(welcome))) == count

    assert len(seen) == 3


def test_codes_of_the_shop_are_said_to_be_somebodys(ask: Ask, shop: FakeShop, ann: Contact, bob: Contact) -> None:
    for code in ("SORRY-1", "SORRY-2"):
        shop.add_shop_coupon(code)
    pairs = [{"code": " SORRY-1", "contact": _id(ann)}, {"code": "SORRY-2", "email": "Bob@Example.com"}]

    found = ask(ASSIGN, caller=MANAGER, pairs=pairs).data["crmCouponAssign"]

    assert found == {"assignedCount": 2, "errors": []}
    assert dict(Coupon.objects.values_list("code", "contact")) == {"SORRY-1": ann.pk, "SORRY-2": bob.pk}


@pytest.mark.parametrize(
    ("wrong", "field", "code"),
    [
        ({"code": "UNKNOWN", "email": "ann@example.com"}, "pairs.1.code", "NOT_FOUND"),
        ({"code": "OTHER", "email": "nobody@example.com"}, "pairs.1.email", "NOT_FOUND"),
        ({"code": "OTHER", "email": "no address"}, "pairs.1.email", "NOT_FOUND"),
        ({"code": "OTHER"}, "pairs.1", "REQUIRED"),
        ({"code": "OTHER", "contact": "nonsense"}, "pairs.1.contact", "GRAPHQL_ERROR"),
        ({"code": "fine", "email": "ann@example.com"}, "pairs.1.code", "UNIQUE"),
    ],
)
def test_one_wrong_pair_is_named_and_none_is_kept(
    ask: Ask, shop: FakeShop, ann: Contact, wrong: dict[str, str], field: str, code: str
) -> None:
    for made in ("FINE", "OTHER"):
        shop.add_shop_coupon(made)

    answer = ask(ASSIGN, caller=MANAGER, pairs=[{"code": "FINE", "email": "ann@example.com"}, wrong])

    found = answer.data["crmCouponAssign"]
    assert found["assignedCount"] is None
    assert [(error["field"], error["code"]) for error in found["errors"]] == [(field, code)]
    assert not Coupon.objects.exists()


def test_a_code_is_withdrawn_once_it_was_not_used(
    ask: Ask, issue: Callable[..., Any], shop: FakeShop, welcome: CouponTemplate, ann: Contact, bob: Contact
) -> None:
    made, used = issue(welcome, ann)["coupon"], issue(welcome, bob)["coupon"]
    Coupon.objects.filter(code=used["code"]).update(state="used", used_at=NOON)

    done = ask(WITHDRAW, caller=MANAGER, id=made["id"]).data["crmCouponWithdraw"]
    refused = ask(WITHDRAW, caller=MANAGER, id=used["id"]).data["crmCouponWithdraw"]
    nowhere = ask(WITHDRAW, caller=MANAGER, id=ids.to_global("CrmCoupon", 10**9)).data["crmCouponWithdraw"]

    assert done == {"coupon": {"state": "VOID"}, "errors": []}
    assert [error["code"] for error in refused["errors"]] == ["IN_USE"]
    assert [error["code"] for error in nowhere["errors"]] == ["NOT_FOUND"]
    assert set(shop.coupon_rows) == {used["code"]}


def test_a_customer_sees_their_own_codes_that_are_still_good(
    ask: Ask, issue: Callable[..., Any], welcome: CouponTemplate, ann: Contact, bob: Contact
) -> None:
    codes = [issue(welcome, ann)["coupon"]["code"] for _ in range(4)]
    issue(welcome, bob)
    Coupon.objects.filter(code=codes[0]).update(state="used", used_at=NOON)
    Coupon.objects.filter(code=codes[1]).update(expires_at=NOON)

    page = ask(MINE, caller=CUSTOMER, first=1).data["crmMe"]["coupons"]
    rest = ask(MINE, caller=CUSTOMER, first=9, after=page["pageInfo"]["endCursor"]).data["crmMe"]["coupons"]

    assert _nodes(page) == [{"code": codes[3], "name": "Welcome", "expiresOn": "2026-03-09"}]
    assert [node["code"] for node in _nodes(rest)] == [codes[2]]
    with clock.travel(to=NOON + timedelta(days=30)):
        assert _nodes(ask(MINE, caller=CUSTOMER, first=9).data["crmMe"]["coupons"]) == []


def test_somebody_never_heard_of_has_no_codes(ask: Ask, welcome: CouponTemplate) -> None:
    assert _nodes(ask(MINE, caller=CUSTOMER, first=9).data["crmMe"]["coupons"]) == []
    assert not Contact.objects.exists()
