"""Attributes: what a merchant keeps about contacts besides what the CRM knows itself (a birthday, a points balance).

Declared once with a kind that never changes, so that every stored value can be compared without asking what it is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, assert_never

from django.db import transaction

from crm_plugin import clock
from crm_plugin.contacts.attribute_history import ChangeSource, Values, keep_history
from crm_plugin.contacts.models import Attribute, AttributeKind, Contact
from crm_plugin.contacts.touching import touch
from crm_plugin.errors import InvalidInput, NotFound

MAX_ATTRIBUTES = 100
MAX_TEXT = 500
MAX_TAGS = 50
MAX_TAG = 60
MAX_LABEL = 80
#: Whole numbers up to here are exact in JSON, whoever reads it.
MAX_NUMBER = 10**15
#: Rows in one UPDATE of many.
_UPDATED_AT_ONCE = 500

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
#: What a contact has by itself cannot be declared: a condition must know which of the two is meant.
RESERVED = frozenset(column.name for column in Contact._meta.concrete_fields) | {"contact_id"}


def declare_attribute(
    name: str,
    kind: str,
    label: str = "",
    *,
    is_shown_to_customer: bool | None = None,
    keeps_history: bool | None = None,
) -> Attribute:
    """Declare an attribute; a second time only changes its label, who may see it, and whether it keeps its history.

    Args:
        name: lower-case letters, digits and ``_``, a letter first; at most 40.
        kind: one of ``AttributeKind``.
        label: what people read instead of the name.
        is_shown_to_customer: whether the storefront may show customers their own value; None leaves it as it is.
        keeps_history: whether changes of a number are kept and told to campaigns; None leaves it as it is.

    Raises:
        InvalidInput: the name is wrong or taken by a field that every contact has, the kind is unknown or not the one
            of the first time, the label is too long, there are 100 attributes already, or what keeps its history is no
            number.
    """
    _check(name, kind, label)
    if keeps_history and kind != AttributeKind.NUMBER:
        raise InvalidInput("Only numbers keep their history.", field="keeps_history")
    with transaction.atomic():
        made, is_new = Attribute.objects.get_or_create(
            name=name, defaults={"kind": kind, "label": label, "created_at": clock.now()}
        )
        if made.kind != kind:
            message = f"The attribute {name!r} is of the kind {made.kind}, and the kind of an attribute never changes."
            raise InvalidInput(message, field="kind", code="UNIQUE")
        if is_new and Attribute.objects.count() > MAX_ATTRIBUTES:
            raise InvalidInput(f"There can be {MAX_ATTRIBUTES} attributes at most.", field="name", code="LIMIT")
        shown = made.is_shown_to_customer if is_shown_to_customer is None else is_shown_to_customer
        history = made.keeps_history if keeps_history is None else keeps_history
        if (made.label, made.is_shown_to_customer, made.keeps_history) != (label, shown, history):
            made.label, made.is_shown_to_customer, made.keeps_history = label, shown, history
            made.save(update_fields=("label", "is_shown_to_customer", "keeps_history"))
    return made


def attributes() -> Sequence[Attribute]:
    """Return the declared attributes by name."""
    return tuple(Attribute.objects.order_by("name"))


def set_attributes(contact_id: int, values: Mapping[str, Any], *, source: ChangeSource = ChangeSource.API) -> bool:
    """Set attributes of a contact, those not named stay; return whether that changed anything.

    Args:
        contact_id: whose. An erased contact keeps nothing.
        values: by name. A text, a number, a boolean, a date (or ``YYYY-MM-DD``), a list of words, by the attribute's
            kind. None takes the value away, and so does what is empty.
        source: who sets them, for the history.

    Raises:
        InvalidInput: an attribute is not declared, or a value is not of its kind; nothing is set then.
        NotFound: when there is no such contact.
    """
    kinds = dict(Attribute.objects.filter(name__in=list(values)).values_list("name", "kind"))
    clean = _cleaned(values, kinds)
    with transaction.atomic():
        contact = Contact.objects.select_for_update(no_key=True).filter(pk=contact_id).first()
        if contact is None:
            raise NotFound(f"There is no contact {contact_id}.")
        before = contact.attributes
        if contact.erased_at or not _put(contact, clean):
            return False
        contact.save(update_fields=("attributes",))
        keep_history([Values(contact_id, before, contact.attributes)], clean, source=source)
        touch([contact_id])
    return True


def set_attributes_of(values: Mapping[int, Mapping[str, Any]], *, source: ChangeSource) -> Mapping[int, InvalidInput]:
    """Set attributes of many contacts in a few statements, whatever their number.

    Args:
        values: by contact, as ``set_attributes`` takes them. Contacts that are gone or erased are passed over.
        source: who sets them, for the history.

    Returns:
        Whose values were wrong, and why; nothing of theirs is set.
    """
    names = {name for mine in values.values() for name in mine}
    kinds = dict(Attribute.objects.filter(name__in=names).values_list("name", "kind")) if names else {}
    clean: dict[int, Mapping[str, Any]] = {}
    refused: dict[int, InvalidInput] = {}
    for contact_id, mine in values.items():
        try:
            clean[contact_id] = _cleaned(mine, kinds)
        except InvalidInput as error:
            refused[contact_id] = error
    with transaction.atomic():
        rows = Contact.objects.filter(pk__in=clean, erased_at=None).order_by("pk").select_for_update(no_key=True)
        before = {contact.pk: contact.attributes for contact in rows}
        changed = [contact for contact in rows if _put(contact, clean[contact.pk])]
        Contact.objects.bulk_update(changed, ("attributes",), batch_size=_UPDATED_AT_ONCE)
        keep_history([Values(one.pk, before[one.pk], one.attributes) for one in changed], names, source=source)
        touch([contact.pk for contact in changed])
    return refused


def clean_attribute(attribute: Attribute, value: Any) -> Any:
    """Return the value as it would be stored.

    Raises:
        InvalidInput: it is not of the attribute's kind.
    """
    return _clean(attribute.name, attribute.kind, value)


def _cleaned(values: Mapping[str, Any], kinds: Mapping[str, str]) -> dict[str, Any]:
    if unknown := sorted(set(values) - set(kinds)):
        name = unknown[0]
        raise InvalidInput(f"There is no attribute {name!r}; declare it first.", field=f"attributes.{name}")
    return {name: None if value is None else _clean(name, kinds[name], value) for name, value in values.items()}


def _put(contact: Contact, clean: Mapping[str, Any]) -> bool:
    """Put the values into the row, which the caller saves; return whether that changed anything."""
    merged = {name: value for name, value in {**contact.attributes, **clean}.items() if value not in (None, "", [])}
    # As text: to Python 1 and True are the same.
    if repr(sorted(merged.items())) == repr(sorted(contact.attributes.items())):
        return False
    contact.attributes = merged
    return True


def _check(name: str, kind: str, label: str) -> None:
    if not _NAME.fullmatch(name):
        message = "A name begins with a lower-case letter and has only lower-case letters, digits and _; at most 40."
        raise InvalidInput(message, field="name")
    if name in RESERVED:
        raise InvalidInput(f"Every contact has a field {name!r} already; choose another name.", field="name")
    if kind not in AttributeKind.values:
        raise InvalidInput(f"{kind!r} is none of {', '.join(AttributeKind.values)}.", field="kind")
    if len(label) > MAX_LABEL or "\0" in label:
        raise InvalidInput(f"A label has {MAX_LABEL} characters at most.", field="label")


def _clean(name: str, kind: str, value: Any) -> Any:
    """Return the value as it stands in JSON."""
    found: Any
    match AttributeKind(kind):
        case AttributeKind.TEXT:
            found, wanted = _text(value, MAX_TEXT), f"a text of at most {MAX_TEXT} characters"
        case AttributeKind.NUMBER:
            found, wanted = _number(value), "a number below 10^15"
        case AttributeKind.BOOLEAN:
            found, wanted = value if isinstance(value, bool) else None, "true or false"
        case AttributeKind.DATE:
            found, wanted = _date(value), "a date like 2026-01-31"
        case AttributeKind.TAGS:
            found, wanted = _tags(value), f"a list of at most {MAX_TAGS} words of at most {MAX_TAG} characters"
        case _ as never:
            assert_never(never)
    if found is None:
        raise InvalidInput(f"{name!r} has to be {wanted}.", field=f"attributes.{name}")
    return found


def _text(value: Any, limit: int) -> str | None:
    if not isinstance(value, str) or len(value.strip()) > limit or not _is_storable(value):
        return None
    return value.strip()


def _is_storable(value: str) -> bool:
    """Whether PostgreSQL's JSON can hold the text: no NUL, no half of a surrogate pair."""
    return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)


def _number(value: Any) -> int | float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    if not math.isfinite(value) or not -MAX_NUMBER < value < MAX_NUMBER:
        return None
    return int(value) if value == int(value) else float(value)


def _date(value: Any) -> str | None:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        return None
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        return None


def _tags(value: Any) -> list[str] | None:
    if not isinstance(value, list | tuple) or len(value) > MAX_TAGS:
        return None
    words = [_text(word, MAX_TAG) for word in value]
    return None if None in words else [word for word in dict.fromkeys(words) if word]
