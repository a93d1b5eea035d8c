"""The shortest way from a value to the page, for what nearly every ``{{ … }}`` is: a name, or a name that is tracked.

python-liquid asks of each output what it could be in general; most of a mail is ``{{ item.name }}``. What is not that
simple takes python-liquid's own way.
"""

from __future__ import annotations

from io import StringIO
from typing import TextIO

from liquid import BoundTemplate, escape
from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.output import Output, OutputNode
from liquid.context import RenderContext
from liquid.exceptions import OutputStreamLimitError
from liquid.expression import Expression
from liquid.output import LimitedStringIO
from liquid.token import Token

#: The name under which the links of one message stand in the render context; no template can say it.
LINKS = "crm_links"


class Page(LimitedStringIO):
    """The rendered text, limited in characters."""

    def write(self, text: str, /) -> int:
        """Add ``text``.

        Raises:
            OutputStreamLimitError: when it becomes too much.
        """
        self.size += len(text)
        if self.size > self.limit:
            raise OutputStreamLimitError("output stream limit reached", token=None)
        return StringIO.write(self, text)


class PageTemplate(BoundTemplate):
    """A template that renders onto a ``Page``."""

    def _get_buffer(self) -> StringIO:
        return Page(limit=self.env.output_stream_limit or 0)


class ShortOutputNode(OutputNode):
    """An output that takes the short way when it can."""

    __slots__ = ("is_tracked", "names")

    def __init__(self, token: Token, expression: Expression) -> None:
        super().__init__(token, expression)
        self.names, self.is_tracked = _read(expression)

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """Write the value."""
        value: object = None
        if self.names:
            try:
                value = context.scope[self.names[0]]
                for name in self.names[1:]:
                    value = value[name]  # type: ignore[index]  # what cannot be looked into takes the long way
            except (KeyError, TypeError):
                value = None
        if type(value) is not str:
            return super().render_to_output(context, buffer)
        if self.is_tracked:
            value = str(context.resolve(LINKS).track(value))
        return buffer.write(escape(value) if context.autoescape else value)


class ShortOutput(Output):
    """Makes such nodes."""

    node_class = ShortOutputNode


def _read(expression: Expression) -> tuple[tuple[str, ...], bool]:
    """Return the names of a plain path and whether it is tracked; no names when it is anything else."""
    if not isinstance(expression, FilteredExpression) or not isinstance(expression.left, Path):
        return (), False
    filters = [(one.name, bool(one.args)) for one in expression.filters or ()]
    names = tuple(name for name in expression.left.path if isinstance(name, str))
    if len(names) != len(expression.left.path) or filters not in ([], [("track", False)]):
        return (), False
    return names, bool(filters)
