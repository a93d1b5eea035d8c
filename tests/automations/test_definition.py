"""What a merchant may write into a campaign: every wrong part is refused with its path, before anything is saved."""

from __future__ import annotations

from typing import Any

import pytest

from crm_plugin import automations
from crm_plugin.automations import Definition
from crm_plugin.errors import InvalidInput
from crm_plugin.models import Campaign
from tests.stories import CONTENT, definition, on, send, wait

DROP = {"type": "price_drop"}
EVERYBODY = {"include": {"type": "everybody"}}
NONSENSE = {"type": "clairvoyant"}


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
        (definition(steps=[wait(f"w{n}") for n in range(101)]), "definition"),
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


def branch(*then: Any, **more: Any) -> dict[str, Any]:
    return {"type": "branch", "id": "ask", "audience": EVERYBODY, "then": list(then), **more}


def split(*arms: dict[str, Any], **more: Any) -> dict[str, Any]:
    named = [{"name": f"arm{n}", "weight": 1} | arm for n, arm in enumerate(arms)]
    return {"type": "split", "id": "cut", "arms": named, **more}


def wait_for(*then: Any, **more: Any) -> dict[str, Any]:
    hope = {"type": "wait_for", "id": "hope", "activity": "visited", "timeout_seconds": 60}
    return hope | {"then": list(then), **more}


def audience_trigger(**changes: Any) -> dict[str, Any]:
    return {"type": "audience", "audience": EVERYBODY, "schedule": {"type": "daily", "at": "10:00"}, **changes}


NO_WAIT = wait("short", seconds=0)


@pytest.mark.parametrize(
    ("steps", "path"),
    [
        ([branch(NO_WAIT)], "0.then.0.seconds"),
        ([send(), branch(otherwise=[wait(), NO_WAIT])], "1.otherwise.1.seconds"),
        ([branch(audience="everybody")], "0.audience"),
        ([branch(maybe=[])], "0.maybe"),
        ([wait_for(NO_WAIT)], "0.then.0.seconds"),
        ([wait_for(activity="cart_changed")], "0.activity"),
        ([wait_for(timeout_seconds=59)], "0.timeout_seconds"),
        ([wait_for(what={"products": [""]})], "0.what.products.0"),
        ([split({}, {"steps": [send(), NO_WAIT]})], "0.arms.1.steps.1.seconds"),
        ([split({"weight": 0})], "0.arms.0.weight"),
        ([split({"is_holdout": True, "steps": [send()]})], "0.arms.0"),
        ([split({"name": "same"}, {"name": "same"})], "0"),
        ([split()], "0.arms"),
        ([split(*[{}] * 9)], "0.arms"),
        ([split({}, {}, winner={"min_probability": 1})], "0.winner.min_probability"),
        ([split({}, {}, winner={"after_seconds": 600, "deadline_seconds": 60})], "0.winner"),
        ([split({}, {"is_holdout": True}, winner={})], "0"),
        ([branch(split({"steps": [wait_for(NO_WAIT)]}))], "0.then.0.arms.0.steps.0.then.0.seconds"),
        ([{"type": "wait_until", "id": "w", "at": "25:00"}], "0.at"),
        ([{"type": "wait_until", "id": "w", "at": "10:00", "weekdays": ["mon", "someday"]}], "0.weekdays.1"),
        ([{"type": "wait_until", "id": "w", "at": "10:00", "to": "10:00"}], "0"),
        ([{"type": "webhook", "id": "w", "url": "http://example.com/"}], "0.url"),
        ([{"type": "tag", "id": "t", "name": "tags"}], "0"),
        ([{"type": "list", "id": "l", "segment": 0}], "0.segment"),
        ([{"type": "issue_coupon", "id": "c", "coupon": 0}], "0.coupon"),
        ([{"type": "issue_coupon", "id": "c", "coupon": 5, "per": "order"}], "0.per"),
        ([{"type": "set_attribute", "id": "s", "name": "Points"}], "0.name"),
    ],
)
def test_a_wrong_part_of_a_nested_step_is_refused_with_its_path(steps, path):
    with pytest.raises(InvalidInput) as refused:
        Definition.parse(definition(on("viewed"), steps))

    assert refused.value.field == f"definition.steps.{path}"


