"""Liquid, fenced in: what a merchant may write, and how much of the machine it may use.

No files, no includes, no Python: only the tags and filters named here. A loop, an output and the variables of a
template are bounded, so that a template that does not end is an error instead of a dead worker.
"""

from __future__ import annotations

from functools import cache, lru_cache

from liquid import BoundTemplate, Environment, StrictDefaultUndefined
from liquid.exceptions import LiquidError, UndefinedError
from liquid.exceptions import ResourceLimitError as LimitReached
from liquid.token import TOKEN_CONTENT, TOKEN_ILLEGAL, TOKEN_OUTPUT

from crm_plugin.messaging.liquid_blocks import ShortFor, ShortIf
from crm_plugin.messaging.liquid_filters import FILTERS as OWN_FILTERS
from crm_plugin.messaging.liquid_filters import LANGUAGE, ZONES, Zones
from crm_plugin.messaging.liquid_output import LINKS, PageTemplate, ShortOutput

#: What a merchant may write beside the filters of ``liquid_filters``; more is added when a feature needs it.
TAGS = frozenset({"if", "unless", "case", "for", "break", "continue", "assign", "capture", "comment"})
FILTERS = frozenset({
    "append", "capitalize", "default", "downcase", "first", "join", "last", "prepend", "size", "strip", "truncate",
    "upcase",
})  # fmt: skip


class _Environment(Environment):
    """Limits hold for one rendering. Mailbox providers clip a mail at about 100 kB, so half a megabyte is ample."""

    loop_iteration_limit = 2_000
    output_stream_limit = 500_000
    local_namespace_limit = 100_000
    context_depth_limit = 12
    block_nesting_limit = 12
    template_class = PageTemplate


@cache
def _environment(*, escapes: bool) -> Environment:
    made = _Environment(autoescape=escapes, undefined=StrictDefaultUndefined, strict_filters=True)
    syntax = {TOKEN_CONTENT, TOKEN_OUTPUT, TOKEN_ILLEGAL}
    for tag in (ShortOutput, ShortIf, ShortFor):
        made.add_tag(tag)
    made.tags = {name: tag for name, tag in made.tags.items() if name in TAGS | syntax}
    made.filters = {name: body for name, body in made.filters.items() if name in FILTERS}
    for name, body in OWN_FILTERS.items():
        made.add_filter(name, body)
    return made


@lru_cache(maxsize=512)
def parse(source: str, *, escapes: bool) -> BoundTemplate:
    """Return the parsed template; parsed once per process and text.

    Args:
        source: Liquid.
        escapes: whether every value is HTML-escaped on its way out.

    Raises:
        LiquidError: when the syntax is wrong, or a tag or filter is not offered.
    """
    return _environment(escapes=escapes).from_string(source)


__all__ = [
    "FILTERS",
    "LANGUAGE",
    "LINKS",
    "TAGS",
    "ZONES",
    "LimitReached",
    "LiquidError",
    "UndefinedError",
    "Zones",
    "parse",
]
