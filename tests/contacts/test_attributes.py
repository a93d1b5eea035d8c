"""Attributes: declared once, checked by kind, gone with the person."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from crm_plugin import contacts
from crm_plugin.contacts import AttributeKind, Contact, Merge
from crm_plugin.errors import InvalidInput, NotFound
from crm_plugin.models import Attribute, Touched

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann(make_contact):
    """A guest, in a shop that declared an attribute of each kind."""
    for kind in AttributeKind.values:
        contacts.declare_attribute(f"a_{kind}", kind, "A label")
    return make_contact(email="ann@example.com").pk


def stored(contact_id: int) -> dict[str, object]:
    return Contact.objects.get(pk=contact_id).attributes


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("text", " Gold ", "Gold"),
        ("text", "x" * 500, "x" * 500),
        ("number", 3000, 3000),
        ("number", Decimal("12.50"), 12.5),
        ("number", Decimal("12.00"), 12),
        ("number", -0.1, -0.1),
        ("boolean", False, False),
        ("date", "1990-02-28", "1990-02-28"),
        ("date", date(2000, 2, 29), "2000-02-29"),
        ("tags", ["vip", " new ", "vip", ""], ["vip", "new"]),
    ],
)
def test_a_value_is_kept_in_its_json_type(ann, kind, value, expected):
    assert contacts.set_attributes(ann, {f"a_{kind}": value})

    assert stored(ann) == {f"a_{kind}": expected}
    assert type(stored(ann)[f"a_{kind}"]) is type(expected)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", 3),
        ("text", "x" * 501),
        ("text", "nul\0"),
        ("text", "\ud800"),
        ("number", "3"),
        ("number", True),
        ("number", float("nan")),
        ("number", float("inf")),
        ("number", 10**15),
        ("boolean", 1),
        ("boolean", "true"),
        ("date", "28.2.1990"),
        ("date", "1990-02-30"),
        ("date", "1990-2-28"),
        ("date", datetime(1990, 2, 28, tzinfo=UTC)),
        ("tags", "vip"),
        ("tags", ["x" * 61]),
        ("tags", [3]),
        ("tags", [str(number) for number in range(51)]),
    ],
)
def test_a_value_of_another_kind_is_refused_and_nothing_is_set(ann, kind, value):
    other = "number" if kind == "text" else "text"
    good = {"a_number": 1} if other == "number" else {"a_text": "fine"}

    with pytest.raises(InvalidInput) as refusal:
        contacts.set_attributes(ann, {**good, f"a_{kind}": value})

    assert refusal.value.field == f"attributes.a_{kind}"
    assert stored(ann) == {}
    assert not Touched.objects.filter(contact_id=ann).exclude(pk__in=_of_making(ann)).exists()


def _of_making(contact_id: int) -> list[int]:
    return list(Touched.objects.filter(contact_id=contact_id).order_by("pk").values_list("pk", flat=True)[:1])


@pytest.mark.parametrize("empty", [None, "", "  "])
def test_none_and_what_is_empty_takes_the_value_away(ann, empty):
    contacts.set_attributes(ann, {"a_text": "Gold", "a_boolean": True})

    assert contacts.set_attributes(ann, {"a_text": empty})

    assert stored(ann) == {"a_boolean": True}


def test_setting_the_same_again_changes_nothing(ann):
    contacts.set_attributes(ann, {"a_number": 1, "a_tags": ["vip"]})
    Touched.objects.all().delete()

    assert not contacts.set_attributes(ann, {"a_tags": ["vip"]})

    assert not Touched.objects.exists()


def test_an_attribute_that_is_not_declared_is_refused(ann):
    with pytest.raises(InvalidInput) as refusal:
        contacts.set_attributes(ann, {"points": 3})

    assert refusal.value.field == "attributes.points"


def test_nobody_and_the_erased_keep_nothing(ann):
    with pytest.raises(NotFound):
        contacts.set_attributes(ann + 1_000, {"a_number": 1})
    contacts.set_attributes(ann, {"a_number": 1})

    contacts.erase([ann])

    assert stored(ann) == {}
    assert not contacts.set_attributes(ann, {"a_number": 1})


@pytest.mark.parametrize(
    ("name", "kind", "label", "field"),
    [
        ("Points", "number", "", "name"),
        ("1st", "number", "", "name"),
        ("with space", "number", "", "name"),
        ("x" * 41, "number", "", "name"),
        ("", "number", "", "name"),
        ("email", "text", "", "name"),
        ("orders_count", "number", "", "name"),
        ("attributes", "text", "", "name"),
        ("points", "money", "", "kind"),
        ("points", "number", "x" * 81, "label"),
    ],
)
def test_a_wrong_declaration_is_refused(name, kind, label, field):
    with pytest.raises(InvalidInput) as refusal:
        contacts.declare_attribute(name, kind, label)

    assert refusal.value.field == field
    assert not Attribute.objects.exists()


def test_declared_again_the_label_changes_and_the_kind_cannot():
    contacts.declare_attribute("points", "number", "Points")
    contacts.declare_attribute("points", "number", "Bonus points")

    with pytest.raises(InvalidInput, match="never changes"):
        contacts.declare_attribute("points", "text", "Points")

    assert [(one.name, one.kind, one.label) for one in contacts.attributes()] == [("points", "number", "Bonus points")]


def test_there_is_an_end_to_declaring():
    for number in range(100):
        contacts.declare_attribute(f"a{number}", "number")

    with pytest.raises(InvalidInput) as refusal:
        contacts.declare_attribute("one_more", "number")

    assert refusal.value.code == "LIMIT"
    assert Attribute.objects.count() == 100


def test_of_two_that_become_one_the_target_keeps_its_values(ann, make_contact):
    bob = make_contact(email="bob@example.com").pk
    contacts.set_attributes(ann, {"a_text": "Gold", "a_number": 1})
    contacts.set_attributes(bob, {"a_text": "Silver", "a_boolean": True})

    contacts.absorb(Merge(source_id=bob, target_id=ann))

    assert stored(ann) == {"a_text": "Gold", "a_number": 1, "a_boolean": True}
