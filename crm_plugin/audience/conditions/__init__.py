"""The conditions that an audience is made of. A new one is a file in this package and a line in the list below."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from crm_plugin.audience.conditions.activities import Did
from crm_plugin.audience.conditions.attributes import Attribute
from crm_plugin.audience.conditions.base import Answer, Ask, Condition, Every, Row, Those
from crm_plugin.audience.conditions.consents import HasConsent, Reachable
from crm_plugin.audience.conditions.copurchase import CoPurchase
from crm_plugin.audience.conditions.coupons import HoldsCoupon
from crm_plugin.audience.conditions.engagement import Engaged
from crm_plugin.audience.conditions.inflows import CameFrom, UsesBrowser
from crm_plugin.audience.conditions.interests import Interest
from crm_plugin.audience.conditions.known import Known
from crm_plugin.audience.conditions.logic import AllOf, AnyOf, Everybody, Not
from crm_plugin.audience.conditions.membership import InSegment
from crm_plugin.audience.conditions.scores import InRfm, InStage
from crm_plugin.audience.conditions.sequences import Sequence
from crm_plugin.audience.conditions.spending import Spent

AnyCondition = Annotated[
    AllOf
    | AnyOf
    | Not
    | Everybody
    | Attribute
    | HasConsent
    | Reachable
    | Spent
    | Did
    | Sequence
    | CoPurchase
    | Interest
    | CameFrom
    | UsesBrowser
    | InRfm
    | InStage
    | InSegment
    | HoldsCoupon
    | Engaged,
    Field(discriminator="type"),
]

for _model in (AllOf, AnyOf, Not):
    _model.model_rebuild(_types_namespace={"AnyCondition": AnyCondition})

__all__ = [
    "AllOf",
    "Answer",
    "AnyCondition",
    "AnyOf",
    "Ask",
    "Condition",
    "Every",
    "Everybody",
    "InSegment",
    "Known",
    "Not",
    "Row",
    "Those",
]
