"""What a merchant may write into a campaign: every wrong part is refused with its path, before anything is saved."""

from __future__ import annotations

from typing import Any

import pytest

from crm_plugin import automations
from crm_plugin.automations import Definition
from crm_plugin.errors import InvalidInput, NotFound
from crm_plugin.models import Campaign
from tests.stories import CONTENT, definition, on, send, wait

DROP = {"type": "price_drop"}


def content(**changes: Any) -> dict[str, Any]:
    return {"en": CONTENT | changes}


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        (None, "definition"),
        ([], "definition"),
        ("price_drop", "definition"),
        ({"steps": [send()]}, "definition.trigger"),
        ({"trigger": DROP}, "definition.steps"),
        (definition() | {"steps": []}, "definition.steps"),
        (definition(steps=[wait(f"w{n}") for n in range(51)]), "definition.steps"),
        (definition(colour="red"), "definition.colour"),
        (definition({"type": "moon_phase"}), "definition.trigger"),
        (definition({"sources": ["liked"]}), "definition.trigger"),
        (definition(DROP | {"colour": "red"}), "definition.trigger.colour"),
        (definition(DROP | {"sources": []}), "definition.trigger.sources"),
        (definition(DROP | {"sources": ["liked", "dreamt"]}), "definition.trigger.sources.1"),
        (definition(DROP | {"min_percent": 0}), "definition.trigger.min_percent"),
        (definition(DROP | {"min_percent": 100}), "definition.trigger.min_percent"),
        (definition(DROP | {"min_percent": "a tenth"}), "definition.trigger.min_percent"),
        (definition(DROP | {"min_amount": {"EUR": -1}}), "definition.trigger.min_amount.EUR"),
        (definition(DROP | {"lookback_days": 0}), "definition.trigger.lookback_days"),
        (definition(DROP | {"min_views": 1.5}), "definition.trigger.min_views"),
        (definition(DROP | {"cooldown_days": 366}), "definition.trigger.cooldown_days"),
        (definition(DROP | {"settle_seconds": 3601}), "definition.trigger.settle_seconds"),
        (definition(on("daydreamed")), "definition.trigger.activity"),
        (definition(on("liked", reentry="sometimes")), "definition.trigger.reentry"),
        (definition(exit_when=["bored"]), "definition.exit_when.0"),
        (definition(steps=[{"type": "dance", "id": "a"}]), "definition.steps.0"),
        (definition(steps=[send(), {"id": "a"}]), "definition.steps.1"),
        (definition(steps=[wait(seconds=0)]), "definition.steps.0.seconds"),
        (definition(steps=[wait(seconds=401 * 24 * 3600)]), "definition.steps.0.seconds"),
        (definition(steps=[send(), wait("No Spaces")]), "definition.steps.1.id"),
        (definition(steps=[send(), wait("w"), wait("w")]), "definition"),
        (definition(steps=[send(channel="pigeon")]), "definition.steps.0.channel"),
        (definition(steps=[send(message_class="poem")]), "definition.steps.0.message_class"),
        (definition(steps=[{"type": "send", "id": "mail"}]), "definition.steps.0.template"),
        (definition(steps=[send() | {"template": "Hello"}]), "definition.steps.0.template"),
        (definition(steps=[{"type": "exit", "id": "end", "why": "done"}]), "definition.steps.0.why"),
    ],
)
def test_a_wrong_part_is_refused_with_its_path(wrong, path):
    with pytest.raises(InvalidInput) as refused:
        Definition.parse(wrong)

    assert refused.value.field == path


@pytest.mark.parametrize("internal", ["catalogue_changed", "cart_changed", "customer_changed", "customer_deleted"])
def test_what_never_becomes_an_activity_cannot_start_a_campaign(internal):
    with pytest.raises(InvalidInput, match=internal) as refused:
        Definition.parse(definition(on(internal)))

    assert refused.value.field == "definition.trigger.activity"


def test_a_currency_of_the_smallest_amount_is_three_capitals():
    with pytest.raises(InvalidInput) as refused:
        Definition.parse(definition(DROP | {"min_amount": {"euro": 5}}))

    assert refused.value.field.startswith("definition.trigger.min_amount")


@pytest.mark.parametrize(
    ("template", "path", "code"),
    [
        ({}, "definition.steps.1.template", "INVALID"),
        ({"English": CONTENT}, "definition.steps.1.template.English.[key]", "INVALID"),
        ({"en": {"subject": "Hi"}}, "definition.steps.1.template.en.mjml", "INVALID"),
        (content(subject=""), "definition.steps.1.template.en.subject", "INVALID"),
        (content(footer="x"), "definition.steps.1.template.en.footer", "INVALID"),
        (content(subject="{{ contact.shoe_size }}"), "definition.steps.1.template.en.subject", "UNKNOWN_VARIABLE"),
        (content(subject="{% if %}"), "definition.steps.1.template.en.subject", "LIQUID"),
        (content(text="Bye"), "definition.steps.1.template.en.text", "UNSUBSCRIBE_URL_MISSING"),
        (
            content(mjml="<mjml><mj-body>{{ unsubscribe_url }}"),
            "definition.steps.1.template.en.mjml",
            "MJML",
        ),
    ],
)
def test_a_wrong_template_is_refused_with_the_path_through_its_step(db, template, path, code):
    wrong = definition(steps=[wait(), send() | {"template": template}])

    with pytest.raises(InvalidInput) as refused:
        automations.create_campaign(name="Test", definition=wrong)

    assert (refused.value.field, refused.value.code) == (path, code)
    assert Campaign.objects.count() == 0


def test_an_unknown_variable_is_named(db):
    wrong = definition(steps=[send() | {"template": content(subject="Size {{ contact.shoe_size }}")}])

    with pytest.raises(InvalidInput, match="shoe_size"):
        automations.create_campaign(name="Test", definition=wrong)


def test_a_message_that_is_no_advertisement_needs_no_way_out(db):
    steps = [send(message_class="transactional") | {"template": content(text="Your order is on its way.")}]

    campaign = automations.create_campaign(name="Test", definition=definition(on("fulfilled"), steps))

    assert campaign.state == "draft"


def test_every_recipe_is_a_definition_that_can_be_saved(db):
    for name in automations.recipe_names():
        assert automations.create_campaign(name=name, definition=automations.recipe(name)).pk

    with pytest.raises(NotFound, match="liked_price_drop"):
        automations.recipe("perpetual_motion")
