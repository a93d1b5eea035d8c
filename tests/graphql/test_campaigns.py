"""Campaigns by the API: the life of one, and what is refused."""

from __future__ import annotations

import ast
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

import crm_plugin
from crm_plugin import automations, ids
from crm_plugin.automations.models import Campaign, CampaignState
from crm_plugin.graphql.errors import ErrorCode
from crm_plugin.messaging.contents import LEGAL_TEXT
from tests.graphql.conftest import MANAGER, VIEWER, WAIT_ONLY, Ask

pytestmark = pytest.mark.django_db

FIELDS = "{ campaign { id name state version hasUnpublishedChanges inFlight } errors { field code message } }"
CREATE = f"mutation($input: CrmCampaignCreateInput!) {{ crmCampaignCreate(input: $input) {FIELDS} }}"
UPDATE = f"mutation($id: ID!, $input: CrmCampaignUpdateInput!) {{ crmCampaignUpdate(id: $id, input: $input) {FIELDS} }}"
NO_WAY_OUT = {"subject": "News", "mjml": "<mjml><mj-body></mj-body></mjml>", "text": "{{ unsubscribe_url }}"}
#: An advertisement that would need no consent.
UNASKED = {"type": "send", "id": "s", "message_class": "transactional", "template": {"en": NO_WAY_OUT}}


def _act(name: str) -> str:
    return f"mutation($id: ID!) {{ {name}(id: $id) {FIELDS} }}"


def _id(campaign: Campaign) -> str:
    return ids.to_global("CrmCampaign", campaign.pk)


def test_a_campaign_is_created_published_paused_and_archived(ask: Ask) -> None:
    created = ask(CREATE, caller=MANAGER, input={"name": "Welcome", "definition": WAIT_ONLY})
    campaign = created.data["crmCampaignCreate"]["campaign"]
    states = [
        ask(_act(name), caller=MANAGER, id=campaign["id"]).data[name]
        for name in ("crmCampaignPublish", "crmCampaignPause", "crmCampaignDelete")
    ]

    assert created.data["crmCampaignCreate"]["errors"] == []
    assert (campaign["state"], campaign["version"], campaign["hasUnpublishedChanges"]) == ("DRAFT", None, True)
    assert [answer["campaign"]["state"] for answer in states] == ["RUNNING", "PAUSED", "ARCHIVED"]
    assert states[0]["campaign"]["version"] == 1
    assert states[0]["campaign"]["hasUnpublishedChanges"] is False


def test_a_draft_is_deleted_and_answered_with_its_id(ask: Ask, make_campaign: Callable[..., Campaign]) -> None:
    wanted = _id(make_campaign())

    answer = ask(_act("crmCampaignDelete"), caller=MANAGER, id=wanted).data["crmCampaignDelete"]

    assert answer["campaign"]["id"] == wanted
    assert not Campaign.objects.exists()


def test_a_running_campaign_is_not_deleted(ask: Ask, make_campaign: Callable[..., Campaign]) -> None:
    campaign = automations.publish(make_campaign().pk)

    answer = ask(_act("crmCampaignDelete"), caller=MANAGER, id=_id(campaign)).data["crmCampaignDelete"]

    assert answer["campaign"] is None
    assert [(error["field"], error["code"]) for error in answer["errors"]] == [("id", "IS_RUNNING")]
    assert Campaign.objects.get().state == CampaignState.RUNNING


