"""Which attributes of a contact a template names: the merchant declares them, so a name can be a slip of the pen."""

from __future__ import annotations

from collections.abc import Iterator

from crm_plugin.messaging import liquid
from crm_plugin.messaging.templates import TemplateSource

_WHOSE = ("contact", "attributes")


def attributes_named(source: TemplateSource) -> Iterator[tuple[str, str]]:
    """Walk over the attributes that a checked template names, each with the field that does (``en.mjml``).

    One whose name is only known when the template is rendered (``contact.attributes[word]``) is left out.
    """
    for language, content in source.expanded().contents.items():
        for field, text in content.sources():
            for name in sorted(_named(text)):
                yield f"{language}.{field}", name


def _named(text: str) -> set[str]:
    found = liquid.parse(text, escapes=False).analyze(include_partials=False).variables
    return {
        variable.segments[2]
        for variables in found.values()
        for variable in variables
        if tuple(variable.segments[:2]) == _WHOSE
        and len(variable.segments) > 2
        and isinstance(variable.segments[2], str)
    }
