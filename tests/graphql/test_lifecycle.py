"""The life of a campaign by the API: previews, pauses, ends, copies, moved people, and their numbers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from crm_plugin import automations, ids
from crm_plugin.automations.models import Campaign, CampaignState, Enrollment
from crm_plugin.contacts import Contact
from tests.graphql.conftest import MANAGER, NOON, VIEWER, WAIT_ONLY, Ask

pytestmark = pytest.mark.django_db

MOVE = """mutation($id: ID!, $mapping: [CrmStepMove!]) { crmCampaignMoveInFlight(id: $id, mapping: $mapping) {
  movedCount stayedCount campaign { version inFlight } errors { field code } } }"""
PREVIEW = """query($id: ID!, $language: String) { crmCampaignPublishPreview(id: $id, language: $language) {
  version audienceCount inFlight { isGone standing { version stepId path people parked } }
  added { stepId path } removed { stepId } changed { stepId }
  problems { field code message } warnings { field code message } } }"""
TWO_WAITS = {**WAIT_ONLY, "steps": [{"type": "wait", "id": name, "seconds": 60} for name in ("first", "second")]}


def _id(campaign: Campaign) -> str:
    return ids.to_global("CrmCampaign", campaign.pk)


def _act(name: str) -> str:
    return f"mutation($id: ID!) {{ {name}(id: $id) {{ campaign {{ id name state }} errors {{ field code }} }} }}"


@pytest.fixture
def enter(make_contact: Callable[..., Contact]) -> Callable[..., Enrollment]:
    """Put somebody into a campaign."""

    def make(campaign: Campaign, email: str = "ann@example.com", **columns: Any) -> Enrollment:
        assert campaign.version is not None
        values = {"due_at": NOON + timedelta(hours=1), "entered_at": NOON} | columns
        if values.get("state", "active") != "active":
            values |= {"due_at": None, "finished_at": NOON}
        return Enrollment.objects.create(
            campaign=campaign, version=campaign.version, contact=make_contact(email), **values
        )

    return make


def _changed(campaign: Campaign, *names: str) -> Campaign:
    steps = [{"type": "wait", "id": name, "seconds": 60} for name in names]
    automations.update_campaign(campaign.pk, definition={**WAIT_ONLY, "steps": steps})
    return automations.publish(campaign.pk)


def test_a_paused_campaign_goes_on_and_is_ended(ask: Ask, make_campaign: Callable[..., Campaign]) -> None:
    campaign = automations.publish(make_campaign().pk)
    acts = ("crmCampaignPause", "crmCampaignResume", "crmCampaignEnd")

    states = [ask(_act(act), caller=MANAGER, id=_id(campaign)).data[act]["campaign"]["state"] for act in acts]

    assert states == ["PAUSED", "RUNNING", "ENDED"]


@pytest.mark.parametrize(("act", "code"), [("crmCampaignResume", "NOT_PAUSED"), ("crmCampaignEnd", "NOT_RUNNING")])
def test_a_draft_neither_goes_on_nor_ends(
    ask: Ask, make_campaign: Callable[..., Campaign], act: str, code: str
) -> None:
    answer = ask(_act(act), caller=MANAGER, id=_id(make_campaign())).data[act]

    assert answer == {"campaign": None, "errors": [{"field": "id", "code": code}]}
    assert Campaign.objects.get().state == CampaignState.DRAFT


def test_a_copy_is_a_draft_of_its_own(ask: Ask, make_campaign: Callable[..., Campaign]) -> None:
    campaign = automations.publish(make_campaign().pk)

    copy = ask(_act("crmCampaignClone"), caller=MANAGER, id=_id(campaign)).data["crmCampaignClone"]["campaign"]

    assert (copy["name"], copy["state"]) == ("Copy of Welcome", "DRAFT")
    assert copy["id"] != _id(campaign)


def test_the_preview_says_what_publishing_would_do(
    ask: Ask, make_campaign: Callable[..., Campaign], enter: Callable[..., Enrollment]
) -> None:
    campaign = automations.publish(make_campaign().pk)
    enter(campaign)
    automations.update_campaign(campaign.pk, definition=TWO_WAITS)

    found = ask(PREVIEW, caller=VIEWER, id=_id(campaign), language="ko").data["crmCampaignPublishPreview"]

    standing = {"version": 1, "stepId": "pause", "path": "steps.0", "people": 1, "parked": 0}
    assert found["inFlight"] == [{"isGone": True, "standing": standing}]
    assert [step["stepId"] for step in found["added"]] == ["first", "second"]
    assert (found["version"], found["removed"], found["changed"]) == (2, [{"stepId": "pause"}], [])
    assert (found["problems"], found["audienceCount"]) == ([], None)
    assert [one["code"] for one in found["warnings"]] == ["NOTHING_SENT"]
    assert "캠페인" in found["warnings"][0]["message"]


def test_the_preview_of_no_campaign_is_null(ask: Ask, shop: object) -> None:
    answer = ask(PREVIEW, caller=VIEWER, id=ids.to_global("CrmCampaign", 404))

    assert (answer.data, answer.errors) == ({"crmCampaignPublishPreview": None}, [])


def test_people_are_moved_to_the_steps_that_are_named(
    ask: Ask, make_campaign: Callable[..., Campaign], enter: Callable[..., Enrollment]
) -> None:
    campaign = automations.publish(make_campaign().pk)
    run = enter(campaign)
    _changed(campaign, "first", "second")

    stayed = ask(MOVE, caller=MANAGER, id=_id(campaign)).data["crmCampaignMoveInFlight"]
    named = [{"fromStep": "pause", "toStep": "second"}]
    moved = ask(MOVE, caller=MANAGER, id=_id(campaign), mapping=named).data["crmCampaignMoveInFlight"]

    run.refresh_from_db()
    assert (stayed["movedCount"], stayed["stayedCount"]) == (0, 1)
    assert (moved["movedCount"], moved["stayedCount"], moved["errors"]) == (1, 0, [])
    assert moved["campaign"] == {"version": 2, "inFlight": 1}
    assert (run.version.number, run.step) == (2, 1)


@pytest.mark.parametrize(
    ("mapping", "field", "code"),
    [
        ([{"fromStep": "pause", "toStep": "nowhere"}], "mapping.pause", "NOT_FOUND"),
        ([{"fromStep": "pause", "toStep": "first"}] * 2, "mapping", "UNIQUE"),
        ([{"fromStep": f"s{n}", "toStep": "first"} for n in range(101)], "mapping", "LIMIT"),
    ],
)
def test_a_wrong_choice_is_told_by_its_step_and_moves_nobody(
    ask: Ask,
    make_campaign: Callable[..., Campaign],
    enter: Callable[..., Enrollment],
    mapping: list[dict[str, str]],
    field: str,
    code: str,
) -> None:
    campaign = automations.publish(make_campaign().pk)
    run = enter(campaign)
    _changed(campaign, "first")

    answer = ask(MOVE, caller=MANAGER, id=_id(campaign), mapping=mapping).data["crmCampaignMoveInFlight"]

    run.refresh_from_db()
    assert answer["errors"] == [{"field": field, "code": code}]
    assert run.version.number == 1


STATISTICS = """statistics { entered active completed exited converted exits { reason people }
  versions { version entered active } steps { version stepId path people parked }
  arms { stepId arm entered converted } tests { stepId arm evidence } }"""


def test_the_statistics_of_a_campaign(
    ask: Ask, make_campaign: Callable[..., Campaign], enter: Callable[..., Enrollment]
) -> None:
    campaign = make_campaign()
    arms = [{"name": "a", "weight": 1}, {"name": "b", "weight": 1}]
    split = {"type": "split", "id": "ab", "arms": arms}
    automations.update_campaign(campaign.pk, definition={**WAIT_ONLY, "steps": [*WAIT_ONLY["steps"], split]})
    campaign = automations.publish(campaign.pk)
    enter(campaign, arms={"ab": "a"})
    enter(campaign, "bob@example.com", arms={"ab": "b"}, state="converted", reason="bought")
    enter(campaign, "cho@example.com", state="exited", reason="stale")

    query = f"query($id: ID!) {{ crmCampaign(id: $id) {{ {STATISTICS} }} }}"
    found = ask(query, caller=VIEWER, id=_id(campaign)).data["crmCampaign"]["statistics"]

    assert [found[name] for name in ("entered", "active", "completed", "exited", "converted")] == [3, 1, 0, 1, 1]
    assert found["exits"] == [{"reason": "stale", "people": 1}]
    assert found["versions"] == [{"version": 1, "entered": 3, "active": 1}]
    assert found["steps"] == [{"version": 1, "stepId": "pause", "path": "steps.0", "people": 1, "parked": 0}]
    assert [(arm["arm"], arm["entered"], arm["converted"]) for arm in found["arms"]] == [("a", 1, 0), ("b", 1, 1)]
    assert found["tests"] == []


def test_a_page_of_fifty_campaigns_counts_them_all_at_once(
    ask: Ask, make_campaign: Callable[..., Campaign], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(50):
        automations.publish(make_campaign(f"c{number}").pk)
    query = f"{{ crmCampaigns(first: 50) {{ edges {{ node {{ name inFlight {STATISTICS} }} }} }} }}"

    with django_assert_num_queries(8):  # the page, who is in flight, versions, ends, steps, definitions twice, tests
        answer = ask(query, caller=VIEWER)

    assert answer.errors == []
    assert len(answer.data["crmCampaigns"]["edges"]) == 50


RUNS = """query($campaign: ID, $contact: ID, $state: CrmEnrollmentState, $first: Int, $after: String) {
  crmEnrollments(campaign: $campaign, contact: $contact, state: $state, first: $first, after: $after) {
    pageInfo { hasNextPage endCursor }
    edges { node { version state reason stepId subject arms { stepId arm } waitsFor dueAt enteredAt finishedAt
      contact { email } campaign { name } } } } }"""


def test_the_runs_of_a_campaign_newest_first(
    ask: Ask, make_campaign: Callable[..., Campaign], enter: Callable[..., Enrollment]
) -> None:
    campaign, other = (automations.publish(make_campaign(name).pk) for name in ("Welcome", "Other"))
    enter(campaign, subject_key="order:7", arms={"ab": "a"}, waits_for="liked")
    enter(campaign, "bob@example.com", state="exited", reason="stale", entered_at=NOON + timedelta(minutes=1))
    enter(other, "cho@example.com")

    answer = ask(RUNS, caller=VIEWER, campaign=_id(campaign), first=10)

    bob, ann = (edge["node"] for edge in answer.data["crmEnrollments"]["edges"])
    assert (bob["contact"]["email"], bob["state"], bob["reason"]) == ("bob@example.com", "EXITED", "stale")
    assert (bob["stepId"], bob["dueAt"]) == (None, None)
    assert (ann["campaign"]["name"], ann["version"], ann["state"], ann["stepId"]) == ("Welcome", 1, "ACTIVE", "pause")
    assert (ann["subject"], ann["arms"], ann["waitsFor"]) == ("order:7", [{"stepId": "ab", "arm": "a"}], "liked")


def test_runs_are_paged_and_filtered_in_a_bounded_number_of_queries(
    ask: Ask,
    make_campaign: Callable[..., Campaign],
    enter: Callable[..., Enrollment],
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    campaign = automations.publish(make_campaign().pk)
    for number in range(5):
        enter(campaign, f"p{number}@example.com", entered_at=NOON + timedelta(minutes=number // 2))
    automations.step_ids([campaign.version_id])  # type: ignore[list-item]

    with django_assert_num_queries(4):  # the page, its contacts, its campaigns, its versions
        first = ask(RUNS, caller=VIEWER, campaign=_id(campaign), state="ACTIVE", first=3).data["crmEnrollments"]
    rest = ask(RUNS, caller=VIEWER, campaign=_id(campaign), first=3, after=first["pageInfo"]["endCursor"])

    people = [
        edge["node"]["contact"]["email"] for page in (first, rest.data["crmEnrollments"]) for edge in page["edges"]
    ]
    assert people == [f"p{number}@example.com" for number in (4, 3, 2, 1, 0)]


def test_the_runs_of_one_person(
    ask: Ask,
    make_campaign: Callable[..., Campaign],
    make_contact: Callable[..., Contact],
    enter: Callable[..., Enrollment],
) -> None:
    campaign = automations.publish(make_campaign().pk)
    enter(campaign)
    enter(campaign, "bob@example.com")
    ann = ids.to_global("CrmContact", make_contact("ann@example.com").pk)

    found = ask(RUNS, caller=VIEWER, contact=ann, first=10).data["crmEnrollments"]["edges"]

    assert [edge["node"]["contact"]["email"] for edge in found] == ["ann@example.com"]


def test_runs_of_nobody_in_particular_are_not_listed(ask: Ask, shop: object) -> None:
    answer = ask(RUNS, caller=VIEWER, first=10)

    assert answer.codes == ["GraphQLError"]
    assert "Give a campaign, a contact, or both." in answer.messages[0]


RECIPES = """query($language: String, $after: String) { crmRecipes(first: 100, language: $language, after: $after) {
  edges { node { name title description group trigger channels languages attributes } } } }"""


def test_recipes_are_listed_in_both_languages(ask: Ask, shop: object) -> None:
    english, korean = (
        {
            edge["node"]["name"]: edge["node"]
            for edge in ask(RECIPES, caller=VIEWER, language=language).data["crmRecipes"]["edges"]
        }
        for language in ("en", "ko")
    )

    assert list(english) == list(korean)
    assert set(english) == set(automations.recipe_names())
    liked = english["liked_price_drop"]
    assert (liked["trigger"], liked["group"], liked["channels"]) == ("price_drop", "price", ["email"])
    assert {"en", "ko"} <= set(liked["languages"])
    assert all(one["title"] != korean[name]["title"] for name, one in english.items())


@pytest.mark.parametrize("name", automations.recipe_names())
def test_every_recipe_becomes_a_draft_as_it_is(ask: Ask, shop: object, name: str) -> None:
    create = """mutation($input: CrmCampaignCreateInput!) { crmCampaignCreate(input: $input) {
      campaign { state } errors { field code message } } }"""

    answer = ask(create, caller=MANAGER, input={"name": "Mine", "recipe": name}).data["crmCampaignCreate"]

    assert answer == {"campaign": {"state": "DRAFT"}, "errors": []}


def test_the_schema_of_definitions_names_every_trigger_and_step(ask: Ask, shop: object) -> None:
    found = ask("{ crmCampaignDefinitionSchema }", caller=VIEWER).data["crmCampaignDefinitionSchema"]

    assert {"trigger", "steps", "exit_when"} <= set(found["properties"])
    assert {"SendStep", "SplitStep", "PriceDropTrigger", "DateTrigger"} <= set(found["$defs"])
