"""Partials: put in when a template is saved, never afterwards."""

from __future__ import annotations

import pytest

from crm_plugin import messaging
from crm_plugin.errors import InvalidInput, NotFound
from crm_plugin.messaging import MessageClass, TemplateSource, attributes_named
from crm_plugin.models import Partial, Template
from tests.messaging.conftest import MJML, content

pytestmark = pytest.mark.django_db


def compiled(*, language: str = "en", **changes: str) -> dict[str, str]:
    source = TemplateSource.parse({language: content(**changes)})
    return source.check(message_class=MessageClass.TRANSACTIONAL)[language]


def test_a_partial_is_put_in_where_it_is_named():
    messaging.save_partial("greeting", {"": "Hello {{ contact.first_name }}"})

    assert compiled(subject='{% render "greeting" %}!')["subject"] == "Hello {{ contact.first_name }}!"
    assert compiled(subject="{%- render 'greeting' -%}")["subject"] == "Hello {{ contact.first_name }}"


@pytest.mark.parametrize(
    ("language", "expected"), [("ko", "안녕"), ("ko-KR", "안녕"), ("en", "Hello"), ("pt-BR", "Oi"), ("pt", "Hello")]
)
def test_the_language_of_the_template_chooses_the_words(language, expected):
    messaging.save_partial("hi", {"ko": "안녕", "pt-BR": "Oi", "": "Hello"})

    assert compiled(language=language, subject="{% render 'hi' %}")["subject"] == expected


def test_a_partial_may_hold_mjml_and_stand_in_blocks():
    messaging.save_partial("box", {"": "<mj-section><mj-column><mj-text>Box</mj-text></mj-column></mj-section>"})

    mjml = compiled(mjml=MJML.replace("<mj-body>", "<mj-body>{% render 'box' %}"))["html"]
    blocks = [{"type": "mjml", "mjml": '{% render "box" %}'}, {"type": "footer"}]
    source = TemplateSource.parse({"en": {"subject": "News", "blocks": blocks}})

    assert ">Box<" in mjml
    assert ">Box<" in source.check()["en"]["html"]


def test_what_was_saved_stays_when_a_partial_changes_or_goes():
    messaging.save_partial("hi", {"": "Hello"})
    source = TemplateSource.parse({"en": content(subject="{% render 'hi' %}")})
    before = messaging.save_template(source)

    messaging.save_partial("hi", {"": "Good day"})
    after = messaging.save_template(source)
    messaging.delete_partial("hi")

    assert Template.objects.get(pk=before).compiled["en"]["subject"] == "Hello"
    assert Template.objects.get(pk=after).compiled["en"]["subject"] == "Good day"
    with pytest.raises(InvalidInput) as refused:
        messaging.save_template(source)
    assert (refused.value.field, refused.value.code) == ("en.subject", "UNKNOWN_PARTIAL")


def test_partials_may_stand_in_partials_but_not_in_themselves():
    messaging.save_partial("a", {"": "A"})
    messaging.save_partial("b", {"": "{% render 'a' %}B"})

    assert compiled(subject="{% render 'b' %}")["subject"] == "AB"
    for name, source in (("a", "{% render 'b' %}"), ("c", "{% render 'c' %}")):
        with pytest.raises(InvalidInput) as refused:
            messaging.save_partial(name, {"": source})
        assert refused.value.code == "CYCLE"
    assert Partial.objects.get(name="a").source == {"": "A"}
    assert not Partial.objects.filter(name="c").exists()


def test_a_circle_that_came_about_otherwise_is_found_when_a_template_is_saved():
    messaging.save_partial("a", {"": "A"})
    Partial.objects.filter(name="a").update(source={"": "{% render 'a' %}"})

    with pytest.raises(InvalidInput) as refused:
        compiled(subject="{% render 'a' %}")

    assert (refused.value.field, refused.value.code) == ("en.subject", "CYCLE")


def test_depth_and_length_are_bounded():
    messaging.save_partial("p0", {"": "x" * 20_000})
    for at in range(1, 5):
        messaging.save_partial(f"p{at}", {"": f"{{% render 'p{at - 1}' %}}"})

    with pytest.raises(InvalidInput) as deep:
        messaging.save_partial("p5", {"": "{% render 'p4' %}"})
    with pytest.raises(InvalidInput) as long:
        compiled(text="{% render 'p0' %}" * 50)

    assert deep.value.code == "LIMIT"
    assert (long.value.field, long.value.code) == ("en.text", "LIMIT")
    assert not Partial.objects.filter(name="p5").exists()


@pytest.mark.parametrize(
    ("name", "source", "field"),
    [
        ("Bad Name", {"": "x"}, "name"),
        ("", {"": "x"}, "name"),
        ("x" * 41, {"": "x"}, "name"),
        ("ok", {}, "source"),
        ("ok", [], "source"),
        ("ok", {"English!": "x"}, "source.English!"),
        ("ok", {"en": ""}, "source.en"),
        ("ok", {"en": "x" * 20_001}, "source.en"),
        ("ok", {"en": "{% if %}"}, "source.en"),
        ("ok", {"en": "{% render 'nothing' %}"}, "source.en"),
        ("ok", {"en": 5}, "source.en"),
        ("ok", {"en": "a\x00b"}, "source.en"),
    ],
)
def test_a_partial_that_cannot_be_is_refused_with_its_place(name, source, field):
    with pytest.raises(InvalidInput) as refused:
        messaging.save_partial(name, source)

    assert refused.value.field == field
    assert not Partial.objects.exists()


def test_a_language_that_a_partial_lacks_is_refused():
    messaging.save_partial("hi", {"ko": "안녕"})

    with pytest.raises(InvalidInput, match="'en'"):
        compiled(subject="{% render 'hi' %}")


def test_variables_of_a_partial_are_checked_where_it_stands():
    messaging.save_partial("line", {"": "{{ item.name }}"})

    compiled(text="{% for item in items %}{% render 'line' %}{% endfor %}")
    with pytest.raises(InvalidInput) as refused:
        compiled(text="{% render 'line' %}")

    assert refused.value.code == "UNKNOWN_VARIABLE"


def test_attributes_that_a_partial_names_are_found():
    messaging.save_partial("points", {"": "{{ contact.attributes.points }}"})
    source = TemplateSource.parse({"en": content(subject="{% render 'points' %}")})

    assert list(attributes_named(source)) == [("en.subject", "points")]


def test_a_partial_that_there_is_not_cannot_be_deleted():
    with pytest.raises(NotFound):
        messaging.delete_partial("nothing")
