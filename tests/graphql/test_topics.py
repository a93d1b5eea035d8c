"""Topics by the API: the merchant's, and what people refuse of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from crm_plugin import automations, contacts, ids
from crm_plugin.automations.models import Campaign, CampaignVersion, Enrollment
from crm_plugin.contacts import Contact
from crm_plugin.contacts.models import ConsentEvent, RefusedTopic, Topic
from tests.fake_shop import FakeShop
from tests.graphql.conftest import APP, CUSTOMER, MANAGER, NOBODY, NOON, STAFF, VIEWER, WAIT_ONLY, Ask

pytestmark = pytest.mark.django_db

SAVE = """mutation($slug: String!, $names: [CrmTopicNameInput!]!, $position: Int) {
  crmTopicSave(slug: $slug, names: $names, position: $position) {
    topic { id slug names { language name } position } errors { field code } } }"""
DELETE = "mutation($slug: String!) { crmTopicDelete(slug: $slug) { slug errors { field code message } } }"
LIST = """query($first: Int, $after: String) { crmTopics(first: $first, after: $after) {
  pageInfo { hasNextPage endCursor } edges { node { slug position names { language name } } } } }"""
OWN = "query($language: String) { crmMe { topics(language: $language) { slug name isRefused } } }"
UPDATE = """mutation($refused: [String!]!, $contactId: ID) { crmTopicsUpdate(refused: $refused, contactId: $contactId) {
  topics { slug isRefused } errors { field code } } }"""

NAMES = [{"language": "en", "name": "News"}, {"language": "ko", "name": "소식"}]


@pytest.fixture
def topics(shop: FakeShop) -> None:
    """The caller is a customer; there are news and sales."""
    shop.add_customer(customer_id=CUSTOMER.customer_id, email=CUSTOMER.email)
    contacts.save_topic("news", names={"en": "News", "ko": "소식"})
    contacts.save_topic("sales", names={"en": "Sales"})


def _refused(answer: Any) -> dict[str, bool]:
    return {topic["slug"]: topic["isRefused"] for topic in answer.data["crmTopicsUpdate"]["topics"]}


@pytest.mark.parametrize("caller", [MANAGER, APP])
def test_a_merchant_makes_a_topic_and_renames_it(ask: Ask, caller: Any) -> None:
    first = ask(SAVE, caller=caller, slug="news", names=NAMES).data["crmTopicSave"]
    second = ask(SAVE, caller=caller, slug="news", names=NAMES[:1], position=7).data["crmTopicSave"]

    made = Topic.objects.get()
    assert first == {
        "topic": {"id": ids.to_global("CrmTopic", made.pk), "slug": "news", "names": NAMES, "position": 0},
        "errors": [],
    }
    assert second["topic"] == {"id": first["topic"]["id"], "slug": "news", "names": NAMES[:1], "position": 7}


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"slug": "No!"}, "slug", "INVALID"),
        ({"names": []}, "names", "REQUIRED"),
        ({"names": [NAMES[0], NAMES[0]]}, "names", "UNIQUE"),
        ({"names": [{"language": "en", "name": ""}]}, "names", "INVALID"),
        ({"position": -1}, "position", "INVALID"),
    ],
)
def test_a_wrong_topic_is_told_by_field_and_not_kept(ask: Ask, change: dict[str, Any], field: str, code: str) -> None:
    answer = ask(SAVE, caller=MANAGER, **({"slug": "news", "names": NAMES} | change))

    assert answer.data["crmTopicSave"] == {"topic": None, "errors": [{"field": field, "code": code}]}
    assert not Topic.objects.exists()


@pytest.mark.parametrize("caller", [NOBODY, CUSTOMER, STAFF, VIEWER])
def test_only_who_manages_makes_and_deletes_topics(ask: Ask, topics: None, caller: Any) -> None:
    answers = [
        ask(SAVE, caller=caller, slug="events", names=NAMES),
        ask(DELETE, caller=caller, slug="news"),
    ]

    assert [answer.codes for answer in answers] == [["PermissionDenied"]] * 2
    assert set(Topic.objects.values_list("slug", flat=True)) == {"news", "sales"}


@pytest.mark.parametrize("caller", [NOBODY, CUSTOMER, STAFF])
def test_the_list_is_for_staff_who_may_see_it(ask: Ask, topics: None, caller: Any) -> None:
    assert ask(LIST, caller=caller, first=1).codes == ["PermissionDenied"]


def test_the_list_is_paged_in_its_order(ask: Ask, topics: None) -> None:
    contacts.save_topic("events", names={"en": "Events"}, position=0)

    first = ask(LIST, caller=VIEWER, first=2).data["crmTopics"]
    rest = ask(LIST, caller=VIEWER, first=2, after=first["pageInfo"]["endCursor"]).data["crmTopics"]

    slugs = [edge["node"]["slug"] for page in (first, rest) for edge in page["edges"]]
    assert (slugs, rest["pageInfo"]["hasNextPage"]) == (["news", "events", "sales"], False)


def test_a_topic_that_nothing_is_about_is_deleted(ask: Ask, topics: None) -> None:
    answers = [ask(DELETE, caller=MANAGER, slug="news").data["crmTopicDelete"] for _turn in range(2)]

    assert answers[0] == {"slug": "news", "errors": []}
    assert [error["code"] for error in answers[1]["errors"]] == ["NOT_FOUND"]
    assert Topic.objects.get().slug == "sales"


@pytest.mark.parametrize("where", ["draft", "version", "in_flight"])
def test_a_topic_that_a_campaign_is_about_stays(
    ask: Ask, topics: None, make_campaign: Callable[..., Campaign], make_contact: Callable[..., Contact], where: str
) -> None:
    """Else who refused it would get the campaign's messages."""
    campaign, about = make_campaign(), WAIT_ONLY | {"topic": "news"}
    if where == "draft":
        automations.update_campaign(campaign.pk, definition=about)
    else:
        version = CampaignVersion.objects.create(campaign=campaign, number=1, definition=about, published_at=NOON)
        Campaign.objects.filter(pk=campaign.pk).update(version=version if where == "version" else None)
        contact = make_contact("bob@example.com")
        Enrollment.objects.create(campaign=campaign, version=version, contact=contact, entered_at=NOON)

    (error,) = ask(DELETE, caller=MANAGER, slug="news").data["crmTopicDelete"]["errors"]

    assert (error["field"], error["code"]) == ("slug", "IN_USE")
    assert "'Welcome'" in error["message"]
    assert Topic.objects.filter(slug="news").exists()
    Campaign.objects.update(state="archived")
    assert ask(DELETE, caller=MANAGER, slug="news").data["crmTopicDelete"]["errors"] == []