def test_what_is_left_out_of_an_update_stays_and_null_takes_away(
    ask: Ask, make_campaign: Callable[..., Campaign]
) -> None:
    starts_at, ends_at = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
    campaign = make_campaign(starts_at=starts_at, ends_at=ends_at)

    answer = ask(UPDATE, caller=MANAGER, id=_id(campaign), input={"endsAt": None, "name": "Hello"})

    campaign.refresh_from_db()
    assert answer.data["crmCampaignUpdate"]["errors"] == []
    assert (campaign.name, campaign.starts_at, campaign.ends_at) == ("Hello", starts_at, None)
    assert campaign.draft == WAIT_ONLY


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"name": "  "}, "name", "REQUIRED"),
        ({"definition": {**WAIT_ONLY, "steps": []}}, "definition.steps", "INVALID"),
        (
            {"definition": {**WAIT_ONLY, "steps": [{"type": "wait", "id": "w", "seconds": 0}]}},
            "definition.steps.0.seconds",
            "INVALID",
        ),
        (
            {"definition": {**WAIT_ONLY, "trigger": {"type": "activity", "activity": "sneezed"}}},
            "definition.trigger.activity",
            "INVALID",
        ),
        ({"definition": {**WAIT_ONLY, "trigger": {"type": "full_moon"}}}, "definition.trigger", "INVALID"),
        (
            {"definition": {**WAIT_ONLY, "steps": [{"type": "send", "id": "s", "template": {"en": NO_WAY_OUT}}]}},
            "definition.steps.0.template.en.mjml",
            "UNSUBSCRIBE_URL_MISSING",
        ),
        (
            {"definition": {"trigger": {"type": "price_drop"}, "steps": [UNASKED]}},
            "definition",
            "INVALID",
        ),
        ({"definition": None}, "definition", "REQUIRED"),
        ({"recipe": "welcome"}, "definition", "REQUIRED"),
        ({"definition": None, "recipe": "no_such_recipe"}, None, "NOT_FOUND"),
        ({"startsAt": "2026-05-01T00:00:00"}, "startsAt", "INVALID"),
        ({"startsAt": "2026-05-01T00:00:00Z", "endsAt": "2026-04-01T00:00:00Z"}, "endsAt", "INVALID"),
    ],
)
def test_wrong_input_is_told_by_field_and_saves_nothing(
    ask: Ask, changes: dict[str, Any], field: str | None, code: str
) -> None:
    given = {"name": "Welcome", "definition": WAIT_ONLY, **changes}

    answer = ask(CREATE, caller=MANAGER, input=given).data["crmCampaignCreate"]

    assert [(error["field"], error["code"]) for error in answer["errors"]] == [(field, code)]
    assert answer["campaign"] is None
    assert not Campaign.objects.exists()


@pytest.mark.parametrize("moment", ["", "tomorrow", "2026-13-01T00:00:00Z", "0001-01-01T00:00:01+07:00"])
def test_what_is_no_moment_is_refused(ask: Ask, moment: str) -> None:
    answer = ask(CREATE, caller=MANAGER, input={"name": "x", "definition": WAIT_ONLY, "startsAt": moment})

    assert len(answer.errors) == 1
    assert not Campaign.objects.exists()


@pytest.mark.parametrize("wrong", ["", "1", "Q3JtQ2FtcGFpZ246", "Q3JtQ29udGFjdDox", "Q3JtQ2FtcGFpZ246LTE=", "x" * 500])
def test_what_is_no_id_of_a_campaign_is_refused(ask: Ask, wrong: str) -> None:
    read = ask("query($id: ID!) { crmCampaign(id: $id) { name } }", caller=VIEWER, id=wrong)
    written = ask(_act("crmCampaignPublish"), caller=MANAGER, id=wrong).data["crmCampaignPublish"]

    assert read.codes == ["GraphQLError"]
    assert [(error["field"], error["code"]) for error in written["errors"]] == [("id", "GRAPHQL_ERROR")]


def test_an_unknown_campaign_is_null_to_read_and_not_found_to_write(ask: Ask, shop: object) -> None:
    unknown = ids.to_global("CrmCampaign", 404_404_404)

    read = ask("query($id: ID!) { crmCampaign(id: $id) { name } }", caller=VIEWER, id=unknown)
    written = ask(_act("crmCampaignPause"), caller=MANAGER, id=unknown).data["crmCampaignPause"]

    assert (read.data, read.errors) == ({"crmCampaign": None}, [])
    assert [error["code"] for error in written["errors"]] == ["NOT_FOUND"]


def test_a_page_of_campaigns_reads_who_is_in_flight_at_once(
    ask: Ask, make_campaign: Callable[..., Campaign], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(5):
        automations.publish(make_campaign(f"c{number}").pk)

    with django_assert_num_queries(2):
        answer = ask(
            "{ crmCampaigns(first: 10, state: RUNNING) { edges { node { version inFlight definition } } } }",
            caller=VIEWER,
        )

    assert len(answer.data["crmCampaigns"]["edges"]) == 5


def test_a_definition_written_into_the_query_is_read_as_json(ask: Ask, shop: object) -> None:
    answer = ask(
        'mutation { crmCampaignCreate(input: {name: "x", definition: {trigger: {type: "activity", '
        'activity: "signed_up"}, steps: [{type: "wait", id: "w", seconds: 60}]}}) { campaign { definition } } }',
        caller=MANAGER,
    )

    assert answer.data["crmCampaignCreate"]["campaign"]["definition"]["steps"][0]["seconds"] == 60


def test_every_code_of_the_other_rooms_is_in_the_schema(ask: Ask) -> None:
    codes = {f"{name}_MISSING".upper() for name in LEGAL_TEXT} | {
        keyword.value.value
        for path in Path(crm_plugin.__path__[0]).rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") in ("InvalidInput", "NotFound")
        for keyword in call.keywords
        if keyword.arg == "code" and isinstance(keyword.value, ast.Constant)
    }

    assert codes - set(ErrorCode) == set()
