"""The shortest way from a value to the page, for what nearly every ``{{ … }}`` is: a name, or a name that is tracked.

Texts, such outputs and short ``if``s (``liquid_blocks``) that follow on one another are a ``Passage``, which is written
at once. What is not that simple takes python-liquid's own way.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from io import StringIO
from typing import Any, Final, TextIO

from liquid import BoundTemplate, escape
from liquid.ast import Node
from liquid.builtin.content import ContentNode
from liquid.builtin.expressions import FilteredExpression
from liquid.builtin.output import Output, OutputNode
from liquid.context import RenderContext
from liquid.exceptions import OutputStreamLimitError
from liquid.expression import Expression
from liquid.output import LimitedStringIO
from liquid.stringify import to_liquid_string
from liquid.token import Token

from crm_plugin.messaging.liquid_values import Find, PageContext, nothing, short_way

#: The name under which the links of one message stand in the render context; no template can say it.
LINKS = "crm_links"
#: Outputs of one passage. The page is measured after each passage, so this bounds by how much it can be exceeded.
LONGEST: Final = 50
_SPECIAL: Final = re.compile("[&<>\"']")


class Page(LimitedStringIO):
    """The rendered text, limited in characters."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.texts: list[str] = []

    def write(self, text: str, /) -> int:
        """Add ``text``.

        Raises:
            OutputStreamLimitError: when it becomes too much.
        """
        length = len(text)
        self.size += length
        if self.size > self.limit:
            raise OutputStreamLimitError("output stream limit reached", token=None)
        self.texts.append(text)
        return length

    def getvalue(self) -> str:
        """Return all of it."""
        return "".join(self.texts)


class PageTemplate(BoundTemplate):
    """A template that renders onto a ``Page``, passage by passage."""

    context_class = PageContext

    def __init__(self, env: Any, nodes: list[Node], *args: Any, **kwargs: Any) -> None:
        super().__init__(env, passages(nodes), *args, **kwargs)

    def make_globals(self, render_args: Mapping[str, object]) -> Mapping[str, object]:
        """Return the values; a template brings none of its own."""
        return render_args

    def _get_buffer(self) -> StringIO:
        return Page(limit=self.env.output_stream_limit or 0)


class Piece(Node):
    """A node that can say what it would write.

    Attributes:
        weight: how many outputs it has.
    """

    __slots__ = ()

    weight: int

    @abstractmethod
    def text(self, context: RenderContext) -> str:
        """Return what stands on the page."""

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """Write it."""
        return buffer.write(self.text(context))


class ShortOutputNode(Piece, OutputNode):
    """An output that takes the short way when it can."""

    __slots__ = ("find", "is_tracked")

    weight = 1

    def __init__(self, token: Token, expression: Expression) -> None:
        super().__init__(token, expression)
        self.find, self.is_tracked = _read(expression)

    def text(self, context: RenderContext) -> str:
        """Return the value, escaped where that is asked for."""
        value: Any = self.find(context.scope)
        kind = type(value)
        if kind is str:
            if self.is_tracked:
                value = str(context.resolve(LINKS).track(value))
            return escape(value) if context.autoescape and _SPECIAL.search(value) else value
        if kind is int and not self.is_tracked:
            return str(value)
        return to_liquid_string(self.expression.evaluate(context), context.autoescape)


class ShortOutput(Output):
    """Makes such nodes."""

    node_class = ShortOutputNode


class Passage(Piece):
    """Texts and pieces that follow on one another."""

    __slots__ = ("nodes", "pieces", "texts", "weight")

    def __init__(self, nodes: list[ContentNode | Piece]) -> None:
        super().__init__(nodes[0].token)
        self.blank = all(node.blank for node in nodes)
        self.nodes = nodes
        self.texts = [node.text if isinstance(node, ContentNode) else "" for node in nodes]
        self.pieces = [(at, node) for at, node in enumerate(nodes) if isinstance(node, Piece)]
        self.weight = sum(piece.weight for _, piece in self.pieces)

    def __str__(self) -> str:
        return "".join(map(str, self.nodes))

    def text(self, context: RenderContext) -> str:
        """Return all of it."""
        texts = self.texts.copy()
        for at, piece in self.pieces:
            texts[at] = piece.text(context)
        return "".join(texts)

    def children(self, static_context: RenderContext, *, include_partials: bool = True) -> Iterable[Node]:
        """Return the texts and pieces."""
        return self.nodes


def passages(nodes: Iterable[Node]) -> list[Node]:
    """Return the nodes with those put together that are written at once."""
    return list(_passages(nodes))


def _passages(nodes: Iterable[Node]) -> Iterator[Node]:
    group: list[ContentNode | Piece] = []
    room = LONGEST
    for node in nodes:
        weight = node.weight if isinstance(node, Piece) else 0
        if group and (weight > room or not isinstance(node, ContentNode | Piece)):
            yield Passage(group)
            group, room = [], LONGEST
        if isinstance(node, ContentNode | Piece) and weight <= LONGEST:
            group.append(node)
            room -= weight
        else:
            yield node
    if group:
        yield Passage(group)


def _read(expression: Expression) -> tuple[Find, bool]:
    """Return the short way to the value of an output, and whether it is tracked."""
    if not isinstance(expression, FilteredExpression):
        return nothing, False
    filters = [(one.name, bool(one.args)) for one in expression.filters or ()]
    return (short_way(expression.left), bool(filters)) if filters in ([], [("track", False)]) else (nothing, False)