@pytest.mark.parametrize(
    ("trigger", "path"),
    [
        (audience_trigger(audience="everybody"), "audience"),
        (audience_trigger(audience=None), "audience"),
        (audience_trigger(schedule={"type": "daily", "at": "25:00"}), "schedule.at"),
        (audience_trigger(schedule={"type": "once", "at": "2027-03-01T10:00:00Z"}), "schedule.at"),
        (audience_trigger(schedule={"type": "weekly"}), "schedule"),
        (audience_trigger(reentry="after"), ""),
        (audience_trigger(reentry_days=3), ""),
        (on("viewed") | {"amount": {"op": "gte", "value": 5}}, "amount.currency"),
        (on("viewed") | {"amount": {"op": "about", "value": 5, "currency": "EUR"}}, "amount.op"),
        (on("viewed") | {"what": {"groups": ["bags"]}}, "what.groups.0"),
        (on("searched") | {"what": {"subject": {"op": "is"}}}, "what.subject.value"),
        (on("viewed") | {"is_first_order": True}, ""),
        (on("viewed", reentry="after"), ""),
        (on("viewed") | {"concurrency": "family"}, "concurrency"),
        ({"type": "after", "activity": "ordered", "unit": "days", "amounts": [1]}, ""),
        ({"type": "after", "activity": "ordered", "unit": "hours", "amounts": [1, 0]}, "amounts.1"),
        ({"type": "after", "activity": "ordered", "unit": "hours", "amounts": [1, 1]}, ""),
        ({"type": "after", "activity": "ordered", "unit": "days", "amounts": [1096], "at": "10:00"}, ""),
        ({"type": "abandoned", "after_minutes": 4}, "after_minutes"),
        ({"type": "abandoned", "audience": []}, "audience"),
        ({"type": "date", "attribute": "birthday", "at": "10:00", "offset_days": 61}, "offset_days"),
        ({"type": "coupon_expiry", "at": "10:00", "days_before": -1}, "days_before"),
        ({"type": "back_in_stock", "min_available": 0}, "min_available"),
        ({"type": "new_voucher", "sources": []}, "sources"),
    ],
)
def test_a_wrong_part_of_a_trigger_is_refused_with_its_path(trigger, path):
    with pytest.raises(InvalidInput) as refused:
        Definition.parse(definition(trigger))

    assert refused.value.field == f"definition.trigger.{path}".rstrip(".")


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        (definition(audience_trigger(audience={"include": NONSENSE})), "definition.trigger.audience.include.type"),
        (definition(on("viewed") | {"audience": {}}), "definition.trigger.audience.include"),
        (
            definition(on("viewed"), [wait(), branch(audience={"include": NONSENSE})]),
            "definition.steps.1.audience.include.type",
        ),
        (definition(on("viewed"), exit_audience={"include": NONSENSE}), "definition.exit_audience.include.type"),
    ],
)
def test_an_audience_that_nobody_understands_is_refused_with_its_path_when_it_is_saved(db, wrong, path):
    with pytest.raises(InvalidInput) as refused:
        automations.create_campaign(name="Test", definition=wrong)

    assert refused.value.field.startswith(path.removesuffix(".type"))
    assert not Campaign.objects.exists()


def test_steps_are_counted_wherever_they_stand():
    rows = [branch(*[wait(f"t{n}") for n in range(99)]) | {"id": "ask"}]
    most = Definition.parse(definition(on("viewed"), rows))

    with pytest.raises(InvalidInput, match="100 steps at most") as refused:
        Definition.parse(definition(on("viewed"), [*rows, send()]))

    assert most.program.end == 100
    assert refused.value.field == "definition"


def test_an_id_is_given_once_wherever_it_stands():
    with pytest.raises(InvalidInput, match="an id of its own"):
        Definition.parse(definition(on("viewed"), [branch(send("mail"), otherwise=[send("mail")])]))


def nested(kind: str, levels: int) -> dict[str, Any]:
    inner: dict[str, Any] = send("innermost")
    for level in range(levels):
        holder = {
            "branch": lambda one=inner: branch(one),
            "wait_for": lambda one=inner: wait_for(otherwise=[one]),
            "split": lambda one=inner: split({}, {"steps": [one]}),
        }[kind]
        inner = holder() | {"id": f"level{level}"}
    return definition(on("viewed"), [inner])


@pytest.mark.parametrize("kind", ["branch", "wait_for", "split"])
def test_steps_stand_inside_steps_five_levels_deep_and_no_deeper(kind):
    deepest = Definition.parse(nested(kind, 5))

    with pytest.raises(InvalidInput, match="5 levels deep") as refused:
        Definition.parse(nested(kind, 6))

    assert deepest.program.end == 6
    assert refused.value.field == "definition"


@pytest.mark.parametrize("levels", [100, 100_000])
@pytest.mark.parametrize("put_in", [lambda inner: [inner], lambda inner: {"then": inner}])
def test_what_is_nested_without_end_is_refused_before_anybody_reads_it(levels, put_in):
    bomb: Any = "boom"
    for _ in range(levels):
        bomb = put_in(bomb)

    for wrong in (bomb, definition() | {"steps": bomb}, definition(on("viewed") | {"audience": bomb})):
        with pytest.raises(InvalidInput, match="nested too deep") as refused:
            Definition.parse(wrong)
        assert refused.value.field == "definition"


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
        ({"English": CONTENT}, "definition.steps.1.template.English", "INVALID"),
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
