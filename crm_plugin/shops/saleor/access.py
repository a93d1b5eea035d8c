"""Saleor's rules for its database connections, in one place."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from django.core.exceptions import ImproperlyConfigured

from crm_plugin.conf import settings
from crm_plugin.guard import guarded

logger = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")


def writer() -> AbstractContextManager[None]:
    """Return Saleor's context that allows the writer connection; it nests.

    The CRM reads there as well: what a hook just told must be found, and a replica may lag behind.
    """
    from saleor.core.db.connection import allow_writer  # noqa: PLC0415 - pulls in graphql, not before models are loaded

    context: AbstractContextManager[None] = allow_writer()
    return context


def on_writer(body: Callable[P, T]) -> Callable[P, T]:
    """Run ``body`` inside ``writer()``. It returns what it has read, nothing lazy."""

    @wraps(body)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        with writer():
            return body(*args, **kwargs)

    return call


def hook(tell: Callable[..., None]) -> Callable[..., Any]:
    """Return ``tell`` as a method of a Saleor plugin: guarded, and the value of the plugins before it handed on.

    ``*args`` and ``**kwargs`` take what other releases of Saleor pass besides the first argument. A misconfiguration
    stops Saleor when it starts; one that is noticed only here, in the middle of a sale, is logged.
    """
    safe = on_writer(guarded(f"saleor.{tell.__name__}")(tell))

    def method(
        self: Any, subject: Any, *args: Any, previous_value: Any = None, webhooks: Any = None, **kwargs: Any
    ) -> Any:
        try:
            if settings().enabled:
                safe(subject)
        except ImproperlyConfigured as error:
            logger.critical("crm: %s records nothing: %s", tell.__name__, error)
        return previous_value

    method.__doc__ = tell.__doc__
    return method