def test_customers_see_the_topics_in_their_language_and_what_they_refuse(ask: Ask, topics: None) -> None:
    unknown = ask(OWN, caller=CUSTOMER).data["crmMe"]["topics"]
    ask(UPDATE, caller=CUSTOMER, refused=["news"])
    Contact.objects.update(language="ko-KR")

    own = ask(OWN, caller=CUSTOMER).data["crmMe"]["topics"]
    english = ask(OWN, caller=CUSTOMER, language="en").data["crmMe"]["topics"]

    assert [(topic["name"], topic["isRefused"]) for topic in unknown] == [("News", False), ("Sales", False)]
    assert [(topic["name"], topic["isRefused"]) for topic in own] == [("소식", True), ("Sales", False)]
    assert [topic["name"] for topic in english] == ["News", "Sales"]


def test_a_customer_refuses_topics_and_takes_it_back(ask: Ask, topics: None) -> None:
    states = [_refused(ask(UPDATE, caller=CUSTOMER, refused=slugs)) for slugs in (["news", "sales"], ["sales"], [])]

    assert states == [
        {"news": True, "sales": True},
        {"news": False, "sales": True},
        {"news": False, "sales": False},
    ]
    log = ConsentEvent.objects.order_by("pk").values_list("purpose", "is_granted", "source", "evidence")
    mine = {"said_by": "self"}
    assert list(log) == [
        ("topic:news", False, "account", mine),
        ("topic:sales", False, "account", mine),
        ("topic:news", True, "account", mine),
        ("topic:sales", True, "account", mine),
    ]


def test_an_unknown_topic_is_told_and_nothing_is_kept(ask: Ask, topics: None) -> None:
    answer = ask(UPDATE, caller=CUSTOMER, refused=["news", "fax"]).data["crmTopicsUpdate"]

    assert answer == {"topics": None, "errors": [{"field": "refused", "code": "NOT_FOUND"}]}
    assert not RefusedTopic.objects.exists()
    assert not Contact.objects.exists()


@pytest.mark.parametrize(("caller", "name"), [(MANAGER, "user:92"), (APP, "app:5")])
def test_staff_record_what_a_person_said(
    ask: Ask, topics: None, make_contact: Callable[..., Contact], caller: Any, name: str
) -> None:
    bob = make_contact("bob@example.com")

    answer = ask(UPDATE, caller=caller, refused=["news"], contactId=ids.to_global("CrmContact", bob.pk))

    assert _refused(answer) == {"news": True, "sales": False}
    assert RefusedTopic.objects.get().contact_id == bob.pk
    assert ConsentEvent.objects.get().evidence == {"said_by": "staff", "recorded_by": name}


@pytest.mark.parametrize("caller", [NOBODY, CUSTOMER, STAFF, VIEWER])
def test_nobody_else_speaks_for_another_person(
    ask: Ask, topics: None, make_contact: Callable[..., Contact], caller: Any
) -> None:
    bob = make_contact("bob@example.com", customer_id="8")

    answer = ask(UPDATE, caller=caller, refused=["news"], contactId=ids.to_global("CrmContact", bob.pk))

    assert answer.codes == ["PermissionDenied"]
    assert not RefusedTopic.objects.exists()
