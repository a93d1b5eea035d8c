"""The frame of every mutation: who may call it, one transaction, refusals as ``errors``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self

import graphene
from django.db import transaction

from crm_plugin.errors import CRMError, NotActive, PermissionDenied
from crm_plugin.graphql.access import Caller, Door
from crm_plugin.graphql.errors import CrmError, as_payload
from crm_plugin.graphql.loaders import forget
from crm_plugin.graphql.writable import refuse_unwritable
from crm_plugin.shop import Actor


def result(kind: Any) -> Any:
    """Return the field of a payload that shows what was made or changed."""
    return graphene.Field(kind, description="As it is now; null when refused.")


class CrmMutation(graphene.Mutation):
    """A mutation of the CRM. A subclass says its ``caller`` beside its bases and has a class method ``perform``.

    ``perform(actor, *, …the arguments)`` does it, inside the transaction, and returns the payload, or refuses by
    raising a ``CRMError``.
    """

    perform: ClassVar[Callable[..., Any]]

    class Meta:
        abstract = True

    errors = graphene.List(
        graphene.NonNull(CrmError), required=True, description="What was refused; empty when it was done."
    )

    def __init_subclass__(cls, **options: Any) -> None:
        """Take what graphene takes in ``Meta`` as words beside the base."""
        super().__init_subclass__(**options)

    @classmethod
    def __init_subclass_with_meta__(cls, *, caller: Caller, **options: Any) -> None:
        """Put the mutation behind its door."""
        super().__init_subclass_with_meta__(resolver=Door(caller, cls._resolve), **options)

    @classmethod
    def _resolve(cls, actor: Actor, info: Any, **arguments: Any) -> Self:
        try:
            refuse_unwritable(arguments)
            with transaction.atomic():
                payload: Self = cls.perform(actor, **arguments)
        except (NotActive, PermissionDenied):
            raise
        except CRMError as error:
            return cls(errors=[as_payload(error)])
        finally:
            forget(info)
        payload.errors = []
        return payload
