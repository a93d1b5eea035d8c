"""The short ways through Liquid lead where python-liquid's own way leads, and no further than the limits."""

from __future__ import annotations

from typing import Any

import pytest
from liquid import Environment, Markup, StrictDefaultUndefined
from liquid.exceptions import OutputStreamLimitError

from crm_plugin.messaging import liquid
from crm_plugin.messaging.liquid_output import LONGEST

VALUES: dict[str, Any] = {
    "name": "Ann & <Bob>",
    "empty": "",
    "bare": "",
    "number": 3,
    "zero": 0,
    "price": 9.5,
    "yes": True,
    "no": False,
    "nothing": None,
    "markup": Markup("<b>bold</b>"),
    "items": [
        {"name": 'Cup "A"', "url": "https://shop.example/?a=1&b=2", "left": 2, "tags": ["new", "red"], "first": "own"},
        {"name": "Vase", "url": "https://shop.example/vase", "left": 9, "tags": [], "first": ""},
    ],
    "one": {"deep": {"er": "bottom"}, "size": "its own", "list": [1, 2, 3]},
}  # fmt: skip

TEMPLATES = [
    "Hello {{ name }}, {{ empty }}{{ number }} {{ zero }} {{ price }} {{ yes }} {{ no }} {{ nothing }} {{ markup }}.",
    "{{ items[0].name }} {{ items[1].left }} {{ items[-1].name }} {{ items.size }} {{ items.first.name }} {{ items }}",
    "{{ one.deep.er }} {{ one.size }} {{ one.list.size }} {{ one.list }} {{ one['deep']['er'] }} {{ name.size }}",
    "{{ one.list.first }} {{ one.list.last }} {{ items.last.tags.size }} {{ items[0].first }} {{ 'a' }} {{ 12 }}",
    "{{ name | upcase }} {{ name | append: '<' }} {{ items[0].url | track }} {{ number | track }} {{ name | track }}",
    "{% if name %}a{% endif %}{% if empty %}b{% endif %}{% if zero %}c{% endif %}{% if no %}d{% else %}e{% endif %}",
    # ``empty`` is a word of Liquid; a text without letters is there all the same.
    "{% if bare %}a{% endif %}{% if items[1].first %}b{% endif %}{% if bare == '' %}c{% endif %}{{ bare }}",
    "{% if nothing %}a{% elsif yes %}b{% endif %}{% if items %}c{% endif %}{% if one.deep %}d{% endif %}",
    "{% if name == 'x' %}a{% elsif name != '' %}{{ name }}{% else %}c{% endif %}{% if empty == '' %}d{% endif %}",
    "{% if number > 2 and number < 4 %}a{% endif %}{% if number >= 4 or number <= 3 %}b{% endif %}",
    "{% if yes == 1 %}a{% endif %}{% if no == 0 %}d{% endif %}"
    "{% if price > 9 %}b{% endif %}{% if number == 3.0 %}c{% endif %}",
    "{% if nothing == 1 %}a{% endif %}{% if items.size > 1 %}b{% endif %}{% if empty == empty %}c{% endif %}",
    "{% if name contains 'Ann' %}a{% endif %}{% if items == empty %}b{% endif %}{% if empty == blank %}c{% endif %}",
    "{% if markup == '<b>bold</b>' %}a{% endif %}{% if name < 'B' %}b{% endif %}{% if yes %}   {% endif %}.",
    "{% unless no %}a {{ name }}{% else %}b{% endunless %}{% if yes %}{% endif %}{% if no %}{% else %}c{% endif %}",
    "{% for item in items %}{{ forloop.index }}: {{ item.name }} {% if item.left < 5 %}only {{ item.left }}{% endif %} "
    "{% for tag in item.tags %}{{ tag }}{% else %}none{% endfor %};{% endfor %}{{ number }}",
    "{% for item in items reversed %}{% if item.left > 5 %}{% continue %}{% endif %}{{ item.name }}{% endfor %}",
    "{% for n in (1..5) %}{% if n == 3 %}{% break %}{% endif %}{{ n }}{% endfor %}{% for x in nothing %}{% endfor %}",
    "{% assign own = items[1] %}{{ own.name }}{% capture both %}{{ name }}-{{ number }}{% endcapture %}{{ both }}",
    "{% if yes %}{% assign late = name %}{% endif %}{{ late }}"
    "{% for item in items %}{% assign last = item %}{% endfor %}{{ last.name }}",
    "{% case number %}{% when 1 %}a{% when 3 %}{{ name }}{% else %}c{% endcase %}{% comment %}{{ x }}{% endcomment %}",
    "{% if yes %}{% if no %}a{% else %}{% if number == 3 %}{{ name }}{% endif %}b{% endif %}c{% endif %}",
    "{{ name }}" * (3 * LONGEST) + "{% if yes %}" + "x{{ number }}" * (2 * LONGEST) + "{% endif %}",
    "".join(f"{{% if yes %}}{{{{ name }}}}{n}{{% endif %}}" for n in range(2 * LONGEST)),
]


