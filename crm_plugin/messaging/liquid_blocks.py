"""``if`` and ``for`` without detours: conditions that compare a plain value, and blocks made of passages."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final, TextIO

from liquid.ast import BlockNode, ConditionalBlockNode
from liquid.builtin.expressions import BooleanExpression, Literal, LoopExpression, Path
from liquid.builtin.expressions import logical as written
from liquid.builtin.tags.for_tag import ForNode, ForTag
from liquid.builtin.tags.if_tag import IfNode, IfTag
from liquid.context import RenderContext
from liquid.expression import Expression
from liquid.token import Token

from crm_plugin.messaging.liquid_output import LONGEST, Passage, Piece, passages
from crm_plugin.messaging.liquid_values import short_way

Condition = Callable[[RenderContext], bool]

_COMPARISONS: Final[Mapping[type[Expression], Callable[[Any, Any], bool]]] = {
    written.EqExpression: operator.eq,
    written.NeExpression: operator.ne,
    written.LtExpression: operator.lt,
    written.LeExpression: operator.le,
    written.GtExpression: operator.gt,
    written.GeExpression: operator.ge,
}


class Block(BlockNode):
    """What stands inside a tag, as passages.

    Attributes:
        passage: the one that it consists of; None when it is empty, or more than that.
        weight: of the passage; more than a passage can have when it is more than that.
    """

    __slots__ = ("passage", "weight")

    passage: Passage | None
    weight: int

    @classmethod
    def of(cls, block: BlockNode) -> Block:
        """Return python-liquid's block as one of ours."""
        made = cls(block.token, passages(block.nodes))
        made.blank = block.blank
        match made.nodes:
            case []:
                made.passage, made.weight = None, 0
            case [Passage() as passage] if not made.blank:
                made.passage, made.weight = passage, passage.weight
            case _:
                made.passage, made.weight = None, LONGEST + 1
        return made

    def render(self, context: RenderContext, buffer: TextIO) -> int:
        """Write all of it; no tag is ever disabled here, for that takes templates inside templates."""
        if self.blank:
            return self.render_to_output(context, buffer)
        return sum([node.render_to_output(context, buffer) for node in self.nodes])


class ShortIfNode(Piece, IfNode):
    """An ``if`` whose conditions take the short way when they can."""

    __slots__ = ("branches", "otherwise", "weight")

    def __init__(
        self,
        token: Token,
        condition: Expression,
        consequence: BlockNode,
        alternatives: list[ConditionalBlockNode],
        default: BlockNode | None,
    ) -> None:
        super().__init__(token, condition, consequence, alternatives, default)
        every = [(condition, consequence), *((one.expression, one.block) for one in alternatives)]
        self.branches = [(condition_of(expression), Block.of(block)) for expression, block in every]
        self.otherwise = Block.of(default) if default else None
        blocks = [block for _, block in self.branches] + ([self.otherwise] if self.otherwise else [])
        self.weight = max(block.weight for block in blocks)

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """Write the block that is due."""
        block = self._due(context)
        return block.render(context, buffer) if block else 0

    def text(self, context: RenderContext) -> str:
        """Return what the block that is due says, which is a passage."""
        block = self._due(context)
        return block.passage.text(context) if block and block.passage else ""

    def _due(self, context: RenderContext) -> Block | None:
        for holds, block in self.branches:
            if holds(context):
                return block
        return self.otherwise


class ShortIf(IfTag):
    """Makes such nodes."""

    node_class = ShortIfNode


class ShortForNode(ForNode):
    """A ``for`` whose block is made of passages."""

    def __init__(
        self, token: Token, expression: LoopExpression, block: BlockNode, default: BlockNode | None = None
    ) -> None:
        # python-liquid's own kind of string is compared in Python each time that the name is looked up.
        expression.identifier = str(expression.identifier)
        super().__init__(token, expression, Block.of(block), Block.of(default) if default else None)


class ShortFor(ForTag):
    """Makes such nodes."""

    node_class = ShortForNode


def condition_of(expression: Expression) -> Condition:
    """Return whether an expression holds, as a function of what is known."""
    if isinstance(expression, BooleanExpression):
        return condition_of(expression.expression)
    if isinstance(expression, written.LogicalAndExpression | written.LogicalOrExpression):
        left, right = condition_of(expression.left), condition_of(expression.right)
        if isinstance(expression, written.LogicalAndExpression):
            return lambda context: left(context) and right(context)
        return lambda context: left(context) or right(context)
    if isinstance(expression, Path):
        return _is_there(expression)
    compare, literal = _COMPARISONS.get(type(expression)), getattr(expression, "right", None)
    if compare is not None and isinstance(literal, Literal) and type(literal.value) in (int, str):
        return _comparison(expression, compare, literal.value)
    return lambda context: written.is_truthy(expression.evaluate(context))


def _is_there(path: Path) -> Condition:
    find = short_way(path)

    def holds(context: RenderContext) -> bool:
        kind = type(find(context.scope))
        # A text or a number is there, whatever it says.
        return kind is str or kind is int or written.is_truthy(path.evaluate(context))

    return holds


def _comparison(expression: Any, compare: Callable[[Any, Any], bool], literal: int | str) -> Condition:
    """Compare what is of the literal's own type; Liquid has rules of its own for the rest."""
    find, kind = short_way(expression.left), type(literal)

    def holds(context: RenderContext) -> bool:
        value = find(context.scope)
        if type(value) is kind:
            return compare(value, literal)
        return written.is_truthy(expression.evaluate(context))

    return holds
