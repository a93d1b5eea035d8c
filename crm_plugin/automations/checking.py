"""What a definition names must be there: attributes and lists when it is saved, coupons when it is published."""

from __future__ import annotations

from collections.abc import Mapping

from crm_plugin import audience, contacts, coupons
from crm_plugin.audience import SegmentKind, SegmentState
from crm_plugin.automations.definition import Definition
from crm_plugin.automations.program import walk
from crm_plugin.automations.steps import IssueCouponStep, ListStep, SetAttributeStep, TagStep
from crm_plugin.contacts import Attribute, AttributeKind
from crm_plugin.errors import InvalidInput


def check_attributes(definition: Definition) -> None:
    """Refuse steps that set what is not declared, a value of another kind, or tags that are none.

    Raises:
        InvalidInput: with the path of the wrong part.
    """
    steps = [(path, step) for path, step in walk(definition.steps) if isinstance(step, SetAttributeStep | TagStep)]
    declared = {one.name: one for one in contacts.attributes()} if steps else {}
    for path, step in steps:
        attribute = _declared(step.name, declared, path=path)
        if isinstance(step, TagStep):
            if attribute.kind != AttributeKind.TAGS:
                message = f"{step.name!r} is of the kind {attribute.kind}; only an attribute of the kind tags has tags."
                raise InvalidInput(message, field=f"definition.{path}.name")
        elif step.value is not None and not step.from_event:
            _check_value(step, attribute, path=path)


def check_lists(definition: Definition) -> None:
    """Refuse lists that are not there, were archived, or are rules.

    Raises:
        InvalidInput: with the path of the wrong part.
    """
    steps = [(path, step) for path, step in walk(definition.steps) if isinstance(step, ListStep)]
    if not steps:
        return
    found = audience.segments().filter(pk__in={step.segment for _path, step in steps}, kind=SegmentKind.STATIC)
    lists = set(found.exclude(state=SegmentState.ARCHIVED).values_list("pk", flat=True))
    for path, step in steps:
        if step.segment not in lists:
            message = "There is no such list; a segment that is a rule cannot be changed by hand."
            raise InvalidInput(message, field=f"definition.{path}.segment", code="NOT_FOUND")


def check_coupons(definition: Definition) -> None:
    """Refuse to give away coupons that are not there or were put away.

    Raises:
        InvalidInput: with the path of the step.
    """
    steps = [(path, step) for path, step in walk(definition.steps) if isinstance(step, IssueCouponStep)]
    if not steps:
        return
    found = coupons.templates().filter(pk__in={step.coupon for _path, step in steps})
    is_archived = dict(found.values_list("pk", "is_archived"))
    for path, step in steps:
        field = f"definition.{path}.coupon"
        if step.coupon not in is_archived:
            raise InvalidInput("There is no such coupon.", field=field, code="NOT_FOUND")
        if is_archived[step.coupon]:
            raise InvalidInput("This coupon was put away; choose another one.", field=field, code="IS_ARCHIVED")


def _declared(name: str, declared: Mapping[str, Attribute], *, path: str) -> Attribute:
    if name not in declared:
        raise InvalidInput(f"There is no attribute {name!r}; declare it first.", field=f"definition.{path}.name")
    return declared[name]


def _check_value(step: SetAttributeStep, attribute: Attribute, *, path: str) -> None:
    try:
        contacts.clean_attribute(attribute, step.value)
    except InvalidInput as error:
        raise InvalidInput(error.message, field=f"definition.{path}.value", code=error.code) from error