class _Links:
    def track(self, value: object) -> str:
        return f"https://shop.example/click/?to={value}&x=<"


def _by_python_liquid(source: str, *, escapes: bool) -> str:
    made = Environment(autoescape=escapes, undefined=StrictDefaultUndefined, strict_filters=True)
    made.add_filter("track", _Links().track)
    return made.from_string(source).render(VALUES)


def _by_us(source: str, values: dict[str, Any], *, escapes: bool = False) -> str:
    return liquid.parse(source, escapes=escapes).render(values | {liquid.LINKS: _Links()})


@pytest.mark.parametrize("escapes", [True, False])
@pytest.mark.parametrize("source", TEMPLATES)
def test_every_template_says_what_python_liquid_makes_of_it(source: str, *, escapes: bool) -> None:
    assert _by_us(source, VALUES, escapes=escapes) == _by_python_liquid(source, escapes=escapes)


@pytest.mark.parametrize(
    "source",
    ["{{ unknown }}", "{{ one.unknown }}", "{{ items[7].name }}", "{{ name.unknown }}", "{% if unknown %}{% endif %}",
     "{% if unknown == 'x' %}a{% endif %}", "{% if yes %}{{ one.unknown | track }}{% endif %}", "{{ name[0] }}"],
)  # fmt: skip
def test_what_is_not_known_is_an_error_wherever_it_stands(source: str) -> None:
    with pytest.raises(liquid.UndefinedError):
        _by_us(source, VALUES)


@pytest.mark.parametrize(
    "source",
    [
        "{{ long }}" * 6,
        "{% if yes %}" + "{{ long }}" * 6 + "{% endif %}",
        "".join(["{% if yes %}{{ long }}{% endif %}"] * 6),
        "{% for n in (1..6) %}{{ long }}{% endfor %}",
        "{% capture x %}" + "{{ long }}" * 6 + "{% endcapture %}",
    ],
)
def test_a_page_that_becomes_too_long_is_an_error(source: str) -> None:
    with pytest.raises(OutputStreamLimitError):
        _by_us(source, {"long": "x" * 90_000, "yes": True})


def test_a_page_is_measured_before_much_more_is_put_together_than_it_may_hold() -> None:
    class Counted(dict[str, str]):
        asked = 0

        def __getitem__(self, key: str) -> str:
            Counted.asked += 1
            return super().__getitem__(key)

    source = "".join(["{% if yes %}{% if yes %}{{ one.long }}{% endif %}{% endif %}"] * 1_000)

    with pytest.raises(OutputStreamLimitError):
        _by_us(source, {"one": Counted(long="x" * 100_000), "yes": True})

    assert Counted.asked <= LONGEST


@pytest.mark.parametrize("source", ["a{% break %}b", "a{{ name }}{% continue %}"])
def test_a_break_outside_of_a_loop_is_an_error(source: str) -> None:
    with pytest.raises(liquid.LiquidError):
        _by_us(source, VALUES)
