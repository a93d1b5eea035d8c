"""Whether a definition could do what it says: asked when it is saved, and again when it is published.

Each check walks over what is wrong, with the path of the wrong field; a save refuses with the first, the preview of a
publication shows them all. Nothing here changes anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from crm_plugin import contacts, merchant
from crm_plugin.audience import AudienceRule
from crm_plugin.automations import checking, winning
from crm_plugin.automations.definition import Definition
from crm_plugin.automations.program import Op
from crm_plugin.automations.scheduling import is_over
from crm_plugin.automations.scheduling.dates import OWN_DAYS
from crm_plugin.automations.steps import Attempt, SendStep
from crm_plugin.automations.triggers import DateTrigger
from crm_plugin.contacts import AttributeKind
from crm_plugin.errors import InvalidInput
from crm_plugin.messaging import (
    MessageClass,
    TemplateSource,
    attributes_named,
    missing_provider,
    settings_missing,
)

Check = Callable[[Definition], Iterator[InvalidInput]]


def check(definition: Definition) -> None:
    """Refuse what could not be used, before it is saved.

    Raises:
        InvalidInput: with the path of the first wrong part.
    """
    for problem in _found(definition, SAVE):
        raise problem


def check_to_publish(definition: Definition) -> None:
    """Refuse what could not run now.

    Raises:
        InvalidInput: with the path of the first wrong part.
    """
    for problem in _found(definition, PUBLISH):
        raise problem


def problems(definition: Definition) -> list[InvalidInput]:
    """Return everything for which the definition could not be published now."""
    return list(_found(definition, PUBLISH))


def source_of(attempt: Attempt, *, path: str, message_class: MessageClass) -> TemplateSource:
    """Return the content of a Send step for one channel, checked; ``path`` is the step's.

    Raises:
        InvalidInput: with the path of the wrong part.
    """
    try:
        source = TemplateSource.parse(attempt.template, channel=attempt.channel)
        source.check(message_class=message_class)
    except InvalidInput as error:
        wrong = f"definition.{path}.{attempt.path}.{error.field}".rstrip(".")
        raise InvalidInput(error.message, field=wrong, code=error.code) from error
    return source


def _found(definition: Definition, checks: tuple[Check, ...]) -> Iterator[InvalidInput]:
    for one in checks:
        yield from one(definition)


def _told_by(refuse: Callable[[Definition], object]) -> Check:
    """Return the check that tells what a function raises that refuses."""

    def check(definition: Definition) -> Iterator[InvalidInput]:
        try:
            refuse(definition)
        except InvalidInput as error:
            yield error

    return check


def _contents(definition: Definition) -> Iterator[InvalidInput]:
    """Look for content that no message could be made of, and for attributes in it that nobody declared."""
    declared = None
    for op, step, attempt in _attempts(definition):
        try:
            source = source_of(attempt, path=op.path, message_class=step.message_class)
        except InvalidInput as error:
            yield error
            continue
        for field, name in attributes_named(source):
            declared = {one.name for one in contacts.attributes()} if declared is None else declared
            if name not in declared:
                yield InvalidInput(
                    f"Unknown variable: contact.attributes.{name}; declare the attribute first.",
                    field=f"definition.{op.path}.{attempt.path}.{field}",
                    code="UNKNOWN_VARIABLE",
                )


def _attempts(definition: Definition) -> Iterator[tuple[Op, SendStep, Attempt]]:
    for op, step in definition.sends():
        yield from ((op, step, attempt) for attempt in step.attempts)


def _topic(definition: Definition) -> Iterator[InvalidInput]:
    if definition.topic and not contacts.topics().filter(slug=definition.topic).exists():
        yield InvalidInput(f"There is no topic {definition.topic!r}; make it first.", field="definition.topic")


def _audiences(definition: Definition) -> Iterator[InvalidInput]:
    for path, value in definition.audiences().items():
        try:
            AudienceRule.parse(value, field=path)
        except InvalidInput as error:
            yield error


def _date(definition: Definition) -> Iterator[InvalidInput]:
    trigger = definition.trigger
    if not isinstance(trigger, DateTrigger) or trigger.attribute in OWN_DAYS:
        return
    kinds = {one.name: one.kind for one in contacts.attributes()}
    if kinds.get(trigger.attribute) != AttributeKind.DATE:
        yield InvalidInput(
            f"There is no attribute {trigger.attribute!r} of the kind date; declare it first, "
            f"or take one of {', '.join(sorted(OWN_DAYS))}.",
            field="definition.trigger.attribute",
        )


def _merchant(definition: Definition) -> Iterator[InvalidInput]:
    """Ask for what messages need of the settings: a sender, an address, a refusal number (features part 5)."""
    row = merchant.load()
    told: set[str] = set()
    for _op, step, attempt in _attempts(definition):
        try:
            source = TemplateSource.parse(attempt.template, channel=attempt.channel)
        except InvalidInput:  # ``_contents`` tells
            continue
        for missing in settings_missing(source, row, message_class=step.message_class):
            if missing.field not in told:
                told.add(missing.field)
                yield missing


def _channels(definition: Definition) -> Iterator[InvalidInput]:
    """Ask for a provider of every channel but e-mail, which Django always has a backend for."""
    told: set[str] = set()
    for op, _step, attempt in _attempts(definition):
        if attempt.channel not in told and (problem := missing_provider(attempt.channel)):
            told.add(attempt.channel)
            path = attempt.path.removesuffix("template") + "channel"
            yield InvalidInput(problem, field=f"definition.{op.path}.{path}", code="NOT_SET_UP")


def _moment(definition: Definition) -> Iterator[InvalidInput]:
    if is_over(definition.trigger):
        yield InvalidInput("The moment of the schedule is over.", field="definition.trigger.schedule.at")


SAVE: tuple[Check, ...] = (
    _contents,
    _audiences,
    _topic,
    _date,
    _told_by(winning.check_winner),
    _told_by(checking.check_attributes),
    _told_by(checking.check_lists),
)
PUBLISH: tuple[Check, ...] = (*SAVE, _told_by(checking.check_coupons), _moment, _merchant, _channels)
