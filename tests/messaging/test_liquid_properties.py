"""Whatever a merchant may write: the short ways through Liquid say what python-liquid's own way says."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as some
from liquid.exceptions import LiquidError

from tests.messaging.test_liquid import VALUES, _by_python_liquid, _by_us

KNOWN = ["name", "bare", "number", "zero", "price", "yes", "no", "nothing", "markup", "items", "items.size",
         "items[0].url", "items[1].first", "items[0].tags.first", "items[-1].left", "one", "one.size", "one.list",
         "one.list.size", "one.list[number]", "one['deep'].er", "name.size", "own", "item", "item.left"]  # fmt: skip
STEPS = [".name", ".size", ".first", ".last", ".deep", "[0]", "[9]", "[one.size]"]
LITERALS = [
    "'x'",
    "''",
    "'Vase'",
    "'<b>bold</b>'",
    "0",
    "3",
    "-1",
    "1",
    "3.0",
    "true",
    "false",
    "nil",
    "empty",
    "blank",
]
FILTERS = [
    "upcase",
    "size",
    "first",
    "track",
    "append: '<'",
    "default: 'd'",
    "default: name",
    "join: '&'",
    "truncate: 3",
]

#: What only blocks define has a value outside of them, too.
BEFORE = "{% assign own = name %}{% assign item = items[0] %}"

# Most of what is asked for is there: a template that fails at once shows little.
paths = some.builds("{}{}".format, some.sampled_from(KNOWN), some.sampled_from([""] * 60 + STEPS))
terms = some.one_of(paths, some.sampled_from(LITERALS))
outputs = some.builds(
    lambda term, filters: f"{{{{ {' | '.join([term, *filters])} }}}}",
    terms,
    some.lists(some.sampled_from(FILTERS), max_size=2),
)
comparisons = some.one_of(
    terms,
    some.builds(
        lambda left, sign, right: f"{left} {sign} {right}",
        terms,
        some.sampled_from(["==", "!=", "<", "<=", ">", ">=", "contains"]),
        terms,
    ),
)
conditions = some.builds(
    lambda first, more: first + "".join(f" {word} {one}" for word, one in more),
    comparisons,
    some.lists(some.tuples(some.sampled_from(["and", "or"]), comparisons), max_size=2),
)
plain = some.sampled_from(
    ["", " ", "\n  ", "text <b>", "{% break %}", "{% continue %}", "{% comment %}c{% endcomment %}"]
)
pieces = some.recursive(
    some.one_of(plain, outputs, some.builds("{{% assign own = {} %}}".format, terms)),
    lambda inner: some.one_of(
        some.lists(inner, max_size=4).map("".join),
        some.builds("{{% if {} %}}{}{{% elsif {} %}}{}{{% else %}}{}{{% endif %}}".format,
                    conditions, inner, conditions, inner, inner),
        some.builds("{{% if {} %}}{}{{% endif %}}".format, conditions, inner),
        some.builds("{{% unless {} %}}{}{{% endunless %}}".format, conditions, inner),
        some.builds("{{% for item in {} %}}{}{{% else %}}{}{{% endfor %}}".format,
                    some.sampled_from(["items", "one.list", "nothing", "(1..3)", "items limit: 1", "items reversed"]),
                    inner, inner),
        some.builds("{{% capture own %}}{}{{% endcapture %}}".format, inner),
        some.builds("{{% case {} %}}{{% when {} %}}{}{{% else %}}{}{{% endcase %}}".format,
                    terms, some.sampled_from(LITERALS), inner, inner),
    ),
    max_leaves=12,
)  # fmt: skip


def said(render: Any, *args: Any, **kwargs: Any) -> str | type[Exception]:
    """The text, or which error it is."""
    try:
        return str(render(*args, **kwargs))
    except LiquidError as error:
        return type(error)


@settings(max_examples=100, deadline=None)
@given(template=pieces, escapes=some.booleans())
def test_any_template_says_what_python_liquid_makes_of_it(template: str, *, escapes: bool) -> None:
    source = f"{BEFORE}{template}"

    assert said(_by_us, source, VALUES, escapes=escapes) == said(_by_python_liquid, source, escapes=escapes)
