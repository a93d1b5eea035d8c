"""Which variables a template may name: the one list, and the check that finds a name that is not in it.

The check reads the syntax tree, not one rendering, so that a wrong name inside a branch that is rarely taken is
found as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from functools import lru_cache
from typing import Any, Final

from liquid import BoundTemplate
from liquid.ast import Node
from liquid.builtin.expressions import FilteredExpression, LoopExpression, Path
from liquid.builtin.tags.assign_tag import AssignNode
from liquid.builtin.tags.for_tag import ForNode
from liquid.context import RenderContext
from liquid.expression import Expression

from crm_plugin.messaging.liquid_filters import ShownDay
from crm_plugin.money import Money
from crm_plugin.shop import Cart

#: A value, an object (its fields) or a list (the shape of its elements). None: a plain value.
Shape = dict[str, "Shape"] | list["Shape"] | None


class Anything(dict[str, "Shape"]):
    """An object whose fields are the merchant's own: any name is a plain value, empty where there is none."""


ITEM: Final[dict[str, Shape]] = dict.fromkeys((
    "name", "url", "image_url", "price", "regular_price", "baseline_price", "drop_percent", "available", "review_url",
))  # fmt: skip
COUPON: Final[dict[str, Shape]] = dict.fromkeys(("code", "expires_on", "name"))
#: What only some runs know; empty in the messages of others.
EXTRAS: Final[dict[str, Shape]] = {
    "cart": dict.fromkeys(("url", "count", "quantity", "total")),
    "order": dict.fromkeys(("number", "total", "confirm_url")),
    "event": Anything(),
    "coupon": COUPON,
    "coupons": [COUPON],
}
VARIABLES: Final[dict[str, Shape]] = {
    "contact": {"first_name": None, "last_name": None, "attributes": Anything()},
    "shop": {"name": None, "url": None},
    "sender": {"name": None, "postal_address": None},
    "consent_text": None,
    "unsubscribe_url": None,
    "preferences_url": None,
    "brand": {"logo_url": None, "color": None, "ink": None, "footer": None},
    "items": [ITEM],
    **EXTRAS,
}
_LIST_PROPERTIES = frozenset({"size", "first", "last"})
_FORLOOP: Final[dict[str, Shape]] = dict.fromkeys(
    ("index", "index0", "rindex", "rindex0", "first", "last", "length", "name")
)

Scope = dict[str, Shape]


class UnknownVariable(Exception):
    """A template names something that no message has; ``str()`` is the name as it was written."""


def check(template: BoundTemplate) -> None:
    """Look at every variable of the template.

    Raises:
        UnknownVariable: for the first name that is not offered.
    """
    # ``assign`` and ``capture`` write into ``scope`` in the order of the text.
    scope: Scope = dict(VARIABLES)
    static = RenderContext(template)
    for node in template.nodes:
        _check_node(node, scope, static)


def about_cart(cart: Cart) -> dict[str, Any]:
    """Return what a template may say of a cart, as ``EXTRAS`` names it."""
    return {"url": cart.recovery_url, "count": len(cart.lines), "quantity": cart.quantity, "total": cart.total}


def filled(extras: Mapping[str, Any], *, language: str) -> dict[str, Any]:
    """Return the extras of a message with every name that a template may use; what is not known is empty."""
    return {name: _filled(shape, extras.get(name), language) for name, shape in EXTRAS.items()}


def _filled(shape: Shape, value: Any, language: str) -> Any:
    match shape:
        case Anything():
            return Lenient(value or {})
        case dict():
            known = value or {}
            return {name: _filled(inner, known.get(name), language) for name, inner in shape.items()}
        case list():
            return [_filled(shape[0], one, language) for one in value or ()]
        case _ if isinstance(value, Money):
            return value.format(language=language)
        case _ if isinstance(value, date):
            return ShownDay.of(value, language=language)
        case _:
            return "" if value is None else value


class Lenient(dict[str, Any]):
    """An object of which a template may name any field; one that is not there is empty."""

    def __missing__(self, _name: str) -> str:
        return ""

    def __contains__(self, _name: object) -> bool:
        return True


@lru_cache(maxsize=512)
def names(template: BoundTemplate) -> frozenset[str]:
    """Return the first words of all variables that the template names."""
    return frozenset(template.analyze(include_partials=False).variables)


def _check_node(node: Node, scope: Scope, static: RenderContext) -> None:
    for expression in node.expressions():
        _check_expression(expression, scope)
    inner = scope
    if isinstance(node, ForNode):
        loop = node.expression
        inner = _Inner(scope, {loop.identifier: _element(loop, scope), "forloop": _FORLOOP})
    for child in node.children(static, include_partials=False):
        _check_node(child, inner, static)
    for name in node.template_scope():
        scope[str(name)] = _assigned(node, scope)


class _Inner(dict[str, Shape]):
    """The scope inside a loop: its own names in front, assignments go through to the template."""

    def __init__(self, outer: Scope, own: Scope) -> None:
        super().__init__({**outer, **own})
        self._outer = outer

    def __setitem__(self, name: str, shape: Shape) -> None:
        super().__setitem__(name, shape)
        self._outer[name] = shape


def _paths(expression: Expression) -> Iterator[Path]:
    if isinstance(expression, Path):
        yield expression
    for child in expression.children():
        yield from _paths(child)


def _check_expression(expression: Expression, scope: Scope) -> None:
    for path in _paths(expression):
        _resolve(path, scope)


def _resolve(path: Path, scope: Scope) -> Shape:
    """Return the shape of what ``path`` names."""
    head, *rest = path.path
    if not isinstance(head, str) or head not in scope:
        raise UnknownVariable(str(path))
    shape = scope[head]
    for segment in rest:
        shape = _step(shape, segment, path)
    return shape


def _step(shape: Shape, segment: object, path: Path) -> Shape:
    match shape:
        case Anything() if isinstance(segment, str):
            return None
        case dict() if isinstance(segment, str) and segment in shape:
            return shape[segment]
        case list() if isinstance(segment, str) and segment in _LIST_PROPERTIES:
            return None if segment == "size" else shape[0]
        case list() if isinstance(segment, (int, Path)):
            return shape[0]
        case None if segment == "size":
            return None
        case _:
            raise UnknownVariable(str(path))


def _element(loop: LoopExpression, scope: Scope) -> Shape:
    shape = _resolve(loop.iterable, scope) if isinstance(loop.iterable, Path) else None
    return shape[0] if isinstance(shape, list) else None


def _assigned(node: Node, scope: Scope) -> Shape:
    """Return what an ``assign`` of a bare path makes; everything else that is assigned is a plain value."""
    expression = node.expression if isinstance(node, AssignNode) else None
    if isinstance(expression, FilteredExpression) and isinstance(expression.left, Path):
        shape = _resolve(expression.left, scope)
        names_of_filters = [one.name for one in expression.filters or ()]
        if not names_of_filters:
            return shape
        if names_of_filters in (["first"], ["last"]) and isinstance(shape, list):
            return shape[0]
    return None
