"""Orders: what their customers say about them."""

from __future__ import annotations

from typing import Self

import graphene

from crm_plugin import activity, ids, shop
from crm_plugin.errors import InvalidInput
from crm_plugin.graphql.access import Caller
from crm_plugin.graphql.mutation import CrmMutation
from crm_plugin.shop import Actor, OrderState


class CrmReceiptConfirm(CrmMutation, caller=Caller.CUSTOMER):
    """Confirm that an order of the caller's arrived and is fine; twice is once. Requires an account."""

    is_confirmed = graphene.Boolean(description="True when it was taken down; null when refused.")

    class Arguments:
        order = graphene.ID(required=True, description="The shop's Order.")

    @classmethod
    def perform(cls, actor: Actor, *, order: str) -> Self:
        """Record it. An order of somebody else is none."""
        ref = ids.from_global("Order", order, field="order")
        found = shop.current().orders([ref]).get(ref)
        if found is None or found.customer_id != actor.customer_id:
            raise InvalidInput("You have no such order.", field="order", code="NOT_FOUND")
        if found.state in (OrderState.CANCELLED, OrderState.REFUNDED):
            raise InvalidInput("This order was cancelled or paid back.", field="order")
        activity.confirm_receipt(found)
        return cls(is_confirmed=True)


class OrderMutations(graphene.ObjectType):
    """Root fields about orders."""

    crm_receipt_confirm = CrmReceiptConfirm.Field()
