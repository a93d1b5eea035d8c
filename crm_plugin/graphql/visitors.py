"""Visitors: the storefront says which browser a signed-in customer uses."""

from __future__ import annotations

import re
from typing import Self

import graphene

from crm_plugin import activity, clock
from crm_plugin.errors import InvalidInput
from crm_plugin.graphql.access import Caller
from crm_plugin.graphql.mutation import CrmMutation
from crm_plugin.shop import Actor, Fact, FactKind

_VISITOR_ID = re.compile(r"[A-Za-z0-9_-]{16,64}")


class CrmVisitorIdentify(CrmMutation, caller=Caller.CUSTOMER):
    """Say that the caller uses this browser: what it did unnamed becomes the caller's history. Requires an account."""

    is_identified = graphene.Boolean(description="True when it was taken down; null when refused.")

    class Arguments:
        visitor_id = graphene.String(required=True, description="The id that crm.js keeps for the browser.")

    @classmethod
    def perform(cls, actor: Actor, *, visitor_id: str) -> Self:
        """Record it; the drain links the two."""
        if not _VISITOR_ID.fullmatch(visitor_id):
            raise InvalidInput("16 to 64 letters, digits, - and _.", field="visitor_id")
        now = clock.now()
        activity.record(
            Fact(
                kind=FactKind.IDENTIFIED,
                # With the moment: somebody else may have used the browser meanwhile.
                source_key=f"identified:{visitor_id}:{actor.customer_id}:{now.isoformat()}",
                occurred_at=now,
                customer_id=actor.customer_id,
                email=actor.email,
                visitor_id=visitor_id,
            )
        )
        return cls(is_identified=True)


class VisitorMutations(graphene.ObjectType):
    """Root fields by which the storefront names a visitor."""

    crm_visitor_identify = CrmVisitorIdentify.Field()
