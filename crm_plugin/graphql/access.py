"""Who may call a field: every root field of the CRM is a ``Door`` that says so.

Nested fields have no door of their own. They are reached only through a root field, and the types that customers
reach are not connected with those of staff; ``tests/graphql/test_access.py`` walks the schema and proves both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from typing import Any, ParamSpec, TypeVar, assert_never

from crm_plugin import shop
from crm_plugin.errors import CRMError, NotActive, PermissionDenied
from crm_plugin.graphql.errors import as_graphql
from crm_plugin.graphql.writable import refuse_unwritable
from crm_plugin.shop import Actor, Permission

P = ParamSpec("P")
T = TypeVar("T")


class Caller(StrEnum):
    """Who may call a field."""

    ANYONE = "anyone"  #: nobody has to sign in: what the shop shows in public
    CUSTOMER = "customer"  #: a person with an account, for their own data
    SELF_OR_MANAGER = "self_or_manager"  #: a person for their own data; for another's, who may manage
    VIEWER = "viewer"  #: staff and apps with ``view_crm`` or ``manage_crm``
    MANAGER = "manager"  #: staff and apps with ``manage_crm``


@contextmanager
def _inside() -> Iterator[None]:
    """Let the database be used, and tell what the CRM refuses in the words of GraphQL."""
    try:
        with shop.current().writable():
            yield
    except CRMError as error:
        raise as_graphql(error) from error


@dataclass(frozen=True, slots=True)
class Door:
    """A resolver behind a check: the body runs only for ``caller``, and gets the actor instead of the root.

    The body runs in the shop's ``writable()``, queries too: Saleor guards its writer connection against reads as
    well, and a merchant who just saved something must see it, which a replica cannot promise. So a body reads all
    that it returns, nothing lazy.
    """

    caller: Caller
    body: Callable[..., Any]

    def __call__(self, _root: Any, info: Any, **arguments: Any) -> Any:
        """Resolve the field.

        Raises:
            GraphQLError: PermissionDenied, NotActive, or what the body refused.
        """
        with _inside():
            return self.body(self._admit(info.context), info, **arguments)

    def _admit(self, context: Any) -> Actor:
        here = shop.current()
        if not here.operator().is_enabled:
            raise NotActive("The CRM is switched off.")
        actor = here.actor(context)
        if not actor.is_known and self.caller is not Caller.ANYONE:
            raise PermissionDenied("Sign in first.")
        if not _may(actor, self.caller):
            raise PermissionDenied(_NEEDS[self.caller])
        return actor


_NEEDS = {
    Caller.CUSTOMER: "This is for people with an account, not for apps.",
    Caller.SELF_OR_MANAGER: "This needs an account, or the permission manage_crm.",
    Caller.VIEWER: "This needs the permission view_crm.",
    Caller.MANAGER: "This needs the permission manage_crm.",
}


def _may(actor: Actor, caller: Caller) -> bool:
    is_manager = Permission.MANAGE in actor.permissions
    match caller:
        case Caller.ANYONE:
            return True
        case Caller.CUSTOMER:
            return bool(actor.customer_id)
        case Caller.SELF_OR_MANAGER:
            return bool(actor.customer_id) or is_manager
        case Caller.VIEWER:
            return is_manager or Permission.VIEW in actor.permissions
        case Caller.MANAGER:
            return is_manager
        case _:
            assert_never(caller)


def admits(caller: Caller) -> Callable[[Callable[..., Any]], Door]:
    """Return a decorator that makes a resolver of a root field open to ``caller`` only."""

    def decorate(body: Callable[..., Any]) -> Door:
        def checked(actor: Actor, info: Any, **arguments: Any) -> Any:
            refuse_unwritable(arguments)
            return body(actor, info, **arguments)

        return Door(caller, checked)

    return decorate


def reads(body: Callable[P, T]) -> Callable[P, T]:
    """Let a nested resolver or a batch load, which run when the door has closed, do as one behind the door."""

    @wraps(body)
    def read(*args: P.args, **kwargs: P.kwargs) -> T:
        with _inside():
            refuse_unwritable(kwargs)
            return body(*args, **kwargs)

    return read
